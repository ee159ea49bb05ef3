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

mod block;
mod decimal;
mod json;
mod scalar;
mod shape;
mod sums;
mod vector;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, SchemaRef};
use milvusdm_plugin_api::model::schema::{Column, classify};
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use twox_hash::{XxHash3_64, XxHash3_128};

use block::Block;
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
    /// What long feeds are hashed with besides: it follows from the seed, which takes a while.
    secret: Box<[u8]>,
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
        let mut summing = self.begin(batch)?;
        summing.add(0..batch.num_rows());
        Ok(summing.sums())
    }

    /// The sums over a batch, and every row's own hashes on the way.
    ///
    /// # Errors
    /// `Internal` if the batch is not of the schema.
    pub fn rows(&self, batch: &RecordBatch, mut each: impl FnMut(RowHash)) -> Result<Sums> {
        let mut summing = self.begin(batch)?;
        for rows in blocks(0..batch.num_rows()) {
            summing
                .block
                .fill(self, &batch.slice(rows.start, rows.len()));
            let ids = summing.block.id_digests();
            for ((row, id), (hash, without_id)) in rows.zip(ids).zip(summing.sum()) {
                each(RowHash {
                    row,
                    id,
                    hash: *hash,
                    without_id: *without_id,
                });
            }
        }
        Ok(summing.sums())
    }

    /// Begins to sum up a batch some rows at a time, in any order.
    ///
    /// # Errors
    /// `Internal` if the batch is not of the schema.
    pub fn begin<'a>(&'a self, batch: &'a RecordBatch) -> Result<Summing<'a>> {
        self.check(batch)?;
        Ok(Summing {
            hasher: self,
            batch,
            block: Block::default(),
            sums: Sums::default(),
        })
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

/// Rows of a batch as they are summed up.
#[derive(Debug)]
pub struct Summing<'a> {
    hasher: &'a Hasher,
    batch: &'a RecordBatch,
    block: Block,
    sums: Sums,
}

impl Summing<'_> {
    /// Adds rows, by their positions in the batch.
    ///
    /// # Panics
    /// If there are no such rows.
    pub fn add(&mut self, rows: Range<usize>) {
        for rows in blocks(rows) {
            let rows = self.batch.slice(rows.start, rows.len());
            self.block.fill(self.hasher, &rows);
            self.sum();
        }
    }

    /// The sums over all rows that were added.
    pub fn sums(mut self) -> Sums {
        self.sums.bound();
        self.sums
    }

    /// Adds the rows that the block holds; gives their hashes, with their ids and without.
    fn sum(&mut self) -> &[(u128, u128)] {
        self.block.sum_columns(self.hasher, &mut self.sums);
        let hashes = self.block.hash();
        self.sums.rows = self.sums.rows.saturating_add(hashes.len() as u64);
        for (hash, without_id) in hashes {
            self.sums.row = self.sums.row.wrapping_add(*hash);
            self.sums.row_without_id = self.sums.row_without_id.wrapping_add(*without_id);
        }
        hashes
    }
}

/// Cuts rows into as many as are held at a time.
fn blocks(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.step_by(BLOCK_ROWS)
        .map(move |first| first..end.min(first + BLOCK_ROWS))
}

impl Cell {
    fn new(position: usize, name: &str, shape: Shape) -> Self {
        let seed = XxHash3_64::oneshot(name.as_bytes());
        Self {
            position,
            name: name.to_owned(),
            seed,
            secret: XxHash3_128::with_seed(seed).into_secret(),
            shape,
        }
    }

    /// The digests of a column's values.
    fn digests(&self, values: &dyn Array, into: &mut Vec<Option<u128>>) {
        if let Shape::Vector(vector) = &self.shape
            && vector.single_digests(values, |feed| self.digest(feed), into)
        {
            return;
        }
        let mut feed = Vec::new();
        for row in 0..values.len() {
            feed.clear();
            let is_there = self.shape.write(values, row, &mut feed);
            into.push(is_there.then(|| self.digest(&feed)));
        }
    }

    fn digest(&self, feed: &[u8]) -> u128 {
        // Only a secret that is too short is refused, and this one is not.
        XxHash3_128::oneshot_with_seed_and_secret(self.seed, &self.secret, feed)
            .unwrap_or_else(|_| XxHash3_128::oneshot_with_seed(self.seed, feed))
    }
}

#[cfg(test)]
mod known_answers;
#[cfg(test)]
mod tests;
