// SPDX-License-Identifier: Apache-2.0
//! Runs make, and loads what it made.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use milvusdm::load::{Trace, examine_named};
use milvusdm_plugin_api::abi::PluginHandle;

use crate::support::{repository, text};

/// gcc has to be there; clang is where `make setup` could install it.
pub fn compilers() -> Vec<&'static str> {
    let asked = Command::new("clang")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match asked.is_ok_and(|status| status.success()) {
        true => vec!["gcc", "clang"],
        false => vec!["gcc"],
    }
}

/// Runs make in a folder; panics with what it says if it fails. Gives what it prints.
#[track_caller]
pub fn make(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("make")
        .arg("--no-print-directory")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        // A make above this test must not give its own flags.
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .expect("make starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "make {arguments:?}: {printed}\n{errors}"
    );
    printed
}

/// The folder of the example.
pub fn records() -> PathBuf {
    repository().join("examples/plugins/records")
}

/// The example, built with that compiler outside its folder: once for all tests.
pub fn build_records(compiler: &str) -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("records")
        .join(compiler);
    let arguments = [format!("BUILD={}", text(&folder)), format!("CC={compiler}")];
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    make(&records(), &arguments.each_ref().map(String::as_str));
    drop(turn);
    folder.join("libmilvusdm_records.so")
}

/// Loads a library by its plain door, all checks included.
pub fn load(library: &Path) -> PluginHandle {
    let mut trace = Trace::new(library);
    let candidate = examine_named(library, &mut trace).expect("a library");
    assert!(
        candidate.known.facts.plain && !candidate.known.facts.root_module,
        "{}",
        candidate.known.facts
    );
    candidate.load(&mut trace).expect("a plugin").handle
}
