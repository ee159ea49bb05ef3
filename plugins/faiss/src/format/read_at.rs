// SPDX-License-Identifier: Apache-2.0
//! Positional reads from a file or from memory, so that the parser, the row readers and the
//! fuzzer run over the same code.
//!
//! It must not cache, and must not allocate by a length that it was not given a buffer for.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, FileStamp, Result, Services};
use rustix::fs::OFlags;

/// Bytes that are read by position; reading moves no cursor, so threads share one.
pub trait ReadAt: Send + Sync + fmt::Debug {
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

    /// Asks whether the run is to stop; long walks over the bytes do so at every read.
    ///
    /// # Errors
    /// `Cancelled` if so.
    fn check_cancelled(&self) -> Result<()> {
        Ok(())
    }

    /// Asks whether the bytes are still those that were opened.
    ///
    /// # Errors
    /// `Format` if they are not.
    fn check_unchanged(&self) -> Result<()> {
        Ok(())
    }
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
    path: PathBuf,
    stamp: FileStamp,
    services: Services,
}

impl IndexFile {
    /// Opens a regular file; a link is followed only if `follow_links`.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Io`; `Unsupported` for anything but a regular file.
    pub fn open(path: &Path, follow_links: bool, services: &Services) -> Result<Self> {
        // NONBLOCK: opening a FIFO must not wait for a writer; it means nothing to a regular file.
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if !follow_links {
            flags |= OFlags::NOFOLLOW;
        }
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits() as i32)
            .open(path)
            .map_err(|e| {
                Error::io("can't open the file for reading", &e).with("file", path.display())
            })?;
        Ok(Self {
            stamp: FileStamp::of(&file, path)?,
            file,
            path: path.to_owned(),
            services: services.clone(),
        })
    }

    /// What tells it from another file.
    pub fn stamp(&self) -> FileStamp {
        self.stamp
    }

    /// The path that it was opened under.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Changes when the file's content does: size, time of change, and a hash of both ends. The
    /// same for a copy that kept its time.
    ///
    /// # Errors
    /// `Io` where the ends can't be read.
    pub fn fingerprint(&self) -> Result<String> {
        const END_BYTES: u64 = 64 << 10;
        let end_bytes = self.stamp.size().min(END_BYTES);
        let mut ends = vec![0; 2 * end_bytes as usize];
        let (first, last) = ends.split_at_mut(end_bytes as usize);
        read_at(self, 0, first, "the first bytes")?;
        read_at(self, self.stamp.size() - end_bytes, last, "the last bytes")?;
        Ok(format!(
            "size={} mtime={} ends={:016x}",
            self.stamp.size(),
            self.stamp.modified(),
            twox_hash::XxHash3_64::oneshot(&ends)
        ))
    }
}

impl ReadAt for IndexFile {
    fn len(&self) -> u64 {
        self.stamp.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn check_cancelled(&self) -> Result<()> {
        self.services.check_cancelled()
    }

    fn check_unchanged(&self) -> Result<()> {
        self.stamp.expect_unchanged(&self.file, &self.path)
    }
}

/// [`ReadAt::read_exact_at`] with the error said in the project's terms.
///
/// # Errors
/// `Format` if the bytes are not there, `Io` if the system can't read them, `Cancelled`.
pub fn read_at(file: &dyn ReadAt, offset: u64, buf: &mut [u8], what: &str) -> Result<()> {
    file.check_cancelled()?;
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_grows_or_shrinks_is_noticed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"some bytes").unwrap();
        let open = IndexFile::open(file.path(), false, &Services::detached()).unwrap();
        open.check_unchanged().unwrap();
        file.as_file().set_len(4).unwrap();
        let error = open.check_unchanged().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert_eq!(error.context_value("found"), Some("4 bytes"));
        let mut buf = [0; 8];
        let error = read_at(&open, 0, &mut buf, "everything").unwrap_err();
        assert!(
            error.to_string().contains("ends inside everything"),
            "{error}"
        );
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let services = Services::detached();
        let error = IndexFile::open(folder.path(), true, &services).unwrap_err();
        assert!(error.to_string().contains("a folder"), "{error}");
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let error = IndexFile::open(&fifo, true, &services).unwrap_err();
        assert!(error.to_string().contains("pipe"), "{error}");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(IndexFile::open(&link, false, &services).is_err());
    }
}
