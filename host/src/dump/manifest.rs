// SPDX-License-Identifier: Apache-2.0
//! The manifest of a dump.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use milvusdm_plugin_api::model::Descriptor;
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Name;
use crate::control::Control;
use crate::report::HashView;

/// Its name in the folder.
const FILE: &str = "manifest.json";
const FORMAT: &str = "milvusdm-dump";
const VERSION: u32 = 1;
/// Largest manifest that is read: some 100 000 datasets.
const MOST_BYTES: u64 = 256 << 20;
const BUFFER_BYTES: usize = 1 << 20;

/// What a dump holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `milvusdm-dump`.
    pub format: String,
    /// Version of the format.
    pub version: u32,
    /// Who wrote it: name and version.
    pub program: String,
    /// When, in seconds since 1970.
    pub made: u64,
    /// Where the rows came from, without secrets.
    pub source: Value,
    /// The datasets, in the order of their names.
    pub datasets: Vec<Entry>,
}

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
        match &self.partition {
            Some(partition) => format!("{}/{partition}", self.collection),
            None => self.collection.clone(),
        }
    }

    /// Where its file is.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.file)
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
                .help("take it from a backup of the dump, dump again, or leave it out with `--exclude`"))
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

impl Manifest {
    /// A manifest of this version.
    pub fn new(program: String, made: u64, source: Value, datasets: Vec<Entry>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program,
            made,
            source,
            datasets,
        }
    }

    /// Reads the manifest of a folder; `None` if there is none.
    ///
    /// # Errors
    /// `Unsupported` for a later version, `Format` for what is no manifest, `Io`, `Denied`.
    pub fn find(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let failed =
            |e: &io::Error| Error::io("read the dump's manifest", e).with("file", path.display());
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(&e)),
        };
        let bytes = file.metadata().map_err(|e| failed(&e))?.len();
        if bytes > MOST_BYTES {
            return Err(Self::odd(&path, &format!("it has {bytes} bytes")));
        }
        let text = io::read_to_string(file).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => Self::odd(&path, "it is no text"),
            _ => failed(&e),
        })?;
        Self::parse(&text, &path).map(Some)
    }

    /// Reads the manifest of a folder that must be a dump.
    ///
    /// # Errors
    /// As [`find`](Self::find); `NotFound` if there is none.
    pub fn load(folder: &Path) -> Result<Self> {
        Self::find(folder)?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no dump: no `{FILE}` in the folder"),
            )
            .with("folder", folder.display())
            .help("a dump that did not come to its end has none: give the same `dump` again")
        })
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let document: Value =
            serde_json::from_str(text).map_err(|e| Self::odd(path, &e.to_string()))?;
        if document.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(Self::odd(path, &format!("its `format` is not `{FORMAT}`")));
        }
        // The version first: another one may have other members.
        match document.get("version").and_then(Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            found => {
                let found = found.map_or_else(|| "missing".to_owned(), |v| v.to_string());
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("the dump's version is {found}, this program reads {VERSION}"),
                )
                .with("file", path.display())
                .help("use the program that wrote it, or a later one"));
            }
        }
        let manifest: Self =
            serde_json::from_value(document).map_err(|e| Self::odd(path, &e.to_string()))?;
        match manifest
            .datasets
            .iter()
            .find(|entry| !is_inside(&entry.file))
        {
            None => Ok(manifest),
            Some(entry) => {
                let what = format!("the file of `{}` is outside the folder", entry.full_name());
                Err(Self::odd(path, &what))
            }
        }
    }

    fn odd(path: &Path, what: &str) -> Error {
        Error::new(
            ErrorKind::Format,
            format!("this is no manifest of a dump: {what}"),
        )
        .with("file", path.display())
    }

    /// Writes it into a folder, in one step and durably.
    ///
    /// # Errors
    /// `Io`, `Denied`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let failed =
            |e: &io::Error| Error::io("write the dump's manifest", e).with("file", path.display());
        let mut file = tempfile::Builder::new()
            .prefix(".manifest-")
            .tempfile_in(folder)
            .map_err(|e| failed(&e))?;
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Internal, "write a manifest").caused_by(e))?;
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.as_file().sync_all());
        written.map_err(|e| failed(&e))?;
        file.persist(&path).map_err(|e| failed(&e.error))?;
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|e| failed(&e))
    }
}

/// Whether a path stays below the folder that it starts in.
fn is_inside(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    !file.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
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
    let digest = hash.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            collection: "a".to_owned(),
            partition: Some("p".to_owned()),
            file: "a/p.h5".to_owned(),
            bytes: 3,
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
            rows: 1,
            hash: None,
            fingerprint: "f".to_owned(),
            descriptor: Descriptor::default(),
        }
    }

    fn manifest() -> Manifest {
        Manifest::new("milvusdm 1".to_owned(), 7, "s".into(), vec![entry()])
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::find(folder.path()).unwrap(), None);
        let error = Manifest::load(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        manifest().write(folder.path()).unwrap();
        assert_eq!(Manifest::load(folder.path()).unwrap(), manifest());
    }

    #[test]
    fn other_versions_and_what_is_no_manifest_are_told() {
        let parsed = |change: fn(&mut Value)| {
            let mut document = serde_json::to_value(manifest()).unwrap();
            change(&mut document);
            Manifest::parse(&document.to_string(), Path::new("m")).unwrap_err()
        };
        let later = parsed(|document| document["version"] = 2.into());
        assert_eq!(later.kind(), ErrorKind::Unsupported, "{later}");
        let other = parsed(|document| document["format"] = "x".into());
        assert_eq!(other.kind(), ErrorKind::Format, "{other}");
        for path in ["../a.h5", "/a.h5", ""] {
            let mut document = serde_json::to_value(manifest()).unwrap();
            document["datasets"][0]["file"] = path.into();
            let error = Manifest::parse(&document.to_string(), Path::new("m")).unwrap_err();
            assert!(error.to_string().contains("outside"), "{error}");
        }
        assert!(Manifest::parse("{", Path::new("m")).is_err());
    }

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
}
