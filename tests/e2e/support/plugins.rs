// SPDX-License-Identifier: Apache-2.0
//! Plugin files: those that cargo built, and those that a test compiles from C.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::binary::{built, profile_folder};
use super::{Run, Space, milvusdm, repository, text};

/// The file of a plugin that is built with the tests: `null`, `faulty`.
#[track_caller]
pub fn plugin_file(name: &str) -> PathBuf {
    built(&format!("libmilvusdm_{name}.so"))
}

/// Compiles C below `tests/sins` into a library at that place.
#[track_caller]
pub fn compile_c(sources: &[&str], args: &[&str], to: &Path) {
    let mut command = Command::new("gcc");
    command
        .args([
            "-std=c11",
            "-D_DEFAULT_SOURCE",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
        ])
        .args(["-shared", "-fPIC", "-fvisibility=hidden"])
        .arg("-I")
        .arg(repository().join("plugin-api/include"))
        .arg("-o")
        .arg(to)
        .args(
            sources
                .iter()
                .map(|name| repository().join("tests/sins").join(name)),
        )
        .args(args);
    let output = command.output().expect("gcc is installed");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The sources of the plugin `sins`.
pub const SINS: [&str; 3] = ["batch.c", "entries.c", "table.c"];

/// The plugin `sins`, in C: it does wrong what the environment variable `SIN` says. Compiled once.
#[track_caller]
pub fn sins() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = profile_folder().join("test-plugins");
        std::fs::create_dir_all(&folder).expect("a folder beside the tests");
        let file = folder.join("libmilvusdm_sins.so");
        // Another run of the tests may be using the one that is there.
        let own = folder.join(format!("sins-{}.so", std::process::id()));
        compile_c(&SINS, &[], &own);
        std::fs::rename(&own, &file).expect("a file of ours");
        file
    })
}

/// A run that takes these plugin files as they are.
pub fn with_plugins<'a>(space: &'a Space, files: &[&Path], args: &[&str]) -> Run<'a> {
    let mut all: Vec<String> = args.iter().map(ToString::to_string).collect();
    for file in files {
        all.extend(["--allow-plugin".to_owned(), text(file)]);
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    milvusdm(space, &all)
}
