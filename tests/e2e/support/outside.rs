// SPDX-License-Identifier: Apache-2.0
//! Builds projects that know nothing of this workspace, as their authors would.
//!
//! They share one folder for what cargo builds, beside that of the workspace, so that the crates
//! that all of them need are compiled once; and they stand at fixed places, so that building
//! them again replaces what is there. Nothing is fetched: the versions are those of the
//! workspace's `Cargo.lock`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::binary::{milvusdm_binary, profile_folder};
use super::text;

/// One build at a time: cargo would make them wait for each other anyway, and two projects may
/// give a file of one name.
static BUILDING: Mutex<()> = Mutex::new(());

/// The folder in which everything outside the workspace is built.
pub fn outside_target() -> PathBuf {
    profile_folder().with_file_name("outside")
}

/// A folder for projects; `name` is the test's own.
pub fn outside_projects(name: &str) -> PathBuf {
    let folder = outside_target().join("projects").join(name);
    std::fs::create_dir_all(&folder).expect("a folder of ours");
    folder
}

/// The environment of a command that builds or runs what was built: cargo as whoever runs the
/// tests has it, but without the network and without what belongs to this build.
pub fn outside_command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let is_of_this_build = name.starts_with("CARGO_") && name != "CARGO_HOME";
        if is_of_this_build || name.starts_with("MILVUSDM_") {
            command.env_remove(name);
        }
    }
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    for (name, default) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let folder = std::env::var_os(name).map_or_else(|| home.join(default), PathBuf::from);
        if folder.exists() {
            command.env(name, folder);
        }
    }
    command.env("CARGO_NET_OFFLINE", "true");
    command
}

/// A project outside the workspace; nobody else builds one while it lives.
pub struct Outside {
    folder: PathBuf,
    _building: MutexGuard<'static, ()>,
}

impl Outside {
    /// The project in that folder.
    pub fn at(folder: PathBuf) -> Self {
        let building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            folder,
            _building: building,
        }
    }

    /// A project that `plugins new` writes anew.
    #[track_caller]
    pub fn new_plugin(name: &str, more: &[&str]) -> Self {
        let parent = outside_projects("new");
        let outside = Self::at(parent.join(name));
        if outside.folder.exists() {
            std::fs::remove_dir_all(&outside.folder).expect("a project of an earlier run");
        }
        let binary = text(milvusdm_binary());
        let parent = text(parent);
        let mut args = vec!["plugins", "new", name, "--dir", &parent];
        args.extend(more);
        outside.run_in(&text(std::env::temp_dir()), &binary, &args);
        outside
    }

    /// A path in the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs cargo; gives what it printed.
    #[track_caller]
    pub fn cargo(&self, args: &[&str]) -> String {
        self.run("cargo", args)
    }

    /// Builds its release, and gives the plugin's file.
    #[track_caller]
    pub fn build(&self, plugin: &str) -> PathBuf {
        self.cargo(&["build", "--release", "--offline"]);
        outside_target().join(format!("release/libmilvusdm_{plugin}.so"))
    }

    /// Runs a command in the project, which must succeed; gives what it printed.
    #[track_caller]
    pub fn run(&self, program: &str, args: &[&str]) -> String {
        self.run_in(&text(&self.folder), program, args)
    }

    #[track_caller]
    fn run_in(&self, folder: &str, program: &str, args: &[&str]) -> String {
        let output = outside_command(program, Path::new(folder))
            .args(args)
            .env("CARGO_TARGET_DIR", outside_target())
            .output()
            .unwrap_or_else(|e| panic!("{program}: {e}"));
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        assert!(
            output.status.success(),
            "`{program} {}` in {folder} ended with {}:\n{printed}",
            args.join(" "),
            output.status
        );
        printed
    }
}
