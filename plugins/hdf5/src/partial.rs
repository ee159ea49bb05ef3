// SPDX-License-Identifier: Apache-2.0
//! A file beside its target that becomes the target at the end, or goes away.
//!
//! Its name (`.a.h5.Xy12Zw34.partial`) can't be taken for a result. It is locked as long as it
//! is written, so that a later run tells one that was left behind by a killed run, which it
//! removes, from one that is being written, which makes it stop.

use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

const SUFFIX: &str = ".partial";
const RANDOM_BYTES: usize = 8;
/// Longest name that is repeated in a partial's.
const MAX_NAME_BYTES: usize = 200;

/// The folders that a run made, to be taken back if they stay empty.
#[derive(Debug, Default)]
pub struct Folders {
    made: Mutex<Vec<PathBuf>>,
}

impl Folders {
    /// Also keeps a folder from being taken back while a file is being made in it.
    fn lock(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(made: &mut Vec<PathBuf>, folder: &Path) -> Result<()> {
        let mut missing = Vec::new();
        for ancestor in folder.ancestors() {
            if ancestor.as_os_str().is_empty() || ancestor.is_dir() {
                break;
            }
            missing.push(ancestor);
        }
        for folder in missing.into_iter().rev() {
            match fs::create_dir(folder) {
                Ok(()) => made.push(folder.to_owned()),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => {}
                Err(e) => {
                    return Err(Error::io("creating a folder", &e).with("folder", folder.display()));
                }
            }
        }
        Ok(())
    }

    fn sweep(made: &mut Vec<PathBuf>) {
        // The deepest were made last; one that holds something stays.
        let mut left: Vec<PathBuf> = Vec::new();
        while let Some(folder) = made.pop() {
            if fs::remove_dir(&folder).is_err() && folder.is_dir() {
                left.push(folder);
            }
        }
        left.reverse();
        *made = left;
    }

    /// Makes the entries of `folder`, and of the folders that were made above it, durable.
    fn sync(&self, folder: &Path) -> Result<()> {
        let made = self.lock().clone();
        let above = made
            .iter()
            .filter(|made| folder.starts_with(made))
            .filter_map(|made| made.parent());
        for folder in above.chain([folder]) {
            let folder = or_here(folder);
            File::open(folder)
                .and_then(|handle| handle.sync_all())
                .map_err(|e| {
                    Error::io("making a folder durable", &e).with("folder", folder.display())
                })?;
        }
        Ok(())
    }
}

/// The empty path is the working folder.
fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// A target in the making; dropped without [`publish`](Self::publish) it leaves nothing.
#[derive(Debug)]
pub struct Partial {
    /// `None` once it was published.
    temp: Option<NamedTempFile>,
    target: PathBuf,
    folders: Arc<Folders>,
}

impl Partial {
    /// Makes an empty file beside `target`, and the folders above it; removes what killed runs
    /// left of the same target.
    ///
    /// # Errors
    /// `Exists` if another run writes the same target, `Denied`, `Io`.
    pub fn create(folders: &Arc<Folders>, target: &Path) -> Result<Self> {
        let folder = or_here(target.parent().unwrap_or(Path::new("")));
        let prefix = prefix(target);
        let mut made = folders.lock();
        let create = |made: &mut Vec<PathBuf>| {
            Folders::make(made, folder)?;
            let temp = tempfile::Builder::new()
                .prefix(&prefix)
                .suffix(SUFFIX)
                .rand_bytes(RANDOM_BYTES)
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(folder)
                .map_err(|e| {
                    Error::io("creating a file beside the target", &e)
                        .with("target", target.display())
                })?;
            lock(temp.as_file(), target)?;
            remove_leftovers(folder, &prefix, temp.path(), target)?;
            Ok(temp)
        };
        let temp = create(&mut made).inspect_err(|_| Folders::sweep(&mut made))?;
        Ok(Self {
            temp: Some(temp),
            target: target.to_owned(),
            folders: Arc::clone(folders),
        })
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

    /// Lets the library have the file, which marks it as being written while it has it open.
    ///
    /// # Errors
    /// `Internal` once it was published.
    pub fn hand_over(&self) -> Result<&Path> {
        // A file system without locks has nothing to give back.
        let _ = self.file()?.unlock();
        self.path()
    }

    /// Puts the file in its target's place and makes that durable; its content has to be
    /// durable already. `replaces`: over the file that is there, keeping its permissions.
    ///
    /// # Errors
    /// `Exists` if there is a file that must not be replaced, `Denied`, `Io`.
    pub fn publish(mut self, replaces: bool) -> Result<()> {
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
            // Back to where dropping removes it.
            self.temp = Some(e.file);
            return Err(match error.kind() {
                ErrorKind::Exists => {
                    error.help("it appeared while this run was writing; choose another target")
                }
                _ => error,
            });
        }
        self.folders
            .sync(self.target.parent().unwrap_or(Path::new("")))
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
        _ => format!(".~{:016x}.", xxhash_rust::xxh3::xxh3_64(name.as_bytes())),
    }
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
        let is_ours = random
            .is_some_and(|r| r.len() == RANDOM_BYTES && r.iter().all(u8::is_ascii_alphanumeric));
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
        fs::remove_file(entry.path()).map_err(|e| failed(&e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_left_of_what_was_not_published() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a/b/c.h5");
        let folders = Arc::default();
        let partial = Partial::create(&folders, &target).unwrap();
        assert!(
            partial
                .path()
                .unwrap()
                .starts_with(folder.path().join("a/b"))
        );
        assert!(is_partial(partial.path().unwrap()));
        let other = Partial::create(&folders, &folder.path().join("a/d.h5")).unwrap();
        drop(partial);
        assert_eq!(
            names(&folder.path().join("a")).len(),
            1,
            "`b` is gone, the other is not"
        );
        drop(other);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn folders_that_were_there_before_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        drop(Partial::create(&Arc::default(), &folder.path().join("a/b/c.h5")).unwrap());
        assert_eq!(names(folder.path()), ["a"]);
        assert_eq!(names(&folder.path().join("a")), [""; 0]);
    }

    #[test]
    fn a_published_file_has_its_name_and_usual_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a/c.h5");
        let partial = Partial::create(&Arc::default(), &target).unwrap();
        partial.publish(false).unwrap();
        assert_eq!(names(&folder.path().join("a")), ["c.h5"]);
        let plain = folder.path().join("plain");
        fs::write(&plain, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&target), mode(&plain));
    }

    #[test]
    fn a_file_that_appeared_is_replaced_only_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("c.h5");
        let partial = Partial::create(&Arc::default(), &target).unwrap();
        fs::write(&target, "theirs").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(
            partial.publish(false).unwrap_err().kind(),
            ErrorKind::Exists
        );
        assert_eq!(fs::read(&target).unwrap(), b"theirs");
        assert_eq!(names(folder.path()), ["c.h5"]);
        let partial = Partial::create(&Arc::default(), &target).unwrap();
        partial.publish(true).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"");
        let mode = fs::metadata(&target).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_a_live_one_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("c.h5");
        let left = folder.path().join(".c.h5.abcd1234.partial");
        let other = folder.path().join(".c.h5.x.h5.abcd1234.partial");
        fs::write(&left, "half").unwrap();
        fs::write(&other, "half").unwrap();
        let live = Partial::create(&Arc::default(), &target).unwrap();
        assert!(!left.exists());
        assert!(other.exists(), "another target's");
        let error = Partial::create(&Arc::default(), &target).unwrap_err();
        assert!(error.to_string().contains("another run"), "{error}");
        assert!(live.path().unwrap().exists());
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn a_long_name_fits_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join(format!("{}.h5", "x".repeat(250)));
        let partial = Partial::create(&Arc::default(), &target).unwrap();
        partial.publish(false).unwrap();
        assert!(target.exists());
    }
}
