// SPDX-License-Identifier: Apache-2.0
//! Files that the installed Faiss writes, of many shapes and nestings (`make_cases.py`), read
//! through the plugin's table.

mod common;

use std::path::PathBuf;

use common::{compare, read_file, read_json, wanted};
use serde_json::json;

/// Says where `make_cases.py` put its files.
const FOLDER: &str = "MILVUSDM_FAISS_CASES";

#[test]
#[ignore = "needs Faiss: run make_cases.py FOLDER, then set MILVUSDM_FAISS_CASES to the folder"]
fn files_of_the_installed_faiss_give_their_rows() {
    let folder = std::env::var_os(FOLDER).unwrap_or_else(|| panic!("{FOLDER} is not set"));
    let folder = PathBuf::from(folder);
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
    assert!(!names.is_empty());
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        names.len(),
        failures.join("\n")
    );
}
