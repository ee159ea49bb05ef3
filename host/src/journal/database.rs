// SPDX-License-Identifier: Apache-2.0
//! The SQLite database of a journal: how it is made, and how it is opened.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use milvusdm_plugin_api::Result;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::errors::{damaged, failed, io};
use super::store::Store;

/// How long one process waits for another's change.
const BUSY: Duration = Duration::from_secs(5);
/// What may stand in the path of an address as it is.
const IN_URI: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');
/// Version of the tables.
pub(super) const VERSION: i64 = 2;
const TABLES: &str = "
    CREATE TABLE run (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        plan TEXT NOT NULL, boot TEXT NOT NULL, is_reported INTEGER NOT NULL
    );
    CREATE TABLE target (position INTEGER PRIMARY KEY, stage TEXT NOT NULL);
    CREATE TABLE split (
        target INTEGER NOT NULL, position INTEGER NOT NULL,
        acknowledged TEXT NOT NULL, durable TEXT NOT NULL,
        PRIMARY KEY (target, position)
    ) WITHOUT ROWID;";

/// Whether there is a journal.
///
/// # Errors
/// `Denied`, `Io` where that can't be told.
pub(super) fn is_there(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(io(path, "look at the journal", &e)),
    }
}

/// Makes a journal that holds nothing: beside its place, so that it is there whole or not at all,
/// and no part of it has to wait for the disk but the whole.
///
/// # Errors
/// `Denied`, `Io`.
pub(super) fn make(path: &Path) -> Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let failed = |e| failed(path, "make", &e);
    // Of a process that was killed here.
    Store::remove(&new)?;
    let connection = Connection::open(&new).map_err(failed)?;
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;
             BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;
             PRAGMA journal_mode = WAL;"
        ))
        .map_err(failed)?;
    connection.close().map_err(|(_, e)| failed(e))?;
    // Only now: a file that is closed gives up the locks that the database has on it.
    let synced = File::open(&new).and_then(|file| file.sync_all());
    synced.map_err(|e| io(path, "make the journal", &e))?;
    // What is left of another one would be taken for a part of it.
    Store::remove(path)?;
    fs::rename(&new, path).map_err(|e| io(path, "make the journal", &e))
}

/// Opens a journal that is there.
///
/// # Errors
/// `Format` if it is damaged, `Io`.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    let failed = |e| failed(path, "open", &e);
    // One that is gone meanwhile is not made: that is what `make` is for.
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let connection = connection.map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        .map_err(failed)?;
    checked(connection, path)
}

/// The same for one that is not written to, by those who may only read it too.
///
/// # Errors
/// As [`connect`].
pub(super) fn connect_to_look(path: &Path) -> Result<Connection> {
    if is_writable(path) {
        let connection = connect(path)?;
        // Who looks leaves the log where it is.
        let kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        kept.map_err(|e| failed(path, "open", &e))?;
        return Ok(connection);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let whole = path
        .canonicalize()
        .map_err(|e| io(path, "open the journal", &e))?;
    let place = percent_encode(whole.as_os_str().as_bytes(), IN_URI);
    let open = || {
        // SQLite wants to make files beside it, but for a database that nobody writes to.
        let is_still = match path.with_extension("journal-wal").metadata() {
            Ok(_) => "",
            Err(_) => "?immutable=1",
        };
        let connection = Connection::open_with_flags(format!("file:{place}{is_still}"), flags);
        let connection = connection.map_err(|e| failed(path, "open", &e))?;
        let waits = connection.busy_timeout(BUSY);
        waits.map_err(|e| failed(path, "open", &e))?;
        checked(connection, path)
    };
    // A run may have ended in between, and taken its files away.
    open().or_else(|_| open())
}

fn is_writable(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let may = |path: &Path| accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    let folder = path.canonicalize().ok();
    may(path) && folder.as_deref().and_then(Path::parent).is_some_and(may)
}

/// A database that is whole.
fn checked(connection: Connection, path: &Path) -> Result<Connection> {
    let failed = |e| failed(path, "read", &e);
    let sound: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(failed)?;
    match sound.as_str() {
        "ok" => Ok(connection),
        found => Err(damaged(path, found)),
    }
}
