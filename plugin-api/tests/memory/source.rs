// SPDX-License-Identifier: Apache-2.0
//! A source of made-up rows that keeps the contract, unless told to sin.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, SchemaRef};
use milvusdm_plugin_api::model::{
    Descriptor, Elem, IdInfo, IdPolicy, RowCount, SchemaBuilder, Unique, VectorType,
};
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, Inspection, Node, ReadAccount, ReadRequest, Result,
    Services, Source, Split,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of the source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How it is to break the contract.
    #[serde(default)]
    sin: String,
    /// Whether it is there.
    #[serde(default = "yes")]
    is_there: bool,
    /// Whether it is whole.
    #[serde(default = "yes")]
    is_whole: bool,
    /// A file that a sinner writes to.
    #[serde(default)]
    file: Option<PathBuf>,
}

fn yes() -> bool {
    true
}

/// Rows in each split, deleted ones included; every tenth is deleted.
const SPLITS: [u64; 3] = [40, 1, 30];
/// Rows that all datasets give together.
pub const ROWS: u64 = 2 * (36 + 27);

pub struct Memory {
    options: Options,
    services: Services,
    calls: AtomicU64,
    readers: Arc<AtomicU64>,
    was_dropped: Arc<AtomicBool>,
}

fn is_deleted(row: u64) -> bool {
    row.is_multiple_of(10)
}

fn schema() -> Result<SchemaRef> {
    SchemaBuilder::new()
        .id("id", DataType::Int64)
        .vector("vector", &VectorType::dense(Elem::F32, 4))?
        .field(Field::new("text", DataType::Utf8, true))
        .finish()
}

/// The rows of a split that are not deleted.
fn rows(split: usize) -> Result<RecordBatch> {
    let first: u64 = SPLITS.iter().take(split).sum();
    let count = SPLITS.get(split).copied().unwrap_or(0);
    let rows: Vec<u64> = (first..first + count)
        .filter(|r| !is_deleted(*r - first))
        .collect();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| *r as i64)));
    let item = Field::new("item", DataType::Float32, false);
    let mut vectors = FixedSizeListBuilder::new(Float32Builder::new(), 4).with_field(item);
    for row in &rows {
        for i in 0..4 {
            vectors.values().append_value(*row as f32 + i as f32 / 10.0);
        }
        vectors.append(true);
    }
    let texts = rows
        .iter()
        .map(|r| (r % 7 != 0).then(|| "x".repeat(*r as usize)));
    let texts: ArrayRef = Arc::new(StringArray::from_iter(texts));
    RecordBatch::try_new(schema()?, vec![ids, Arc::new(vectors.finish()), texts])
        .map_err(|e| Error::new(ErrorKind::Internal, "make rows").caused_by(e))
}

impl Memory {
    fn sins(&self, sin: &str) -> bool {
        self.options.sin == sin
    }

    fn split(&self, i: usize) -> Split {
        let found = SPLITS.get(i).copied().unwrap_or(0);
        let deleted = found.div_ceil(10);
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        Split {
            id: match self.sins("unstable splits") {
                true => format!("{i} at call {call}"),
                false => i.to_string(),
            },
            found: Some(found),
            live: Some(found - deleted),
            bytes: found * 30,
            held_bytes: 0,
            fingerprint: match self.sins("no fingerprint") {
                true => String::new(),
                false => format!("{i}/1"),
            },
            payload: serde_json::json!({ "split": i }),
        }
    }
}

impl Source for Memory {
    type Options = Options;

    fn open(options: Options, services: Services) -> Result<Self> {
        if !options.is_there {
            let kind = match options.sin.as_str() {
                "missing is an I/O error" => ErrorKind::Io,
                _ => ErrorKind::NotFound,
            };
            return Err(Error::new(kind, "there is no such thing"));
        }
        if let Some(file) = options.file.as_ref().filter(|_| options.sin == "writes") {
            std::fs::write(file, "I was here").map_err(|e| Error::io("write", &e))?;
        }
        Ok(Self {
            options,
            services,
            calls: AtomicU64::new(0),
            readers: Arc::default(),
            was_dropped: Arc::default(),
        })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut keys = vec!["a", "b/p"];
        if self.sins("unstable datasets") && call > 0 {
            keys.pop();
        }
        let dataset = |key: &str| -> Result<Dataset> {
            Ok(Dataset {
                key: key.to_owned(),
                schema: schema()?,
                descriptor: Descriptor {
                    system: "memory".to_owned(),
                    collection: key.chars().take(1).collect(),
                    partition: key.strip_prefix("b/").map(str::to_owned),
                    rows: Some(RowCount {
                        value: ROWS / 2,
                        exact: true,
                    }),
                    deleted: Some(8),
                    id: match self.sins("denies its ids") {
                        true => IdInfo::default(),
                        false => IdInfo {
                            policy: IdPolicy::Given,
                            unique: Unique::Yes,
                        },
                    },
                    ..Descriptor::default()
                },
            })
        };
        keys.into_iter().map(dataset).collect()
    }

    fn splits(&self, dataset_key: &str) -> Result<Vec<Split>> {
        if !["a", "b/p"].contains(&dataset_key) && !self.sins("any dataset") {
            let what = format!("there is no dataset `{dataset_key}`");
            return Err(Error::new(ErrorKind::NotFound, what));
        }
        Ok((0..SPLITS.len()).map(|i| self.split(i)).collect())
    }

    fn read(&self, _: &str, split: &Split, request: &ReadRequest) -> Result<Box<dyn BatchReader>> {
        let i = match split.payload["split"].as_u64() {
            Some(i) => i as usize,
            None if self.sins("any split") => 0,
            None => return Err(Error::new(ErrorKind::Config, "no such split")),
        };
        if !self.options.is_whole {
            assert!(!self.sins("damage panics"), "row 7 is damaged");
            return Err(Error::new(ErrorKind::Format, "row 7 is damaged"));
        }
        if self.sins("drop breaks it") && self.was_dropped.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Internal, "a reader is still open"));
        }
        self.readers.fetch_add(1, Ordering::Relaxed);
        let rows = rows(i)?;
        let first = match self.sins("ignores first_row") {
            true => 0,
            false => (request.first_row as usize).min(rows.num_rows()),
        };
        Ok(Box::new(Reader {
            rows: rows.slice(first, rows.num_rows() - first),
            request: *request,
            deleted: SPLITS[i].div_ceil(10),
            sin: self.options.sin.clone(),
            services: self.services.clone(),
            readers: self.readers.clone(),
            was_dropped: self.was_dropped.clone(),
        }))
    }

    fn inspect(&self) -> Result<Inspection> {
        if self.sins("inspect fails") {
            return Err(Error::new(ErrorKind::Internal, "no"));
        }
        let tree = Node {
            label: "memory".to_owned(),
            ..Node::default()
        };
        Ok(Inspection {
            trees: vec![tree],
            notices: vec![],
        })
    }
}

struct Reader {
    /// Those that are still to come.
    rows: RecordBatch,
    request: ReadRequest,
    deleted: u64,
    sin: String,
    services: Services,
    readers: Arc<AtomicU64>,
    was_dropped: Arc<AtomicBool>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.readers.fetch_sub(1, Ordering::Relaxed);
        if self.rows.num_rows() > 0 {
            self.was_dropped.store(true, Ordering::Relaxed);
        }
    }
}

impl Reader {
    fn fits(&self, rows: usize) -> bool {
        let batch = self.rows.slice(0, rows);
        let bytes = batch.columns().iter().map(|c| {
            let data = c.to_data();
            data.get_slice_memory_size().unwrap_or(usize::MAX) as u64
        });
        rows <= 1
            || (bytes.sum::<u64>() <= self.request.max_batch_bytes
                && self
                    .request
                    .max_batch_rows
                    .is_none_or(|most| rows as u64 <= most))
    }

    /// What a sinner does when the run is cancelled.
    fn cancelled(&self) -> Result<Option<RecordBatch>> {
        match self.sin.as_str() {
            "ends when cancelled" => Ok(None),
            "fails when cancelled" => Err(Error::new(ErrorKind::Io, "interrupted")),
            "sleeps when cancelled" => {
                std::thread::sleep(Duration::from_millis(1500));
                Ok(None)
            }
            _ => self.services.check_cancelled().map(|()| None),
        }
    }
}

impl BatchReader for Reader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.services.is_cancelled() {
            return self.cancelled();
        }
        let left = self.rows.num_rows();
        if left == 0 {
            return Ok(None);
        }
        let mut rows = left;
        while !self.fits(rows) && self.sin != "ignores the ceilings" {
            rows -= 1;
        }
        let mut batch = self.rows.slice(0, rows);
        self.rows = self.rows.slice(rows, left - rows);
        let is_crowded = self.readers.load(Ordering::Relaxed) > 1;
        match self.sin.as_str() {
            "loses a row" if rows > 1 && self.rows.num_rows() == 0 => {
                batch = batch.slice(0, rows - 1);
            }
            "empty batches" if rows > 1 => batch = batch.slice(0, 0),
            "numbers rows by batch" => {
                let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
                let columns = [vec![ids], batch.columns()[1..].to_vec()].concat();
                batch = RecordBatch::try_new(batch.schema(), columns).unwrap();
            }
            "one reader at a time" => {
                std::thread::sleep(Duration::from_millis(2));
                if is_crowded {
                    return Err(Error::new(ErrorKind::Internal, "another reader is at work"));
                }
            }
            _ => {}
        }
        Ok(Some(batch))
    }

    fn account(&self) -> ReadAccount {
        let resumed = self.request.first_row > 0 && self.sin == "forgets the deleted";
        ReadAccount {
            deleted: if resumed { 0 } else { self.deleted },
            ..ReadAccount::default()
        }
    }
}

milvusdm_plugin_api::export_plugin! {
    name: "memory_source",
    summary: "makes up rows",
    docs: "`sin`, `is_there`, `is_whole` and `file` are options for tests.",
    source: Memory,
}
