// SPDX-License-Identifier: Apache-2.0
//! The source: row `r` of split `s` of dataset `d` has an id and a vector that tell all three.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, FixedSizeListArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    UInt64Array,
};
use arrow_schema::{DataType, Field, SchemaRef};
use milvusdm_plugin_api::model::{
    Descriptor, Elem, IdInfo, IdPolicy, RowCount, SchemaBuilder, Unique, VectorType,
};
use milvusdm_plugin_api::schemars::{self, JsonSchema};
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, ReadAccount, ReadRequest, Result, Services, Source,
    Split,
};
use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SourceOptions {
    /// Datasets: name (`collection/partition`) and rows of each split.
    pub datasets: Vec<DatasetOptions>,
    pub dim: u32,
    /// `int64`, `uint64`, `text`, `none`.
    pub ids: String,
    /// `f32`, `f64`.
    pub elem: String,
    /// Scalar columns by type.
    pub columns: std::collections::BTreeMap<String, String>,
    /// Rows counted as deleted in each split, beside those that it gives.
    pub deleted: u64,
    /// What it does wrong.
    pub sin: String,
    /// Milliseconds that each batch takes.
    pub delay_ms: u64,
    /// Whether the number of rows is known beforehand.
    pub counts_unknown: bool,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetOptions {
    pub name: String,
    pub splits: Vec<u64>,
}

pub struct MemorySource {
    options: SourceOptions,
    services: Services,
}

/// What the first number of a row's vector is, and its id.
pub fn value_of(dataset: usize, split: usize, row: u64) -> i64 {
    dataset as i64 * 10_000_000 + split as i64 * 100_000 + row as i64
}

impl MemorySource {
    fn schema(&self, dataset: &DatasetOptions) -> SchemaRef {
        let o = &self.options;
        let differs = o.sin == "dimensions differ" && dataset.name == "b";
        let elem = if o.elem == "f64" {
            Elem::F64
        } else {
            Elem::F32
        };
        let mut builder = SchemaBuilder::new();
        builder = match o.ids.as_str() {
            "none" => builder,
            "uint64" => builder.id("id", DataType::UInt64),
            "text" => builder.id("id", DataType::Utf8),
            _ => builder.id("id", DataType::Int64),
        };
        builder = builder
            .vector(
                "vector",
                &VectorType::dense(elem, o.dim.max(1) + u32::from(differs)).with_metric(Some("l2")),
            )
            .unwrap();
        for (name, kind) in &o.columns {
            let (data_type, nullable) = match kind.as_str() {
                "text?" => (DataType::Utf8, true),
                "i8" => (DataType::Int8, false),
                _ => (DataType::Float64, false),
            };
            builder = builder.field(Field::new(name, data_type, nullable));
        }
        builder.finish().unwrap()
    }

    fn find(&self, key: &str) -> Result<(usize, &DatasetOptions)> {
        let found = self
            .options
            .datasets
            .iter()
            .enumerate()
            .find(|(_, d)| d.name == key);
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no dataset `{key}`")))
    }
}

impl Source for MemorySource {
    type Options = SourceOptions;

    fn open(options: SourceOptions, services: Services) -> Result<Self> {
        match options.sin.as_str() {
            "cannot open" => Err(Error::new(ErrorKind::Format, "bad magic").with("offset", 0)),
            "panics at open" => panic!("at open"),
            _ => Ok(Self { options, services }),
        }
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        let describe = |d: &DatasetOptions| {
            let (collection, partition) = match d.name.split_once('/') {
                Some((collection, partition)) => (collection, Some(partition.to_owned())),
                None => (d.name.as_str(), None),
            };
            let policy = if self.options.ids == "none" {
                IdPolicy::None
            } else {
                IdPolicy::Given
            };
            Dataset {
                key: d.name.clone(),
                schema: self.schema(d),
                descriptor: Descriptor {
                    system: "memory".into(),
                    collection: collection.into(),
                    partition,
                    rows: Some(RowCount {
                        value: d.splits.iter().sum(),
                        exact: !self.options.counts_unknown,
                    }),
                    id: IdInfo {
                        policy,
                        unique: Unique::Unknown,
                    },
                    ..Descriptor::default()
                },
            }
        };
        Ok(self.options.datasets.iter().map(describe).collect())
    }

    fn splits(&self, key: &str) -> Result<Vec<Split>> {
        let known = !self.options.counts_unknown;
        let (_, dataset) = self.find(key)?;
        let kept = match self.options.sin.as_str() {
            "loses its last split" => dataset.splits.len() - 1,
            _ => dataset.splits.len(),
        };
        Ok(dataset
            .splits
            .iter()
            .enumerate()
            .take(kept)
            .map(|(i, rows)| Split {
                id: format!("split-{i}"),
                found: known.then_some(rows + self.options.deleted),
                live: known.then_some(*rows),
                bytes: rows * u64::from(self.options.dim) * 4,
                payload: i.into(),
                ..Split::default()
            })
            .collect())
    }

    fn read(
        &self,
        key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        let (number, dataset) = self.find(key)?;
        let position = split.payload.as_u64().unwrap() as usize;
        Ok(Box::new(Reader {
            options: self.options.clone(),
            services: self.services.clone(),
            schema: self.schema(dataset),
            dataset: number,
            split: position,
            next: request.first_row,
            end: dataset.splits[position],
            request: *request,
        }))
    }
}

struct Reader {
    options: SourceOptions,
    services: Services,
    schema: SchemaRef,
    dataset: usize,
    split: usize,
    next: u64,
    end: u64,
    request: ReadRequest,
}

impl Reader {
    fn column(&self, field: &Field, rows: &[i64]) -> ArrayRef {
        let dim = self.options.dim.max(1) as usize;
        match (field.name().as_str(), field.data_type()) {
            ("vector", DataType::FixedSizeList(item, size)) => {
                let values = rows
                    .iter()
                    .flat_map(|v| (0..dim).map(move |j| (*v + j as i64) as f64));
                let values: ArrayRef = match item.data_type() {
                    DataType::Float64 if self.options.sin == "too large" => {
                        Arc::new(Float64Array::from_iter_values(
                            values.map(|v| if v == 3.0 { 1e300 } else { v }),
                        ))
                    }
                    DataType::Float64 => Arc::new(Float64Array::from_iter_values(values)),
                    _ => Arc::new(Float32Array::from_iter_values(values.map(|v| v as f32))),
                };
                Arc::new(FixedSizeListArray::new(
                    Arc::clone(item),
                    *size,
                    values,
                    None,
                ))
            }
            (_, DataType::UInt64) => {
                let shift = if self.options.sin == "huge ids" {
                    1u64 << 63
                } else {
                    0
                };
                Arc::new(UInt64Array::from_iter_values(
                    rows.iter()
                        .map(|v| *v as u64 + if v % 2 == 1 { shift } else { 0 }),
                ))
            }
            (_, DataType::Utf8) => {
                let null = |v: &i64| field.is_nullable() && v % 3 == 0;
                Arc::new(
                    rows.iter()
                        .map(|v| (!null(v)).then(|| v.to_string()))
                        .collect::<StringArray>(),
                )
            }
            (_, DataType::Int8) => Arc::new(
                rows.iter()
                    .map(|v| Some((v % 100) as i8))
                    .collect::<arrow_array::Int8Array>(),
            ),
            (_, DataType::Float64) => Arc::new(Float64Array::from_iter_values(
                rows.iter().map(|v| *v as f64),
            )),
            _ => Arc::new(Int64Array::from(rows.to_vec())),
        }
    }
}

impl BatchReader for Reader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        std::thread::sleep(std::time::Duration::from_millis(self.options.delay_ms));
        self.services.check_cancelled()?;
        let end = match self.options.sin.as_str() {
            "gives a row less" => self.end.saturating_sub(1),
            "gives a row more" => self.end + 1,
            _ => self.end,
        };
        if self.next >= end {
            return Ok(None);
        }
        if self.options.sin == "fails at row 50" && self.next >= 50 {
            return Err(Error::new(ErrorKind::Io, "the disk is gone").with("row", self.next));
        }
        if self.options.sin == "panics at row 50" && self.next >= 50 {
            panic!("row {}", self.next);
        }
        let row_bytes = u64::from(self.options.dim.max(1)) * 4 + 8;
        let most = match self.options.sin.as_str() {
            "ignores the ceiling" => u64::MAX,
            _ => self.request.rows_per_batch(row_bytes),
        };
        let stop = end.min(self.next.saturating_add(most));
        let rows: Vec<i64> = (self.next..stop)
            .map(|r| value_of(self.dataset, self.split, r))
            .collect();
        self.next = stop;
        let columns = self
            .schema
            .fields()
            .iter()
            .map(|f| self.column(f, &rows))
            .collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map(Some)
            .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
    }

    fn account(&self) -> ReadAccount {
        ReadAccount {
            deleted: self.options.deleted,
            ..ReadAccount::default()
        }
    }
}
