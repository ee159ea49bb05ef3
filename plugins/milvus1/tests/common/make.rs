// SPDX-License-Identifier: Apache-2.0
//! Makes data directories: the metadata as SQLite, segments and a log as bytes.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

/// A data directory that is being made.
pub struct Home {
    pub path: PathBuf,
    pub meta: Connection,
}

/// A length and the bytes behind it, as every segment file has it.
pub fn counted(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
}

/// The vector of an id: every float differs from those of all other ids.
pub fn vector(id: i64, dim: usize) -> Vec<u8> {
    (0..dim)
        .flat_map(|i| (id as f32 * 64.0 + i as f32).to_le_bytes())
        .collect()
}

impl Home {
    /// A directory without collections.
    pub fn new(path: &Path) -> Self {
        fs::create_dir_all(path.join("db/tables")).unwrap();
        let meta = Connection::open(path.join("db/meta.sqlite")).unwrap();
        meta.execute_batch(
            "CREATE TABLE Tables(id INTEGER PRIMARY KEY NOT NULL, table_id TEXT, state INTEGER, dimension INTEGER, created_on INTEGER, flag INTEGER, index_file_size INTEGER, engine_type INTEGER, index_params TEXT, metric_type INTEGER, owner_table TEXT, partition_tag TEXT, version TEXT, flush_lsn INTEGER);
             CREATE TABLE TableFiles(id INTEGER PRIMARY KEY NOT NULL, table_id TEXT, segment_id TEXT, engine_type INTEGER, file_id TEXT, file_type INTEGER, file_size INTEGER, row_count INTEGER, updated_time INTEGER, created_on INTEGER, date INTEGER, flush_lsn INTEGER);",
        )
        .unwrap();
        Self {
            path: path.to_owned(),
            meta,
        }
    }

    /// A collection (`owner` empty) or partition of float vectors under L2.
    pub fn table(&self, table: &str, owner: &str, tag: &str, dim: i64, flush_lsn: i64) {
        self.meta
            .execute(
                "INSERT INTO Tables VALUES (NULL,?1,0,?2,0,2,1073741824,1,'{}',1,?3,?4,'1.1.0',?5)",
                params![table, dim, owner, tag, flush_lsn],
            )
            .unwrap();
    }

    /// Lists a segment.
    pub fn list(&self, table: &str, segment: &str, file_type: i64, row_count: i64) {
        self.meta
            .execute(
                "INSERT INTO TableFiles VALUES (NULL,?1,?2,1,?2,?3,0,?4,0,0,0,0)",
                params![table, segment, file_type, row_count],
            )
            .unwrap();
    }

    /// Where a segment's files are.
    pub fn folder(&self, table: &str, segment: &str) -> PathBuf {
        self.path.join("db/tables").join(table).join(segment)
    }

    /// Writes and lists a segment of rows whose vectors follow from their ids.
    pub fn segment(&self, table: &str, segment: &str, dim: usize, ids: &[i64], deleted: &[i32]) {
        let folder = self.folder(table, segment);
        fs::create_dir_all(&folder).unwrap();
        let vectors: Vec<u8> = ids.iter().flat_map(|id| vector(*id, dim)).collect();
        let id_bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        let offsets: Vec<u8> = deleted.iter().flat_map(|o| o.to_le_bytes()).collect();
        fs::write(folder.join(format!("{segment}.rv")), counted(&vectors)).unwrap();
        fs::write(folder.join(format!("{segment}.uid")), counted(&id_bytes)).unwrap();
        fs::write(folder.join("deleted_docs"), counted(&offsets)).unwrap();
        let mut gone = deleted.to_vec();
        gone.sort_unstable();
        gone.dedup();
        self.list(table, segment, 1, ids.len() as i64 - gone.len() as i64);
    }
}

/// A write-ahead log that is being made: one file, or more.
#[derive(Default)]
pub struct Wal {
    pub files: Vec<Vec<u8>>,
}

impl Wal {
    /// An empty log.
    pub fn new() -> Self {
        Self {
            files: vec![Vec::new()],
        }
    }

    /// Goes on in the next file.
    pub fn next_file(&mut self) {
        self.files.push(Vec::new());
    }

    /// Where the log ends.
    pub fn lsn(&self) -> u64 {
        let file = self.files.len() as u64 - 1;
        file << 32 | self.files.last().unwrap().len() as u64
    }

    /// Appends a record.
    pub fn record(&mut self, kind: u8, collection: &str, tag: &str, ids: &[i64], data: &[u8]) {
        let file = self.files.len() as u64 - 1;
        let bytes = self.files.last_mut().unwrap();
        let size = 21 + collection.len() + tag.len() + ids.len() * 8 + data.len();
        let end = file << 32 | (bytes.len() + size) as u64;
        bytes.extend(end.to_le_bytes());
        bytes.push(kind);
        bytes.extend((collection.len() as u16).to_le_bytes());
        bytes.extend((tag.len() as u16).to_le_bytes());
        bytes.extend((ids.len() as u32).to_le_bytes());
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(collection.bytes());
        bytes.extend(tag.bytes());
        bytes.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
        bytes.extend(data);
    }

    /// Appends rows whose vectors follow from their ids.
    pub fn insert(&mut self, collection: &str, tag: &str, dim: usize, ids: &[i64]) {
        let vectors: Vec<u8> = ids.iter().flat_map(|id| vector(*id, dim)).collect();
        self.record(2, collection, tag, ids, &vectors);
    }

    /// Appends a deletion.
    pub fn delete(&mut self, collection: &str, tag: &str, ids: &[i64]) {
        self.record(3, collection, tag, ids, &[]);
    }

    /// Writes it with an end of its own.
    pub fn write_until(&self, home: &Path, end: u64) {
        let folder = home.join("wal");
        fs::create_dir_all(&folder).unwrap();
        for (number, bytes) in self.files.iter().enumerate() {
            fs::write(folder.join(format!("{number}.wal")), bytes).unwrap();
        }
        let meta: Vec<u8> = [0, end, end].iter().flat_map(|n| n.to_le_bytes()).collect();
        fs::write(folder.join("mxlog.meta"), meta).unwrap();
    }

    /// Writes it.
    pub fn write(&self, home: &Path) {
        self.write_until(home, self.lsn());
    }
}
