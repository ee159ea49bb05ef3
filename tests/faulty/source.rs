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
    BatchReader, Dataset, Error, ErrorKind, ReadRequest, Result, Services, Source, Split,
};
use schemars::JsonSchema;
use serde::Deserialize;

const ROWS: u64 = 100;
const BATCH_ROWS: u64 = 25;
const DIM: u32 = 2;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It gives a row fewer than its structure says.
    OneLess,
    /// It gives a row more than its structure says.
    OneMore,
    /// Reading fails in the middle.
    Fails,
    /// Reading panics in the middle.
    Panics,
    /// Reading never comes back, whatever the host asks.
    Hangs,
    /// A batch in the middle has other columns than were announced.
    ChangesItsSchema,
    /// Ids are unsigned, and every other is beyond what `Int64` holds.
    LargeIds,
}

/// Options of the faulty source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceOptions {
    /// What goes wrong: `panics`.
    #[serde(default)]
    pub fault: Fault,
}

/// A source that breaks on purpose.
#[derive(Debug)]
pub struct FaultySource {
    fault: Fault,
    schema: SchemaRef,
}

impl Source for FaultySource {
    type Options = SourceOptions;

    fn open(options: SourceOptions, _: Services) -> Result<Self> {
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
        Ok(Self {
            fault: options.fault,
            schema,
        })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        let descriptor = Descriptor {
            system: crate::FAULTY.to_owned(),
            collection: "rows".to_owned(),
            rows: Some(RowCount {
                value: ROWS,
                exact: true,
            }),
            id: IdInfo {
                policy: IdPolicy::Given,
                ..IdInfo::default()
            },
            ..Descriptor::default()
        };
        Ok(vec![Dataset {
            key: "rows".to_owned(),
            schema: Arc::clone(&self.schema),
            descriptor,
        }])
    }

    fn splits(&self, _: &str) -> Result<Vec<Split>> {
        Ok(vec![Split {
            id: "all".to_owned(),
            found: Some(ROWS),
            live: Some(ROWS),
            bytes: ROWS * 16,
            ..Split::default()
        }])
    }

    fn read(&self, _: &str, _: &Split, request: &ReadRequest) -> Result<Box<dyn BatchReader>> {
        let end = match self.fault {
            Fault::OneLess => ROWS - 1,
            Fault::OneMore => ROWS + 1,
            _ => ROWS,
        };
        let schema = Arc::clone(&self.schema);
        Ok(Box::new(FaultyReader {
            fault: self.fault,
            schema,
            at: request.first_row,
            end,
        }))
    }
}

struct FaultyReader {
    fault: Fault,
    schema: SchemaRef,
    at: u64,
    end: u64,
}

impl FaultyReader {
    fn batch(&self, rows: std::ops::Range<u64>) -> Result<RecordBatch> {
        let ids: ArrayRef = match self.fault {
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

    /// What happens in the middle.
    fn break_down(&self) -> Result<Option<RecordBatch>> {
        match self.fault {
            Fault::Fails => {
                Err(Error::new(ErrorKind::Io, "can't read the rows").with("row", self.at))
            }
            Fault::Panics => panic!("on purpose"),
            Fault::Hangs => loop {
                std::thread::sleep(std::time::Duration::from_secs(3600));
            },
            Fault::ChangesItsSchema => {
                let batch = self.batch(self.at..self.at + BATCH_ROWS)?;
                let internal = |e| Error::new(ErrorKind::Internal, "take a column").caused_by(e);
                Ok(Some(batch.project(&[0]).map_err(internal)?))
            }
            _ => Ok(None),
        }
    }
}

impl BatchReader for FaultyReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.at >= ROWS / 2
            && let Some(batch) = self.break_down()?
        {
            return Ok(Some(batch));
        }
        if self.at >= self.end {
            return Ok(None);
        }
        let end = self.end.min(self.at + BATCH_ROWS);
        let batch = self.batch(self.at..end)?;
        self.at = end;
        Ok(Some(batch))
    }
}
