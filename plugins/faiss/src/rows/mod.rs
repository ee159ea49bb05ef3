// SPDX-License-Identifier: Apache-2.0
//! Reads rows as they lie in the file: codes and ids, not yet decoded.
//!
//! Each reader keeps to a window of the file, whatever the sizes in it, and finds its end in the
//! file's own structure, not in the count that the split was given.

pub mod duplicates;
pub mod flat;
pub mod gather;
pub mod lists;
pub mod sort;
pub mod walk;

use milvusdm_plugin_api::Result;

pub use flat::FlatRows;
pub use lists::ListRows;

/// Rows of one inverted list that follow each other in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The list.
    pub list: u64,
    /// How many of its rows.
    pub rows: usize,
}

/// Rows of a split, in order.
pub trait Rows: Send {
    /// Fills `codes` and `ids` with the next rows, from the front on, as far as there are any;
    /// gives how many. Both have room for the same number of rows. Where rows lie in inverted
    /// lists, `runs` gets the lists.
    ///
    /// # Errors
    /// `Format` where the file is not what its structure says, `Io`, `Cancelled`.
    fn read(&mut self, codes: &mut [u8], ids: &mut [i64], runs: &mut Vec<Run>) -> Result<usize>;

    /// Passes over rows.
    ///
    /// # Errors
    /// As [`read`](Self::read); `Config` if there are not as many.
    fn skip(&mut self, rows: u64) -> Result<()>;
}

/// The first bytes of `codes`, for `rows` rows of `code_bytes` each.
fn front(codes: &mut [u8], rows: u64, code_bytes: u64) -> &mut [u8] {
    let bytes = rows.saturating_mul(code_bytes);
    let bytes = usize::try_from(bytes)
        .unwrap_or(usize::MAX)
        .min(codes.len());
    codes.split_at_mut(bytes).0
}
