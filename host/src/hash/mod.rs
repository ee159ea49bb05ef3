// SPDX-License-Identifier: Apache-2.0
//! The row hash `xxh3-128/1` (data model 5.11): what proves that a target holds what the source
//! gave.
//!
//! It proves against loss and mix-up, not against an adversary. A row's hash depends on its
//! values, their columns' names and its id, and on nothing else: not on the order of rows or
//! columns, not on how rows are cut into batches, not on the width of an integer. Sums of hashes
//! stand for a whole dataset; they are sums and not XOR, so that a doubled row does not cancel.
//!
//! One thing is beyond the letter of the data model: where a schema has exactly one vector
//! column, that is hashed under the name `vector`, whatever it is called. Systems that hold one
//! vector a row have no name for it or one of their own, so that it differs between a source and
//! its target although nothing was lost.

mod decimal;
mod json;
mod scalar;
mod shape;
mod sums;
mod vector;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, SchemaRef};
use milvusdm_plugin_api::model::schema::{Column, classify};
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use twox_hash::{XxHash3_64, XxHash3_128};

use shape::Shape;
pub use sums::{Sums, digest_text};

/// The hash's name, version included; sums under another name can't be compared with these.
pub const NAME: &str = "xxh3-128/1";

/// The name that a lone vector column is hashed under.
const LONE_VECTOR: &str = "vector";
/// Rows whose cells are held at a time: they stay in the processor's cache.
const BLOCK_ROWS: usize = 512;

/// Hashes the rows of one schema.
#[derive(Debug, Clone)]
pub struct Hasher {
    schema: SchemaRef,
    id: Option<(usize, Shape)>,
    dynamic: Option<(usize, String)>,
    /// In the order of their names' bytes.
    cells: Vec<Cell>,
}

/// A column whose values are cells.
#[derive(Debug, Clone)]
struct Cell {
    position: usize,
    name: String,
    seed: u64,
    shape: Shape,
}

/// The hashes of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowHash {
    /// Position in the batch.
    pub row: usize,
    /// Digest of the id alone; where there are no ids, of what stands in their place.
    pub id: u128,
    /// The row's hash.
    pub hash: u128,
    /// The hash that the row would have without an id.
    pub without_id: u128,
}

impl Hasher {
    /// Prepares for the rows of a schema.
    ///
    /// # Errors
    /// `Unsupported` for a column that can't be hashed, naming it and its type.
    pub fn new(schema: &SchemaRef) -> Result<Self> {
        let mut hasher = Self::as_named(schema)?;
        let is_vector = |cell: &&mut Cell| matches!(cell.shape, Shape::Vector(_));
        let is_taken = hasher.cells.iter().any(|cell| cell.name == LONE_VECTOR);
        let mut vectors = hasher.cells.iter_mut().filter(is_vector);
        if let (Some(vector), None, false) = (vectors.next(), vectors.next(), is_taken) {
            *vector = Cell::new(vector.position, LONE_VECTOR, vector.shape.clone());
            hasher.sort();
        }
        Ok(hasher)
    }

    /// Prepares for the rows of a schema, every column under its own name.
    fn as_named(schema: &SchemaRef) -> Result<Self> {
        let mut hasher = Self {
            schema: Arc::clone(schema),
            id: None,
            dynamic: None,
            cells: Vec::new(),
        };
        for (position, field) in schema.fields().iter().enumerate() {
            hasher.add(position, field)?;
        }
        hasher.sort();
        Ok(hasher)
    }

    fn add(&mut self, position: usize, field: &Field) -> Result<()> {
        match classify(field) {
            Column::Id => self.id = Some((position, Shape::of(field)?)),
            Column::Dynamic => self.dynamic = Some((position, field.name().clone())),
            Column::Partition => {}
            // Always null, so there is no cell.
            Column::Scalar if *field.data_type() == DataType::Null => {}
            _ => {
                let cell = Cell::new(position, field.name(), Shape::of(field)?);
                self.cells.push(cell);
            }
        }
        Ok(())
    }

    fn sort(&mut self) {
        self.cells.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Whether rows have ids.
    pub fn has_ids(&self) -> bool {
        self.id.is_some()
    }

    /// The sums over a batch.
    ///
    /// # Errors
    /// `Internal` if the batch is not of the schema.
    pub fn sums(&self, batch: &RecordBatch) -> Result<Sums> {
        let mut sums = Sums::default();
        self.walk(batch, &mut sums, |_, _, _| {})?;
        Ok(sums)
    }

    /// The sums over a batch, and every row's own hashes on the way.
    ///
    /// # Errors
    /// `Internal` if the batch is not of the schema.
    pub fn rows(&self, batch: &RecordBatch, mut each: impl FnMut(RowHash)) -> Result<Sums> {
        let mut sums = Sums::default();
        self.walk(batch, &mut sums, |row, id, (hash, without_id)| {
            each(RowHash {
                row,
                id: XxHash3_128::oneshot(id),
                hash,
                without_id,
            });
        })?;
        Ok(sums)
    }

    fn walk(
        &self,
        batch: &RecordBatch,
        sums: &mut Sums,
        mut each: impl FnMut(usize, &[u8], (u128, u128)),
    ) -> Result<()> {
        self.check(batch)?;
        let mut block = Block::default();
        let mut first = 0;
        while first < batch.num_rows() {
            let rows = BLOCK_ROWS.min(batch.num_rows() - first);
            block.fill(self, &batch.slice(first, rows));
            block.sum_columns(self, sums);
            block.hash_rows(rows);
            for (row, hashes) in block.hashes.iter().copied().enumerate() {
                sums.row = sums.row.wrapping_add(hashes.0);
                sums.row_without_id = sums.row_without_id.wrapping_add(hashes.1);
                each(first + row, block.id(row), hashes);
            }
            sums.rows = sums.rows.saturating_add(rows as u64);
            first += rows;
        }
        sums.bound();
        Ok(())
    }

    /// Columns go by their positions, so a batch of another schema must not pass.
    fn check(&self, batch: &RecordBatch) -> Result<()> {
        let fields = self.schema.fields();
        let found = batch.columns();
        let is_same = fields.len() == found.len()
            && fields
                .iter()
                .zip(found)
                .all(|(field, column)| shape::same(field.data_type(), column.data_type()));
        match is_same {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Internal,
                format!(
                    "hash rows: the batch's columns are {}, wanted {}",
                    types(found.iter().map(ArrayRef::data_type)),
                    types(fields.iter().map(|field| field.data_type()))
                ),
            )),
        }
    }
}

fn types<'a>(types: impl Iterator<Item = &'a DataType>) -> String {
    let names: Vec<String> = types.map(ToString::to_string).collect();
    names.join(", ")
}

impl Cell {
    fn new(position: usize, name: &str, shape: Shape) -> Self {
        Self {
            position,
            name: name.to_owned(),
            seed: XxHash3_64::oneshot(name.as_bytes()),
            shape,
        }
    }
}

/// What is known of some rows at a time; its memory is used again.
#[derive(Debug, Default)]
struct Block {
    /// Feeds of the ids, one behind the other, and where each ends.
    ids: Vec<u8>,
    id_ends: Vec<usize>,
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

impl Block {
    fn fill(&mut self, hasher: &Hasher, rows: &RecordBatch) {
        self.ids.clear();
        self.id_ends.clear();
        if let Some((position, shape)) = &hasher.id {
            let ids = rows.column(*position).as_ref();
            if let Some(ids) = ids.as_primitive_opt::<Int64Type>() {
                for id in ids.values() {
                    scalar::integer(i128::from(*id), &mut self.ids);
                    self.id_ends.push(self.ids.len());
                }
            } else {
                for row in 0..ids.len() {
                    shape.write(ids, row, &mut self.ids);
                    self.id_ends.push(self.ids.len());
                }
            }
        }
        self.cells.resize_with(hasher.cells.len(), Vec::new);
        for (cell, digests) in hasher.cells.iter().zip(&mut self.cells) {
            digests.clear();
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
    }

    fn sum_columns(&self, hasher: &Hasher, sums: &mut Sums) {
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

    /// Hashes its rows.
    ///
    /// All feeds are written before the first is hashed: a processor that reads what it has just
    /// written in other pieces has to wait for it.
    fn hash_rows(&mut self, rows: usize) {
        let mut feeds = std::mem::take(&mut self.feeds);
        feeds.clear();
        self.places.clear();
        for row in 0..rows {
            let start = feeds.len();
            feeds.extend_from_slice(self.id(row));
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
        let hash = |feeds: &[u8], from: usize, to: usize| {
            XxHash3_128::oneshot(feeds.get(from..to).unwrap_or_default())
        };
        self.hashes.clear();
        for [start, _, end] in &self.places {
            let whole = hash(&feeds, *start, *end);
            self.hashes.push((whole, whole));
        }
        if !self.id_ends.is_empty() {
            // What stands for a missing id takes one byte: the last of the id that was there.
            let before = |cells: &usize| cells.saturating_sub(1);
            for [_, cells, _] in &self.places {
                if let Some(last) = feeds.get_mut(before(cells)) {
                    *last = scalar::NULL;
                }
            }
            for ([_, cells, end], (_, without_id)) in self.places.iter().zip(&mut self.hashes) {
                *without_id = hash(&feeds, before(cells), *end);
            }
        }
        self.feeds = feeds;
    }

    /// The feed of a row's id, or what stands for none.
    fn id(&self, row: usize) -> &[u8] {
        let Some(end) = self.id_ends.get(row) else {
            return &[scalar::NULL];
        };
        let before = row
            .checked_sub(1)
            .and_then(|before| self.id_ends.get(before));
        let start = before.copied().unwrap_or_default();
        self.ids.get(start..*end).unwrap_or_default()
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
}

impl Cell {
    /// The digests of a column's values.
    fn digests(&self, values: &dyn Array, into: &mut Vec<Option<u128>>) {
        if let Shape::Vector(vector) = &self.shape
            && vector.plain_digests(values, self.seed, into)
        {
            return;
        }
        let mut feed = Vec::new();
        for row in 0..values.len() {
            feed.clear();
            let is_there = self.shape.write(values, row, &mut feed);
            into.push(is_there.then(|| XxHash3_128::oneshot_with_seed(self.seed, &feed)));
        }
    }
}

#[cfg(test)]
mod known_answers;
#[cfg(test)]
mod tests;
