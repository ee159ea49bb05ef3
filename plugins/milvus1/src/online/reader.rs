// SPDX-License-Identifier: Apache-2.0
//! Reads the rows of a segment by their ids.

use std::ops::Range;
use std::sync::Arc;

use milvusdm_plugin_api::arrow::array::{
    ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, Int64Array, RecordBatch,
};
use milvusdm_plugin_api::arrow::buffer::Buffer;
use milvusdm_plugin_api::arrow::schema::{DataType, SchemaRef};
use milvusdm_plugin_api::model::VectorType;
use milvusdm_plugin_api::{
    BatchReader, Error, ErrorKind, ReadAccount, ReadRequest, Result, Services,
};
use milvusdm_proto::milvus1::RowRecord;

use super::listing::Listing;
use crate::server::{MAX_IDS, Server};

/// Bytes of vectors that one call asks for, about.
const CALL_BYTES: u64 = 2 << 20;

/// Ids of rows that can't be read, of a segment, that are named.
const MAX_NAMED: usize = 10;

/// Ids of one call.
fn ids_per_call(row_bytes: u64) -> u64 {
    (CALL_BYTES / row_bytes.max(1)).clamp(1, MAX_IDS as u64)
}

/// Bytes that a reader holds beside its batch: a reply, as it arrives and as rows.
pub fn held_bytes(row_bytes: u64) -> u64 {
    let rows = ids_per_call(row_bytes);
    rows.saturating_mul(row_bytes.saturating_mul(2) + 128)
}

/// Where the rows are, and what they look like.
#[derive(Debug)]
pub struct Place {
    /// The collection.
    pub collection: String,
    /// The tag to ask with; `None` searches all partitions.
    pub tag: Option<String>,
    /// The columns: id, vector.
    pub schema: SchemaRef,
    /// The vectors.
    pub vector: VectorType,
}

/// The ids of the rows to read.
#[derive(Debug)]
pub enum Ids {
    /// Those of a segment, as it was listed.
    Listed {
        /// The collection's ids.
        listing: Arc<Listing>,
        /// The partition's position in the listing.
        partition: u32,
    },
    /// Those that the task names; not all of them need be there.
    Wanted(Arc<[i64]>),
}

/// Reads a segment.
pub struct Reader {
    server: Arc<Server>,
    services: Services,
    ids: Ids,
    place: Place,
    left: Range<u64>,
    rows_per_batch: u64,
    /// Rows that are still to be passed over.
    first_row: u64,
    unreadable: u64,
    /// The first ids of unreadable rows.
    unreadable_ids: Vec<i64>,
    vanished: u64,
}

impl Reader {
    pub(super) fn new(
        server: Arc<Server>,
        services: Services,
        ids: Ids,
        place: Place,
        rows: Range<u64>,
        request: &ReadRequest,
    ) -> Self {
        let row_bytes = place.vector.row_bytes().unwrap_or(0) as u64 + 8;
        Self {
            server,
            services,
            ids,
            place,
            left: rows,
            rows_per_batch: request.rows_per_batch(row_bytes),
            first_row: request.first_row,
            unreadable: 0,
            unreadable_ids: Vec::new(),
            vanished: 0,
        }
    }

    /// The next ids that the server gives a row for.
    fn next_ids(&mut self, most: u64) -> Result<Vec<i64>> {
        let start = self.left.start;
        let end = start.saturating_add(most).min(self.left.end);
        self.left.start = end;
        let (listing, partition) = match &self.ids {
            Ids::Listed { listing, partition } => (listing, *partition),
            Ids::Wanted(ids) => {
                let ids = ids.get(start as usize..end as usize);
                return Ok(ids.unwrap_or_default().to_vec());
            }
        };
        let ids = listing.ids(start..end)?;
        let count = ids.len();
        let (readable, others): (Vec<_>, Vec<_>) = (start..end)
            .zip(ids)
            .partition(|(place, id)| listing.is_readable(*id, partition, *place));
        let ids: Vec<i64> = readable.into_iter().map(|(_, id)| id).collect();
        let room = MAX_NAMED.saturating_sub(self.unreadable_ids.len());
        let others = others.into_iter().take(room).map(|(_, id)| id);
        self.unreadable_ids.extend(others);
        self.unreadable += (count - ids.len()) as u64;
        Ok(ids)
    }

    /// Adds the rows of ids to a batch.
    fn fetch(&mut self, ids: &[i64], batch: &mut Rows) -> Result<()> {
        let tag = self.place.tag.as_deref();
        let row_bytes = self.place.vector.row_bytes().unwrap_or(0) as u64;
        let records = self
            .server
            .vectors(&self.place.collection, tag, ids, row_bytes)?;
        for (id, record) in ids.iter().zip(records) {
            if record.float_data.is_empty() && record.binary_data.is_empty() {
                self.vanished += 1;
            } else if self.first_row > 0 {
                self.first_row -= 1;
            } else {
                batch.push(*id, &record, &self.place.vector).map_err(|e| {
                    e.with("collection", &self.place.collection)
                        .with("id", id)
                        .with("server", self.server.address())
                })?;
            }
        }
        Ok(())
    }
}

impl BatchReader for Reader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let row_bytes = self.place.vector.row_bytes().unwrap_or(0) as u64;
        let mut batch = Rows::default();
        while !self.left.is_empty() {
            let room = self.rows_per_batch.saturating_sub(batch.ids.len() as u64);
            if room == 0 {
                break;
            }
            self.services.check_cancelled()?;
            let ids = self.next_ids(ids_per_call(row_bytes).min(room))?;
            if !ids.is_empty() {
                self.fetch(&ids, &mut batch)?;
            }
        }
        match batch.ids.is_empty() {
            true => Ok(None),
            false => batch.finish(&self.place.schema).map(Some),
        }
    }

    fn account(&self) -> ReadAccount {
        if matches!(self.ids, Ids::Wanted(_)) {
            return ReadAccount::default();
        }
        let mut notes = Vec::new();
        if self.unreadable > 0 {
            let named: Vec<String> = self.unreadable_ids.iter().map(i64::to_string).collect();
            let more = if self.unreadable > named.len() as u64 {
                ", …"
            } else {
                ""
            };
            notes.push(format!(
                "{} rows share their id with another row, of which a server gives only one; the server's files have all of them (ids {}{more})",
                self.unreadable,
                named.join(", ")
            ));
        }
        if self.vanished > 0 {
            notes.push(format!(
                "{} rows were deleted between the listing of their ids and their reading",
                self.vanished
            ));
        }
        ReadAccount {
            lost: self.unreadable + self.vanished,
            notes,
            ..ReadAccount::default()
        }
    }
}

/// Rows on their way into a batch.
#[derive(Default)]
struct Rows {
    ids: Vec<i64>,
    floats: Vec<f32>,
    bits: Vec<u8>,
}

impl Rows {
    fn push(&mut self, id: i64, record: &RowRecord, vector: &VectorType) -> Result<()> {
        let wanted = vector.row_bytes().unwrap_or(0);
        let is_binary = vector.bit_order.is_some();
        let found = match is_binary {
            true => record.binary_data.len(),
            false => record.float_data.len() * 4,
        };
        if found != wanted {
            let message = format!("the server gives a vector of {found} bytes, wanted {wanted}");
            return Err(Error::new(ErrorKind::Remote, message));
        }
        self.ids.push(id);
        match is_binary {
            true => self.bits.extend_from_slice(&record.binary_data),
            false => self.floats.extend_from_slice(&record.float_data),
        }
        Ok(())
    }

    fn finish(self, schema: &SchemaRef) -> Result<RecordBatch> {
        let odd = |e: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Internal, "the rows make no batch").caused_by(e)
        };
        let vectors: ArrayRef = match schema.field(1).data_type() {
            DataType::FixedSizeList(item, dim) => Arc::new(
                FixedSizeListArray::try_new(
                    Arc::clone(item),
                    *dim,
                    Arc::new(Float32Array::from(self.floats)),
                    None,
                )
                .map_err(|e| odd(&e))?,
            ),
            DataType::FixedSizeBinary(bytes) => Arc::new(
                FixedSizeBinaryArray::try_new(*bytes, Buffer::from_vec(self.bits), None)
                    .map_err(|e| odd(&e))?,
            ),
            other => return Err(odd(&format!("vectors of type {other}"))),
        };
        let ids: ArrayRef = Arc::new(Int64Array::from(self.ids));
        RecordBatch::try_new(Arc::clone(schema), vec![ids, vectors]).map_err(|e| odd(&e))
    }
}
