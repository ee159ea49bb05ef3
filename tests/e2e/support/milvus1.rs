// SPDX-License-Identifier: Apache-2.0
//! Data directories that real servers of Milvus 1.1 wrote, with what is known of their rows, and
//! what a server holds in the same form.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use milvusdm_standin::{CollectionContents, Standin, Vectors};
use serde_json::Value;

use super::data;

/// Pairs of id and the bytes of the vector, sorted: the files say nothing of an order.
pub type Rows = Vec<(i64, Vec<u8>)>;

/// A directory of `tests/data/milvus1/golden`.
#[derive(Debug, Clone, Copy)]
pub struct Golden {
    /// Its folder.
    pub name: &'static str,
    /// The member of `expected.json` that says what it holds.
    pub part: &'static str,
    /// Rows in it that are marked as deleted, or deleted by the write-ahead log.
    pub deleted: u64,
}

const fn golden(name: &'static str, part: &'static str, deleted: u64) -> Golden {
    Golden {
        name,
        part,
        deleted,
    }
}

/// Every directory that needs no other server for its metadata.
pub const GOLDEN: [Golden; 8] = [
    golden("float_basic", "collections", 0),
    golden("partitions", "collections", 0),
    golden("binary", "collections", 0),
    golden("deletes", "collections", 55),
    golden("indexed", "collections", 4),
    golden("wal", "after_recovery", 5),
    golden("dropped", "collections", 0),
    golden("empty", "collections", 4),
];

impl Golden {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        data("milvus1/golden").join(self.name)
    }

    /// What its description says of its collections, by name.
    #[track_caller]
    pub fn collections(&self) -> BTreeMap<String, Value> {
        let text = std::fs::read(self.path().join("expected.json")).expect("a description");
        let text: Value = serde_json::from_slice(&text).expect("a description in JSON");
        let all = text[self.part].as_object().expect("collections").clone();
        all.into_iter().collect()
    }

    /// Its rows, by `collection/partition`; partitions without rows too.
    #[track_caller]
    pub fn rows(&self) -> BTreeMap<String, Rows> {
        let mut all = BTreeMap::new();
        for (collection, about) in self.collections() {
            for (tag, rows) in about["partitions"].as_object().expect("partitions") {
                let ids = rows["ids"].as_array().expect("ids").iter();
                let vectors = rows["vectors"].as_array().expect("vectors").iter();
                let ids = ids.map(|id| id.as_i64().expect("an id"));
                let rows = ids.zip(vectors.map(bytes)).collect();
                all.insert(format!("{collection}/{tag}"), sorted(rows));
            }
        }
        all
    }

    /// How many rows it holds.
    pub fn count(&self) -> u64 {
        self.rows().values().map(|rows| rows.len() as u64).sum()
    }
}

/// A vector as the description has it: numbers, or hexadecimal digits.
fn bytes(vector: &Value) -> Vec<u8> {
    match vector {
        Value::Array(numbers) => {
            let floats = numbers.iter().map(|n| n.as_f64().expect("a number") as f32);
            floats.flat_map(f32::to_le_bytes).collect()
        }
        _ => {
            let digits = vector.as_str().expect("digits").as_bytes();
            let digit = |c: u8| (c as char).to_digit(16).expect("a digit") as u8;
            let pairs = digits.chunks(2);
            pairs.map(|p| digit(p[0]) << 4 | digit(p[1])).collect()
        }
    }
}

/// Rows in the order of ids and vectors.
pub fn sorted(mut rows: Rows) -> Rows {
    rows.sort_unstable();
    rows
}

/// What a server holds, by `collection/partition`.
pub fn stored(server: &Standin) -> BTreeMap<String, Rows> {
    let mut all = BTreeMap::new();
    for collection in server.contents() {
        for partition in &collection.partitions {
            let name = format!("{}/{}", collection.name, partition.tag);
            all.insert(name, rows_of(&collection, &partition.tag));
        }
    }
    all
}

/// The rows of a partition on a server.
#[track_caller]
pub fn rows_of(collection: &CollectionContents, tag: &str) -> Rows {
    let partition = collection.partition(tag).expect("a partition");
    assert_eq!(partition.unflushed_rows, 0, "{}/{tag}", collection.name);
    let (width, bytes) = match &partition.rows.vectors {
        Vectors::Float(floats) => (
            collection.dimension * 4,
            floats.iter().flat_map(|f| f.to_le_bytes()).collect(),
        ),
        Vectors::Binary(bytes) => (collection.dimension / 8, bytes.clone()),
    };
    let bytes: Vec<u8> = bytes;
    let vectors = bytes.chunks(width).map(<[u8]>::to_vec);
    assert_eq!(bytes.len(), partition.rows.ids.len() * width);
    let ids = partition.rows.ids.iter().copied();
    sorted(ids.zip(vectors).collect())
}

/// Everything about the files and folders below a folder: what a run that only reads must leave
/// as it is.
#[track_caller]
pub fn state_of(folder: &Path) -> BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let about = path.symlink_metadata().expect("a file");
        let content = match about.is_dir() {
            true => {
                let entries = std::fs::read_dir(&path).expect("a folder");
                left.extend(entries.map(|entry| entry.expect("an entry").path()));
                Vec::new()
            }
            false => std::fs::read(&path).expect("a file that can be read"),
        };
        let state = (
            about.permissions().mode(),
            about.mtime(),
            about.mtime_nsec(),
            content,
        );
        all.insert(path, state);
    }
    all
}

/// A copy of a folder, which may be changed.
#[track_caller]
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder of ours");
    for entry in std::fs::read_dir(from).expect("a folder to copy") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy_folder(&from, &to),
            false => std::fs::write(&to, std::fs::read(&from).expect("a file")).expect("a copy"),
        }
    }
}
