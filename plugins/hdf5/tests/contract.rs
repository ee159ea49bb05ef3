// SPDX-License-Identifier: Apache-2.0
//! The behaviour suite of the plugin interface, on every form of storage.

mod common;

use common::*;
use milvusdm_plugin_api::testkit::{self, Report};
use serde_json::{Value, json};

#[test]
fn the_sink_keeps_its_contract() {
    for storage in [
        json!({}),
        json!({ "compression": "gzip", "shuffle": true, "chunk_rows": 16 }),
    ] {
        let options = move |path: Value| {
            let mut options = storage.clone();
            options["path"] = path;
            options
        };
        let to_folder = options.clone();
        testkit::sink(plugin(), move |folder| to_folder(json!(folder.join("out"))))
            .read_back(|folder, target| {
                let partition = target.partition.as_deref().unwrap_or("_default");
                let file = format!("out/{}/{partition}.h5", target.collection);
                (plugin(), json!({ "path": folder.join(file) }))
            })
            .run()
            .assert_passed();
    }
}

#[test]
fn a_sink_of_one_file_keeps_its_contract() {
    let report = testkit::sink(plugin(), |folder| json!({ "path": folder.join("a.h5") }))
        .read_back(|folder, _| (plugin(), json!({ "path": folder.join("a.h5") })))
        .run();
    report.assert_passed();
    goes_on(&report);
}

/// The cases for runs that died are among those that it passed.
fn goes_on(report: &Report) {
    let is_about_runs = |name: &str| name.contains("run that died");
    let skipped = report.skipped().find(|(name, _)| is_about_runs(name));
    assert_eq!(skipped, None, "{report}");
}

#[test]
fn the_source_keeps_its_contract() {
    let folder = tempfile::tempdir().unwrap();
    for path in good_files(folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let damaged = folder.path().join("damaged.h5");
        std::fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
        let text = folder.path().join("text.h5");
        std::fs::write(&text, "no HDF5 file").unwrap();
        testkit::source(plugin(), json!({ "path": path }))
            .rows(40)
            .missing(json!({ "path": folder.path().join("none.h5") }))
            .missing(json!({ "path": path, "vectors": "/none" }))
            .damaged(json!({ "path": damaged }))
            .damaged(json!({ "path": text }))
            .unchanged(&path)
            .run()
            .assert_passed();
    }
}
