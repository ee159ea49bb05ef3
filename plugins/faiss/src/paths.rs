// SPDX-License-Identifier: Apache-2.0
//! Turns the option `path` into index files and the collections that they are.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};

/// Endings of index files in a folder.
const ENDINGS: [&str; 2] = ["index", "faiss"];
/// Most files of a source.
const MAX_FILES: usize = 100_000;

/// An index file and the collection that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The collection: the file's name without its ending.
    pub collection: String,
}

/// Finds the files that `paths` name, in their order; those of a folder or pattern by name.
///
/// # Errors
/// `NotFound` where a path or pattern matches nothing; `Config` where a file is named twice, or
/// two files would be one collection.
pub fn find(paths: &[String]) -> Result<Vec<Place>> {
    let mut files = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => files.extend(in_folder(path)?),
            Ok(_) => files.push(PathBuf::from(path)),
            Err(e)
                if e.kind() == std::io::ErrorKind::NotFound && path.contains(['*', '?', '[']) =>
            {
                files.extend(matching(path)?);
            }
            Err(e) => {
                return Err(Error::io("can't find the index", &e)
                    .with("file", path)
                    .help("check the option `path`"));
            }
        }
        if files.len() > MAX_FILES {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("more than {MAX_FILES} files are named; take them in several tasks"),
            ));
        }
    }
    let places = files
        .into_iter()
        .map(|path| Place {
            collection: stem(&path),
            path,
        })
        .collect();
    refuse_doubles(places)
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn in_folder(folder: &str) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| Error::io("can't list the folder", &e).with("folder", folder);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = path.extension().and_then(|e| e.to_str());
        if !name.starts_with('.') && ending.is_some_and(|e| ENDINGS.contains(&e)) && path.is_file()
        {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::new(
            ErrorKind::NotFound,
            "expected an index file, found a directory without any (`*.index`, `*.faiss`)",
        )
        .with("file", folder));
    }
    Ok(files)
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
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("no file matches `{pattern}`"),
        ));
    }
    Ok(files)
}

fn refuse_doubles(places: Vec<Place>) -> Result<Vec<Place>> {
    let mut files: HashMap<PathBuf, &Path> = HashMap::new();
    let mut collections: HashMap<&str, &Path> = HashMap::new();
    for place in &places {
        let path = place.path.as_path();
        let twice = |message: String, before: &Path| {
            Err(Error::new(ErrorKind::Config, message)
                .with("option", "path")
                .with("file", before.display())
                .with("file", path.display()))
        };
        let real = fs::canonicalize(path)
            .map_err(|e| Error::io("can't find the index", &e).with("file", path.display()))?;
        if let Some(before) = files.insert(real, path) {
            return twice(
                "a file is named twice, its rows would come twice".to_owned(),
                before,
            );
        }
        if let Some(before) = collections.insert(&place.collection, path) {
            let message = format!("two files would be the collection `{}`", place.collection);
            return twice(message, before).map_err(|e: Error| {
                e.help("take them in two tasks, or rename one; `map:` can bring them together")
            });
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn collections(found: &[Place]) -> Vec<&str> {
        found
            .iter()
            .map(|place| place.collection.as_str())
            .collect()
    }

    #[test]
    fn a_folder_gives_its_index_files_by_name() {
        let folder = folder(&["b.index", "a.faiss", "a.ivfdata", ".c.index", "sub/d.index"]);
        let path = folder.path().to_str().unwrap().to_owned();
        assert_eq!(collections(&find(&[path]).unwrap()), ["a", "b"]);
    }

    #[test]
    fn lists_and_patterns_keep_their_order() {
        let folder = folder(&["1.bin", "2.x.index", "0.bin"]);
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let found = find(&[path("2.x.index"), path("*.bin")]).unwrap();
        assert_eq!(collections(&found), ["2.x", "0", "1"]);
        let twice = find(&[path("*.bin"), path("1.bin")]).unwrap_err();
        assert!(twice.to_string().contains("twice"), "{twice}");
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let folder = folder(&["x/a.index", "y/a.index"]);
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let error = find(&[path("x"), path("y/a.index")]).unwrap_err();
        assert!(error.to_string().contains("collection `a`"), "{error}");
    }

    #[test]
    fn nothing_found_is_an_error() {
        let folder = folder(&["a.txt"]);
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for path in [path(""), path("*.index"), path("a.index")] {
            assert_eq!(find(&[path]).unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}
