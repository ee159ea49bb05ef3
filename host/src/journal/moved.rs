// SPDX-License-Identifier: Apache-2.0
//! A run that was begun in one folder and is given again in another, where its relative paths mean
//! other files.

use std::fs;
use std::path::Path;

use super::record::{RunRecord, Stage, TargetRecord};

impl RunRecord {
    /// Targets that have something in the folder where this run was begun, and nothing where the
    /// plan of now was made.
    pub fn left_behind<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = &'a TargetRecord> {
        let is_moved = !self.folder.as_os_str().is_empty() && self.folder != now.folder;
        let has_part = |target: &TargetRecord| {
            let mut there = now.targets.iter();
            there.any(|new| new.name == target.name && new.stage != Stage::Planned)
        };
        self.targets.iter().filter(move |target| {
            is_moved
                && target.stage != Stage::Planned
                && !has_part(target)
                && is_named_in(&self.folder, &target.location)
        })
    }
}

/// Whether a file with that name, or one that is named after it, is there. Only the sink knows whether
/// a location is a path at all.
fn is_named_in(folder: &Path, location: &str) -> bool {
    let location = Path::new(location);
    let (Some(name), Some(parent)) = (location.file_name(), location.parent()) else {
        return false;
    };
    let name = name.to_string_lossy();
    let entries = fs::read_dir(folder.join(parent)).into_iter().flatten();
    location.is_relative()
        && entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().contains(&*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, location: &str, stage: Stage) -> RunRecord {
        RunRecord {
            folder: folder.to_owned(),
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
        // Another place is another plan, which is told otherwise.
        let found = run(Path::new("/elsewhere"), "out/a.h5", Stage::Prepared);
        assert!(!is_left(&begun, &found));
        assert!(!is_left(
            &run(there, "out/a.h5", Stage::Planned),
            &elsewhere
        ));
        for location in ["out/b.h5", "null:a", "127.0.0.1:19530/a", ""] {
            let begun = run(there, location, Stage::Prepared);
            assert!(!is_left(&begun, &elsewhere), "{location}");
        }
        let absolute = there.join("out/a.h5").display().to_string();
        assert!(!is_left(
            &run(there, &absolute, Stage::Prepared),
            &elsewhere
        ));
    }
}
