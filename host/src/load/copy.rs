// SPDX-License-Identifier: Apache-2.0
//! A copy of a plugin file that nobody else can change: what was checked is what runs.

use std::fs::{File, Permissions};
use std::io::{Read as _, Seek as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

use super::digest::Digest;

/// Largest plugin file: memory is taken for the copy of it.
const MAX_BYTES: u64 = 512 << 20;

/// A sealed copy in memory, or where the system allows none, a file of our own.
#[derive(Debug)]
pub(super) struct PrivateCopy {
    file: File,
    /// Where the copy stands on disk, if it does; removed with it.
    on_disk: Option<tempfile::TempDir>,
    bytes: u64,
    digest: Digest,
}

impl PrivateCopy {
    /// Copies a file and begins to take its hash.
    pub(super) fn of(source: &File, path: &Path) -> Result<Self> {
        let failed = |doing: &str, e: &std::io::Error| {
            Error::io(format!("{doing} the plugin file"), e).with("file", path.display())
        };
        match in_memory() {
            Ok(file) => {
                let bytes = fill(&file, source, path)?;
                let seals =
                    SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
                rustix::fs::fcntl_add_seals(&file, seals)
                    .map_err(|e| failed("seal the copy of", &e.into()))?;
                Self::new(file, None, bytes, path)
            }
            Err(why) => {
                tracing::debug!(
                    "No file in memory can be run here ({why}): a private copy on disk is used."
                );
                let (folder, file) = on_disk().map_err(|e| failed("make a private copy of", &e))?;
                let bytes = fill(&file, source, path)?;
                Self::new(file, Some(folder), bytes, path)
            }
        }
    }

    fn new(
        file: File,
        on_disk: Option<tempfile::TempDir>,
        bytes: u64,
        path: &Path,
    ) -> Result<Self> {
        let digest = file.try_clone().and_then(Digest::begin);
        let digest = digest
            .map_err(|e| Error::io("hash the plugin file", &e).with("file", path.display()))?;
        Ok(Self {
            file,
            on_disk,
            bytes,
            digest,
        })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The path by which it can be loaded.
    pub(super) fn path(&self) -> PathBuf {
        match &self.on_disk {
            Some(folder) => folder.path().join(ON_DISK),
            None => PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd())),
        }
    }

    /// Keeps the copy open for the life of the process: the loader knows libraries by their
    /// path, and would give this one again for another file under the same number.
    pub(super) fn keep(self) {
        std::mem::forget(self.file);
    }
}

/// Copies all of a file, and at most a byte more than is allowed; gives its length.
fn fill(mut target: &File, mut source: &File, path: &Path) -> Result<u64> {
    let copied = source
        .rewind()
        .and_then(|()| std::io::copy(&mut source.take(MAX_BYTES + 1), &mut target));
    match copied {
        Ok(bytes) if bytes <= MAX_BYTES => Ok(bytes),
        Ok(_) => {
            let most = MAX_BYTES >> 20;
            let message = format!("the file is over {most} MiB, too large for a plugin");
            Err(Error::new(ErrorKind::Format, message)
                .with("file", path.display())
                .help("`strip --strip-debug` takes out what does not run"))
        }
        Err(e) => Err(Error::io("copy the plugin file", &e).with("file", path.display())),
    }
}

/// A file in memory that can be run, if the system has them.
fn in_memory() -> std::result::Result<File, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let made = match rustix::fs::memfd_create("milvusdm-plugin", flags | MemfdFlags::EXEC) {
        // Kernels before 6.3 don't know the flag, and run every such file.
        Err(Errno::INVAL) => rustix::fs::memfd_create("milvusdm-plugin", flags),
        made => made,
    }?;
    let file = File::from(made);
    // A container may come without /proc, and then the file has no path.
    match Path::new("/proc/self/fd").exists() {
        true => Ok(file),
        false => Err(Errno::NOENT),
    }
}

const ON_DISK: &str = "plugin.so";

/// A file in a folder that only this user may look into.
fn on_disk() -> std::io::Result<(tempfile::TempDir, File)> {
    let folder = tempfile::Builder::new()
        .prefix("milvusdm-plugin")
        // The library leaves it to the umask.
        .permissions(Permissions::from_mode(0o700))
        .tempdir()?;
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(folder.path().join(ON_DISK))?;
    Ok((folder, file))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn source(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn the_copy_has_the_bytes_and_their_hash_and_can_not_be_changed() {
        let copy = PrivateCopy::of(&source(b"abc"), Path::new("x.so")).unwrap();
        assert_eq!(copy.bytes(), 3);
        assert_eq!(
            copy.digest().hexadecimal().unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(std::fs::read(copy.path()).unwrap(), b"abc");
        assert!((&copy.file).write_all(b"d").is_err());
        assert!(copy.file.set_len(1).is_err());
    }

    #[test]
    fn where_memory_can_not_be_run_a_private_file_serves() {
        let (folder, file) = on_disk().unwrap();
        let mode = folder.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
        let bytes = fill(&file, &source(b"abc"), Path::new("x.so")).unwrap();
        let copy = PrivateCopy::new(file, Some(folder), bytes, Path::new("x.so")).unwrap();
        let path = copy.path();
        assert_eq!(std::fs::read(&path).unwrap(), b"abc");
        drop(copy);
        assert!(!path.exists());
    }
}
