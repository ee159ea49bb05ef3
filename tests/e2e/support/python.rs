// SPDX-License-Identifier: Apache-2.0
//! Real h5py, as a process.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{python, repository};

/// Runs one of `tests/python` and gives what it printed; it must succeed.
#[track_caller]
pub fn run_python(script: &str, args: &[&str]) -> String {
    let output = Command::new(python())
        .arg("-B")
        .arg(repository().join("tests/python").join(script))
        .args(args)
        .output()
        .expect("the Python of the tests starts");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{script} {}:\n{stdout}{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// What h5py finds in a file: root attributes, and of each dataset shape, type, storage and
/// values (floats as JSON numbers, bytes as numbers).
#[track_caller]
pub fn read_h5(path: &Path) -> Value {
    let printed = run_python("read_h5.py", &[&super::text(path)]);
    serde_json::from_str(&printed).expect("read_h5.py prints JSON")
}
