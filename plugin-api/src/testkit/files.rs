// SPDX-License-Identifier: Apache-2.0
//! What files stand below a path, to see whether a plugin changed any.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::report::{Checked, fail};

/// Files with size and hash; folders don't count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Files(BTreeMap<PathBuf, (u64, u64)>);

impl Files {
    /// The files at and below a path; what can't be read counts as empty.
    pub(super) fn below(path: &Path) -> Self {
        let mut files = Self::default();
        files.add(path);
        files
    }

    fn add(&mut self, path: &Path) {
        // Links are not followed: a cycle of them must not hang the suite.
        let Ok(about) = path.symlink_metadata() else {
            return;
        };
        if about.is_dir() {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.for_each(|entry| self.add(&entry.path()));
        } else {
            let hash = hash(path).unwrap_or(0);
            self.0.insert(path.to_owned(), (about.len(), hash));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The files below a folder by their path within it, for comparing two folders.
    pub(super) fn relative_to(&self, folder: &Path) -> Self {
        let inner = |path: &PathBuf| path.strip_prefix(folder).unwrap_or(path).to_owned();
        Self(
            self.0
                .iter()
                .map(|(path, about)| (inner(path), *about))
                .collect(),
        )
    }

    /// Fails, naming the first file that is new, gone or changed.
    pub(super) fn expect_same(&self, after: &Self) -> Checked {
        for (path, about) in &self.0 {
            match after.0.get(path) {
                None => return fail(format!("`{}` is gone", path.display())),
                Some(now) if now != about => {
                    return fail(format!("`{}` was changed", path.display()));
                }
                Some(_) => {}
            }
        }
        match after.0.keys().find(|path| !self.0.contains_key(*path)) {
            Some(path) => fail(format!("`{}` was left behind", path.display())),
            None => Ok(()),
        }
    }
}

fn hash(path: &Path) -> std::io::Result<u64> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = DefaultHasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => hasher.write(buffer.get(..n).unwrap_or(&[])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::report::Why;

    #[test]
    fn new_changed_and_vanished_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "1").unwrap();
        let before = Files::below(folder.path());
        before.expect_same(&Files::below(folder.path())).unwrap();
        let why = || match before.expect_same(&Files::below(folder.path())) {
            Err(Why::Failed(why)) => why,
            other => panic!("{other:?}"),
        };
        std::fs::write(&path, "2").unwrap();
        assert!(why().contains("changed"));
        std::fs::write(&path, "1").unwrap();
        std::fs::create_dir(folder.path().join("d")).unwrap();
        std::fs::write(folder.path().join("d/b"), "").unwrap();
        assert!(why().contains("d/b` was left behind"));
        std::fs::remove_file(&path).unwrap();
        assert!(why().contains("gone"));
    }
}
