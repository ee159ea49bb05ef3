// SPDX-License-Identifier: Apache-2.0
//! What is said of a journal that can't be read or written, and the way on from there.

use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind};
use rusqlite::ErrorCode;

pub(super) fn io(path: &Path, doing: &str, error: &std::io::Error) -> Error {
    let error = match error.kind() {
        // Something else is where the folder should be; that another process is at work is said
        // otherwise.
        std::io::ErrorKind::AlreadyExists => Error::new(ErrorKind::Io, doing).caused_by(error),
        _ => Error::io(doing, error),
    };
    error.with("journal", path.display()).help(way_on(path))
}

/// Another folder has no journal of a run that was begun.
fn way_on(path: &Path) -> &'static str {
    match path.try_exists() {
        Ok(false) => {
            "see to it that the folder can be written and has room, or name another with `--state DIR`"
        }
        _ => {
            "see to it that the journal and its folder can be read and written, and have room; in another folder nothing would be known of this run"
        }
    }
}

pub(super) fn failed(path: &Path, doing: &str, error: &rusqlite::Error) -> Error {
    if let Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) = error.sqlite_error_code() {
        return damaged(path, &error.to_string());
    }
    Error::new(ErrorKind::Io, format!("can't {doing} the journal"))
        .with("journal", path.display())
        .caused_by(error)
        .help(way_on(path))
}

pub(super) fn damaged(path: &Path, found: &str) -> Error {
    Error::new(ErrorKind::Format, "the journal is damaged")
        .with("journal", path.display())
        .with("found", found)
        .help("how far the run came is not known any more: look at its targets. `--restart` begins anew; with `mode: append`, rows that it had written are there twice then")
}
