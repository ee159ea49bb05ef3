// SPDX-License-Identifier: Apache-2.0
//! A source of a few rows that breaks on purpose.

use std::sync::Arc;

use milvusdm_plugin_api::arrow::array::{
    ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch, UInt64Array,
};
use milvusdm_plugin_api::arrow::schema::{DataType, SchemaRef};
use milvusdm_plugin_api::model::{
    Descriptor, Elem, IdInfo, IdPolicy, RowCount, SchemaBuilder, VectorType,
};
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, Inspection, ReadAccount, ReadRequest, Result, Services,
    Source, Split,
};

use crate::breakdown::{Breakdown, Entry, Fault, Options};

const ROWS: u64 = 100;
const BATCH_ROWS: u64 = 25;
const DIM: u32 = 2;
/// An id and a vector.
const ROW_BYTES: u64 = 8 + 4 * DIM as u64;
/// The one dataset, and its one split.
const KEY: &str = "rows";
const SPLIT: &str = "all";

/// A source that breaks on purpose.
#[derive(Debug)]
pub struct FaultySource {
    breakdown: Breakdown,
    schema: SchemaRef,
}

impl FaultySource {
    /// What its structure says, and what it gives.
    fn rows(&self) -> (Option<u64>, u64) {
        match self.breakdown.fault {
            Fault::OneLess => (Some(ROWS), ROWS - 1),
            Fault::OneMore => (Some(ROWS), ROWS + 1),
            Fault::NeverEnds => (None, u64::MAX),
            _ => (Some(ROWS), ROWS),
        }
    }
}

/// Refuses what it did not name itself.
fn expect(kind: ErrorKind, found: &str, wanted: &str) -> Result<()> {
    match found == wanted {
        true => Ok(()),
        false => Err(Error::new(
            kind,
            format!("found `{found}`, wanted `{wanted}`"),
        )),
    }
}

impl Source for FaultySource {
    type Options = Options;

    fn open(options: Options, services: Services) -> Result<Self> {
        let breakdown = Breakdown::new(&options, Entry::Next, services);
        breakdown.strike(Entry::Open)?;
        let id = if options.fault == Fault::LargeIds {
            DataType::UInt64
        } else {
            DataType::Int64
        };
        let vector = VectorType::dense(Elem::F32, DIM);
        let schema = SchemaBuilder::new()
            .id("id", id)
            .vector("vector", &vector)?
            .finish()?;
        Ok(Self { breakdown, schema })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        self.breakdown.strike(Entry::Datasets)?;
        let rows = self.rows().0;
        let descriptor = Descriptor {
            system: crate::FAULTY.to_owned(),
            collection: "rows".to_owned(),
            rows: rows.map(|value| RowCount { value, exact: true }),
            id: IdInfo {
                policy: IdPolicy::Given,
                ..IdInfo::default()
            },
            ..Descriptor::default()
        };
        Ok(vec![Dataset {
            key: KEY.to_owned(),
            schema: Arc::clone(&self.schema),
            descriptor,
        }])
    }

    fn splits(&self, key: &str) -> Result<Vec<Split>> {
        self.breakdown.strike(Entry::Splits)?;
        expect(ErrorKind::NotFound, key, KEY)?;
        let rows = self.rows().0;
        Ok(vec![Split {
            id: SPLIT.to_owned(),
            found: rows,
            live: rows,
            bytes: ROWS * ROW_BYTES,
            fingerprint: "1".to_owned(),
            ..Split::default()
        }])
    }

    fn read(
        &self,
        key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        self.breakdown.strike(Entry::Read)?;
        expect(ErrorKind::NotFound, key, KEY)?;
        expect(ErrorKind::Config, &split.id, SPLIT)?;
        Ok(Box::new(FaultyReader {
            breakdown: self.breakdown.clone(),
            schema: Arc::clone(&self.schema),
            at: request.first_row,
            end: self.rows().1,
            batch_rows: request.rows_per_batch(ROW_BYTES).min(BATCH_ROWS),
        }))
    }

    fn inspect(&self) -> Result<Inspection> {
        self.breakdown.strike(Entry::Inspect)?;
        Ok(Inspection::default())
    }
}

impl Drop for FaultySource {
    fn drop(&mut self) {
        self.breakdown.strike_without_result(Entry::Close);
    }
}

struct FaultyReader {
    breakdown: Breakdown,
    schema: SchemaRef,
    at: u64,
    end: u64,
    batch_rows: u64,
}

impl FaultyReader {
    fn batch(&self, rows: std::ops::Range<u64>) -> Result<RecordBatch> {
        let ids: ArrayRef = match self.breakdown.fault {
            Fault::LargeIds => {
                let id = |row: u64| if row % 2 == 1 { u64::MAX - row } else { row };
                Arc::new(UInt64Array::from_iter_values(rows.clone().map(id)))
            }
            _ => Arc::new(Int64Array::from_iter_values(
                rows.clone().map(|row| row as i64),
            )),
        };
        let values = rows.flat_map(|row| (0..DIM).map(move |_| row as f32));
        let values = Arc::new(Float32Array::from_iter_values(values));
        let DataType::FixedSizeList(element, width) = self.schema.field(1).data_type() else {
            return Err(Error::new(ErrorKind::Internal, "the vector is no list"));
        };
        let vectors = FixedSizeListArray::try_new(Arc::clone(element), *width, values, None);
        let internal = |e| Error::new(ErrorKind::Internal, "make a batch").caused_by(e);
        let columns: Vec<ArrayRef> = vec![ids, Arc::new(vectors.map_err(internal)?)];
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(internal)
    }
}

impl BatchReader for FaultyReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let is_middle = (ROWS / 2..ROWS / 2 + BATCH_ROWS).contains(&self.at);
        if is_middle {
            let row = self.at;
            self.breakdown
                .strike(Entry::Next)
                .map_err(|e| e.with("row", row))?;
        }
        if self.at >= self.end {
            return Ok(None);
        }
        let end = self.end.min(self.at + self.batch_rows);
        let batch = self.batch(self.at..end)?;
        self.at = end;
        if is_middle && self.breakdown.fault == Fault::ChangesItsSchema {
            let internal = |e| Error::new(ErrorKind::Internal, "take a column").caused_by(e);
            return batch.project(&[0]).map(Some).map_err(internal);
        }
        Ok(Some(batch))
    }

    fn account(&self) -> ReadAccount {
        self.breakdown.strike_without_result(Entry::Account);
        ReadAccount::default()
    }
}

impl Drop for FaultyReader {
    fn drop(&mut self) {
        self.breakdown.strike_without_result(Entry::CloseReader);
    }
}
