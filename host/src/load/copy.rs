// SPDX-License-Identifier: Apache-2.0
//! A copy of a plugin file that nobody else can change: what was checked is what runs.

use std::fs::{File, Permissions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

/// Largest plugin file: memory is taken for the copy of it.
const MAX_BYTES: u64 = 512 << 20;
/// Bytes that are copied at once.
const CHUNK: u64 = 256 << 10;
/// Chunks that wait to be hashed.
const CHUNKS_AHEAD: usize = 8;

/// A sealed copy in memory, or where the system allows none, a file of our own.
#[derive(Debug)]
pub(super) struct PrivateCopy {
    file: File,
    /// Where the copy stands on disk, if it does; removed with it.
    on_disk: Option<tempfile::TempDir>,
    bytes: u64,
    sha256: String,
}

impl PrivateCopy {
    /// Copies a file and takes its hash on the way.
    pub(super) fn of(source: &File, path: &Path) -> Result<Self> {
        let failed = |doing: &str, e: &std::io::Error| {
            Error::io(format!("{doing} the plugin file"), e).with("file", path.display())
        };
        match in_memory() {
            Ok(file) => {
                let copy = Self::fill(file, None, source, path)?;
                let seals =
                    SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
                rustix::fs::fcntl_add_seals(&copy.file, seals)
                    .map_err(|e| failed("seal the copy of", &e.into()))?;
                Ok(copy)
            }
            Err(why) => {
                tracing::debug!(
                    "No file in memory can be run here ({why}): a private copy on disk is used."
                );
                let (folder, file) = on_disk().map_err(|e| failed("make a private copy of", &e))?;
                Self::fill(file, Some(folder), source, path)
            }
        }
    }

    fn fill(
        file: File,
        on_disk: Option<tempfile::TempDir>,
        mut source: &File,
        path: &Path,
    ) -> Result<Self> {
        let failed =
            |e: &std::io::Error| Error::io("copy the plugin file", e).with("file", path.display());
        source.rewind().map_err(|e| failed(&e))?;
        let (bytes, sha256) = copy_and_hash(source, &file).map_err(|e| failed(&e))?;
        if bytes > MAX_BYTES {
            let most = MAX_BYTES >> 20;
            let message = format!("the file is over {most} MiB, too large for a plugin");
            return Err(Error::new(ErrorKind::Format, message)
                .with("file", path.display())
                .help("`strip --strip-debug` takes out what does not run"));
        }
        Ok(Self {
            file,
            on_disk,
            bytes,
            sha256,
        })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn sha256(&self) -> &str {
        &self.sha256
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

/// Copies up to a chunk more than is allowed, and takes the hash beside it: it takes longer than
/// the copy, and every start with a loaded plugin waits for both.
fn copy_and_hash(mut source: &File, mut target: &File) -> std::io::Result<(u64, String)> {
    std::thread::scope(|scope| {
        let (sender, chunks) = std::sync::mpsc::sync_channel::<Vec<u8>>(CHUNKS_AHEAD);
        let hasher = scope.spawn(move || {
            let hasher = chunks.iter().fold(Sha256::new(), Sha256::chain_update);
            hasher.finalize()
        });
        let mut bytes = 0;
        while bytes <= MAX_BYTES {
            let mut chunk = Vec::with_capacity(CHUNK as usize);
            (&mut source).take(CHUNK).read_to_end(&mut chunk)?;
            if chunk.is_empty() {
                break;
            }
            bytes += chunk.len() as u64;
            target.write_all(&chunk)?;
            // It takes all of them, unless it panicked, which `join` tells.
            let _ = sender.send(chunk);
        }
        drop(sender);
        let hash = hasher
            .join()
            .map_err(|_| std::io::Error::other("the hash could not be taken"))?;
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((bytes, hash))
    })
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
            copy.sha256(),
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
        let copy =
            PrivateCopy::fill(file, Some(folder), &source(b"abc"), Path::new("x.so")).unwrap();
        let path = copy.path();
        assert_eq!(std::fs::read(&path).unwrap(), b"abc");
        drop(copy);
        assert!(!path.exists());
    }
}
