// SPDX-License-Identifier: Apache-2.0
//! Rows that a deduplicated index keeps only as pairs: the id of a stored vector, and another id
//! that an equal vector was added under (IndexIVFFlatDedup `instances`).
//!
//! The pairs are in no order and may be many. A split of them is held, sorted, and all ids of the
//! lists are read past it to find where the stored vectors are.

use std::ops::Range;
use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::flat::too_many;
use super::walk::for_each_id;
use super::{Rows, Run};
use crate::format::invlists::Lists;
use crate::format::read_at::read_at;
use crate::format::window::Window;
use crate::format::{ReadAt, Span};

/// Pairs of a split: 4 MiB while they are held.
pub const PAIRS: u64 = 1 << 17;

/// A pair, and where its vector is.
#[derive(Debug, Clone, Copy)]
struct Pair {
    stored: i64,
    id: i64,
    /// Offset of the vector, once it is found.
    at: Option<u64>,
}

/// Reads the rows of a stretch of pairs.
#[derive(Debug)]
pub struct DuplicateRows {
    data: Arc<dyn ReadAt>,
    pairs: Vec<Pair>,
    next: usize,
}

impl DuplicateRows {
    /// Finds the vectors of the pairs `range` of `instances`.
    ///
    /// # Errors
    /// `Format` for a pair whose vector is in no list, or in two.
    pub fn new(
        file: &Arc<dyn ReadAt>,
        data: Arc<dyn ReadAt>,
        lists: &Lists,
        instances: Span,
        range: Range<u64>,
    ) -> Result<Self> {
        let mut pairs = pairs(file.as_ref(), instances, range)?;
        pairs.sort_by_key(|pair| pair.stored);
        for_each_id(file, data.as_ref(), lists, |list, row, id| {
            let at = list
                .codes_at
                .saturating_add(row.saturating_mul(lists.code_bytes));
            let from = pairs.partition_point(|pair| pair.stored < id);
            let same = pairs
                .iter_mut()
                .skip(from)
                .take_while(|pair| pair.stored == id);
            for pair in same {
                if pair.at.replace(at).is_some() {
                    return Err(ambiguous(id, instances));
                }
            }
            Ok(())
        })?;
        if let Some(lost) = pairs.iter().find(|pair| pair.at.is_none()) {
            return Err(Error::new(
                ErrorKind::Format,
                format!(
                    "id {} stands for the vector of id {}, which is in no inverted list",
                    lost.id, lost.stored
                ),
            )
            .with("offset", instances.at));
        }
        // In the order of the file, so that equal vectors are read once; pairs of one vector
        // keep the order of the table.
        pairs.sort_by_key(|pair| pair.at);
        Ok(Self {
            data,
            pairs,
            next: 0,
        })
    }
}

fn ambiguous(id: i64, instances: Span) -> Error {
    Error::new(
        ErrorKind::Format,
        format!("id {id} is in the inverted lists twice, and other ids stand for its vector: which one is not known"),
    )
    .with("offset", instances.at)
}

fn pairs(file: &dyn ReadAt, instances: Span, range: Range<u64>) -> Result<Vec<Pair>> {
    let count = range.end.saturating_sub(range.start).min(PAIRS) as usize;
    let mut numbers = vec![[0i64; 2]; count];
    let at = instances.at.saturating_add(range.start.saturating_mul(16));
    read_at(
        file,
        at,
        bytemuck::cast_slice_mut(&mut numbers),
        "the pairs of equal vectors",
    )?;
    Ok(numbers
        .into_iter()
        .map(|[stored, id]| Pair {
            stored,
            id,
            at: None,
        })
        .collect())
}

impl Rows for DuplicateRows {
    fn read(&mut self, codes: &mut [u8], ids: &mut [i64], _: &mut Vec<Run>) -> Result<usize> {
        let pairs = self.pairs.get(self.next..).unwrap_or_default();
        let count = pairs.len().min(ids.len());
        let Some(code_bytes) = codes.len().checked_div(ids.len()) else {
            return Ok(0);
        };
        let mut window = Window::default();
        let rows = codes
            .chunks_exact_mut(code_bytes.max(1))
            .zip(ids)
            .zip(pairs);
        for ((code, id), pair) in rows {
            *id = pair.id;
            let at = pair.at.unwrap_or(u64::MAX);
            window.read(self.data.as_ref(), at, code, "the vectors")?;
        }
        self.next += count;
        Ok(count)
    }

    fn skip(&mut self, rows: u64) -> Result<()> {
        let left = (self.pairs.len() - self.next) as u64;
        if rows > left {
            return Err(too_many(rows, left));
        }
        self.next += rows as usize;
        Ok(())
    }
}
