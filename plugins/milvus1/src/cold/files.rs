// SPDX-License-Identifier: Apache-2.0
//! Folders and files of a data directory, opened read-only, one name at a time from the folder
//! above, so that neither a name in the metadata nor a link leads out of the directory.
//!
//! It knows nothing of what is in the files.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, FileStamp, Result};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};

/// A folder that is open.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens a folder that the user named; a link is followed.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Io`.
    pub fn named_by_user(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty())
            .map_err(|e| failed("open the folder", path, e.into()))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    /// Opens a folder in this one; a link is refused.
    ///
    /// # Errors
    /// As [`named_by_user`](Self::named_by_user); `Format` for a name that is none.
    pub fn folder(&self, name: &str) -> Result<Self> {
        let path = self.join(name)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty())
            .map_err(|e| self.refused("open the folder", name, &path, e.into()))?;
        Ok(Self { fd, path })
    }

    /// Opens a regular file in this folder; a link is refused.
    ///
    /// # Errors
    /// As [`folder`](Self::folder); `Unsupported` for anything but a regular file.
    pub fn file(&self, name: &str) -> Result<DataFile> {
        let path = self.join(name)?;
        // NONBLOCK: opening a FIFO must not wait for a writer; it means nothing to a regular file.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty())
            .map_err(|e| self.refused("open the file", name, &path, e.into()))?;
        DataFile::new(File::from(fd), path)
    }

    /// As [`file`](Self::file), `None` if there is none.
    ///
    /// # Errors
    /// As [`file`](Self::file), but for `NotFound`.
    pub fn file_if_any(&self, name: &str) -> Result<Option<DataFile>> {
        match self.file(name) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// As [`folder`](Self::folder), `None` if there is none.
    ///
    /// # Errors
    /// As [`folder`](Self::folder), but for `NotFound`.
    pub fn folder_if_any(&self, name: &str) -> Result<Option<Self>> {
        match self.folder(name) {
            Ok(folder) => Ok(Some(folder)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The names in this folder that are text, sorted.
    ///
    /// # Errors
    /// `Denied`, `Io`.
    pub fn names(&self) -> Result<Vec<String>> {
        let list = || -> rustix::io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.fd)? {
                let entry = entry?;
                match entry.file_name().to_str() {
                    Ok("." | "..") | Err(_) => {}
                    Ok(name) => names.push(name.to_owned()),
                }
            }
            names.sort_unstable();
            Ok(names)
        };
        list().map_err(|e| failed("list the folder", &self.path, e.into()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a thing in this folder.
    ///
    /// # Errors
    /// `Format` for what names nothing inside of a folder: names come from the metadata.
    fn join(&self, name: &str) -> Result<PathBuf> {
        let is_name =
            !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
        match is_name {
            true => Ok(self.path.join(name)),
            false => Err(Error::new(
                ErrorKind::Format,
                format!(
                    "the metadata names a folder or file `{}`, which would lie outside of the data directory",
                    name.escape_debug()
                ),
            )
            .with("folder", self.path.display())
            .help("the metadata is damaged or was tampered with")),
        }
    }

    /// A link gives ELOOP or ENOTDIR, which say nothing to a person.
    fn refused(&self, doing: &str, name: &str, path: &Path, cause: io::Error) -> Error {
        let is_link = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
        if is_link {
            return Error::new(
                ErrorKind::Unsupported,
                "found a symbolic link, expected a folder or file of the data directory itself",
            )
            .with("file", path.display())
            .help(
                "links may lead anywhere and are not followed; put what it leads to in its place",
            );
        }
        failed(doing, path, cause)
    }
}

fn failed(doing: &str, path: &Path, cause: io::Error) -> Error {
    let error = Error::io(format!("can't {doing}"), &cause).with("file", path.display());
    match error.kind() {
        // Milvus makes its folders with mode 0744: others see the names in them, no more.
        ErrorKind::Denied => error.help(
            "Milvus makes folders that only their owner may enter: run as that user, or copy the data directory",
        ),
        _ => error,
    }
}

/// A regular file, open for reading by position.
#[derive(Debug)]
pub struct DataFile {
    file: File,
    path: PathBuf,
    stamp: FileStamp,
}

impl DataFile {
    fn new(file: File, path: PathBuf) -> Result<Self> {
        Ok(Self {
            stamp: FileStamp::of(&file, &path)?,
            file,
            path,
        })
    }

    /// Changes when the file does; the same for a copy that kept its time.
    pub fn fingerprint(&self) -> String {
        format!("{}@{}", self.stamp.size(), self.stamp.modified())
    }

    /// Bytes, as it was opened.
    pub fn size(&self) -> u64 {
        self.stamp.size()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills `buf` with the bytes at `offset`; `what` they are is said if they are not there.
    ///
    /// # Errors
    /// `Format` if the file ends before, `Io` if the system can't read it.
    pub fn read_at(&self, offset: u64, buf: &mut [u8], what: &str) -> Result<()> {
        self.file.read_exact_at(buf, offset).map_err(|e| {
            if e.kind() == io::ErrorKind::UnexpectedEof {
                let message = format!("the file ends inside {what}: wanted {} bytes", buf.len());
                Error::new(ErrorKind::Format, message)
                    .help("the file was cut, or changed while it was read")
            } else {
                Error::io(format!("can't read {what}"), &e)
            }
            .with("file", self.path.display())
            .with("offset", offset)
        })
    }

    /// Tells the system that the file will be read from its start to its end.
    pub fn expect_sequential(&self) {
        // Only advice: where it is not taken, nothing is lost.
        let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::Sequential);
    }

    /// Asks whether the file is still as it was opened.
    ///
    /// # Errors
    /// `Format` if not.
    pub fn check_unchanged(&self) -> Result<()> {
        let unchanged = self.stamp.expect_unchanged(&self.file, &self.path);
        unchanged.map_err(|e| e.help(STOP_THE_SERVER))
    }
}

const STOP_THE_SERVER: &str = "stop the Milvus server, then run the task again";

/// An error for a directory that is not what it was.
pub fn changed() -> Error {
    let message = "the data directory changed while it was read";
    Error::new(ErrorKind::Format, message).help(STOP_THE_SERVER)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn names_from_the_metadata_never_lead_out() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::named_by_user(scratch.path()).unwrap();
        for name in ["", ".", "..", "../x", "a/b", "a\0b", "/etc"] {
            for error in [
                folder.folder(name).unwrap_err(),
                folder.file(name).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Format, "{name}: {error}");
            }
        }
    }

    #[test]
    fn links_are_refused_and_said_to_be_links() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("real"), b"x").unwrap();
        symlink("real", scratch.path().join("link")).unwrap();
        symlink("/", scratch.path().join("root")).unwrap();
        let folder = Folder::named_by_user(scratch.path()).unwrap();
        for error in [
            folder.file("link").unwrap_err(),
            folder.folder("root").unwrap_err(),
        ] {
            assert!(error.message().contains("symbolic link"), "{error}");
        }
        assert_eq!(folder.names().unwrap(), ["link", "real", "root"]);
        assert!(folder.file_if_any("none").unwrap().is_none());
        assert_eq!(folder.file("real").unwrap().size(), 1);
    }

    #[test]
    fn only_regular_files_are_opened_and_changes_are_noticed() {
        let scratch = tempfile::tempdir().unwrap();
        let fifo = scratch.path().join("fifo");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        fs::create_dir(scratch.path().join("dir")).unwrap();
        fs::write(scratch.path().join("file"), b"12345678").unwrap();
        let folder = Folder::named_by_user(scratch.path()).unwrap();
        for name in ["fifo", "dir"] {
            let error = folder.file(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
        let file = folder.file("file").unwrap();
        file.check_unchanged().unwrap();
        fs::write(scratch.path().join("file"), b"1234").unwrap();
        assert!(file.check_unchanged().is_err());
        let error = file.read_at(0, &mut [0; 8], "everything").unwrap_err();
        assert!(error.message().contains("inside everything"), "{error}");
    }
}
