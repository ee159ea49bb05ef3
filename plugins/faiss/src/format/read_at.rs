// SPDX-License-Identifier: Apache-2.0
//! Positional reads from a file or from memory, so that the parser, the row readers and the
//! fuzzer run over the same code.
//!
//! It must not cache, and must not allocate by a length that it was not given a buffer for.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use rustix::fs::OFlags;

/// Bytes that are read by position; reading moves no cursor, so threads share one.
pub trait ReadAt: Send + Sync {
    /// Length in bytes, as it was when the file was opened.
    fn len(&self) -> u64;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` with the bytes at `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` past the end, else what the system says.
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        Self::len(self) as u64
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buf.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

/// A regular file, opened read-only.
#[derive(Debug)]
pub struct IndexFile {
    file: File,
    length: u64,
}

impl IndexFile {
    /// Opens a regular file; links are followed only if `follow_links`.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Io`; `Unsupported` for anything but a regular file.
    pub fn open(path: &Path, follow_links: bool) -> Result<Self> {
        // NONBLOCK: opening a FIFO must not wait for a writer; it means nothing to a regular file.
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if !follow_links {
            flags |= OFlags::NOFOLLOW;
        }
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits() as i32)
            .open(path)
            .map_err(|e| Error::io("can't open the file for reading", &e).with("file", path.display()))?;
        let metadata = file
            .metadata()
            .map_err(|e| Error::io("can't examine the file", &e).with("file", path.display()))?;
        if !metadata.is_file() {
            let found = if metadata.is_dir() { "a directory" } else { "a device, pipe or socket" };
            return Err(Error::new(ErrorKind::Unsupported, format!("expected a regular file, found {found}"))
                .with("file", path.display()));
        }
        Ok(Self { file, length: metadata.len() })
    }

    /// Changes when the file's content does: size, time of change, inode, and a hash of both ends.
    ///
    /// # Errors
    /// `Io` where the ends can't be read.
    pub fn fingerprint(&self) -> Result<String> {
        const END_BYTES: u64 = 64 << 10;
        let metadata =
            self.file.metadata().map_err(|e| Error::io("can't examine the file", &e))?;
        let end_bytes = self.length.min(END_BYTES);
        let mut ends = vec![0; 2 * end_bytes as usize];
        let (first, last) = ends.split_at_mut(end_bytes as usize);
        read_at(self, 0, first, "the first bytes")?;
        read_at(self, self.length - end_bytes, last, "the last bytes")?;
        Ok(format!(
            "size={} mtime={}.{:09} inode={} ends={:016x}",
            metadata.len(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ino(),
            xxhash_rust::xxh3::xxh3_64(&ends)
        ))
    }
}

impl ReadAt for IndexFile {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}

/// [`ReadAt::read_exact_at`] with the error said in the project's terms.
///
/// # Errors
/// `Format` if the bytes are not there, `Io` if the system can't read them.
pub fn read_at(file: &dyn ReadAt, offset: u64, buf: &mut [u8], what: &str) -> Result<()> {
    file.read_exact_at(offset, buf).map_err(|e| {
        if e.kind() == io::ErrorKind::UnexpectedEof {
            Error::new(
                ErrorKind::Format,
                format!("the file ends inside {what}: wanted {} bytes", buf.len()),
            )
            .help("the file was cut, or changed while it was read")
        } else {
            Error::io(format!("can't read {what}"), &e)
        }
        .with("offset", offset)
    })
}

/// Reads one little-endian `u64` by position.
///
/// # Errors
/// As [`read_at`].
pub fn u64_at(file: &dyn ReadAt, offset: u64, what: &str) -> Result<u64> {
    let mut bytes = [0; 8];
    read_at(file, offset, &mut bytes, what)?;
    Ok(u64::from_le_bytes(bytes))
}
