// SPDX-License-Identifier: Apache-2.0
//! Reads the data directory of a server that is stopped, without the server.
//!
//! Everything is looked at when the directory is opened: the metadata, the sizes of all files,
//! the lists of deleted rows, and the write-ahead log. Nothing in the directory is ever written.

pub mod catalog;
pub mod deleted;
mod describe;
pub mod files;
mod inspect;
mod layout;
mod locate;
pub mod metadata;
mod open;
mod reader;
pub mod segment;
pub mod wal;

use std::sync::Arc;

use arrow_schema::SchemaRef;
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, Inspection, LogLevel, ReadAccount, ReadRequest, Result,
    Services, Split,
};

use crate::options::{Milvus1SourceOptions, OnError};
use catalog::{Catalog, Listed, Part};
use deleted::Deleted;
use files::Folder;
use layout::Layout;
use reader::{LostReader, Parts, Pools, SplitReader};
use segment::Segment;
use wal::{Log, PartLog, WalRows};

pub use locate::Location;

/// The id of the split with the rows of the write-ahead log.
const WAL_SPLIT: &str = "wal";

/// A data directory.
#[derive(Debug)]
pub struct ColdSource {
    services: Services,
    on_error: OnError,
    pools: Arc<Pools>,
    layout: Layout,
    parts: Vec<OpenPart>,
    notices: Vec<String>,
    /// For `inspect`: what the metadata knows and does not read.
    catalog: Catalog,
}

/// A partition whose segments were looked at.
#[derive(Debug)]
struct OpenPart {
    part: Part,
    schema: SchemaRef,
    segments: Vec<(Listed, Looked)>,
    wal: Option<OpenWal>,
}

/// What a segment was found to be.
#[derive(Debug)]
enum Looked {
    /// It can be read.
    Sound(Sound),
    /// It can't, and why.
    Damaged {
        error: Error,
        found: u64,
        deleted: u64,
    },
}

/// A segment that can be read.
#[derive(Debug)]
struct Sound {
    rows: u64,
    /// Deleted by its own list.
    deleted: u64,
    /// Deleted by the write-ahead log beside those.
    by_wal: Vec<u64>,
    fingerprint: String,
    has_deleted_docs: bool,
}

impl Sound {
    fn live(&self) -> u64 {
        self.rows - self.deleted - self.by_wal.len() as u64
    }
}

/// The rows of a partition in the write-ahead log.
#[derive(Debug)]
struct OpenWal {
    log: Arc<Log>,
    chunks: Arc<Vec<wal::Chunk>>,
    deleted: Deleted,
    /// Of it, `skipped`, `lost` and `notes` count; the chunks have moved out.
    account: PartLog,
}

impl OpenWal {
    /// Calls `each` with every row and its id, deleted ones too.
    fn each_id(&self, services: &Services, mut each: impl FnMut(u64, i64)) -> Result<()> {
        for chunk in self.chunks.iter() {
            services.check_cancelled()?;
            self.log
                .each_id(chunk.file, chunk.ids_at, chunk.rows, |index, id| {
                    each(chunk.first + index, id);
                })?;
        }
        Ok(())
    }

    fn found(&self) -> u64 {
        self.deleted
            .rows()
            .saturating_add(self.account.skipped)
            .saturating_add(self.account.lost)
    }

    fn live(&self) -> u64 {
        self.deleted.rows() - self.deleted.count()
    }
}

impl ColdSource {
    /// The datasets: every partition of every collection.
    ///
    /// # Errors
    /// None: what is damaged is said when its splits are asked for.
    pub fn datasets(&self) -> Result<Vec<Dataset>> {
        Ok(self
            .parts
            .iter()
            .map(|p| p.dataset(self.on_error))
            .collect())
    }

    /// A dataset's splits: its segments, and its rows in the write-ahead log.
    ///
    /// # Errors
    /// `Format` where a segment is damaged and `on_error` is `fail`; `NotFound`.
    pub fn splits(&self, dataset_key: &str) -> Result<Vec<Split>> {
        let part = self.part(dataset_key)?;
        for notice in part.notices() {
            self.services.log(LogLevel::Warn, &notice);
        }
        part.splits(self.on_error)
    }

    /// Opens a split.
    ///
    /// # Errors
    /// `Config` for a split that there is not; `Format` if it changed since it was planned.
    pub fn read(
        &self,
        dataset_key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        let part = self.part(dataset_key)?;
        if split.id == WAL_SPLIT
            && let Some(wal) = &part.wal
        {
            check_planned(split, &part.wal_split(wal), dataset_key)?;
            return Ok(self.read_wal(part, wal, request));
        }
        let mut segments = part.segments.iter();
        let (listed, looked) = segments
            .find(|(listed, _)| listed.is(&split.id))
            .ok_or_else(|| {
                let message = format!("`{dataset_key}` has no split `{}`", split.id);
                Error::new(ErrorKind::Config, message).help("plan the task again")
            })?;
        check_planned(
            split,
            &part.split(listed, looked, self.on_error)?,
            dataset_key,
        )?;
        match looked {
            Looked::Sound(sound) => self.read_segment(part, listed, sound, request),
            Looked::Damaged {
                error,
                found,
                deleted,
            } => Ok(Box::new(LostReader(ReadAccount {
                deleted: *deleted,
                skipped: 0,
                lost: found.saturating_sub(*deleted),
                notes: vec![open::told(error)],
            }))),
        }
    }

    /// Trees and notices.
    ///
    /// # Errors
    /// `Denied`, `Io` where folders can't be listed.
    pub fn inspect(&self) -> Result<Inspection> {
        inspect::inspect(self)
    }

    fn part(&self, key: &str) -> Result<&OpenPart> {
        self.parts
            .iter()
            .find(|p| p.part.folder == key)
            .ok_or_else(|| {
                let message = format!("there is no dataset `{key}` in the data directory");
                Error::new(ErrorKind::NotFound, message)
            })
    }

    fn tables(&self) -> Result<&Folder> {
        self.layout.tables.as_ref().ok_or_else(|| {
            let path = self.layout.db.path().join("tables");
            Error::new(ErrorKind::Format, "the folder with the vectors is missing")
                .with("file", path.display())
        })
    }

    fn read_segment(
        &self,
        part: &OpenPart,
        listed: &Listed,
        sound: &Sound,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        let name = format!("{}/{}", part.part.full_name(), listed.id());
        let vector_bytes = part.part.vector_bytes();
        let open = || -> Result<(Segment, Deleted)> {
            let folder = self.tables()?.folder(&part.part.folder)?;
            let segment = Segment::open(&folder, listed, vector_bytes)?;
            if segment.fingerprint() != sound.fingerprint {
                return Err(files::changed());
            }
            let mut deleted = segment.deleted(&self.services)?;
            for row in &sound.by_wal {
                deleted.insert(*row);
            }
            Ok((segment, deleted))
        };
        let (segment, deleted) = open().map_err(|e| e.with("segment", &name))?;
        let account = ReadAccount {
            deleted: deleted.count(),
            ..ReadAccount::default()
        };
        let parts = Parts {
            name,
            schema: part.schema.clone(),
            vector_bytes,
            rows: Box::new(segment),
            deleted,
            account,
        };
        Ok(self.reader(parts, request))
    }

    fn read_wal(
        &self,
        part: &OpenPart,
        wal: &OpenWal,
        request: &ReadRequest,
    ) -> Box<dyn BatchReader> {
        let vector_bytes = part.part.vector_bytes();
        let parts = Parts {
            name: format!("{}/{WAL_SPLIT}", part.part.full_name()),
            schema: part.schema.clone(),
            vector_bytes,
            rows: Box::new(WalRows {
                log: Arc::clone(&wal.log),
                chunks: Arc::clone(&wal.chunks),
                vector_bytes,
            }),
            deleted: wal.deleted.clone(),
            account: ReadAccount {
                deleted: wal.deleted.count(),
                skipped: wal.account.skipped,
                lost: wal.account.lost,
                notes: wal.account.notes.clone(),
            },
        };
        self.reader(parts, request)
    }

    fn reader(&self, parts: Parts, request: &ReadRequest) -> Box<dyn BatchReader> {
        let (pools, services) = (Arc::clone(&self.pools), self.services.clone());
        Box::new(SplitReader::new(parts, request, pools, services))
    }

    /// Opens a data directory.
    ///
    /// # Errors
    /// `Config`, `NotFound`, `Denied`; `Format` where metadata or log are damaged.
    pub fn open(path: &str, options: &Milvus1SourceOptions, services: Services) -> Result<Self> {
        open::open(path, options, services)
    }
}

/// A plan that was made of other files does not fit.
fn check_planned(planned: &Split, now: &Split, dataset_key: &str) -> Result<()> {
    match planned.fingerprint == now.fingerprint {
        true => Ok(()),
        false => Err(files::changed().with("segment", format!("{dataset_key}/{}", planned.id))),
    }
}
