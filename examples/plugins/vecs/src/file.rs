// SPDX-License-Identifier: Apache-2.0
//! One file: opened read-only, and noticed when it is no longer what it was.
//!
//! It is opened to look at, and again by each reader, so that a source of many files holds few
//! open, and each reader has the system's read-ahead to itself.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::format::{Format, HEAD_BYTES, Layout};

/// What tells a file from another, or from itself after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    mtime: i64,
    mtime_nsec: i64,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            mtime: metadata.mtime(),
            mtime_nsec: metadata.mtime_nsec(),
        }
    }
}

/// A file that was looked at.
#[derive(Debug, Clone)]
pub(crate) struct VecsFile {
    /// Where it is.
    pub path: PathBuf,
    /// How its rows lie.
    pub layout: Layout,
    stamp: Stamp,
}

impl VecsFile {
    /// Opens a file and reads its layout.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Io`; `Unsupported` for anything but a regular file; `Format` where
    /// first dimension and size don't go together, or the second or last row is none.
    pub fn look(path: &Path, format: Format) -> Result<Self> {
        let open = OpenFile::open(path)?;
        let size = open.stamp.size;
        let mut head = [0; HEAD_BYTES as usize];
        if size < HEAD_BYTES {
            return Err(open.named(
                Error::new(
                    ErrorKind::Format,
                    format!("the file has {size} bytes, which is no row"),
                )
                .help("a file of rows starts with the first row's dimension, 4 bytes"),
            ));
        }
        open.read_at(0, &mut head)?;
        let layout = Layout::of(format, head, size).map_err(|e| open.named(e))?;
        // A file of another format seldom has a row there; better noticed now than after hours.
        for row in [1, layout.rows - 1] {
            if row < layout.rows {
                open.read_at(layout.offset(row), &mut head)?;
                if head != layout.head() {
                    return Err(open.named(layout.other_dim(row, head)));
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            layout,
            stamp: open.stamp,
        })
    }

    /// Opens it for a reader.
    ///
    /// # Errors
    /// As [`look`](Self::look), and `Format` if it is not the file that was looked at.
    pub fn open(&self) -> Result<OpenFile> {
        let open = OpenFile::open(&self.path)?;
        if open.stamp == self.stamp {
            Ok(open)
        } else {
            Err(open.changed(open.stamp.size, self.stamp.size))
        }
    }

    /// Changes when the content does: size and time of change.
    pub fn fingerprint(&self) -> String {
        let Stamp {
            size,
            mtime,
            mtime_nsec,
            ..
        } = self.stamp;
        let (format, dim) = (self.layout.format.name(), self.layout.dim);
        format!("{format} dim={dim} size={size} mtime={mtime}.{mtime_nsec:09}")
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct OpenFile {
    file: File,
    path: PathBuf,
    stamp: Stamp,
}

impl OpenFile {
    fn open(path: &Path) -> Result<Self> {
        let failed = |doing: &str, e: &io::Error| Error::io(doing, e).with("file", path.display());
        // Looked at before it is opened: opening a pipe would wait for its writer.
        let metadata = fs::metadata(path).map_err(|e| failed("can't examine the file", &e))?;
        if !metadata.is_file() {
            let (found, help) = match metadata.is_dir() {
                true => ("a directory", "name its files: `DIRECTORY/*.fvecs`"),
                false => ("a device, pipe or socket", "copy it into a file"),
            };
            let message = format!("expected a regular file, found {found}");
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with("file", path.display())
                .help(help));
        }
        let file = File::open(path).map_err(|e| failed("can't open the file for reading", &e))?;
        let metadata = file
            .metadata()
            .map_err(|e| failed("can't examine the file", &e))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            stamp: Stamp::of(&metadata),
        })
    }

    /// The error, with the file in it.
    pub fn named(&self, error: Error) -> Error {
        error.with_first("file", self.path.display())
    }

    /// Fills `buf` with the bytes at `offset`.
    ///
    /// # Errors
    /// `Format` if the file ends before, `Io` if the system can't read it.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(buf, offset).map_err(|e| {
            let error = match e.kind() {
                io::ErrorKind::UnexpectedEof => Error::new(
                    ErrorKind::Format,
                    format!("the file ends before {} bytes could be read", buf.len()),
                )
                .help("it was cut while it was read; let its writer finish, then try again"),
                _ => Error::io("can't read the file", &e),
            };
            self.named(error).with("offset", offset)
        })
    }

    /// Asks whether the file is still what was opened.
    ///
    /// # Errors
    /// `Format` if it is not.
    pub fn check_unchanged(&self) -> Result<()> {
        let metadata = self
            .file
            .metadata()
            .map_err(|e| self.named(Error::io("can't examine the file", &e)))?;
        if Stamp::of(&metadata) == self.stamp {
            return Ok(());
        }
        Err(self.changed(metadata.len(), self.stamp.size))
    }

    fn changed(&self, found: u64, expected: u64) -> Error {
        let error = Error::new(ErrorKind::Format, "the file changed while it was read")
            .with("found", format_args!("{found} bytes"))
            .with("expected", format_args!("{expected} bytes"))
            .help("let its writer finish, then run the task again");
        self.named(error)
    }
}
