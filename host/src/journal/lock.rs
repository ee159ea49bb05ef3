// SPDX-License-Identifier: Apache-2.0
//! The lock beside a journal: one process runs its task, any number may look.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use milvusdm_plugin_api::Result;

use super::errors::io;

/// How long it takes those who look, at the most.
const WAITS_MS: [u64; 5] = [0, 1, 10, 50, 200];

/// Keeps other processes out as long as it is held; the system gives it back if this one dies.
/// `None` while another one holds it.
///
/// # Errors
/// `Denied`, `Io`.
pub(super) fn lock(path: &Path) -> Result<Option<File>> {
    let place = place(path);
    // Who looks is done at once; a lock that its holder took away is not the one that is there.
    for wait_ms in WAITS_MS {
        std::thread::sleep(Duration::from_millis(wait_ms));
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&place)
            .map_err(|e| io(path, "open the journal's lock", &e))?;
        match file.try_lock() {
            Ok(()) if is_at(&file, &place) => return Ok(Some(file)),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(e)) => return Err(io(path, "lock the journal", &e)),
        }
    }
    Ok(None)
}

/// Whether a process holds the lock. As long as what is given beside that is kept, none takes it
/// away; who may only read can look as well.
///
/// # Errors
/// `Denied`, `Io`.
pub(super) fn look(path: &Path) -> Result<(bool, Option<File>)> {
    let file = match File::open(place(path)) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((false, None)),
        Err(e) => return Err(io(path, "open the journal's lock", &e)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok((false, Some(file))),
        Err(TryLockError::WouldBlock) => Ok((true, None)),
        Err(TryLockError::Error(e)) => Err(io(path, "lock the journal", &e)),
    }
}

/// Whether a file is the one at that place.
fn is_at(file: &File, place: &Path) -> bool {
    let own = file.metadata().ok();
    let there = fs::metadata(place).ok();
    let inode = |data: fs::Metadata| (data.dev(), data.ino());
    own.map(inode) == there.map(inode)
}

/// Takes a lock away that this process holds alone.
///
/// # Errors
/// `Denied`, `Io`.
pub(super) fn remove(path: &Path) -> Result<()> {
    fs::remove_file(place(path)).map_err(|e| io(path, "remove the journal's lock", &e))
}

fn place(path: &Path) -> PathBuf {
    path.with_extension("lock")
}
