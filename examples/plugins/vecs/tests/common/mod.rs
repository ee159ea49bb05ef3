// SPDX-License-Identifier: Apache-2.0
//! Writes files of vectors, and reads them through the plugin's table, as the host does.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use milvusdm_plugin_api::abi::{PluginHandle, SourceHandle};
use milvusdm_plugin_api::arrow::array::RecordBatch;
use milvusdm_plugin_api::{ReadRequest, Result, Services};
use serde_json::{Value, json};

/// The plugin, as the host sees it.
pub fn plugin() -> PluginHandle {
    vecs::PLUGIN_TABLE.handle()
}

/// A file of `data/`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name)
}

/// The bytes of a file whose rows have these elements, each in its little-endian bytes.
pub fn file_of<const N: usize>(rows: &[Vec<[u8; N]>]) -> Vec<u8> {
    let row = |row: &Vec<[u8; N]>| {
        let head = i32::try_from(row.len()).unwrap().to_le_bytes();
        [head.as_slice(), row.as_flattened()].concat()
    };
    rows.iter().flat_map(row).collect()
}

/// A folder with one file in it.
pub struct Place {
    folder: tempfile::TempDir,
    pub path: PathBuf,
}

impl Place {
    pub fn with(name: &str, bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self { folder, path }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Options that name the file, and more.
    pub fn options(&self, more: Value) -> Value {
        with(json!({ "path": self.path }), more)
    }
}

/// The members of both.
pub fn with(mut options: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    options.as_object_mut().unwrap().extend(more);
    options
}

pub fn open(options: &Value) -> Result<SourceHandle> {
    plugin().open_source(options, Services::detached())
}

pub fn request(first_row: u64, max_batch_bytes: u64) -> ReadRequest {
    ReadRequest {
        first_row,
        max_batch_bytes,
        max_batch_rows: None,
    }
}

/// Every batch of the source's one collection, read with that request for each split.
pub fn read(options: &Value, request: &ReadRequest) -> Result<Vec<RecordBatch>> {
    let source = open(options)?;
    let datasets = source.datasets()?;
    assert_eq!(datasets.len(), 1);
    let dataset = &datasets[0];
    let mut batches = Vec::new();
    for split in source.splits(&dataset.key)? {
        let mut reader = source.read(dataset, &split, request)?;
        while let Some(batch) = reader.next()? {
            batches.push(batch);
        }
    }
    Ok(batches)
}
