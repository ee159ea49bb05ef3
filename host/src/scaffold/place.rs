// SPDX-License-Identifier: Apache-2.0
//! Puts a project's files where they belong, all or none.
//!
//! They are written into a folder beside the place and moved there as a whole; a folder that is
//! there already is never touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use tempfile::TempDir;

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Its path within the project.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The place of a project.
#[derive(Debug)]
pub(super) struct Place {
    target: PathBuf,
    /// Beside the target, so that moving there is renaming.
    beside: TempDir,
}

impl Place {
    /// Prepares the place for a folder of that name in `parent`.
    ///
    /// # Errors
    /// `Exists` if something has the name already; `NotFound`, `Denied` or `Io` for `parent`.
    pub fn new(parent: &Path, name: &str) -> Result<Self> {
        let target = parent.join(name);
        if target.symlink_metadata().is_ok() {
            return Err(exists(&target));
        }
        let beside = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .tempdir_in(parent)
            .map_err(|e| {
                Error::io("can't make a folder for the project", &e)
                    .with("folder", parent.display())
            })?;
        Ok(Self { target, beside })
    }

    /// Writes the files and moves them into place; gives the folder.
    ///
    /// # Errors
    /// `Exists` if the folder came to be meanwhile, `Io` where a file can't be written.
    pub fn fill(self, files: &[File]) -> Result<PathBuf> {
        // In a folder of its own, which has the permissions that folders get here.
        let whole = self.beside.path().join("project");
        for file in files {
            let path = whole.join(&file.path);
            let folder = path.parent().unwrap_or(&whole);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, &file.bytes))
                .map_err(|e| {
                    Error::io("can't write a file of the project", &e).with("file", path.display())
                })?;
        }
        // Takes the name, which fails if anything has it; the empty folder is then replaced.
        fs::create_dir(&self.target).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => exists(&self.target),
            _ => self.cant_move(&e),
        })?;
        fs::rename(&whole, &self.target).map_err(|e| {
            // Empty as it was made; whatever else is there stays.
            let _ = fs::remove_dir(&self.target);
            self.cant_move(&e)
        })?;
        Ok(self.target)
    }

    fn cant_move(&self, cause: &io::Error) -> Error {
        Error::io("can't move the project into place", cause).with("folder", self.target.display())
    }
}

fn exists(target: &Path) -> Error {
    Error::new(ErrorKind::Exists, "the project's folder exists already")
        .with("folder", target.display())
        .help("choose another name, or another folder with `--dir`; nothing is ever overwritten")
}

/// The files of a folder, called as they are within `name`.
///
/// # Errors
/// `NotFound` if there is no such folder or no file in it, `Io`.
pub(super) fn read_folder(folder: &Path, name: &str) -> Result<Vec<File>> {
    let failed =
        |e: io::Error| Error::io("can't read the folder", &e).with("folder", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if let (true, Some(file)) = (path.is_file(), path.file_name().and_then(|n| n.to_str())) {
            let bytes = fs::read(&path)
                .map_err(|e| Error::io("can't read the file", &e).with("file", path.display()))?;
            files.push(File {
                path: format!("{name}/{file}"),
                bytes,
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if files.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "the folder has no files")
            .with("folder", folder.display()));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn files() -> Vec<File> {
        let file = |path: &str, bytes: &[u8]| File {
            path: path.to_owned(),
            bytes: bytes.to_vec(),
        };
        vec![file("a", b"1"), file("b/c/d", b"2")]
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |e: io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        entries.map(name).collect()
    }

    #[test]
    fn a_project_appears_whole() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Place::new(parent.path(), "x")
            .unwrap()
            .fill(&files())
            .unwrap();
        assert_eq!(folder, parent.path().join("x"));
        assert_eq!(fs::read(folder.join("b/c/d")).unwrap(), b"2");
        assert_eq!(names(parent.path()), ["x"]);
        let mode = folder.metadata().unwrap().permissions().mode();
        assert_eq!(
            mode,
            folder.join("b").metadata().unwrap().permissions().mode()
        );
    }

    #[test]
    fn what_is_there_is_never_touched() {
        let parent = tempfile::tempdir().unwrap();
        let early = Place::new(parent.path(), "x").unwrap();
        fs::create_dir(parent.path().join("x")).unwrap();
        let error = early.fill(&files()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists);
        assert_eq!(names(&parent.path().join("x")), [""; 0]);
        let error = Place::new(parent.path(), "x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists);
        std::os::unix::fs::symlink("nowhere", parent.path().join("y")).unwrap();
        assert_eq!(
            Place::new(parent.path(), "y").unwrap_err().kind(),
            ErrorKind::Exists
        );
    }

    #[test]
    fn a_failure_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let mut broken = files();
        broken.push(File {
            path: "a/below-a-file".to_owned(),
            bytes: Vec::new(),
        });
        Place::new(parent.path(), "x")
            .unwrap()
            .fill(&broken)
            .unwrap_err();
        assert_eq!(names(parent.path()), [""; 0]);
        let nowhere = parent.path().join("nowhere");
        let error = Place::new(&nowhere, "x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
