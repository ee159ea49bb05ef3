// SPDX-License-Identifier: Apache-2.0
//! The hash of a file, taken beside whatever else has to be done.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};

/// Bytes that are hashed at once.
const CHUNK: usize = 256 << 10;

/// SHA-256 of a file's bytes, taken by a thread of its own.
///
/// It takes longer than the rest of a start with a loaded plugin, and only a plugin that has to
/// be trusted by its content waits for it.
#[derive(Clone)]
pub struct Digest(Arc<Hashing>);

struct Hashing {
    thread: Mutex<Option<JoinHandle<io::Result<String>>>>,
    hexadecimal: OnceLock<Result<String>>,
}

impl Digest {
    /// Begins to hash a file, which must not change any more.
    pub(super) fn begin(file: File) -> io::Result<Self> {
        let thread = thread::Builder::new()
            .name("plugin-hash".to_owned())
            .spawn(move || hash(&file))?;
        Ok(Self(Arc::new(Hashing {
            thread: Mutex::new(Some(thread)),
            hexadecimal: OnceLock::new(),
        })))
    }

    /// The hash in hexadecimal, as soon as it is there.
    ///
    /// # Errors
    /// `Io` where the bytes can't be read.
    pub fn hexadecimal(&self) -> Result<&str> {
        let hash = self.0.hexadecimal.get_or_init(|| {
            let mut thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner);
            match thread.take().map(JoinHandle::join) {
                Some(Ok(hash)) => hash.map_err(|e| Error::io("hash the plugin file", &e)),
                _ => Err(Error::new(
                    ErrorKind::Internal,
                    "the hash of a plugin file could not be taken",
                )),
            }
        });
        hash.as_deref().map_err(Clone::clone)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Digest")
            .field(&self.0.hexadecimal.get())
            .finish()
    }
}

fn hash(file: &File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut chunk, at)?;
        match chunk.get(..read) {
            None | Some([]) => break,
            Some(bytes) => hasher.update(bytes),
        }
        at += read as u64;
    }
    let hash = hasher.finalize();
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}
