// SPDX-License-Identifier: Apache-2.0
//! Files that the installed Faiss writes, of many shapes and nestings (`make_cases.py`), read
//! through the plugin's table.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{compare, read_file, read_json, wanted};
use serde_json::json;

/// Names a folder that `make_cases.py` filled, with whatever Faiss and groups.
const FOLDER: &str = "MILVUSDM_FAISS_CASES";
/// The groups that take seconds; training of the others takes minutes.
const GROUPS: [&str; 6] = [
    "changed",
    "on_disk",
    "binary",
    "transforms",
    "flat_and_lists",
    "scalars",
];

/// Has Faiss write files.
fn make_cases(folder: &Path) {
    let python = std::env::var("MILVUSDM_TEST_PYTHON").expect(
        "MILVUSDM_TEST_PYTHON must name a Python with faiss-cpu and numpy; `make test` sets it up",
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/make_cases.py");
    let run = Command::new(&python)
        .arg(script)
        .args([folder, Path::new("1")])
        .args(GROUPS)
        .output()
        .unwrap_or_else(|e| panic!("{python}: {e}"));
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{python}: {said}");
}

#[test]
fn files_of_the_installed_faiss_give_their_rows() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = match std::env::var_os(FOLDER) {
        Some(folder) => PathBuf::from(folder),
        None => {
            make_cases(scratch.path());
            scratch.path().to_owned()
        }
    };
    let files = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|file| file.extension().is_some_and(|ending| ending == "json"))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    let mut failures = Vec::new();
    for name in &names {
        let case = read_json(&folder.join(format!("{name}.json")));
        let file = folder.join(case["file"].as_str().unwrap());
        let options = match case["class"].as_str().unwrap() {
            "lossy" => json!({ "lossy": "allow" }),
            _ => json!({}),
        };
        let run = std::panic::AssertUnwindSafe(|| match read_file(&file, &options) {
            Ok((_, rows)) => compare(name, &rows, &wanted(&case["ids"], &case["vectors"]), &case),
            Err(e) => panic!("{name}: {e}"),
        });
        if let Err(panic) = std::panic::catch_unwind(run) {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failures.push(text.chars().take(300).collect::<String>());
        }
        // Without leave, nothing that is not whole is given out.
        let is_lossy = case["class"] == "lossy" && !case["ids"].as_array().unwrap().is_empty();
        if is_lossy && read_file(&file, &json!({})).is_ok() {
            failures.push(format!("{name}: lossy rows without leave"));
        }
    }
    assert!(names.len() > 100, "{} cases", names.len());
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        names.len(),
        failures.join("\n")
    );
}
