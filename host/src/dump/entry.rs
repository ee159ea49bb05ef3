// SPDX-License-Identifier: Apache-2.0
//! A dataset of a dump, and whether its file is the one that was written.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use milvusdm_plugin_api::model::Descriptor;
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Name;
use crate::control::Control;
use crate::report::HashView;
use crate::seal::hex;

const BUFFER_BYTES: usize = 1 << 20;

/// A dataset of a dump.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its collection.
    pub collection: String,
    /// Its partition; absent for a collection that has none.
    pub partition: Option<String>,
    /// Its file, below the folder.
    pub file: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// When the file was last written to, in nanoseconds since 1970: a file with the same is not
    /// read again by the next dump.
    pub modified: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Rows.
    pub rows: u64,
    /// Hashes of the rows.
    pub hash: Option<HashView>,
    /// Changes when the source's dataset does.
    pub fingerprint: String,
    /// Everything that the source said of it.
    pub descriptor: Descriptor,
}

impl Entry {
    /// Collection and partition.
    pub fn name(&self) -> Name {
        (self.collection.clone(), self.partition.clone())
    }

    /// `collection` or `collection/partition`.
    pub fn full_name(&self) -> String {
        super::full_name(&self.name())
    }

    /// Where its file is.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.file)
    }

    /// When its file was last written to, if that is the one of the dump: by its size and time, or as
    /// far as these don't tell or it is wanted `thoroughly`, by its digest. `None` if it is not, or
    /// can't be read.
    ///
    /// # Errors
    /// `Cancelled`.
    pub fn whole_since(
        &self,
        folder: &Path,
        thoroughly: bool,
        control: &Control,
    ) -> Result<Option<u64>> {
        let path = self.path(folder);
        let Ok(found) = std::fs::metadata(&path) else {
            return Ok(None);
        };
        let since = modified(&found);
        if found.len() != self.bytes {
            return Ok(None);
        }
        if !thoroughly && since != 0 && since == self.modified {
            return Ok(Some(since));
        }
        match sha256(&path, control) {
            Ok(digest) => Ok((digest == self.sha256).then_some(since)),
            Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// That its file is the one that was written.
    ///
    /// # Errors
    /// `NotFound` or `Format`, naming what differs; `Cancelled`, `Io`.
    pub fn check(&self, folder: &Path, control: &Control) -> Result<()> {
        let path = self.path(folder);
        let wrong = |kind, message: String| {
            Err(Error::new(kind, message)
                .with("dataset", self.full_name())
                .with("file", path.display())
                .help("take it from a copy of the dump; or dump again with `--verify`, which writes it anew; or leave it out with `--exclude`"))
        };
        let bytes = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return wrong(
                    ErrorKind::NotFound,
                    "a file of the dump is missing".to_owned(),
                );
            }
            Err(e) => {
                return Err(
                    Error::io("look at a file of the dump", &e).with("file", path.display())
                );
            }
        };
        if bytes != self.bytes {
            let message = format!(
                "a file of the dump has {bytes} bytes, the manifest says {}",
                self.bytes
            );
            return wrong(ErrorKind::Format, message);
        }
        let found = sha256(&path, control)?;
        match found == self.sha256 {
            true => Ok(()),
            false => wrong(
                ErrorKind::Format,
                format!(
                    "a file of the dump was altered: its SHA-256 is {found}, the manifest says {}",
                    self.sha256
                ),
            ),
        }
    }
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// `Io`, `Cancelled`.
pub fn sha256(path: &Path, control: &Control) -> Result<String> {
    let failed =
        |e: &io::Error| Error::io("read a file of the dump", e).with("file", path.display());
    let mut file = File::open(path).map_err(|e| failed(&e))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        control.check()?;
        let read = io::Read::read(&mut file, &mut buffer).map_err(|e| failed(&e))?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
    Ok(hex(&hash.finalize()))
}

/// When a file was last written to, in nanoseconds since 1970; 0 where the system doesn't tell.
pub fn modified(metadata: &Metadata) -> u64 {
    let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok();
    let age = metadata.modified().ok().and_then(since);
    age.and_then(|age| u64::try_from(age.as_nanos()).ok())
        .unwrap_or(0)
}

/// One of a test.
#[cfg(test)]
pub(super) fn entry() -> Entry {
    Entry {
        collection: "a".to_owned(),
        partition: Some("p".to_owned()),
        file: "a/p.h5".to_owned(),
        bytes: 3,
        modified: 7,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
        rows: 1,
        hash: None,
        fingerprint: "f".to_owned(),
        descriptor: Descriptor::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_or_altered_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let check = || entry().check(folder.path(), &Control::new());
        assert_eq!(check().unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/p.h5"), "abc").unwrap();
        check().unwrap();
        std::fs::write(folder.path().join("a/p.h5"), "abd").unwrap();
        assert!(check().unwrap_err().to_string().contains("altered"));
        std::fs::write(folder.path().join("a/p.h5"), "abcd").unwrap();
        assert!(check().unwrap_err().to_string().contains("4 bytes"));
    }

    #[test]
    fn a_file_with_another_time_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/p.h5");
        std::fs::create_dir(folder.path().join("a")).unwrap();
        let is_whole = |entry: &Entry, thoroughly| {
            let since = entry.whole_since(folder.path(), thoroughly, &Control::new());
            since.unwrap().is_some()
        };
        assert!(!is_whole(&entry(), false));
        std::fs::write(&path, "abc").unwrap();
        assert!(is_whole(&entry(), false), "copied elsewhere");
        std::fs::write(&path, "abd").unwrap();
        assert!(!is_whole(&entry(), false));
        let known = Entry {
            modified: modified(&std::fs::metadata(&path).unwrap()),
            ..entry()
        };
        assert!(is_whole(&known, false));
        assert!(!is_whole(&known, true));
    }
}
