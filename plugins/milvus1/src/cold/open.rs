// SPDX-License-Identifier: Apache-2.0
//! Looks at a data directory: metadata, log, and every segment.

use std::sync::Arc;

use milvusdm_plugin_api::arrow::schema::DataType;
use milvusdm_plugin_api::model::{IdPolicy, SchemaBuilder};
use milvusdm_plugin_api::{Error, ErrorKind, Result, Services};

use super::catalog::{Catalog, Listed, Part};
use super::files::Folder;
use super::layout::Layout;
use super::metadata::{mysql, none, sqlite};
use super::reader::Pools;
use super::segment::{self, Segment};
use super::wal::{Deletes, Log, Replay};
use super::{ColdSource, Looked, OpenPart, OpenWal, Sound};
use crate::options::{MetadataPlace, Milvus1SourceOptions, OnError, WalPolicy};

/// Opens a data directory.
pub(super) fn open(
    path: &str,
    options: &Milvus1SourceOptions,
    services: Services,
) -> Result<ColdSource> {
    let layout = Layout::find(path, options)?;
    let mut catalog = match options.metadata_place()? {
        MetadataPlace::Sqlite => Catalog::of(&sqlite::read(&layout.db, &services)?)?,
        MetadataPlace::Mysql(uri) => Catalog::of(&mysql::read(uri, &services)?)?,
        MetadataPlace::None => match &layout.tables {
            Some(tables) => none::read(tables, options, &services)?,
            None => Catalog::default(),
        },
    };
    let mut notices = std::mem::take(&mut catalog.notices);
    let mut replay = replay(&layout, &catalog, options, &services, &mut notices)?;
    let mut parts = Vec::with_capacity(catalog.parts.len());
    for (index, part) in std::mem::take(&mut catalog.parts).into_iter().enumerate() {
        services.check_cancelled()?;
        parts.push(open_part(index, part, &layout, replay.as_mut(), &services)?);
    }
    Ok(ColdSource {
        services,
        on_error: options.on_error,
        pools: Arc::new(Pools::default()),
        layout,
        parts,
        notices,
        catalog,
    })
}

fn replay(
    layout: &Layout,
    catalog: &Catalog,
    options: &Milvus1SourceOptions,
    services: &Services,
    notices: &mut Vec<String>,
) -> Result<Option<Replay>> {
    let Some(folder) = &layout.wal else {
        if options.wal == WalPolicy::Ignore {
            notices.push("The write-ahead log is not read (`wal: ignore`): rows that were not flushed when the server stopped are not seen.".to_owned());
        } else if catalog.parts.iter().any(was_written_to) {
            notices.push("There is no `wal` folder beside `db`. After a clean stop nothing is missing; if the server was killed, rows that were not flushed are only there (option `wal_path`).".to_owned());
        }
        return Ok(None);
    };
    let start = super::wal::record::Lsn(catalog.wal_start);
    if catalog.parts.is_empty() {
        return Ok(None);
    }
    let Some(log) = Log::open(folder, start, notices)? else {
        return Ok(None);
    };
    let (replay, more) = Replay::of(log, catalog, options.on_error, services)?;
    notices.extend(more);
    Ok(Some(replay))
}

/// Whether rows were ever sent to it, flushed or not.
fn was_written_to(part: &Part) -> bool {
    part.flush_lsn > 0 || part.id_policy != IdPolicy::None
}

fn open_part(
    index: usize,
    mut part: Part,
    layout: &Layout,
    replay: Option<&mut Replay>,
    services: &Services,
) -> Result<OpenPart> {
    let schema = SchemaBuilder::new()
        .id("id", DataType::Int64)
        .vector("vector", &part.vector)?
        .finish()?;
    let (deletes, wal) = match replay {
        Some(replay) => open_wal(index, &part, replay, services)?,
        None => (Deletes::default(), None),
    };
    let listed = std::mem::take(&mut part.segments);
    let mut segments = Vec::with_capacity(listed.len());
    if !listed.is_empty() {
        let folder = match &layout.tables {
            Some(tables) => tables.folder(&part.folder),
            None => Err(
                Error::new(ErrorKind::Format, "the folder `tables` is missing")
                    .with("file", layout.db.path().join("tables").display()),
            ),
        };
        for listed in listed {
            services.check_cancelled()?;
            let looked = look(&part, &folder, &listed, &deletes, services)?;
            segments.push((listed, looked));
        }
    }
    Ok(OpenPart {
        part,
        schema,
        segments,
        wal,
    })
}

/// The ids that the log deletes, and the rows that it adds.
fn open_wal(
    index: usize,
    part: &Part,
    replay: &mut Replay,
    services: &Services,
) -> Result<(Deletes, Option<OpenWal>)> {
    let deletes = replay.deletes(index, part);
    let deleted = replay.deleted(index, &deletes, services)?;
    let log = Arc::clone(&replay.log);
    let mut account = match replay.parts.get_mut(index) {
        Some(account) => std::mem::take(account),
        None => return Ok((deletes, None)),
    };
    let wal = OpenWal {
        log,
        chunks: Arc::new(std::mem::take(&mut account.chunks)),
        deleted,
        account,
    };
    let is_empty = wal.found() == 0;
    Ok((deletes, (!is_empty).then_some(wal)))
}

/// Looks at a segment. Damage is kept for when its rows are asked for, so that `inspect` can show
/// the rest; only what says nothing of the segment is an error here.
fn look(
    part: &Part,
    folder: &Result<Folder>,
    listed: &Listed,
    deletes: &Deletes,
    services: &Services,
) -> Result<Looked> {
    let sound = match folder {
        Ok(folder) => sound(part, folder, listed, deletes, services),
        Err(error) => Err(error.clone()),
    };
    let error = match sound {
        Ok(sound) => return Ok(Looked::Sound(sound)),
        Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
        Err(error) => error,
    };
    let (found, deleted) = match folder {
        Ok(folder) => segment::count(folder, listed, services),
        Err(_) => (listed.promised(), 0),
    };
    Ok(Looked::Damaged {
        error: explain(&error, part, listed, found.saturating_sub(deleted)),
        found,
        deleted,
    })
}

fn sound(
    part: &Part,
    folder: &Folder,
    listed: &Listed,
    deletes: &Deletes,
    services: &Services,
) -> Result<Sound> {
    let segment = Segment::open(folder, listed, part.vector_bytes())?;
    let mut deleted = segment.deleted(services)?;
    let own = deleted.count();
    let mut by_wal = Vec::new();
    if !deletes.is_empty() {
        segment.each_id(services, |row, id| {
            if deletes.contains(id) && deleted.insert(row) {
                by_wal.push(row);
            }
        })?;
    }
    Ok(Sound {
        rows: segment.rows(),
        deleted: own,
        by_wal,
        fingerprint: segment.fingerprint(),
        has_deleted_docs: segment.has_deleted_docs(),
    })
}

/// Says which segment it is, what is lost, and what can be done.
fn explain(error: &Error, part: &Part, listed: &Listed, lost: u64) -> Error {
    let kind = match error.kind() {
        ErrorKind::NotFound => ErrorKind::Format,
        kind => kind,
    };
    let message = match error.kind() {
        ErrorKind::NotFound => "the metadata lists a segment whose folder is missing".to_owned(),
        _ => error.message().to_owned(),
    };
    let message = format!("a segment can't be read: {message}");
    let mut explained =
        Error::new(kind, message).with("segment", format!("{}/{}", part.full_name(), listed.id()));
    for (key, value) in error.context() {
        explained = explained.with(key, value);
    }
    explained = explained.with("rows lost", lost);
    if let Some(cause) = error.cause_text() {
        explained = explained.caused_by(cause);
    }
    match (kind, error.help_text()) {
        // It is mended by hand, and all segments may have it.
        (ErrorKind::Denied, Some(help)) => explained.help(help),
        _ => explained.help(
            "take the files from a backup, or move the other segments with `on_error: skip_segment`",
        ),
    }
}

/// The same for the report of a run that passed it over: without advice.
pub(super) fn told(error: &Error) -> String {
    let context: Vec<String> = error
        .context()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    let cause = error.cause_text().map(|c| format!(": {c}"));
    let cause = cause.unwrap_or_default();
    format!("{} ({}){cause}", error.message(), context.join(", "))
}

impl Looked {
    /// Whether `on_error` may pass it over.
    pub(super) fn stops(&self, on_error: OnError) -> Option<&Error> {
        match self {
            Self::Damaged { error, .. }
                if on_error == OnError::Fail || error.kind() == ErrorKind::Denied =>
            {
                Some(error)
            }
            _ => None,
        }
    }
}
