// SPDX-License-Identifier: Apache-2.0
//! Reads files through the plugin's table, as the host does, and the golden files' descriptions.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use milvusdm_plugin_api::abi::{PluginHandle, SourceHandle};
use milvusdm_plugin_api::{Dataset, ReadRequest, Result, Services, Split};
use serde_json::{Value, json};

/// The folder of the golden files.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/faiss")
}

/// A JSON file.
pub fn read_json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The plugin, as the host finds it.
pub fn plugin() -> PluginHandle {
    let name = milvusdm_plugin_faiss::NAME;
    let found = PluginHandle::linked()
        .into_iter()
        .find(|p| p.info().unwrap().name == name);
    found.expect("the plugin is linked in")
}

/// Opens a file with further options.
pub fn open(path: &Path, options: &Value) -> Result<SourceHandle> {
    let mut all = json!({ "path": path });
    for (key, value) in options.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    plugin().open_source(&all, Services::detached())
}

/// Rows as ids and the bytes of vectors.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    pub ids: Vec<i64>,
    pub vectors: Vec<Vec<u8>>,
}

impl Rows {
    /// Appends a batch.
    pub fn push(&mut self, batch: &RecordBatch) {
        self.ids
            .extend(batch.column(0).as_primitive::<Int64Type>().values());
        let vectors = batch.column(1);
        match vectors.as_fixed_size_list_opt() {
            Some(list) => {
                for row in 0..list.len() {
                    let floats = list.value(row);
                    let floats = floats.as_primitive::<Float32Type>().values();
                    self.vectors
                        .push(floats.iter().flat_map(|f| f.to_le_bytes()).collect());
                }
            }
            None => {
                let bytes = vectors.as_fixed_size_binary();
                self.vectors
                    .extend(bytes.iter().map(|row| row.unwrap().to_vec()));
            }
        }
    }

    /// Pairs of id and vector in an order of their own.
    pub fn sorted(&self) -> Vec<(i64, Vec<u8>)> {
        let mut pairs: Vec<_> = self
            .ids
            .iter()
            .copied()
            .zip(self.vectors.iter().cloned())
            .collect();
        pairs.sort();
        pairs
    }
}

/// How much to read at once.
pub fn request(max_batch_bytes: u64, first_row: u64) -> ReadRequest {
    ReadRequest {
        first_row,
        max_batch_bytes,
        max_batch_rows: None,
    }
}

/// Reads a split; checks batch sizes and the count on the way.
pub fn read_split(
    source: &SourceHandle,
    dataset: &Dataset,
    split: &Split,
    request: &ReadRequest,
) -> Result<Rows> {
    let mut reader = source.read(dataset, split, request)?;
    let mut rows = Rows::default();
    while let Some(batch) = reader.next()? {
        milvusdm_plugin_api::model::batch::validate(&batch).unwrap();
        assert!(batch.num_rows() > 0, "a batch has rows");
        let bytes: usize = batch
            .columns()
            .iter()
            .map(|c| c.get_array_memory_size_of_rows())
            .sum();
        let is_within = bytes as u64 <= request.max_batch_bytes;
        assert!(
            batch.num_rows() == 1 || is_within,
            "{bytes} bytes in a batch"
        );
        rows.push(&batch);
    }
    assert_eq!(
        rows.ids.len() as u64 + request.first_row,
        split.found.unwrap()
    );
    let account = reader.account()?;
    assert_eq!((account.deleted, account.skipped, account.lost), (0, 0, 0));
    Ok(rows)
}

/// Bytes that rows take, whatever the capacity of their buffers.
trait RowBytes {
    fn get_array_memory_size_of_rows(&self) -> usize;
}

impl RowBytes for arrow_array::ArrayRef {
    fn get_array_memory_size_of_rows(&self) -> usize {
        self.to_data().get_slice_memory_size().unwrap()
    }
}

/// Reads everything of a source with one dataset.
pub fn read_all(source: &SourceHandle, max_batch_bytes: u64) -> Result<(Dataset, Rows)> {
    let mut datasets = source.datasets()?;
    assert_eq!(datasets.len(), 1);
    let dataset = datasets.remove(0);
    let mut rows = Rows::default();
    for split in source.splits(&dataset.key)? {
        let more = read_split(source, &dataset, &split, &request(max_batch_bytes, 0))?;
        rows.ids.extend(more.ids);
        rows.vectors.extend(more.vectors);
    }
    let counted = dataset.descriptor.rows.unwrap();
    assert!(counted.exact);
    assert_eq!(counted.value, rows.ids.len() as u64);
    Ok((dataset, rows))
}

/// Opens and reads a file; for files where something is to go wrong, wherever it does.
pub fn read_file(path: &Path, options: &Value) -> Result<(Dataset, Rows)> {
    read_all(&open(path, options)?, 1 << 20)
}

/// Opens and reads a file, and lets the rows go; gives how many there were.
pub fn drain_file(path: &Path, options: &Value) -> Result<u64> {
    let source = open(path, options)?;
    let mut rows = 0;
    for dataset in source.datasets()? {
        for split in source.splits(&dataset.key)? {
            let mut reader = source.read(&dataset, &split, &request(1 << 20, 0))?;
            while let Some(batch) = reader.next()? {
                rows += batch.num_rows() as u64;
            }
        }
    }
    Ok(rows)
}

/// Bytes from hexadecimal digits.
pub fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// Floats from bytes.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks(4)
        .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
        .collect()
}

/// Rows from a description.
pub fn wanted(ids: &Value, vectors: &Value) -> Rows {
    Rows {
        ids: ids
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_i64().unwrap())
            .collect(),
        vectors: vectors
            .as_array()
            .unwrap()
            .iter()
            .map(|v| unhex(v.as_str().unwrap()))
            .collect(),
    }
}

/// Compares rows as their description says.
pub fn compare(name: &str, found: &Rows, wanted: &Rows, case: &Value) {
    assert_eq!(found.ids.len(), wanted.ids.len(), "{name}: rows");
    if case["order"] == "unordered" {
        assert_eq!(found.sorted(), wanted.sorted(), "{name}");
        return;
    }
    assert_eq!(found.ids, wanted.ids, "{name}: ids");
    let atol = case["tolerance"]["atol"].as_f64();
    for (row, (found, wanted)) in found.vectors.iter().zip(&wanted.vectors).enumerate() {
        match atol {
            None => assert_eq!(found, wanted, "{name}: row {row}"),
            Some(atol) => {
                assert_eq!(found.len(), wanted.len(), "{name}: row {row}");
                for (found, wanted) in floats(found).iter().zip(floats(wanted)) {
                    let off = f64::from((found - wanted).abs());
                    assert!(off <= atol, "{name}: row {row}: {found}, expected {wanted}");
                }
            }
        }
    }
}

/// Makes an allocation of more than 2 GiB fail, and with it the test.
pub fn limit_memory() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let limit = rustix::process::Rlimit {
            current: Some(2 << 30),
            maximum: rustix::process::getrlimit(rustix::process::Resource::As).maximum,
        };
        rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
    });
}

/// Checks the most memory that the process ever had, the golden files in it included.
pub fn check_peak() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 64 << 10, "{peak} KiB of memory");
}
