// SPDX-License-Identifier: Apache-2.0
//! What the row hash costs, which runs on every row of every run.
//!
//! A batch of 8 MiB with an Int64 id and one vector a row; the goal for 128 singles is 100 ns.
//! `cargo bench -p milvusdm --bench hash` runs this.
#![allow(missing_docs, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use arrow_array::types::{Float32Type, UInt8Type};
use arrow_array::{ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Int64Array, PrimitiveArray};
use arrow_array::{ArrowPrimitiveType, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field};
use milvusdm::hash::Hasher;
use milvusdm_plugin_api::model::{BitOrder, Elem, SchemaBuilder, VectorType};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const BATCH_BYTES: u32 = 8 << 20;
const ROUNDS: u32 = 15;

fn main() -> Outcome<()> {
    println!("a row with its id, best of {ROUNDS} batches");
    for dim in [16, 128, 768, 1536] {
        let vector = VectorType::dense(Elem::F32, dim);
        let array = |rows| dense::<Float32Type>(rows, dim, |i| (i % 1013) as f32 - 500.5);
        time(&format!("f32 x {dim}"), &vector, 4 * dim, array)?;
    }
    let vector = VectorType::dense(Elem::F32, 128);
    let array = |rows| dense::<Float32Type>(rows, 128, |_| -0.0);
    time("f32 x 128, -0.0", &vector, 512, array)?;
    let vector = VectorType::dense(Elem::U8, 128);
    let array = |rows| dense::<UInt8Type>(rows, 128, |i| i as u8);
    time("u8 x 128", &vector, 128, array)?;
    let vector = VectorType::binary(512, BitOrder::Lsb);
    time("bit x 512", &vector, 64, |rows| {
        let rows = (0..rows).map(|row| [row as u8; 64]);
        Ok(Arc::new(FixedSizeBinaryArray::try_from_iter(rows)?))
    })
}

fn dense<T: ArrowPrimitiveType>(
    rows: u32,
    dim: u32,
    value: impl Fn(u32) -> T::Native,
) -> Result<ArrayRef, ArrowError> {
    let values = PrimitiveArray::<T>::from_iter_values((0..rows * dim).map(value));
    let item = Arc::new(Field::new("item", T::DATA_TYPE, false));
    let list = FixedSizeListArray::try_new(item, dim as i32, Arc::new(values), None)?;
    Ok(Arc::new(list))
}

fn time(
    name: &str,
    vector: &VectorType,
    row_bytes: u32,
    make: impl Fn(u32) -> Result<ArrayRef, ArrowError>,
) -> Outcome<()> {
    let rows = BATCH_BYTES / (row_bytes + 8);
    let schema = SchemaBuilder::new()
        .id("id", DataType::Int64)
        .vector("vector", vector)?
        .finish()?;
    let ids = Int64Array::from_iter_values(0..i64::from(rows));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(ids), make(rows)?])?;
    let hasher = Hasher::new(&schema)?;
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let sums = hasher.sums(&batch)?;
        best = best.min(start.elapsed().as_secs_f64());
        assert_eq!(sums.rows, u64::from(rows));
    }
    let nanoseconds = best * 1e9 / f64::from(rows);
    let gigabytes = f64::from(row_bytes) / nanoseconds;
    println!("  {name:<16} {nanoseconds:>8.1} ns   {gigabytes:>6.2} GB/s");
    Ok(())
}
