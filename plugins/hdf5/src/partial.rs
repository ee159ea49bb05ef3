// SPDX-License-Identifier: Apache-2.0
//! A file beside its target that becomes the target at the end, or goes away.
//!
//! Its name (`.a.h5.Xy12Zw34.partial`) can't be taken for a result; a run that may be resumed finds
//! it again by it. It is locked as long as it
//! is written, so that a later run tells one that was left behind by a killed run, which it
//! removes, from one that is being written, which makes it stop. The library opens files by
//! their path, so a path that another run took and the library made anew is told by its inode.

use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use tempfile::{NamedTempFile, TempPath};

use crate::folders::{Folder, Folders, or_here};

const SUFFIX: &str = ".partial";
/// Letters and digits of a run's name.
const RUN_BYTES: usize = 8;
/// Longest name that is repeated in a partial's.
const MAX_NAME_BYTES: usize = 200;

/// A target in the making; dropped without [`publish`](Self::publish) it leaves nothing.
#[derive(Debug)]
pub struct Partial {
    /// `None` once it was published.
    temp: Option<NamedTempFile>,
    target: PathBuf,
    folders: Arc<Folders>,
    /// What has to be made durable once the file is in its place.
    unsynced: Vec<Folder>,
}

impl Partial {
    /// Makes an empty file beside `target`, and the folders above it; removes what killed runs
    /// left of the same target. It is called by `run`, or by chance if that is empty.
    ///
    /// # Errors
    /// `Exists` if another run writes the same target, `Denied`, `Io`.
    pub fn create(folders: &Arc<Folders>, target: &Path, run: &str) -> Result<Self> {
        Self::beside(folders, target, |folder, prefix| {
            // What the same run left is of no use to it.
            remove_leftovers(folder, prefix, Path::new(""), target)?;
            let mut builder = tempfile::Builder::new();
            builder
                .suffix(SUFFIX)
                .permissions(Permissions::from_mode(0o666));
            let named = format!("{prefix}{run}");
            let temp = match is_run(run.as_bytes()) {
                true => builder.prefix(&named).rand_bytes(0).tempfile_in(folder),
                false => {
                    let builder = builder.prefix(prefix).rand_bytes(RUN_BYTES);
                    builder.tempfile_in(folder)
                }
            };
            temp.map_err(|e| {
                Error::io("creating a file beside the target", &e).with("target", target.display())
            })
        })
    }

    /// Takes up the file that an earlier process of `run` made and left.
    ///
    /// # Errors
    /// As [`create`](Self::create); `NotFound` if it is gone.
    pub fn reopen(folders: &Arc<Folders>, target: &Path, run: &str) -> Result<Self> {
        Self::beside(folders, target, |_, _| {
            let path = place(target, run);
            let file = File::options().read(true).write(true).open(&path);
            let file = file.map_err(|e| {
                Error::io("opening what an earlier process wrote", &e).with("file", path.display())
            })?;
            let owned = TempPath::try_from_path(&path);
            let owned =
                owned.map_err(|e| Error::io("naming the file", &e).with("file", path.display()))?;
            let mut temp = NamedTempFile::from_parts(file, owned);
            temp.disable_cleanup(true);
            Ok(temp)
        })
    }

    fn beside(
        folders: &Arc<Folders>,
        target: &Path,
        make: impl FnOnce(&Path, &str) -> Result<NamedTempFile>,
    ) -> Result<Self> {
        let folder = or_here(target.parent().unwrap_or(Path::new("")));
        let prefix = prefix(target);
        let mut made = folders.lock();
        let create = |made: &mut Vec<PathBuf>| {
            Folders::make(made, folder)?;
            let temp = make(folder, &prefix)?;
            lock(temp.as_file(), target)?;
            remove_leftovers(folder, &prefix, temp.path(), target)?;
            Ok((temp, Folders::open(made, folder)?))
        };
        let (temp, unsynced) = create(&mut made).inspect_err(|_| Folders::sweep(&mut made))?;
        Ok(Self {
            temp: Some(temp),
            target: target.to_owned(),
            folders: Arc::clone(folders),
            unsynced,
        })
    }

    /// Whether it stays where it is when it is dropped, for the run to take it up again.
    pub fn keep(&mut self, is_kept: bool) {
        if let Some(temp) = &mut self.temp {
            temp.disable_cleanup(is_kept);
        }
    }

    fn temp(&self) -> Result<&NamedTempFile> {
        self.temp
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "the file was published already"))
    }

    /// Where it is for now.
    ///
    /// # Errors
    /// `Internal` once it was published.
    pub fn path(&self) -> Result<&Path> {
        Ok(self.temp()?.path())
    }

    /// The open file.
    ///
    /// # Errors
    /// `Internal` once it was published.
    pub fn file(&self) -> Result<&File> {
        Ok(self.temp()?.as_file())
    }

    /// Lets the library `make` the file anew at its path; it locks the file as long as it has it
    /// open, for which this lock has to go.
    ///
    /// # Errors
    /// What `make` answers; `Exists` if another run took the file away between the two locks.
    pub fn hand_over<T>(&self, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        // A file system without locks has nothing to give back.
        let _ = self.file()?.unlock();
        let made = make(self.path()?)?;
        self.check_place()?;
        Ok(made)
    }

    /// Locks the file again, now that the library has closed it; it may still open it to read.
    ///
    /// # Errors
    /// `Exists` if another run took the file away before it was locked.
    pub fn take_back(&self) -> Result<()> {
        for wait_ms in [1, 10, 50, 200] {
            match self.file()?.try_lock_shared() {
                // Another run that found it unlocked, or a process that is being started and
                // holds this one's locks for a moment.
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(Duration::from_millis(wait_ms));
                }
                // A file system without locks.
                Ok(()) | Err(TryLockError::Error(_)) => break,
            }
        }
        self.check_place()
    }

    /// The file at the path is the open one.
    fn check_place(&self) -> Result<()> {
        let looking = |e: &std::io::Error| {
            Error::io("looking at the file that is written", e)
                .with("target", self.target.display())
        };
        let own = self.file()?.metadata().map_err(|e| looking(&e))?;
        match fs::symlink_metadata(self.path()?) {
            Ok(now) if (now.dev(), now.ino()) == (own.dev(), own.ino()) => Ok(()),
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(looking(&e)),
            _ => Err(
                Error::new(ErrorKind::Exists, "another run took this file away")
                    .with("target", self.target.display())
                    .with("file", self.path()?.display())
                    .help("let one run at a time write a target, then run again"),
            ),
        }
    }

    /// Puts the file in its target's place and makes that durable; its content has to be
    /// durable already. `replaces`: over the file that is there, keeping its permissions.
    ///
    /// Once it is in its place nothing takes it back: what keeps that from being durable is the
    /// answer, no error.
    ///
    /// # Errors
    /// `Exists` if there is a file that must not be replaced, or another run took this one away;
    /// `Denied`, `Io`.
    pub fn publish(&mut self, replaces: bool) -> Result<Option<Error>> {
        self.check_place()?;
        let failed = |e: &std::io::Error| {
            Error::io("putting the file in its place", e).with("target", self.target.display())
        };
        if replaces && let Ok(old) = fs::metadata(&self.target) {
            let permissions = old.permissions();
            self.file()?
                .set_permissions(permissions)
                .map_err(|e| failed(&e))?;
        }
        let temp = self
            .temp
            .take()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "the file was published already"))?;
        let placed = if replaces {
            temp.persist(&self.target)
        } else {
            temp.persist_noclobber(&self.target)
        };
        if let Err(e) = placed {
            let error = failed(&e.error);
            // Back to where dropping removes it, unless it is kept.
            self.temp = Some(e.file);
            return Err(match error.kind() {
                ErrorKind::Exists => {
                    error.help("it appeared while this run was writing; choose another target")
                }
                _ => error,
            });
        }
        let synced = self.unsynced.iter().try_for_each(Folder::sync);
        Ok(synced
            .err()
            .map(|e| e.with("target", self.target.display())))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(temp) = self.temp.take() {
            let mut made = self.folders.lock();
            drop(temp);
            Folders::sweep(&mut made);
        }
    }
}

/// What the names of a target's partials begin with.
fn prefix(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default();
    match name.to_str() {
        Some(name) if name.len() <= MAX_NAME_BYTES => format!(".{name}."),
        _ => format!(
            ".~{:016x}.",
            twox_hash::XxHash3_64::oneshot(name.as_bytes())
        ),
    }
}

fn is_run(name: &[u8]) -> bool {
    name.len() == RUN_BYTES && name.iter().all(u8::is_ascii_alphanumeric)
}

/// Where a run writes a target.
pub fn place(target: &Path, run: &str) -> PathBuf {
    let folder = or_here(target.parent().unwrap_or(Path::new("")));
    folder.join(format!("{}{run}{SUFFIX}", prefix(target)))
}

/// Whether a file of this name was made beside some target.
pub fn is_partial(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    name.starts_with(b".") && name.ends_with(SUFFIX.as_bytes())
}

fn lock(file: &File, target: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(in_use(target)),
        // A file system without locks: leftovers are then told from others by nothing.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

fn in_use(target: &Path) -> Error {
    Error::new(ErrorKind::Exists, "another run is writing this target")
        .with("target", target.display())
        .help("wait for it, or stop it")
}

fn remove_leftovers(folder: &Path, prefix: &str, own: &Path, target: &Path) -> Result<()> {
    let failed = |e: &std::io::Error| {
        Error::io("looking for what a stopped run left", e).with("folder", folder.display())
    };
    for entry in fs::read_dir(folder).map_err(|e| failed(&e))? {
        let entry = entry.map_err(|e| failed(&e))?;
        let name = entry.file_name();
        let random = name
            .as_bytes()
            .strip_prefix(prefix.as_bytes())
            .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
        let is_ours = random.is_some_and(is_run);
        if !is_ours || own.file_name() == Some(&name) {
            continue;
        }
        // One that another run removes meanwhile is gone all the same.
        let Ok(file) = File::open(entry.path()) else {
            continue;
        };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(in_use(target));
        }
        match fs::remove_file(entry.path()) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(&e)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "partial_tests.rs"]
mod tests;
