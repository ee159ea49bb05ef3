// SPDX-License-Identifier: Apache-2.0
//! The manifest of a dump.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Component, Path};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entry::Entry;
use crate::beside::Beside;
use crate::seal::{seal, unseal};

/// Its name in the folder.
pub const FILE: &str = "manifest.json";
const FORMAT: &str = "milvusdm-dump";
const VERSION: u32 = 1;
/// Largest manifest that is read: some 100 000 datasets.
const MOST_BYTES: u64 = 256 << 20;

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
    /// Files that are about to be removed: of datasets that the source does not have any more.
    pub leaving: Leaving,
}

/// Files, each with the name of its dataset.
pub type Leaving = BTreeMap<String, String>;

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
            leaving: Leaving::new(),
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
            .help("one that did not come to its end has none: give the same `dump` again; if it was lost, dump into an empty folder, or read the files as they are, as `hdf5:DIR`")
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
        let Value::Object(mut members) = document else {
            return Err(Self::odd(path, "it is no object"));
        };
        unseal(&mut members).map_err(|broken| Self::odd(path, &broken.to_string()))?;
        let manifest: Self = serde_json::from_value(Value::Object(members))
            .map_err(|e| Self::odd(path, &e.to_string()))?;
        let files = manifest.datasets.iter().map(|entry| &entry.file);
        let mut files = files.chain(manifest.leaving.keys());
        match files.find(|file| !is_inside(file)) {
            None => Ok(manifest),
            Some(file) => {
                let what = format!("its file `{file}` is outside the folder");
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
        .help("take it from a copy of the dump; or else dump again, into an empty folder")
    }

    /// As it stands in the file: sealed.
    fn text(&self) -> Result<String> {
        let internal = || Error::new(ErrorKind::Internal, "write a manifest");
        match serde_json::to_value(self).map_err(|e| internal().caused_by(e))? {
            Value::Object(mut members) => {
                seal(&mut members);
                Ok(format!("{:#}\n", Value::Object(members)))
            }
            _ => Err(internal()),
        }
    }

    /// Whether it says the same of the same datasets, whenever it was made.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.source, &self.datasets, &self.leaving)
            == (&other.source, &other.datasets, &other.leaving)
    }

    /// Writes it into a folder, in one step and durably.
    ///
    /// # Errors
    /// `Io`, `Denied`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let failed =
            |e: &io::Error| Error::io("write the dump's manifest", e).with("file", path.display());
        let text = self.text()?;
        let beside = Beside::create(&path).map_err(|e| failed(&e))?;
        beside.publish(&text).map_err(|e| failed(&e))
    }
}

/// Whether a path stays below the folder that it starts in.
fn is_inside(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    !file.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::super::entry::entry;
    use super::*;

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
            let mut document = serde_json::from_str(&manifest().text().unwrap()).unwrap();
            change(&mut document);
            Manifest::parse(&document.to_string(), Path::new("m")).unwrap_err()
        };
        let altered = parsed(|document| document["datasets"][0]["rows"] = 2.into());
        assert!(altered.to_string().contains("altered"), "{altered}");
        let later = parsed(|document| document["version"] = 2.into());
        assert_eq!(later.kind(), ErrorKind::Unsupported, "{later}");
        let other = parsed(|document| document["format"] = "x".into());
        assert_eq!(other.kind(), ErrorKind::Format, "{other}");
        for path in ["../a.h5", "/a.h5", ""] {
            let mut outside = manifest();
            outside.datasets[0].file = path.to_owned();
            let error = Manifest::parse(&outside.text().unwrap(), Path::new("m")).unwrap_err();
            assert!(error.to_string().contains("outside"), "{error}");
        }
        assert!(Manifest::parse("{", Path::new("m")).is_err());
    }
}
