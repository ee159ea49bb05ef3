// SPDX-License-Identifier: Apache-2.0
//! Metadata in `db/meta.sqlite`.
//!
//! The server keeps it in write-ahead mode: after a kill, everything may stand in
//! `meta.sqlite-wal` and nothing in the file itself. Opening such a database writes beside it,
//! and the directory may be read-only or the only copy there is; so what is opened is a private
//! copy, made of files that did not change meanwhile.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind, Result, Services};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use super::{Cell, Cells, Columns, ENVIRONMENT, FILES, FileRow, Metadata, TABLES, TableRow};
use crate::cold::files::{DataFile, Folder};

/// The file that a clean stop leaves.
pub const FILE: &str = "meta.sqlite";
/// What may stand beside it. Not `-shm`: SQLite makes it anew out of the `-wal`.
const BESIDE: [&str; 2] = ["meta.sqlite-wal", "meta.sqlite-journal"];
const COPY_BYTES: usize = 1 << 20;

/// Reads the metadata of a `db` folder.
///
/// # Errors
/// `NotFound` without the file; `Format` if it is damaged, or changes while it is copied.
pub fn read(db: &Folder, services: &Services) -> Result<Metadata> {
    let origin = db.path().join(FILE).display().to_string();
    let scratch = tempfile::tempdir().map_err(|e| {
        Error::io(
            "can't make a temporary folder for a copy of the metadata",
            &e,
        )
        .help("set TMPDIR to a folder with room in it")
    })?;
    copy(db, scratch.path(), services)?;
    let read = || -> Result<Metadata, Failed> {
        let connection = open(&scratch.path().join(FILE))?;
        let mut metadata = Metadata {
            tables: rows(&connection, "Tables", TABLES, &origin, TableRow::from_cells)?,
            files: rows(
                &connection,
                "TableFiles",
                FILES,
                &origin,
                FileRow::from_cells,
            )?,
            global_lsn: 0,
            origin: origin.clone(),
        };
        if has_table(&connection, "Environment")? {
            let lsns = rows(&connection, "Environment", ENVIRONMENT, &origin, |mut c| {
                c.int()
            })?;
            metadata.global_lsn = lsns.into_iter().max().unwrap_or(0);
        }
        metadata.sort();
        Ok(metadata)
    };
    read().map_err(|failed| match failed {
        Failed::Ours(error) => error,
        Failed::Sqlite(cause) => Error::new(ErrorKind::Format, "can't read the SQLite metadata")
            .with("file", &origin)
            .caused_by(cause)
            .help("the file is damaged: take it from a backup, or read the folders without it (`metadata: none`)"),
    })
}

enum Failed {
    Ours(Error),
    Sqlite(rusqlite::Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Copies the database and what belongs to it.
fn copy(db: &Folder, to: &Path, services: &Services) -> Result<()> {
    let main = db.file(FILE).map_err(|e| match e.kind() {
        ErrorKind::NotFound => e.help("did the server keep its metadata in MySQL? name it in `metadata`; `metadata: none` reads the folders alone"),
        _ => e,
    })?;
    let mut files = vec![(FILE, main)];
    for name in BESIDE {
        if let Some(file) = db.file_if_any(name)? {
            files.push((name, file));
        }
    }
    if let [(_, main)] = files.as_slice() {
        check_pages(main)?;
    }
    for (name, file) in &files {
        copy_file(file, &to.join(name), services)?;
    }
    for (_, file) in &files {
        file.check_unchanged()?;
    }
    // One that came into being meanwhile belongs to a server at work.
    for name in BESIDE {
        let was_there = files.iter().any(|(copied, _)| *copied == name);
        if !was_there && db.file_if_any(name)?.is_some() {
            return Err(super::super::files::changed().with("file", db.path().join(name).display()));
        }
    }
    Ok(())
}

/// SQLite takes the missing rest of a last page for zeros, and may read other numbers out of it
/// than were written. With a `-wal` that page may stand there, whole.
/// (<https://www.sqlite.org/fileformat2.html#the_database_header>: bytes 16 and 17.)
fn check_pages(main: &DataFile) -> Result<()> {
    let mut header = [0; 18];
    main.read_at(0, &mut header, "the header of the SQLite file")?;
    let page_bytes = match header
        .last_chunk()
        .map_or(0, |two| u16::from_be_bytes(*two))
    {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    match main.size().checked_rem(page_bytes) {
        Some(0) => Ok(()),
        _ => Err(Error::new(ErrorKind::Format, "the SQLite metadata is cut")
            .with("file", main.path().display())
            .with("found", format_args!("{} bytes", main.size()))
            .with("wanted", format_args!("whole pages of {page_bytes} bytes"))
            .help("take it from a backup, or read the folders without it (`metadata: none`)")),
    }
}

fn copy_file(from: &DataFile, to: &Path, services: &Services) -> Result<()> {
    let writing = |e: &std::io::Error| {
        Error::io("can't copy the metadata to a temporary folder", e)
            .with("file", to.display())
            .help("set TMPDIR to a folder with room in it")
    };
    let mut copy = File::create(to).map_err(|e| writing(&e))?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut at = 0;
    while at < from.size() {
        services.check_cancelled()?;
        let bytes = (from.size() - at).min(COPY_BYTES as u64) as usize;
        let (piece, _) = buffer.split_at_mut(bytes);
        from.read_at(at, piece, "the metadata")?;
        copy.write_all(piece).map_err(|e| writing(&e))?;
        at += bytes as u64;
    }
    Ok(())
}

fn open(path: &Path) -> Result<Connection, Failed> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // The schema comes from outside, too.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(
            Error::new(ErrorKind::Format, "the SQLite metadata is damaged")
                .with(
                    "file",
                    path.file_name()
                        .map(|n| n.display().to_string())
                        .unwrap_or_default(),
                )
                .caused_by(sound)
                .help("take it from a backup, or read the folders without it (`metadata: none`)")
                .into(),
        );
    }
    Ok(connection)
}

/// Whether there is a table of that name; a view or a virtual table could do anything.
fn has_table(connection: &Connection, name: &str) -> Result<bool, rusqlite::Error> {
    connection
        .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND rootpage > 0 AND name = ?1")?
        .exists([name])
}

/// All rows of a table.
fn rows<T>(
    connection: &Connection,
    table: &'static str,
    columns: Columns,
    origin: &str,
    make: impl Fn(Cells<'_>) -> Result<T>,
) -> Result<Vec<T>, Failed> {
    if !has_table(connection, table)? {
        return Err(Error::new(
            ErrorKind::Format,
            format!("the SQLite metadata has no table `{table}`"),
        )
        .with("file", origin)
        .help("after a kill all of it stands in `meta.sqlite-wal`: was that file copied along?")
        .into());
    }
    let there: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_info(?1)")?
        .query_map([table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let chosen = super::choose(table, columns, &there, origin)?;
    let mut statement = connection.prepare(&super::select(table, &chosen, '"'))?;
    let mut found = statement.query([])?;
    let mut made = Vec::new();
    while let Some(row) = found.next()? {
        let cells = (0..chosen.len())
            .map(|i| cell(row, i))
            .collect::<Result<_, _>>()?;
        made.push(make(Cells::new(table, columns, cells, origin))?);
    }
    Ok(made)
}

/// SQLite keeps any kind of value in any column.
fn cell(row: &Row<'_>, index: usize) -> Result<Cell, rusqlite::Error> {
    Ok(match row.get_ref(index)? {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Real(number) => Cell::Text(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Cell::Text(String::from_utf8_lossy(bytes).into_owned())
        }
    })
}

/// Whether the folder holds the database.
pub fn is_in(db: &Path) -> bool {
    fs::symlink_metadata(db.join(FILE)).is_ok()
}
