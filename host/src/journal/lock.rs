// SPDX-License-Identifier: Apache-2.0
//! The lock beside a journal: one process runs its task, any number may look.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use milvusdm_plugin_api::Result;

use super::store::io;

/// How a journal's lock is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// By the one process that runs the task.
    Alone,
    /// By those that only look.
    Together,
}

/// Keeps other processes out as long as it is held; the system gives it back if this one dies.
/// `None` while another one holds it.
pub(super) fn lock(path: &Path, hold: Hold) -> Result<Option<File>> {
    let place = place(path);
    // Who looks is done at once; a lock that its holder took away is not the one that is there.
    for wait_ms in [0, 1, 10, 50, 200] {
        std::thread::sleep(Duration::from_millis(wait_ms));
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&place)
            .map_err(|e| io(path, "open the journal's lock", &e))?;
        let locked = match hold {
            Hold::Alone => file.try_lock(),
            Hold::Together => file.try_lock_shared(),
        };
        match locked {
            Ok(()) if is_at(&file, &place) => return Ok(Some(file)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if hold == Hold::Together => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(e)) => return Err(io(path, "lock the journal", &e)),
        }
    }
    Ok(None)
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
