// SPDX-License-Identifier: Apache-2.0
//! Turns the option `path` into files, and a file's place into collection and partition names.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::{names, partial};

/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 16;
/// Most files of a source.
const MAX_FILES: usize = 1_000_000;

/// A file to be read, with the names that its place gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Collection, where no attribute says.
    pub collection: String,
    /// Partition, where no attribute says.
    pub partition: Option<String>,
}

/// Finds the files that `paths` name, in their order; those of a folder or pattern by name.
///
/// A folder is searched to the bottom for `*.h5` and `*.hdf5`; hidden files and linked folders
/// are passed over. `<collection>/<partition>.h5` below it gives the names of both.
///
/// # Errors
/// `NotFound` where a path or pattern matches nothing, `Config` where a file is named twice.
pub fn find(paths: &[String]) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for path in paths {
        let found = Path::new(path);
        match fs::metadata(found) {
            Ok(metadata) if metadata.is_dir() => {
                let before = places.len();
                walk(found, &mut Vec::new(), &mut places)?;
                if places.len() == before {
                    return Err(Error::new(
                        ErrorKind::NotFound,
                        "the folder holds no HDF5 file (`*.h5`, `*.hdf5`)",
                    )
                    .with("folder", path));
                }
            }
            Ok(_) => places.push(by_stem(found.to_owned())),
            Err(e)
                if e.kind() == std::io::ErrorKind::NotFound && path.contains(['*', '?', '[']) =>
            {
                add_pattern(path, &mut places)?;
            }
            Err(e) => return Err(Error::io("looking for HDF5 files", &e).with("path", path)),
        }
        if places.len() > MAX_FILES {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("more than {MAX_FILES} files are named"),
            ));
        }
    }
    refuse_doubles(&places)?;
    Ok(places)
}

fn by_stem(path: PathBuf) -> Place {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    Place {
        collection: names::unescape(&stem),
        partition: None,
        path,
    }
}

fn add_pattern(pattern: &str, places: &mut Vec<Place>) -> Result<()> {
    let matches = glob::glob(pattern).map_err(|e| {
        Error::new(ErrorKind::Config, format!("`{pattern}` is no pattern"))
            .with("option", "path")
            .caused_by(e)
    })?;
    let before = places.len();
    for path in matches {
        let path = path.map_err(|e| {
            Error::io(format!("matching `{pattern}`"), e.error()).with("path", e.path().display())
        })?;
        if path.is_file() && !partial::is_partial(&path) {
            places.push(by_stem(path));
        }
    }
    if places.len() == before {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("no file matches `{pattern}`"),
        ));
    }
    Ok(())
}

fn walk(folder: &Path, above: &mut Vec<String>, places: &mut Vec<Place>) -> Result<()> {
    let failed =
        |e: std::io::Error| Error::io("listing a folder", &e).with("folder", folder.display());
    if above.len() > MAX_DEPTH {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("folders are nested deeper than {MAX_DEPTH}"),
        )
        .with("folder", folder.display()));
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for path in entries {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') {
            continue;
        }
        let metadata = fs::symlink_metadata(&path).map_err(failed)?;
        if metadata.is_dir() {
            above.push(names::unescape(&name));
            walk(&path, above, places)?;
            above.pop();
        } else if names::is_hdf5_path(&path) && path.is_file() {
            places.push(in_folder(path, above));
        }
        if places.len() > MAX_FILES {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("more than {MAX_FILES} files are in the folder"),
            ));
        }
    }
    Ok(())
}

fn in_folder(path: PathBuf, above: &[String]) -> Place {
    let own = by_stem(path);
    match above.split_first() {
        None => own,
        Some((collection, between)) => {
            let mut parts = between.to_vec();
            parts.push(own.collection);
            Place {
                collection: collection.clone(),
                partition: Some(parts.join("/")),
                path: own.path,
            }
        }
    }
}

fn refuse_doubles(places: &[Place]) -> Result<()> {
    let mut seen: HashMap<PathBuf, &Path> = HashMap::new();
    for place in places {
        let real = fs::canonicalize(&place.path).map_err(|e| {
            Error::io("looking at an HDF5 file", &e).with("file", place.path.display())
        })?;
        if let Some(before) = seen.insert(real, &place.path) {
            return Err(Error::new(
                ErrorKind::Config,
                "a file is named twice, its rows would come twice",
            )
            .with("option", "path")
            .with("file", before.display())
            .with("again", place.path.display()));
        }
    }
    Ok(())
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

    fn text(path: &Path) -> String {
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_folder_names_collections_and_partitions() {
        let folder = folder(&[
            "b/p%2F1.h5",
            "a.hdf5",
            "b/_default.h5",
            "b/x/y.h5",
            ".hidden.h5",
            "b/notes.txt",
        ]);
        let found = find(&[text(folder.path())]).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|p| (p.collection.as_str(), p.partition.as_deref()))
            .collect();
        assert_eq!(
            names,
            [
                ("a", None),
                ("b", Some("_default")),
                ("b", Some("p/1")),
                ("b", Some("x/y"))
            ]
        );
    }

    #[test]
    fn patterns_and_lists_keep_their_order() {
        let folder = folder(&["1.h5", "2.h5", "0.h5"]);
        let path = |name: &str| text(&folder.path().join(name));
        let found = find(&[path("2.h5"), path("[01].h5")]).unwrap();
        let stems: Vec<_> = found.iter().map(|p| p.collection.as_str()).collect();
        assert_eq!(stems, ["2", "0", "1"]);
        let twice = find(&[path("*.h5"), path("1.h5")]).unwrap_err();
        assert!(twice.to_string().contains("twice"), "{twice}");
    }

    #[test]
    fn nothing_found_is_an_error() {
        let folder = folder(&["a.txt"]);
        for path in [
            text(folder.path()),
            text(&folder.path().join("*.h5")),
            text(&folder.path().join("a.h5")),
        ] {
            assert_eq!(find(&[path]).unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}
