// SPDX-License-Identifier: Apache-2.0
//! What a batch pays for crossing the plugin table: 8 MiB of f32 x 128 with ids, read and written.
//!
//! The goal is at most 100 µs a batch. The plugin hands out the same buffers again and again, so
//! that nothing but the crossing is measured.
#![allow(missing_docs, clippy::print_stdout)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use milvusdm_plugin_api::abi::{SinkHandle, SourceHandle};
use milvusdm_plugin_api::arrow::array::{
    ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch, StringArray,
};
use milvusdm_plugin_api::arrow::schema::{DataType, Field};
use milvusdm_plugin_api::model::{Capabilities, Descriptor, Elem, SchemaBuilder, VectorType};
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, FinishAck, ReadRequest, Result, Services, Sink, Source,
    Split, TargetRequest, TargetSpec, TargetState, TargetWriter, WriteAck, WriteAt,
};
use serde_json::json;

const DIM: i32 = 128;
const ROWS: usize = 16_384;
const BATCHES: usize = 2_000;
const GOAL: Duration = Duration::from_micros(100);

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Whether rows have a text of 32 bytes too.
    texts: bool,
}

/// Gives the same batch over and over; takes any and drops it.
struct Same {
    batch: RecordBatch,
}

fn wrong(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, "make a batch").caused_by(cause)
}

fn batch(texts: bool) -> Result<RecordBatch> {
    let vector = VectorType::dense(Elem::F32, DIM as u32);
    let mut schema = SchemaBuilder::new()
        .id("id", DataType::Int64)
        .vector("vector", &vector)?;
    let values = (0..ROWS * DIM as usize).map(|i| i as f32);
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let values = Arc::new(Float32Array::from_iter_values(values));
    let vectors = FixedSizeListArray::try_new(item, DIM, values, None).map_err(wrong)?;
    let ids = Int64Array::from_iter_values(0..ROWS as i64);
    let mut columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(vectors)];
    if texts {
        schema = schema.field(Field::new("text", DataType::Utf8, true));
        let texts = (0..ROWS).map(|i| format!("{i:032}"));
        columns.push(Arc::new(StringArray::from_iter_values(texts)));
    }
    RecordBatch::try_new(schema.finish()?, columns).map_err(wrong)
}

impl Source for Same {
    type Options = Options;

    fn open(options: Options, _: Services) -> Result<Self> {
        let batch = batch(options.texts)?;
        Ok(Self { batch })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        Ok(vec![Dataset {
            key: "same".to_owned(),
            schema: self.batch.schema(),
            descriptor: Descriptor::default(),
        }])
    }

    fn splits(&self, _: &str) -> Result<Vec<Split>> {
        Ok(vec![Split::default()])
    }

    fn read(&self, _: &str, _: &Split, _: &ReadRequest) -> Result<Box<dyn BatchReader>> {
        Ok(Box::new(Repeat(self.batch.clone())))
    }
}

struct Repeat(RecordBatch);

impl BatchReader for Repeat {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        Ok(Some(self.0.clone()))
    }
}

impl Sink for Same {
    type Options = Options;

    fn open(options: Options, services: Services) -> Result<Self> {
        <Self as Source>::open(options, services)
    }

    fn capabilities(&self) -> Result<Capabilities> {
        Ok(Capabilities::default())
    }

    fn check(&self, targets: &[TargetRequest]) -> Result<Vec<TargetState>> {
        Ok(targets.iter().map(|_| TargetState::default()).collect())
    }

    fn prepare(&self, _: &TargetRequest) -> Result<Box<dyn TargetWriter>> {
        Ok(Box::new(Drain))
    }
}

struct Drain;

impl TargetWriter for Drain {
    fn write(&self, _: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        Ok(WriteAck::all(batch.num_rows()))
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn finish(&self) -> Result<FinishAck> {
        Ok(FinishAck::default())
    }

    fn abort(&self) -> Result<()> {
        Ok(())
    }
}

milvusdm_plugin_api::export_plugin! {
    name: "same",
    summary: "the same batch over and over",
    docs: "none",
    source: Same,
    sink: Same,
}

/// Median and 95th percentile.
fn summary(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 95 / 100])
}

fn cross(source: &SourceHandle, sink: &SinkHandle) -> Result<[(Duration, Duration); 2]> {
    let dataset = source.datasets()?.remove(0);
    let split = source.splits(&dataset.key)?.remove(0);
    let request = ReadRequest {
        first_row: 0,
        max_batch_bytes: u64::MAX,
        max_batch_rows: None,
    };
    let writer = sink.prepare(&TargetRequest {
        schema: dataset.schema.clone(),
        spec: TargetSpec::default(),
    })?;
    let mut reader = source.read(&dataset, &split, &request)?;
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        let start = Instant::now();
        let batch = reader.next()?.expect("it never ends");
        reads.push(start.elapsed());
        let start = Instant::now();
        writer.write(WriteAt::default(), batch)?;
        writes.push(start.elapsed());
    }
    Ok([summary(reads), summary(writes)])
}

fn main() -> Result<()> {
    let plugin = PLUGIN_TABLE.handle();
    for texts in [false, true] {
        let options = json!({ "texts": texts });
        let source = plugin.open_source(&options, Services::detached())?;
        let sink = plugin.open_sink(&options, Services::detached())?;
        let [read, write] = cross(&source, &sink)?;
        let about = if texts {
            "with texts of 32 bytes"
        } else {
            "vectors and ids"
        };
        for (way, (median, p95)) in [("read", read), ("write", write)] {
            println!(
                "{about}: {way} {:.1} µs a batch of 8 MiB (95 %: {:.1} µs; goal {GOAL:?}{})",
                median.as_secs_f64() * 1e6,
                p95.as_secs_f64() * 1e6,
                if texts { ", but for the texts" } else { "" }
            );
        }
    }
    Ok(())
}
