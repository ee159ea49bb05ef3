// SPDX-License-Identifier: Apache-2.0
//! Task files of MilvusDM 1.0, data directories for them, and a server that takes the rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use milvusdm_standin::{Standin, StandinOptions, Vectors};
use serde_json::Value;

use super::{Outcome, Run, Space, data, milvusdm, text};

/// Ids and vectors (of binary ones the bytes), by id.
pub type Rows = Vec<(i64, Vec<f32>)>;

/// A space and a server of its own.
pub struct OldWorld {
    pub space: Space,
    pub server: Standin,
}

impl OldWorld {
    /// Makes one, with an empty server.
    #[track_caller]
    pub fn new() -> Self {
        Self::with(StandinOptions::default())
    }

    /// Makes one with a server of another kind.
    #[track_caller]
    pub fn with(options: StandinOptions) -> Self {
        let server = Standin::start(options).expect("a server of ours");
        let space = Space::new();
        Self { space, server }
    }

    /// A copy of a golden data directory, `db` and all.
    #[track_caller]
    pub fn milvus(&self, golden: &str) -> PathBuf {
        let to = self.space.path(golden);
        copy_folder(&data(&format!("milvus1/golden/{golden}")), &to);
        to
    }

    /// Changes the metadata of such a copy.
    #[track_caller]
    pub fn change(&self, milvus: &Path, sql: &str) {
        let meta = rusqlite::Connection::open(milvus.join("db/meta.sqlite")).expect("metadata");
        assert!(
            meta.execute(sql, []).expect(sql) > 0,
            "nothing changes: {sql}"
        );
    }

    /// The keys that name the server.
    pub fn destination(&self) -> String {
        format!(
            "  dest_host: '127.0.0.1'\n  dest_port: {}\n",
            self.server.port()
        )
    }

    /// An F2M or H2M task into `test`.
    pub fn load(&self, channel: &str, source: &str, mode: &str, more: (&str, u32, &str)) -> String {
        let (partition, dimension, metric) = more;
        format!(
            "{channel}:\n  milvus_version: 1.x\n{source}\n{}  mode: '{mode}'\n  \
             dest_collection_name: 'test'\n  dest_partition_name: '{partition}'\n  \
             collection_parameter:\n    dimension: {dimension}\n    index_file_size: 1024\n    \
             metric_type: '{metric}'\n",
            self.destination()
        )
    }

    /// An M2M task.
    pub fn move_all(&self, milvus: &Path, collections: &str, mode: &str) -> String {
        format!(
            "M2M:\n  milvus_version: 1.x\n  source_milvus_path: '{}'\n  mysql_parameter:\n  \
             source_collection: {collections}\n{}  mode: '{mode}'\n",
            milvus.display(),
            self.destination()
        )
    }

    /// Runs an M2H task for a golden directory; files and tasks are left in `data`.
    #[track_caller]
    pub fn export(&self, golden: &str, collections: &str) {
        let task = format!(
            "M2H:\n  milvus_version: 1.x\n  source_milvus_path: {}\n  mysql_parameter:\n  \
             source_collection: {collections}\n  data_dir: '{}'\n",
            self.milvus(golden).display(),
            text(self.space.path("data")),
        );
        self.run(&task).exits(0);
    }

    /// The tasks that such a run left, with their names and this server's port.
    #[track_caller]
    pub fn tasks_left(&self) -> Vec<(String, String)> {
        let names = self.space.list("data").into_iter();
        let names = names.filter(|name| name.ends_with(".yaml"));
        let read = |name: String| {
            let task = std::fs::read_to_string(self.space.path("data").join(&name));
            let task = task.expect("a task");
            let port = format!("dest_port: {}", self.server.port());
            assert!(task.contains("dest_port: 19530"), "{task}");
            (name, task.replace("dest_port: 19530", &port))
        };
        names.map(read).collect()
    }

    /// A task, as MilvusDM 1.0 users run it.
    #[track_caller]
    pub fn start(&self, task: &str) -> Run<'_> {
        let file = text(self.space.write("old.yaml", task));
        milvusdm(&self.space, &["--yaml", &file, "--json"])
    }

    /// Runs a task.
    #[track_caller]
    pub fn run(&self, task: &str) -> Outcome {
        self.start(task).run()
    }

    /// Makes a file with rows that are made up, `random:REST`.
    #[track_caller]
    pub fn make(&self, rest: &str, file: &str) {
        let (source, sink) = (format!("random:{rest}"), format!("hdf5:{file}"));
        milvusdm(&self.space, &["copy", &source, &sink])
            .run()
            .exits(0);
    }

    /// How many rows each partition of a collection has.
    #[track_caller]
    pub fn counts(&self, collection: &str) -> BTreeMap<String, u64> {
        let contents = self.server.collection(collection).expect(collection);
        let partitions = contents.partitions.into_iter();
        partitions
            .map(|partition| (partition.tag, partition.row_count))
            .collect()
    }

    /// Ids and vectors of a partition, by id.
    #[track_caller]
    pub fn rows(&self, collection: &str, tag: &str) -> Rows {
        let contents = self.server.collection(collection).expect(collection);
        let rows = &contents.partition(tag).expect(tag).rows;
        let values: Vec<f32> = match &rows.vectors {
            Vectors::Float(values) => values.clone(),
            Vectors::Binary(bytes) => bytes.iter().map(|byte| f32::from(*byte)).collect(),
        };
        let width = values.len().checked_div(rows.ids.len()).unwrap_or(1).max(1);
        let vectors = values.chunks(width).map(<[f32]>::to_vec);
        let mut rows: Vec<_> = rows.ids.iter().copied().zip(vectors).collect();
        rows.sort_by_key(|(id, _)| *id);
        rows
    }
}

/// What a golden directory is said to hold in a partition, by id.
#[track_caller]
pub fn golden_rows(golden: &str, collection: &str, tag: &str) -> Rows {
    let file = data(&format!("milvus1/golden/{golden}/expected.json"));
    let expected: Value =
        serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("a JSON document");
    let rows = &expected["collections"][collection]["partitions"][tag];
    let list = |key: &str| rows[key].as_array().expect(key).clone();
    let vector = |vector: Value| match vector {
        Value::String(hex) => (0..hex.len() / 2)
            .map(|at| {
                u8::from_str_radix(&hex[2 * at..2 * at + 2], 16)
                    .expect("hex")
                    .into()
            })
            .collect(),
        vector => {
            let numbers = vector.as_array().expect("numbers").iter();
            // The file has the exact values of 32-bit floats.
            numbers
                .map(|number| number.as_f64().expect("a number") as f32)
                .collect()
        }
    };
    let ids = list("ids")
        .into_iter()
        .map(|id| id.as_i64().expect("an id"));
    ids.zip(list("vectors").into_iter().map(vector)).collect()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder of ours");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().expect("a type").is_dir() {
            true => copy_folder(&from, &to),
            false => std::fs::write(&to, std::fs::read(&from).expect("a file")).expect("a copy"),
        }
    }
}
