// SPDX-License-Identifier: Apache-2.0
//! Rows that a deduplicated index keeps only as pairs: the id of a stored vector, and another id
//! that an equal vector was added under (IndexIVFFlatDedup `instances`).
//!
//! Neither the pairs nor the ids of the lists are in any order, and both may be many. Both are
//! sorted and joined, once for all splits; what comes out, the place of a vector and an id of it,
//! is sorted by place. Where it does not fit into memory, it stays in a temporary file. Ids of the
//! lists that no pair names are left out, as far as a set of fixed size tells.

use std::ops::Range;
use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::flat::too_many;
use super::sort::{Merge, RUN, Record, Sorted, Sorter};
use super::walk::for_each_id;
use super::{Rows, Run};
use crate::format::invlists::Lists;
use crate::format::read_at::read_at;
use crate::format::window::Window;
use crate::format::{ReadAt, Span};

/// Pairs of a split.
pub const PAIRS: u64 = RUN as u64;
/// Most bits of the set of ids that pairs name: 4 MiB.
const SET_BITS: u64 = 1 << 25;
/// Records that are read at once.
const PIECE: usize = 4096;

/// Bytes that a reader of pairs holds. A table of one split is joined again for each reader, so
/// that it need not be kept.
pub fn held_bytes(pairs: u64, list_rows: u64) -> u64 {
    if pairs > PAIRS {
        return 0;
    }
    // Pairs and places, half as much again while they are sorted, and the set; ids of the lists
    // that the set does not tell from those of pairs fill a run at most.
    let lists = list_rows.min(PAIRS).saturating_mul(24);
    pairs.saturating_mul(2 * 24 + 4).saturating_add(lists)
}

/// The places of vectors that pairs stand for, each with an id, in the order of the file; pairs
/// of one vector keep the order of the table.
#[derive(Debug)]
pub struct Places(Sorted);

impl Places {
    /// Finds the vectors of all pairs of `instances`.
    ///
    /// # Errors
    /// `Format` for a pair whose vector is in no list, or in two; `Io`, `Cancelled`.
    pub fn find(
        file: &Arc<dyn ReadAt>,
        data: &dyn ReadAt,
        lists: &Lists,
        instances: Span,
    ) -> Result<Self> {
        let (pairs, named) = sorted_pairs(file.as_ref(), instances)?;
        let mut stored = Sorter::default();
        for_each_id(file, data, lists, |list, row, id| {
            if !named.may_have(id) {
                return Ok(());
            }
            let at = list
                .codes_at
                .saturating_add(row.saturating_mul(lists.code_bytes));
            stored.push([id, at as i64])
        })?;
        drop(named);
        let places = join(file.as_ref(), pairs.merge()?, stored.finish()?.merge()?)
            .map_err(|e| e.with("offset", instances.at))?;
        let check = || file.check_cancelled();
        Ok(Self(places.finish()?.settle(check)?))
    }

    /// Whether they take no memory, so that they can be kept.
    pub fn is_in_file(&self) -> bool {
        matches!(self.0, Sorted::Runs(_))
    }

    /// Copies those from `first` on into `out`.
    fn read(&self, first: u64, out: &mut [Record]) -> Result<()> {
        match &self.0 {
            Sorted::Runs(spool) => spool.read(first, out),
            Sorted::Held(records) => {
                let held = records.get(first as usize..).unwrap_or_default();
                for (out, record) in out.iter_mut().zip(held) {
                    *out = *record;
                }
                Ok(())
            }
        }
    }
}

/// The pairs by the id of their vector, and the set of these ids.
fn sorted_pairs(file: &dyn ReadAt, instances: Span) -> Result<(Sorted, Named)> {
    let mut sorter = Sorter::default();
    let mut named = Named::new(instances.count);
    let mut piece = vec![[0i64; 2]; PIECE];
    let mut first = 0;
    while first < instances.count {
        let count = (instances.count - first).min(PIECE as u64);
        let piece = piece.split_at_mut(count as usize).0;
        let at = instances.at.saturating_add(first.saturating_mul(16));
        let what = "the pairs of equal vectors";
        read_at(file, at, bytemuck::cast_slice_mut(piece), what)?;
        for pair in piece {
            named.add(pair[0]);
            sorter.push(*pair)?;
        }
        first += count;
    }
    Ok((sorter.finish()?, named))
}

/// Gives each pair the place of its vector: `pairs` are (id of the vector, own id), `stored` are
/// (id, place) of the lists.
fn join(file: &dyn ReadAt, mut pairs: Merge, mut stored: Merge) -> Result<Sorter> {
    let mut places = Sorter::default();
    let mut found: Option<Record> = None;
    let mut next = stored.next()?;
    let mut joined = 0usize;
    while let Some([wanted, id]) = pairs.next()? {
        joined += 1;
        if joined.is_multiple_of(PIECE) {
            file.check_cancelled()?;
        }
        while let Some(record) = next.filter(|[key, _]| *key <= wanted) {
            next = stored.next()?;
            let is_twice = next.is_some_and(|[key, _]| key == wanted);
            if record[0] == wanted && is_twice {
                return Err(ambiguous(wanted));
            }
            found = Some(record);
        }
        match found.filter(|[key, _]| *key == wanted) {
            Some([_, at]) => places.push([at, id])?,
            None => return Err(lost(id, wanted)),
        }
    }
    Ok(places)
}

/// A set of ids that may take some others for its own.
#[derive(Debug)]
struct Named {
    words: Vec<u64>,
    shift: u32,
}

impl Named {
    fn new(ids: u64) -> Self {
        let bits = ids
            .saturating_mul(16)
            .clamp(64, SET_BITS)
            .next_power_of_two();
        Self {
            words: vec![0; (bits / 64) as usize],
            shift: 64 - bits.trailing_zeros(),
        }
    }

    /// The word and the bit of an id.
    fn place(&self, id: i64) -> (usize, u64) {
        let hash = (id as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift;
        ((hash / 64) as usize, 1 << (hash % 64))
    }

    fn add(&mut self, id: i64) {
        let (word, bit) = self.place(id);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    fn may_have(&self, id: i64) -> bool {
        let (word, bit) = self.place(id);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn ambiguous(id: i64) -> Error {
    Error::new(
        ErrorKind::Format,
        format!(
            "id {id} is in the inverted lists twice, and other ids stand for its vector: which one is not known"
        ),
    )
}

fn lost(id: i64, stored: i64) -> Error {
    Error::new(
        ErrorKind::Format,
        format!("id {id} stands for the vector of id {stored}, which is in no inverted list"),
    )
}

/// Reads the rows of a stretch of pairs.
#[derive(Debug)]
pub struct DuplicateRows {
    data: Arc<dyn ReadAt>,
    places: Arc<Places>,
    rows: Range<u64>,
    piece: Vec<Record>,
    window: Window,
}

impl DuplicateRows {
    /// The rows of some places.
    pub fn new(data: Arc<dyn ReadAt>, places: Arc<Places>, rows: Range<u64>) -> Self {
        Self {
            data,
            places,
            rows,
            piece: Vec::new(),
            window: Window::default(),
        }
    }
}

impl Rows for DuplicateRows {
    fn read(&mut self, codes: &mut [u8], ids: &mut [i64], _: &mut Vec<Run>) -> Result<usize> {
        let Some(code_bytes) = codes.len().checked_div(ids.len()) else {
            return Ok(0);
        };
        let before = self.rows.start;
        let pieces = codes
            .chunks_mut(code_bytes.max(1).saturating_mul(PIECE))
            .zip(ids.chunks_mut(PIECE));
        for (codes, ids) in pieces {
            let left = self.rows.end.saturating_sub(self.rows.start);
            let count = left.min(ids.len() as u64);
            self.piece.resize(count as usize, [0; 2]);
            self.places.read(self.rows.start, &mut self.piece)?;
            let rows = codes.chunks_exact_mut(code_bytes.max(1)).zip(ids);
            for ((code, id), [at, own]) in rows.zip(&self.piece) {
                *id = *own;
                self.window
                    .read(self.data.as_ref(), *at as u64, code, "the vectors")?;
            }
            self.rows.start += count;
        }
        Ok((self.rows.start - before) as usize)
    }

    fn skip(&mut self, rows: u64) -> Result<()> {
        let left = self.rows.end.saturating_sub(self.rows.start);
        if rows > left {
            return Err(too_many(rows, left));
        }
        self.rows.start += rows;
        Ok(())
    }
}
