// SPDX-License-Identifier: Apache-2.0
//! A folder of its own for each test, removed with it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A folder of its own for each test.
pub struct Space {
    folder: TempDir,
    count: AtomicU32,
}

impl Space {
    /// Makes an empty one.
    #[track_caller]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("milvusdm-e2e").tempdir();
        Self::of(folder.expect("a temporary folder"))
    }

    /// Makes an empty one that always stands at the same place; what an earlier run left there
    /// is removed.
    #[track_caller]
    pub fn at(parent: &Path, name: &str) -> Self {
        let folder = parent.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("a folder of an earlier run");
        }
        let folder = tempfile::Builder::new()
            .prefix(name)
            .rand_bytes(0)
            .tempdir_in(parent);
        Self::of(folder.expect("a folder of ours"))
    }

    fn of(folder: TempDir) -> Self {
        // Tests that become another user pass through it.
        set_mode(folder.path(), 0o755);
        std::fs::create_dir(folder.path().join("home")).expect("a folder of ours");
        std::fs::create_dir(folder.path().join("hidden")).expect("a folder of ours");
        Self {
            folder,
            count: AtomicU32::new(0),
        }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// A path that no other call gives.
    pub fn fresh(&self, name: &str) -> PathBuf {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        self.root().join("hidden").join(format!("{count}-{name}"))
    }

    /// Writes a file, with the folders it needs.
    #[track_caller]
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("inside the space"))
            .expect("a folder of ours");
        std::fs::write(&path, content).expect("a file of ours");
        path
    }

    /// Copies a file into it.
    #[track_caller]
    pub fn copy(&self, from: &Path, name: &str) -> PathBuf {
        self.write(name, std::fs::read(from).expect("a file to copy"))
    }

    /// Makes a folder in it.
    #[track_caller]
    pub fn folder(&self, name: &str) -> PathBuf {
        std::fs::create_dir_all(self.path(name)).expect("a folder of ours");
        self.path(name)
    }

    /// Waits until a command that was started here has said something on standard error.
    #[track_caller]
    pub fn wait_until_said(&self, text: &str) {
        let said = || std::fs::read_to_string(self.path("errors")).unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !said().contains(text) {
            assert!(Instant::now() < deadline, "no `{text}`: {}", said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Every file below `name`, relative to it and sorted; folders and temporary files too.
    #[track_caller]
    pub fn list(&self, name: &str) -> Vec<String> {
        let root = self.path(name);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries {
                let entry = entry.expect("an entry of a folder of ours");
                let path = entry.path();
                let relative = path.strip_prefix(&root).expect("below the root");
                if entry.file_type().expect("a type").is_dir() {
                    found.push(format!("{}/", relative.display()));
                    folders.push(path);
                } else {
                    found.push(relative.display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // A folder that a test made read-only could not be emptied otherwise.
        for name in self.list("") {
            if name.ends_with('/') {
                set_mode(&self.path(&name), 0o755);
            }
        }
    }
}

/// Sets the permissions of a file or folder; one that is gone is no matter.
pub fn set_mode(path: &Path, mode: u32) {
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
}
