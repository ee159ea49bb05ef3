// SPDX-License-Identifier: Apache-2.0
//! Finds the folders of a data directory: `db`, `db/tables`, `wal`.

use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::files::Folder;
use super::metadata::sqlite;
use crate::options::{MetadataPlace, Milvus1SourceOptions, WalPolicy};

const DB: &str = "db";
const TABLES: &str = "tables";
const WAL: &str = "wal";

/// The folders that were found.
#[derive(Debug)]
pub struct Layout {
    /// Where `meta.sqlite` is.
    pub db: Folder,
    /// Where the vectors are; there is none as long as no collection was made.
    pub tables: Option<Folder>,
    /// Where the write-ahead log is.
    pub wal: Option<Folder>,
}

impl Layout {
    /// Finds them below `path`: a home with `db` in it, `db` itself, or (without metadata) a
    /// folder of tables.
    ///
    /// # Errors
    /// `NotFound`, `Denied`.
    pub fn find(path: &str, options: &Milvus1SourceOptions) -> Result<Self> {
        let path = Path::new(path);
        let top = Folder::named_by_user(path)?;
        let is_salvage = options.metadata_place()? == MetadataPlace::None;
        if let Some(db) = top.folder_if_any(DB)? {
            let tables = db.folder_if_any(TABLES)?;
            let wal = match &options.wal_path {
                None => top.folder_if_any(WAL)?,
                Some(path) => Some(Folder::named_by_user(Path::new(path))?),
            };
            return Ok(Self { db, tables, wal }.without_wal(options, is_salvage));
        }
        let tables = top.folder_if_any(TABLES)?;
        if tables.is_some() || sqlite::is_in(path) {
            let wal = match &options.wal_path {
                None => beside(path)?,
                Some(path) => Some(Folder::named_by_user(Path::new(path))?),
            };
            let db = top;
            return Ok(Self { db, tables, wal }.without_wal(options, is_salvage));
        }
        if is_salvage {
            let tables = Some(Folder::named_by_user(path)?);
            return Ok(Self {
                db: top,
                tables,
                wal: None,
            });
        }
        Err(Error::new(
            ErrorKind::NotFound,
            "found no Milvus data: wanted a folder with `db` in it, or with `meta.sqlite` and `tables`",
        )
        .with("path", path.display())
        .help("the server's configuration names it as `storage.path`"))
    }

    fn without_wal(mut self, options: &Milvus1SourceOptions, is_salvage: bool) -> Self {
        if is_salvage || options.wal == WalPolicy::Ignore {
            self.wal = None;
        }
        self
    }
}

/// The log stands beside `db`, whichever way that was named.
fn beside(db: &Path) -> Result<Option<Folder>> {
    let db = std::fs::canonicalize(db)
        .map_err(|e| Error::io("can't follow the path", &e).with("path", db.display()))?;
    match db.parent() {
        Some(home) => Folder::named_by_user(home)?.folder_if_any(WAL),
        None => Ok(None),
    }
}
