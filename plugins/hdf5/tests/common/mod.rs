// SPDX-License-Identifier: Apache-2.0
//! Reads and writes through the plugin's table, as the host does.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, Float16Array,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch,
    StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, SchemaRef};
use milvusdm_plugin_api::abi::{PluginHandle, SinkHandle, SourceHandle};
use milvusdm_plugin_api::model::{BitOrder, Elem, SchemaBuilder, VectorType};
use milvusdm_plugin_api::{
    Dataset, Error, FinishAck, Mode, ReadRequest, Services, TargetRequest, TargetSpec, WriteAt,
};
use milvusdm_plugin_hdf5 as _;
use serde_json::{Value, json};

pub fn plugin() -> PluginHandle {
    let find = |plugin: &PluginHandle| plugin.info().is_ok_and(|info| info.name == "hdf5");
    PluginHandle::linked().into_iter().find(find).unwrap()
}

pub fn source(options: Value) -> Result<SourceHandle, Error> {
    plugin().open_source(&options, Services::detached())
}

pub fn sink(options: Value) -> SinkHandle {
    plugin().open_sink(&options, Services::detached()).unwrap()
}

/// Everything that a source gives: each dataset with its batches, in plan order.
pub fn read_all(
    options: Value,
    batch_bytes: u64,
) -> Result<Vec<(Dataset, Vec<RecordBatch>)>, Error> {
    let source = source(options)?;
    let request = ReadRequest {
        first_row: 0,
        max_batch_bytes: batch_bytes,
        max_batch_rows: None,
    };
    let mut all = Vec::new();
    for dataset in source.datasets()? {
        let mut batches = Vec::new();
        for split in source.splits(&dataset.key)? {
            let mut reader = source.read(&dataset, &split, &request)?;
            let mut rows = 0;
            while let Some(batch) = reader.next()? {
                rows += batch.num_rows() as u64;
                batches.push(batch);
            }
            assert_eq!(split.found, Some(rows), "split {}", split.id);
        }
        all.push((dataset, batches));
    }
    Ok(all)
}

/// The one dataset of a source.
pub fn read_one(options: Value, batch_bytes: u64) -> Result<(Dataset, Vec<RecordBatch>), Error> {
    let mut all = read_all(options, batch_bytes)?;
    assert_eq!(all.len(), 1);
    Ok(all.remove(0))
}

pub fn read_error(options: Value) -> String {
    match read_all(options, 1 << 20) {
        Ok(_) => panic!("it could be read"),
        Err(error) => error.to_string(),
    }
}

/// Asserts that batches, put together, are `wanted`.
pub fn assert_rows(batches: &[RecordBatch], wanted: &RecordBatch) {
    let mut row = 0;
    for batch in batches {
        assert!(row + batch.num_rows() <= wanted.num_rows(), "too many rows");
        let part = wanted.slice(row, batch.num_rows());
        for ((field, got), wanted) in batch
            .schema()
            .fields()
            .iter()
            .zip(batch.columns())
            .zip(part.columns())
        {
            assert_eq!(got, wanted, "column {} from row {row}", field.name());
        }
        assert_eq!(batch.num_columns(), wanted.num_columns());
        row += batch.num_rows();
    }
    assert_eq!(row, wanted.num_rows(), "rows are missing");
}

pub fn request(schema: &SchemaRef, spec: TargetSpec) -> TargetRequest {
    TargetRequest {
        schema: schema.clone(),
        spec,
    }
}

pub fn spec(
    collection: &str,
    partition: Option<&str>,
    rows: Option<u64>,
    mode: Mode,
) -> TargetSpec {
    TargetSpec {
        collection: collection.to_owned(),
        partition: partition.map(str::to_owned),
        rows,
        mode,
        ..TargetSpec::default()
    }
}

/// Writes a batch in pieces of `piece` rows, as the host would.
pub fn write(
    options: Value,
    spec: TargetSpec,
    batch: &RecordBatch,
    piece: usize,
) -> Result<FinishAck, Error> {
    let request = request(&batch.schema(), spec);
    let writer = sink(options).prepare(&request)?;
    let mut row = 0;
    while row < batch.num_rows() {
        let rows = piece.min(batch.num_rows() - row);
        let at = WriteAt {
            split: 0,
            row: row as u64,
        };
        let ack = writer.write(at, batch.slice(row, rows))?;
        assert_eq!(ack.written, rows as u64);
        row += rows;
    }
    writer.finish()
}

/// Writes a file whole, its rows announced.
pub fn write_file(path: &Path, batch: &RecordBatch) -> FinishAck {
    let spec = spec("c", None, Some(batch.num_rows() as u64), Mode::Fail);
    write(json!({ "path": path }), spec, batch, 1000).unwrap()
}

/// Every file below a folder, hidden ones too, by name.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.push(
                path.strip_prefix(folder)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
    found.sort();
    found
}

/// A file of every kind of storage, small.
pub fn good_files(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let vector = VectorType::dense(Elem::F32, 6).with_metric(Some("l2"));
    let batch = batch(&vector, Some(&DataType::Utf8), 40, true);
    for (i, storage) in [
        json!({}),
        json!({"compression": "gzip", "chunk_rows": 16}),
        json!({"compression": "lzf"}),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.join(format!("own{i}.h5"));
        let mut options = storage;
        options["path"] = json!(path);
        let rows = (i == 0).then_some(40);
        let spec = spec("c", Some("p"), rows, Mode::Fail);
        write(options, spec, &batch, 9).unwrap();
        paths.push(path);
    }
    paths
}

/// A repeatable number for a row and a place in it.
pub fn mix(row: u64, at: u64) -> u64 {
    let mut x = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ at.wrapping_mul(0xD1B5_4A32_D192_ED03);
    x ^= x >> 29;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 32)
}

/// Vectors of any element, with special values among floats.
pub fn vectors(vector: &VectorType, rows: usize) -> ArrayRef {
    let count = rows * vector.dim as usize;
    let number = |i: usize| mix(i as u64, 7);
    let float = |i: usize| match number(i) % 97 {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => -0.0,
        n => (n as f64 - 50.0) / 16.0,
    };
    let values: ArrayRef = match vector.elem {
        Elem::F32 => Arc::new(Float32Array::from_iter_values(
            (0..count).map(|i| float(i) as f32),
        )),
        Elem::F64 => Arc::new(Float64Array::from_iter_values((0..count).map(float))),
        Elem::F16 => Arc::new(Float16Array::from_iter_values(
            (0..count).map(|i| half::f16::from_f64(float(i))),
        )),
        Elem::I8 => Arc::new(Int8Array::from_iter_values(
            (0..count).map(|i| number(i) as i8),
        )),
        Elem::U8 => Arc::new(UInt8Array::from_iter_values(
            (0..count).map(|i| number(i) as u8),
        )),
        _ => return bits(vector, rows),
    };
    let item = vector.elem.arrow_field().unwrap();
    Arc::new(FixedSizeListArray::new(
        Arc::new(item),
        vector.dim as i32,
        values,
        None,
    ))
}

fn bits(vector: &VectorType, rows: usize) -> ArrayRef {
    let width = vector.dim.div_ceil(8) as usize;
    let used = vector.dim % 8;
    let mask = match vector.bit_order {
        _ if used == 0 => 0xFF,
        Some(BitOrder::Lsb) => !(0xFF << used),
        _ => !(0xFFu8 >> used),
    };
    let byte = |i: usize| {
        let byte = mix(i as u64, 3) as u8;
        if i % width == width - 1 {
            byte & mask
        } else {
            byte
        }
    };
    let bytes: Vec<u8> = (0..rows * width).map(byte).collect();
    Arc::new(FixedSizeBinaryArray::new(width as i32, bytes.into(), None))
}

pub fn ids(data_type: &DataType, rows: usize) -> ArrayRef {
    let id = |i: usize| mix(i as u64, 1);
    match data_type {
        DataType::Int64 => Arc::new(Int64Array::from_iter_values(
            (0..rows).map(|i| id(i) as i64),
        )),
        DataType::UInt64 => Arc::new(UInt64Array::from_iter_values((0..rows).map(id))),
        _ => Arc::new(StringArray::from_iter_values(
            (0..rows).map(|i| format!("id-{}", id(i) % 1_000_000)),
        )),
    }
}

/// One scalar column of each type that HDF5 files hold.
pub fn scalars(rows: usize) -> Vec<(Field, ArrayRef)> {
    let n = |i: usize| mix(i as u64, 11);
    let all = 0..rows;
    let text = |i: usize| "é→x".repeat((n(i) % 9) as usize);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "a bool",
            Arc::new(BooleanArray::from_iter(
                all.clone().map(|i| Some(n(i) % 3 == 0)),
            )),
        ),
        (
            "i8",
            Arc::new(Int8Array::from_iter_values(all.clone().map(|i| n(i) as i8))),
        ),
        (
            "i16",
            Arc::new(Int16Array::from_iter_values(
                all.clone().map(|i| n(i) as i16),
            )),
        ),
        (
            "i32",
            Arc::new(Int32Array::from_iter_values(
                all.clone().map(|i| n(i) as i32),
            )),
        ),
        (
            "i64",
            Arc::new(Int64Array::from_iter_values(
                all.clone().map(|i| n(i) as i64),
            )),
        ),
        (
            "u8",
            Arc::new(UInt8Array::from_iter_values(
                all.clone().map(|i| n(i) as u8),
            )),
        ),
        (
            "u16",
            Arc::new(UInt16Array::from_iter_values(
                all.clone().map(|i| n(i) as u16),
            )),
        ),
        (
            "u32",
            Arc::new(UInt32Array::from_iter_values(
                all.clone().map(|i| n(i) as u32),
            )),
        ),
        (
            "u64",
            Arc::new(UInt64Array::from_iter_values(all.clone().map(n))),
        ),
        (
            "f16",
            Arc::new(Float16Array::from_iter_values(
                all.clone()
                    .map(|i| half::f16::from_bits((n(i) as u16) & 0x7BFF)),
            )),
        ),
        (
            "f32",
            Arc::new(Float32Array::from_iter_values(
                all.clone().map(|i| n(i) as f32),
            )),
        ),
        (
            "f64",
            Arc::new(Float64Array::from_iter_values(
                all.clone().map(|i| n(i) as f64),
            )),
        ),
        (
            "text",
            Arc::new(StringArray::from_iter_values(all.clone().map(text))),
        ),
        (
            "ünï",
            Arc::new(StringArray::from_iter_values(all.map(|i| i.to_string()))),
        ),
    ];
    let field = |(name, array): (&str, ArrayRef)| {
        (Field::new(name, array.data_type().clone(), false), array)
    };
    let mut columns: Vec<_> = columns.into_iter().map(field).collect();
    // The order in which the source lists them.
    columns.sort_by(|a, b| a.0.name().cmp(b.0.name()));
    columns
}

/// A batch in the order of columns that the source gives: id, vector, further columns.
pub fn batch(
    vector: &VectorType,
    id: Option<&DataType>,
    rows: usize,
    has_scalars: bool,
) -> RecordBatch {
    let mut builder = SchemaBuilder::new();
    let mut arrays = Vec::new();
    if let Some(data_type) = id {
        builder = builder.id("id", data_type.clone());
        arrays.push(ids(data_type, rows));
    }
    builder = builder.vector("vector", vector).unwrap();
    arrays.push(vectors(vector, rows));
    if has_scalars {
        for (field, array) in scalars(rows) {
            builder = builder.field(field);
            arrays.push(array);
        }
    }
    RecordBatch::try_new(builder.finish().unwrap(), arrays).unwrap()
}

/// Runs a Python program with h5py; it gets `arguments` as `sys.argv[1:]`.
pub fn python(program: &str, arguments: &[&Path]) -> String {
    let python = std::env::var("MILVUSDM_TEST_PYTHON").expect(
        "MILVUSDM_TEST_PYTHON must name a Python with h5py and numpy; `make test` sets it up",
    );
    // The library's open files, and with them their locks, pass to every process that is started.
    let program =
        format!("import os; os.closerange(3, 4096)\nimport sys, h5py, numpy as np\n{program}");
    let output = Command::new(&python)
        .arg("-c")
        .arg(program)
        .args(arguments)
        .output();
    let output = output.unwrap_or_else(|e| panic!("{python} (MILVUSDM_TEST_PYTHON): {e}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A file that a Python program makes; `f` is the open h5py file.
pub fn made(folder: &Path, name: &str, program: &str) -> PathBuf {
    let path = folder.join(name);
    let program = format!(
        "with h5py.File(sys.argv[1], 'w') as f:\n    {}",
        program.replace('\n', "\n    ")
    );
    python(&program, &[&path]);
    path
}

/// A field's metadata without the version's prefix, for short assertions.
pub fn meta(dataset: &Dataset, column: &str) -> HashMap<String, String> {
    let field = dataset.schema.field_with_name(column).unwrap();
    let short =
        |(k, v): (&String, &String)| (k.trim_start_matches("milvusdm.").to_owned(), v.clone());
    field.metadata().iter().map(short).collect()
}
