// SPDX-License-Identifier: Apache-2.0
//! The project that `plugins new --lang c` writes: it builds, and its own test passes.

use std::path::PathBuf;

use milvusdm_plugin_api::testkit;
use serde_json::json;

use super::build::{compilers, load, make};
use crate::support::{Space, binary_path, milvusdm, text};

/// The project that `plugins new` writes.
fn project(space: &Space, name: &str) -> PathBuf {
    let new = ["plugins", "new", name, "--lang", "c"];
    milvusdm(space, &new).run().exits(0);
    space.path(name)
}

#[test]
fn the_template_builds_and_passes_its_own_test() {
    for compiler in compilers() {
        let space = Space::new();
        let folder = project(&space, "my_vectors2");
        make(&folder, &[&format!("CC={compiler}")]);
        let binary = format!("MILVUSDM={}", text(binary_path()));
        let printed = make(&folder, &["test", &binary]);
        assert!(
            printed.contains("rows add up to what was found"),
            "{printed}"
        );
        assert!(
            !printed.contains("failed") && !printed.contains("skipped"),
            "{printed}"
        );
    }
}

#[test]
fn what_the_template_makes_refuses_damage_and_bad_options() {
    let space = Space::new();
    let folder = project(&space, "acme");
    make(&folder, &["all", "sample.raw"]);
    let plugin = load(&folder.join("libmilvusdm_acme.so"));
    let sample = folder.join("sample.raw");
    let cut = space.write("cut.raw", [0; 47]);
    testkit::source(plugin, json!({"path": sample, "dim": 4}))
        .rows(3)
        .missing(json!({"path": space.path("none.raw"), "dim": 4}))
        .damaged(json!({"path": cut, "dim": 4}))
        .unchanged(&sample)
        .run()
        .assert_passed();
}
