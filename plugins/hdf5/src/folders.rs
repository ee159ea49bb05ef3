// SPDX-License-Identifier: Apache-2.0
//! The folders of targets: made where they are missing, taken back where they stay empty, and
//! made durable once a target is in its place.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use milvusdm_plugin_api::{Error, Result};

/// The folders that a run made, to be taken back if they stay empty.
#[derive(Debug, Default)]
pub struct Folders {
    made: Mutex<Vec<PathBuf>>,
}

impl Folders {
    /// Also keeps a folder from being taken back while a file is being made in it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a folder and those above it that are missing.
    pub(crate) fn make(made: &mut Vec<PathBuf>, folder: &Path) -> Result<()> {
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

    /// Takes back what is empty.
    pub(crate) fn sweep(made: &mut Vec<PathBuf>) {
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

    /// Opens `folder`, and those above it that hold a folder that was made: their entries have
    /// to be made durable. Done first, so that one that can't be opened costs no written file.
    pub(crate) fn open(made: &[PathBuf], folder: &Path) -> Result<Vec<Folder>> {
        let above = made
            .iter()
            .filter(|made| folder.starts_with(made))
            .filter_map(|made| made.parent());
        above
            .chain([folder])
            .map(|folder| {
                let path = or_here(folder).to_owned();
                match File::open(&path) {
                    Ok(handle) => Ok(Folder { path, handle }),
                    Err(e) => Err(Error::io("opening a folder to make it durable", &e)
                        .with("folder", path.display())
                        .help("a folder must be readable for what is made in it to be durable")),
                }
            })
            .collect()
    }
}

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) handle: File,
}

impl Folder {
    /// Makes its entries durable.
    ///
    /// # Errors
    /// `Io`.
    pub fn sync(&self) -> Result<()> {
        self.handle.sync_all().map_err(|e| {
            Error::io("making a folder durable", &e).with("folder", self.path.display())
        })
    }
}

/// The empty path is the working folder.
pub fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}
