// SPDX-License-Identifier: Apache-2.0
//! Says where a target goes, and what is there.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result, TargetSpec};
use rustix::fs::{Access, AtFlags, CWD};

use crate::names::{self, DEFAULT_PARTITION};

/// What the option `path` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// One file, for one dataset.
    File(PathBuf),
    /// A folder with `<collection>/<partition>.h5`.
    Folder(PathBuf),
}

impl Layout {
    /// A path that ends in `.h5` or `.hdf5` is a file, any other a folder.
    pub fn of(path: &str) -> Self {
        let is_file = !path.ends_with('/') && names::is_hdf5_path(Path::new(path));
        if is_file {
            Self::File(PathBuf::from(path))
        } else {
            Self::Folder(PathBuf::from(path))
        }
    }

    /// Where a target's rows go.
    pub fn place(&self, spec: &TargetSpec) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Folder(path) => {
                let partition = spec.partition.as_deref().unwrap_or(DEFAULT_PARTITION);
                path.join(names::escape(&spec.collection))
                    .join(format!("{}.h5", names::escape(partition)))
            }
        }
    }

    /// Refuses several datasets in one file.
    ///
    /// # Errors
    /// `Config`.
    pub fn check_count(&self, targets: usize) -> Result<()> {
        match self {
            Self::File(path) if targets > 1 => Err(Error::new(
                ErrorKind::Config,
                format!("{targets} datasets can't be written to one HDF5 file"),
            )
            .with("option", "path")
            .with("file", path.display())
            .help("give a folder (`path: out/`), or pick one dataset with `select`")),
            _ => Ok(()),
        }
    }
}

/// Follows a link at the target, so that the file behind it is written and not the link.
///
/// # Errors
/// `Config` for a link that leads nowhere.
pub fn resolve(path: &Path) -> Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_symlink() => fs::canonicalize(path).map_err(|e| {
            Error::new(ErrorKind::Config, "the target is a link that leads nowhere")
                .with("option", "path")
                .with("target", path.display())
                .caused_by(e)
                .help("remove the link, or choose another target")
        }),
        // Anything that is wrong shows when the file is looked at.
        _ => Ok(path.to_owned()),
    }
}

/// The bytes of the file at a target; `None` if there is nothing.
///
/// # Errors
/// `Config` if something else than a file is in the way, `Denied`, `Io`.
pub fn file_at(path: &Path) -> Result<Option<u64>> {
    let in_the_way = |what: &str, at: &Path| {
        Error::new(ErrorKind::Config, format!("{what} is in the way of the target"))
            .with("option", "path")
            .with("target", path.display())
            .with("found", at.display())
            .help("choose another target; HDF5 files end in `.h5` or `.hdf5`, all else is taken for a folder")
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
        Ok(metadata) if metadata.is_dir() => Err(in_the_way("a folder", path)),
        Ok(_) => Err(in_the_way("something that is no file", path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
            Err(in_the_way("a file", nearest(path)))
        }
        Err(e) => Err(Error::io("looking at the target", &e).with("target", path.display())),
    }
}

/// What is left on the file system of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may be written.
    pub free_bytes: Option<u64>,
    /// Names the file system: the same for all its files.
    pub volume: String,
}

/// Asks how much room there is for a target, and whether it may be written.
///
/// # Errors
/// `Denied` if its folder is not writable, `Io`.
pub fn room_at(path: &Path) -> Result<Room> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => nearest(parent),
        _ => Path::new("."),
    };
    let access = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::accessat(CWD, folder, access, AtFlags::EACCESS).map_err(|e| {
        Error::io("the target's folder can't be written to", &e.into())
            .with("target", path.display())
            .with("folder", folder.display())
    })?;
    let metadata = fs::metadata(folder)
        .map_err(|e| Error::io("looking at a folder", &e).with("folder", folder.display()))?;
    // Some file systems do not tell; writing then shows.
    let free = rustix::fs::statvfs(folder).ok();
    Ok(Room {
        free_bytes: free.map(|s| s.f_bavail.saturating_mul(s.f_frsize)),
        volume: format!(
            "device {}:{}",
            rustix::fs::major(metadata.dev()),
            rustix::fs::minor(metadata.dev())
        ),
    })
}

/// The path itself, or the nearest above it that is there.
fn nearest(path: &Path) -> &Path {
    path.ancestors()
        .map(|p| {
            if p.as_os_str().is_empty() {
                Path::new(".")
            } else {
                p
            }
        })
        .find(|p| p.exists())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(collection: &str, partition: Option<&str>) -> TargetSpec {
        TargetSpec {
            collection: collection.to_owned(),
            partition: partition.map(str::to_owned),
            ..TargetSpec::default()
        }
    }

    #[test]
    fn a_path_is_a_file_or_a_folder_by_its_end() {
        for path in ["a.h5", "a/b.hdf5", "A.H5"] {
            assert_eq!(Layout::of(path), Layout::File(path.into()));
        }
        for path in ["a", "a/", "a.h5/", "a.h5.d"] {
            assert_eq!(Layout::of(path), Layout::Folder(path.into()));
        }
        let folder = Layout::of("out");
        assert_eq!(
            folder.place(&spec("c", None)),
            Path::new("out/c/_default.h5")
        );
        let escaped = Path::new("out/..%2Fx/%2E..h5");
        assert_eq!(
            folder.place(&spec("%", Some("p"))),
            Path::new("out/%25/p.h5")
        );
        assert!(
            !folder
                .place(&spec("../x", Some("..")))
                .starts_with("out/.."),
            "{escaped:?}"
        );
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "x").unwrap();
        fs::create_dir(path("d.h5")).unwrap();
        assert_eq!(file_at(&path("file")).unwrap(), Some(1));
        assert_eq!(file_at(&path("none")).unwrap(), None);
        let error = file_at(&path("file/c/p.h5")).unwrap_err().to_string();
        assert!(error.contains("a file is in the way"), "{error}");
        let error = file_at(&path("d.h5")).unwrap_err().to_string();
        assert!(error.contains("a folder is in the way"), "{error}");
        std::os::unix::fs::symlink(path("file"), path("link.h5")).unwrap();
        assert_eq!(
            resolve(&path("link.h5")).unwrap(),
            path("file").canonicalize().unwrap()
        );
        std::os::unix::fs::symlink(path("gone"), path("bad.h5")).unwrap();
        assert!(
            resolve(&path("bad.h5"))
                .unwrap_err()
                .to_string()
                .contains("nowhere")
        );
    }

    #[test]
    fn room_is_that_of_the_nearest_folder() {
        let folder = tempfile::tempdir().unwrap();
        // How much is free changes all the time.
        let volume = |path: &Path| room_at(path).unwrap().volume;
        let deep = room_at(&folder.path().join("a/b/c.h5")).unwrap();
        assert_eq!(deep.volume, volume(&folder.path().join("d.h5")));
        assert!(deep.free_bytes.unwrap() > 0);
        assert_eq!(volume(Path::new("a.h5")), volume(Path::new("./a.h5")));
    }
}
