// SPDX-License-Identifier: Apache-2.0
//! A target that the sink has finished, and whether it still is what it was then.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use milvusdm_plugin_api::FinishAck;
use serde::{Deserialize, Serialize};

/// A target that the sink has finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finish {
    /// What the sink said.
    pub ack: FinishAck,
    /// The file that it then was; `None` where it is none.
    file: Option<FileStamp>,
}

/// What changes with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileStamp {
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
}

impl Finish {
    /// A target as it is now, at `location`.
    pub fn of(ack: FinishAck, location: &str) -> Self {
        let file = FileStamp::of(location);
        Self { ack, file }
    }

    /// Whether the file was written to or replaced since.
    pub fn is_changed(&self, location: &str) -> bool {
        self.file.is_some() && self.file != FileStamp::of(location)
    }
}

impl FileStamp {
    /// Only the sink knows whether a location is a path; where there is a file, it is.
    fn of(location: &str) -> Option<Self> {
        let found = fs::metadata(Path::new(location)).ok()?;
        found.is_file().then(|| Self {
            inode: found.ino(),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_written_to_or_replaced_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        let place = path.display().to_string();
        fs::write(&path, "abc").unwrap();
        let made = fs::metadata(&path).unwrap().modified().unwrap();
        let finish = Finish::of(FinishAck::default(), &place);
        assert!(!finish.is_changed(&place));
        let keep_time = || {
            let file = fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(made).unwrap();
        };
        fs::copy(&path, folder.path().join("b.h5")).unwrap();
        fs::rename(folder.path().join("b.h5"), &path).unwrap();
        keep_time();
        assert!(finish.is_changed(&place), "another file");
        let server = Finish::of(FinishAck::default(), "127.0.0.1:19530/a");
        assert!(!server.is_changed("127.0.0.1:19530/a"));
    }
}
