// SPDX-License-Identifier: Apache-2.0
//! The template for plugins in C, filled in: it builds, and its own test passes.

use std::path::PathBuf;

use milvusdm_plugin_api::testkit;
use serde_json::json;

use super::build::{compilers, load, make};
use crate::support::{Space, binary_path, repository, text};

/// Fills the template in, as `plugins new` does.
fn project(space: &Space, name: &str) -> PathBuf {
    let template = repository().join("host/template/c");
    for entry in std::fs::read_dir(template).expect("the template") {
        let path = entry.expect("an entry").path();
        let content = std::fs::read_to_string(&path).expect("a text");
        let file = path.file_name().expect("a name");
        space.write(
            &format!("{name}/{}", text(file)),
            content.replace("{{name}}", name),
        );
    }
    let headers = repository().join("plugin-api/include");
    for entry in std::fs::read_dir(headers).expect("the headers") {
        let path = entry.expect("an entry").path();
        let file = text(path.file_name().expect("a name"));
        space.copy(&path, &format!("{name}/include/{file}"));
    }
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
