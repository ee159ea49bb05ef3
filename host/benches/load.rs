// SPDX-License-Identifier: Apache-2.0
//! What it costs that a plugin is loaded: once, and for each batch.
//!
//! Loading: the file is checked (access, private copy, hash, ELF), then entered (dlopen, door,
//! both layout checks); the goal for the latter is 5 ms. A batch: 8 MiB written to the null sink
//! and one row read from the random source, linked in and loaded; the goal is 100 µs.
//! `cargo build --release --workspace --lib` makes the files, `cargo bench -p milvusdm` runs this.
#![allow(missing_docs, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::types::Float32Type;
use arrow_array::{FixedSizeListArray, Int64Array, RecordBatch};
use arrow_schema::DataType;
use milvusdm::load::{Trace, examine_named};
use milvusdm_plugin_api::abi::PluginHandle;
use milvusdm_plugin_api::model::{Elem, SchemaBuilder, VectorType};
use milvusdm_plugin_api::{
    Error, ReadRequest, Result, Services, TargetRequest, TargetSpec, WriteAt,
};
use serde_json::json;

const ROUNDS: usize = 21;
const CALLS: u32 = 2_000;
const DIM: u32 = 128;
const ROWS: i64 = 16_384;

fn main() -> Result<()> {
    let folder = folder();
    println!("loading, median of {ROUNDS}");
    for name in ["null", "random", "faiss", "hdf5"] {
        let file = folder.join(format!("libmilvusdm_{name}.so"));
        let times = (0..ROUNDS)
            .map(|_| load(&file).map(|(check, enter, _)| (check, enter)))
            .collect::<Result<Vec<_>>>()?;
        let check = median(times.iter().map(|(check, _)| *check));
        let enter = median(times.iter().map(|(_, enter)| *enter));
        println!("  {name:<8} checked in {check:>10.3?}, entered in {enter:>10.3?} (goal 5 ms)");
    }
    println!("a batch, linked in and loaded (goal 100 µs)");
    let (_, _, null) = load(&folder.join("libmilvusdm_null.so"))?;
    let (_, _, random) = load(&folder.join("libmilvusdm_random.so"))?;
    let linked = |table: &'static milvusdm_plugin_api::TrampolineTable| table.handle();
    let (null_linked, random_linked) = (
        linked(&milvusdm_plugin_null::PLUGIN_TABLE),
        linked(&milvusdm_plugin_random::PLUGIN_TABLE),
    );
    println!(
        "  8 MiB written  {:>10.3?} {:>10.3?}",
        write(null_linked)?,
        write(null)?
    );
    println!(
        "  one row read   {:>10.3?} {:>10.3?}",
        read(random_linked)?,
        read(random)?
    );
    Ok(())
}

/// Where cargo put the plugins: two folders above this program.
fn folder() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors().nth(2).unwrap_or(Path::new("")).to_owned()
}

fn load(file: &Path) -> Result<(Duration, Duration, PluginHandle)> {
    let trace = &mut Trace::new(file);
    let start = Instant::now();
    let candidate = examine_named(file, trace)?;
    let checked = start.elapsed();
    let start = Instant::now();
    let loaded = candidate.load(trace)?;
    Ok((checked, start.elapsed(), loaded.handle))
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Time of one write of 8 MiB to a sink that keeps nothing.
fn write(plugin: PluginHandle) -> Result<Duration> {
    let vector = VectorType::dense(Elem::F32, DIM);
    let schema = SchemaBuilder::new()
        .id("id", DataType::Int64)
        .vector("vector", &vector)?
        .finish()?;
    let row = Some(vec![Some(1.0); DIM as usize]);
    let rows = std::iter::repeat_n(row, ROWS as usize);
    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows, DIM as i32);
    let item = match schema.field(1).data_type() {
        DataType::FixedSizeList(item, _) => Arc::clone(item),
        other => panic!("vectors of type {other}"),
    };
    let (_, size, values, nulls) = vectors.into_parts();
    let vectors = FixedSizeListArray::try_new(item, size, values, nulls).map_err(wrong)?;
    let ids = Int64Array::from_iter_values(0..ROWS);
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(ids), Arc::new(vectors)])
        .map_err(wrong)?;
    let sink = plugin.open_sink(&json!({}), Services::detached())?;
    let spec = TargetSpec {
        collection: "c".to_owned(),
        ..TargetSpec::default()
    };
    let writer = sink.prepare(&TargetRequest { schema, spec })?;
    let start = Instant::now();
    for _ in 0..CALLS {
        writer.write(WriteAt::default(), batch.clone())?;
    }
    let took = start.elapsed() / CALLS;
    writer.abort()?;
    Ok(took)
}

/// Time of reading one row of dimension 1.
fn read(plugin: PluginHandle) -> Result<Duration> {
    let options = json!({"rows": CALLS, "dim": 1});
    let source = plugin.open_source(&options, Services::detached())?;
    let dataset = source.datasets()?.remove(0);
    let split = source.splits(&dataset.key)?.remove(0);
    let request = ReadRequest {
        first_row: 0,
        max_batch_bytes: 1,
        max_batch_rows: Some(1),
    };
    let mut reader = source.read(&dataset, &split, &request)?;
    let start = Instant::now();
    let mut batches = 0;
    while reader.next()?.is_some() {
        batches += 1;
    }
    Ok(start.elapsed() / batches.max(1))
}

fn wrong(cause: impl std::fmt::Display) -> Error {
    Error::new(milvusdm_plugin_api::ErrorKind::Internal, "make a batch").caused_by(cause)
}
