// SPDX-License-Identifier: Apache-2.0
//! Reads data directories through the plugin's table, as the host does, and what the golden ones
//! are said to hold; makes directories of its own for what the golden ones don't show.
#![allow(dead_code)]

pub mod make;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use milvusdm_plugin_api::abi::{PluginHandle, SourceHandle};
use milvusdm_plugin_api::{Dataset, ReadAccount, ReadRequest, Result, Services, Split};
use serde_json::{Value, json};

/// The folder of the golden directories.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/milvus1/golden")
}

/// The plugin, as the host finds it.
pub fn plugin() -> PluginHandle {
    milvusdm_plugin_milvus1::PLUGIN_TABLE.handle()
}

/// A JSON file.
pub fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A copy of a folder that can be written to.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap().is_dir() {
            true => copy(&from, &to),
            false => fs::write(&to, fs::read(&from).unwrap()).unwrap(),
        }
    }
}

/// Opens a directory with further options.
pub fn open(path: &Path, options: &Value) -> Result<SourceHandle> {
    let mut all = json!({ "path": path });
    for (key, value) in options.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    plugin().open_source(&all, Services::detached())
}

/// Rows, as pairs of id and the bytes of the vector.
pub type Rows = Vec<(i64, Vec<u8>)>;

/// The rows of a batch.
pub fn rows_of(batch: &RecordBatch) -> Rows {
    let ids = batch.column(0).as_primitive::<Int64Type>().values();
    let vectors = batch.column(1);
    let vectors: Vec<Vec<u8>> = match vectors.as_fixed_size_list_opt() {
        Some(list) => (0..list.len())
            .map(|row| {
                let floats = list.value(row);
                let floats = floats.as_primitive::<Float32Type>().values();
                floats.iter().flat_map(|f| f.to_le_bytes()).collect()
            })
            .collect(),
        None => {
            let bytes = vectors.as_fixed_size_binary();
            bytes.iter().map(|row| row.unwrap().to_vec()).collect()
        }
    };
    ids.iter().copied().zip(vectors).collect()
}

/// How much to read at once.
pub fn request(max_batch_bytes: u64, first_row: u64) -> ReadRequest {
    ReadRequest {
        first_row,
        max_batch_bytes,
        max_batch_rows: None,
    }
}

/// Reads a split, and checks that its counts balance.
pub fn read_split(
    source: &SourceHandle,
    dataset: &Dataset,
    split: &Split,
    request: &ReadRequest,
) -> Result<(Rows, ReadAccount)> {
    let mut reader = source.read(dataset, split, request)?;
    let mut rows = Rows::new();
    while let Some(batch) = reader.next()? {
        milvusdm_plugin_api::model::batch::validate(&batch).unwrap();
        assert!(batch.num_rows() > 0, "a batch has rows");
        rows.extend(rows_of(&batch));
    }
    let account = reader.account()?;
    let given = rows.len() as u64 + request.first_row.min(split.live.unwrap());
    let sum = given + account.deleted + account.skipped + account.lost;
    assert_eq!(split.found.unwrap(), sum, "{split:?} {account:?}");
    assert_eq!(split.live.unwrap(), given, "{split:?}");
    Ok((rows, account))
}

/// A dataset with all of its rows.
pub struct Whole {
    pub dataset: Dataset,
    pub rows: Rows,
    pub account: ReadAccount,
}

/// Everything in a source, by `collection/partition`.
pub fn read_all(source: &SourceHandle) -> Result<BTreeMap<String, Whole>> {
    let mut all = BTreeMap::new();
    for dataset in source.datasets()? {
        let mut whole = Whole {
            rows: Rows::new(),
            account: ReadAccount::default(),
            dataset,
        };
        for split in source.splits(&whole.dataset.key)? {
            let (rows, account) = read_split(source, &whole.dataset, &split, &request(4096, 0))?;
            whole.rows.extend(rows);
            whole.account.deleted += account.deleted;
            whole.account.skipped += account.skipped;
            whole.account.lost += account.lost;
            whole.account.notes.extend(account.notes);
        }
        let name = whole.dataset.descriptor.full_name();
        assert!(all.insert(name, whole).is_none(), "a name comes twice");
    }
    Ok(all)
}

/// Opens and reads a directory.
pub fn read(path: &Path, options: &Value) -> Result<BTreeMap<String, Whole>> {
    read_all(&open(path, options)?)
}

/// What the files of a golden directory say is in it: `collections`, or `after_recovery`.
pub fn wanted(described: &Value) -> BTreeMap<String, Rows> {
    let mut all = BTreeMap::new();
    for (collection, about) in described.as_object().unwrap() {
        for (partition, rows) in about["partitions"].as_object().unwrap() {
            let ids = rows["ids"].as_array().unwrap().iter();
            let vectors = rows["vectors"].as_array().unwrap().iter().map(bytes);
            let rows = ids.map(|id| id.as_i64().unwrap()).zip(vectors).collect();
            all.insert(format!("{collection}/{partition}"), rows);
        }
    }
    all
}

/// A vector: numbers, or hexadecimal digits.
fn bytes(vector: &Value) -> Vec<u8> {
    match vector {
        Value::Array(numbers) => numbers
            .iter()
            .flat_map(|n| (n.as_f64().unwrap() as f32).to_le_bytes())
            .collect(),
        _ => {
            let text = vector.as_str().unwrap().as_bytes();
            let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
            text.chunks(2)
                .map(|p| digit(p[0]) << 4 | digit(p[1]))
                .collect()
        }
    }
}

/// In an order of their own.
pub fn sorted(mut rows: Rows) -> Rows {
    rows.sort();
    rows
}
