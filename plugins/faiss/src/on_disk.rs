// SPDX-License-Identifier: Apache-2.0
//! The second file of an index with on-disk inverted lists.
//!
//! Its name in the index is whatever the writer's path was, or what somebody wants to be opened:
//! only its last part is taken, and only a regular file beside the index.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result, Services};

use crate::format::cursor::damaged;
use crate::format::invlists::Lists;
use crate::format::{IndexFile, ReadAt};
use crate::rows::walk::ListWalk;

/// Opens the file with on-disk lists that an index names: by its last part, beside the index, and
/// only a regular file. The rest of the name is the writer's own path, or an attacker's.
///
/// # Errors
/// `NotFound` where it is not there, saying which file was looked for; `Unsupported` for anything
/// but a regular file.
pub fn beside(index: &Path, file_name: &[u8], services: &Services) -> Result<IndexFile> {
    let stored = Path::new(OsStr::from_bytes(file_name));
    let name = stored.file_name().ok_or_else(|| {
        Error::new(
            ErrorKind::Format,
            format!(
                "the index names `{}` as the file with its inverted lists, expected a file's name",
                stored.display()
            ),
        )
    })?;
    let path = index.with_file_name(name);
    IndexFile::open(&path, false, services).map_err(|e| {
        let message = match e.kind() {
            ErrorKind::NotFound => format!(
                "the inverted lists are in a second file, `{}`, which is not beside the index",
                stored.display()
            ),
            _ => format!("can't take the inverted lists from a second file: {e}"),
        };
        Error::new(e.kind(), message).with("wanted", path.display()).help(
            "put the file beside the index under that name, or say where it is with the option `lists`",
        )
    })
}

/// Checks that on-disk lists lie inside of their file.
///
/// # Errors
/// `Format`, naming the list.
pub fn check(table: &Arc<dyn ReadAt>, lists: &Lists, data: &IndexFile) -> Result<()> {
    let length = data.len();
    let mut walk = ListWalk::new(table.clone(), lists);
    let mut total = 0u64;
    while let Some(list) = walk.next()? {
        if list.rows == 0 {
            continue;
        }
        let misfit = |end: Option<u64>| {
            let end = end.map_or("beyond 2^64".to_owned(), |end| end.to_string());
            damaged(
                list.codes_at,
                format!(
                    "the on-disk list {} of {} vectors ends at {end}, but its file has {length} bytes",
                    list.number, list.rows
                ),
            )
        };
        // A list has room for more rows than it holds; the file has all of it.
        let capacity = (list.ids_at - list.codes_at).checked_div(lists.code_bytes);
        let end = capacity
            .and_then(|rows| rows.max(list.rows).checked_mul(8))
            .and_then(|bytes| bytes.checked_add(list.ids_at));
        if end.is_none_or(|end| end > length) {
            return Err(misfit(end));
        }
        total = total.saturating_add(list.rows.saturating_mul(lists.code_bytes.saturating_add(8)));
        // Lists that share their bytes would make a small file give any number of rows.
        if total > length {
            return Err(damaged(
                list.codes_at,
                format!(
                    "the on-disk lists add up to {total} bytes or more, but their file has {length}"
                ),
            ));
        }
    }
    Ok(())
}
