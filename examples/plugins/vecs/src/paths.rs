// SPDX-License-Identifier: Apache-2.0
//! Turns the option `path` into files and the collections that they are.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};

/// Most files of a source.
const MAX_FILES: usize = 100_000;

/// A file and the collection that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file.
    pub path: PathBuf,
    /// The collection: the file's name without its ending.
    pub collection: String,
}

/// Finds the files that `paths` name, in their order; those of a pattern by name.
///
/// # Errors
/// `NotFound` where a path or pattern matches nothing; `Config` where a file is named twice, or
/// two files would be one collection.
pub(crate) fn find(paths: &[String]) -> Result<Vec<Place>> {
    let mut files = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(_) => files.push(PathBuf::from(path)),
            Err(e)
                if e.kind() == std::io::ErrorKind::NotFound && path.contains(['*', '?', '[']) =>
            {
                files.extend(matching(path)?);
            }
            Err(e) => {
                return Err(Error::io("can't find the file", &e)
                    .with("file", path)
                    .help("check the option `path`"));
            }
        }
        if files.len() > MAX_FILES {
            let message = format!("more than {MAX_FILES} files are named");
            return Err(
                Error::new(ErrorKind::Unsupported, message).help("take them in several tasks")
            );
        }
    }
    let place = |path: PathBuf| Place {
        collection: stem(&path),
        path,
    };
    refuse_doubles(files.into_iter().map(place).collect())
}

fn stem(path: &Path) -> String {
    let name = path.file_stem().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>> {
    let matches = glob::glob(pattern).map_err(|e| {
        Error::new(ErrorKind::Config, format!("`{pattern}` is no pattern"))
            .with("option", "path")
            .caused_by(e)
    })?;
    let mut files = Vec::new();
    for path in matches {
        let path = path.map_err(|e| {
            Error::io("can't look for the pattern", e.error()).with("folder", e.path().display())
        })?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        let message = format!("no file matches `{pattern}`");
        return Err(Error::new(ErrorKind::NotFound, message).with("option", "path"));
    }
    Ok(files)
}

fn refuse_doubles(places: Vec<Place>) -> Result<Vec<Place>> {
    let mut files: HashMap<PathBuf, &Path> = HashMap::new();
    let mut collections: HashMap<&str, &Path> = HashMap::new();
    for place in &places {
        let path = place.path.as_path();
        let twice = |message: String, before: &Path| {
            Error::new(ErrorKind::Config, message)
                .with("option", "path")
                .with("file", before.display())
                .with("file", path.display())
        };
        let real = fs::canonicalize(path)
            .map_err(|e| Error::io("can't find the file", &e).with("file", path.display()))?;
        if let Some(before) = files.insert(real, path) {
            let message = "a file is named twice, its rows would come twice".to_owned();
            return Err(twice(message, before));
        }
        if let Some(before) = collections.insert(&place.collection, path) {
            let message = format!("two files would be the collection `{}`", place.collection);
            return Err(twice(message, before)
                .help("take them in two tasks, or rename one; `map:` can bring them together"));
        }
    }
    Ok(places)
}
