// SPDX-License-Identifier: Apache-2.0
//! What a source asks of every file that it opens: that it is a regular one, and later that it is
//! still the same.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::{Error, ErrorKind, Result};

/// What tells a file from another, or from itself after a change.
///
/// ```
/// # use milvusdm_plugin_api::FileStamp;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("vectors");
/// # std::fs::write(&path, "some bytes").unwrap();
/// let file = std::fs::File::open(&path).unwrap();
/// let stamp = FileStamp::of(&file, &path).unwrap();
/// assert_eq!(stamp.size(), 10);
/// // … after the last byte was read:
/// stamp.expect_unchanged(&file, &path).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    mtime: i64,
    mtime_nsec: i64,
}

impl FileStamp {
    /// The stamp of a regular file.
    ///
    /// # Errors
    /// `Unsupported` for anything but a regular file, `Io`.
    pub fn of(file: &File, path: &Path) -> Result<Self> {
        let metadata = examine(file, path)?;
        if metadata.is_file() {
            return Ok(Self::from_metadata(&metadata));
        }
        let found = match metadata.is_dir() {
            true => "a folder",
            false => "a device, pipe or socket",
        };
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("expected a regular file, found {found}"),
        )
        .with("file", path.display()))
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            mtime: metadata.mtime(),
            mtime_nsec: metadata.mtime_nsec(),
        }
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// When it was changed last, in seconds since 1970 with nine decimals: part of a fingerprint,
    /// because it is the same for a copy that kept its time.
    pub fn modified(&self) -> String {
        format!("{}.{:09}", self.mtime, self.mtime_nsec)
    }

    /// That the open file is still as it was.
    ///
    /// # Errors
    /// `Format` if it changed, `Io`.
    pub fn expect_unchanged(&self, file: &File, path: &Path) -> Result<()> {
        let metadata = examine(file, path)?;
        if Self::from_metadata(&metadata) == *self {
            return Ok(());
        }
        Err(Self::changed()
            .with("file", path.display())
            .with("found", format_args!("{} bytes", metadata.len()))
            .with("expected", format_args!("{} bytes", self.size)))
    }

    /// The error for a file that is not what it was, however that was found.
    pub fn changed() -> Error {
        Error::new(ErrorKind::Format, "the file changed while it was read")
            .help("let its writer finish, then run the task again")
    }
}

fn examine(file: &File, path: &Path) -> Result<Metadata> {
    file.metadata()
        .map_err(|e| Error::io("can't examine the file", &e).with("file", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_noticed_and_what_is_no_file_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "12345678").unwrap();
        let file = File::open(&path).unwrap();
        let stamp = FileStamp::of(&file, &path).unwrap();
        stamp.expect_unchanged(&file, &path).unwrap();
        std::fs::write(&path, "1234").unwrap();
        let error = stamp.expect_unchanged(&file, &path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert_eq!(error.context_value("found"), Some("4 bytes"));
        let error = FileStamp::of(&File::open(folder.path()).unwrap(), folder.path()).unwrap_err();
        assert!(error.to_string().contains("a folder"), "{error}");
    }
}
