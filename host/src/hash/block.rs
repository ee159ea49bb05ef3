// SPDX-License-Identifier: Apache-2.0
//! The hashes of some rows at a time: column by column to cells, then row by row.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array, RecordBatch};
use twox_hash::XxHash3_128;

use super::shape::Shape;
use super::sums::Sums;
use super::{Hasher, json, scalar};

/// What is known of some rows; its memory is used again for the next.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// For each column, its cells row by row; a null is no cell.
    cells: Vec<Vec<Option<u128>>>,
    /// For each row, cells of the dynamic column, in order of their names.
    members: Vec<Vec<(String, u128)>>,
    /// The columns' names, where there is a dynamic column.
    names: Vec<String>,
    /// What the rows' hashes are made of, one behind the other: id, then cells.
    feeds: Vec<u8>,
    /// Of each, where it begins, where its cells do, and where it ends.
    places: Vec<[usize; 3]>,
    /// The rows' hashes, with their ids and without.
    hashes: Vec<(u128, u128)>,
}

/// The ids of a block's rows.
enum Ids<'a> {
    None,
    /// By far the most common, so that they have a way of their own.
    Integers(&'a Int64Array),
    Others(&'a Shape, &'a dyn Array),
}

impl<'a> Ids<'a> {
    fn of(hasher: &'a Hasher, rows: &'a RecordBatch) -> Self {
        let Some((position, shape)) = &hasher.id else {
            return Self::None;
        };
        let ids = rows.column(*position).as_ref();
        match ids.as_primitive_opt::<Int64Type>() {
            Some(integers) if integers.null_count() == 0 => Self::Integers(integers),
            _ => Self::Others(shape, ids),
        }
    }

    /// Writes the feed of an id, or what stands for none.
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        let is_there = match self {
            Self::None => false,
            Self::Integers(ids) => {
                scalar::integer(ids.value(row).into(), out);
                true
            }
            Self::Others(shape, ids) => shape.write(*ids, row, out),
        };
        if !is_there {
            out.push(scalar::NULL);
        }
    }
}

impl Block {
    /// Takes these rows instead of those that it had.
    pub(super) fn fill(&mut self, hasher: &Hasher, rows: &RecordBatch) {
        self.cells.resize_with(hasher.cells.len(), Vec::new);
        for (cell, digests) in hasher.cells.iter().zip(&mut self.cells) {
            digests.clear();
            digests.reserve(rows.num_rows());
            cell.digests(rows.column(cell.position).as_ref(), digests);
        }
        self.members.clear();
        if let Some((position, name)) = &hasher.dynamic {
            let texts = rows.column(*position).as_ref();
            for row in 0..texts.len() {
                self.members.push(json::members(texts, row, name));
            }
            if self.names.is_empty() {
                self.names
                    .extend(hasher.cells.iter().map(|cell| cell.name.clone()));
            }
        }
        self.feed(&Ids::of(hasher, rows), rows.num_rows());
    }

    /// Writes the feeds of all rows, before the first is hashed: a processor that reads what it
    /// has just written in other pieces has to wait for it.
    fn feed(&mut self, ids: &Ids<'_>, rows: usize) {
        let mut feeds = std::mem::take(&mut self.feeds);
        feeds.clear();
        self.places.clear();
        for row in 0..rows {
            let start = feeds.len();
            ids.write(row, &mut feeds);
            let cells = feeds.len();
            if self.members.is_empty() {
                for digest in self.cells.iter().filter_map(|cells| *cells.get(row)?) {
                    feeds.extend_from_slice(&digest.to_le_bytes());
                }
            } else {
                self.write_merged(row, &mut feeds);
            }
            self.places.push([start, cells, feeds.len()]);
        }
        self.feeds = feeds;
    }

    /// The cells of columns and of dynamic members together, in order of their names.
    fn write_merged(&self, row: usize, feed: &mut Vec<u8>) {
        let columns = self
            .names
            .iter()
            .zip(&self.cells)
            .filter_map(|(name, cells)| {
                let digest = cells.get(row).copied().flatten()?;
                Some((name.as_str(), digest))
            });
        let members = self.members.get(row).into_iter().flatten();
        let mut all: Vec<(&str, u128)> = columns
            .chain(members.map(|(name, digest)| (name.as_str(), *digest)))
            .collect();
        all.sort_by_key(|(name, _)| *name);
        for (_, digest) in all {
            feed.extend_from_slice(&digest.to_le_bytes());
        }
    }

    /// Digests of the ids alone, or of what stands in their place; only until the rows are hashed.
    pub(super) fn id_digests(&self) -> Vec<u128> {
        let ids = self.places.iter().map(|[start, cells, _]| (*start, *cells));
        ids.map(|(from, to)| digest(&self.feeds, from, to))
            .collect()
    }

    /// Hashes the rows, with their ids and without.
    pub(super) fn hash(&mut self) -> &[(u128, u128)] {
        self.hashes.clear();
        for [start, _, end] in &self.places {
            let whole = digest(&self.feeds, *start, *end);
            self.hashes.push((whole, whole));
        }
        // What stands for a missing id takes one byte: the last of the id that was there.
        let before = |cells: &usize| cells.saturating_sub(1);
        for [_, cells, _] in &self.places {
            if let Some(last) = self.feeds.get_mut(before(cells)) {
                *last = scalar::NULL;
            }
        }
        for ([start, cells, end], (_, without_id)) in self.places.iter().zip(&mut self.hashes) {
            if before(cells) > *start {
                *without_id = digest(&self.feeds, before(cells), *end);
            }
        }
        &self.hashes
    }

    /// Adds the columns' cells to the sums.
    pub(super) fn sum_columns(&self, hasher: &Hasher, sums: &mut Sums) {
        for (cell, digests) in hasher.cells.iter().zip(&self.cells) {
            let sum = digests
                .iter()
                .flatten()
                .fold(0u128, |sum, digest| sum.wrapping_add(*digest));
            sums.add_column(&cell.name, sum);
        }
        for (name, digest) in self.members.iter().flatten() {
            sums.add_column(name, *digest);
        }
    }
}

fn digest(feeds: &[u8], from: usize, to: usize) -> u128 {
    XxHash3_128::oneshot(feeds.get(from..to).unwrap_or_default())
}
