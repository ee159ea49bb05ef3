// SPDX-License-Identifier: Apache-2.0
//! A run that was begun in one folder and is given again in another, where its relative paths mean
//! other files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::record::{RunRecord, Stage, TargetRecord};

impl RunRecord {
    /// The folder of the current process, as a run notes it.
    pub fn current_folder() -> String {
        let folder = std::env::current_dir().unwrap_or_default();
        folder.to_string_lossy().into_owned()
    }

    /// The folder that it was begun in, if that is not the current one.
    pub fn other_folder(&self) -> Option<&str> {
        let is_other = !self.folder.is_empty() && self.folder != Self::current_folder();
        is_other.then_some(self.folder.as_str())
    }

    /// Targets that have something in the folder where this run was begun, and nothing where the
    /// plan of now was made.
    pub fn left_behind<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = &'a TargetRecord> {
        let is_moved = !self.folder.is_empty() && self.folder != now.folder;
        let has_part = |target: &TargetRecord| {
            let mut there = now.targets.iter();
            there.any(|new| new.name == target.name && new.stage != Stage::Planned)
        };
        self.targets.iter().filter(move |target| {
            let then = Path::new(&self.folder).join(&target.location);
            let here = Path::new(&now.folder).join(&target.location);
            is_moved
                && target.stage != Stage::Planned
                && Path::new(&target.location).is_relative()
                && Path::new(&target.location).file_name().is_some()
                && match has_part(target) {
                    // Another file of that name may be there.
                    true => then.exists() && !is_same(&then, &here),
                    false => is_there(&then),
                }
        })
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    let inode = |path: &Path| fs::metadata(path).ok().map(|data| (data.dev(), data.ino()));
    inode(a) == inode(b)
}

/// Whether that file is there, or one in the making. Only the sink knows whether a location is a path
/// at all, and how it calls what is not finished: after the target, with a dot before it.
fn is_there(target: &Path) -> bool {
    let (Some(name), Some(folder)) = (target.file_name(), target.parent()) else {
        return false;
    };
    let name = name.to_string_lossy();
    let begun = format!(".{name}.");
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| {
            let found = entry.file_name();
            let found = found.to_string_lossy();
            found == name || found.starts_with(&begun)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, location: &str, stage: Stage) -> RunRecord {
        RunRecord {
            folder: folder.display().to_string(),
            targets: vec![TargetRecord {
                name: "a".to_owned(),
                location: location.to_owned(),
                columns: Vec::new(),
                conversions: Vec::new(),
                existed: false,
                rows_before: None,
                stage,
                splits: Vec::new(),
            }],
            ..RunRecord::default()
        }
    }

    #[test]
    fn what_lies_in_the_folder_of_the_run_is_left_behind_by_one_in_another() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path();
        fs::create_dir(there.join("out")).unwrap();
        fs::write(there.join("out/.a.h5.abcd1234.partial"), "").unwrap();
        let is_left = |then: &RunRecord, now: &RunRecord| then.left_behind(now).count() == 1;
        let begun = run(there, "out/a.h5", Stage::Prepared);
        let elsewhere = run(Path::new("/elsewhere"), "out/a.h5", Stage::Planned);
        assert!(is_left(&begun, &elsewhere));
        assert!(!is_left(&begun, &run(there, "out/a.h5", Stage::Planned)));
        let found = run(Path::new("/elsewhere"), "out/a.h5", Stage::Prepared);
        assert!(!is_left(&begun, &found), "the sink says that it is there");
        assert!(!is_left(
            &run(there, "out/a.h5", Stage::Planned),
            &elsewhere
        ));
        for location in ["out/b.h5", "out/h5", "null:a", "127.0.0.1:19530/a", ""] {
            let begun = run(there, location, Stage::Prepared);
            assert!(!is_left(&begun, &elsewhere), "{location}");
        }
        // A finished one is a file of its own, whatever is called like it.
        let done = run(there, "out/b.h5", Stage::Finishing);
        let other = run(&there.join("other"), "out/b.h5", Stage::Finishing);
        fs::write(there.join("out/b.h5"), "").unwrap();
        fs::create_dir_all(there.join("other/out")).unwrap();
        fs::write(there.join("other/out/b.h5"), "").unwrap();
        assert!(is_left(&done, &other));
        fs::remove_file(there.join("other/out/b.h5")).unwrap();
        fs::hard_link(there.join("out/b.h5"), there.join("other/out/b.h5")).unwrap();
        assert!(!is_left(&done, &other));
        let absolute = there.join("out/a.h5").display().to_string();
        assert!(!is_left(
            &run(there, &absolute, Stage::Prepared),
            &elsewhere
        ));
    }
}
