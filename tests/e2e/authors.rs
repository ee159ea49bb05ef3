// SPDX-License-Identifier: Apache-2.0
//! What `plugins new` writes, and the example that stands outside the workspace: built as their
//! authors would, tested by their own tests, loaded by the binary.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Outside, Space, milvusdm, read_h5, repository, text};

/// Copies a source through the plugin's file into an HDF5 file and gives what h5py finds in it.
#[track_caller]
fn carried(space: &Space, file: &Path, source: &str) -> Value {
    let target = space.fresh("out.h5");
    let sink = format!("hdf5:{}", text(&target));
    milvusdm(
        space,
        &["--allow-plugin", &text(file), "copy", source, &sink],
    )
    .run()
    .exits(0);
    read_h5(&target)
}

/// Runs the behaviour suite through the plugin's file, on a sample, something missing and
/// something damaged.
#[track_caller]
fn checked(space: &Space, file: &Path, rows: u64, sources: [&str; 3]) {
    let [sample, missing, damaged] = sources;
    let rows = rows.to_string();
    let file = text(file);
    let check = [
        "plugins", "check", &file, "--source", sample, "--rows", &rows,
    ];
    let trouble = ["--missing", missing, "--damaged", damaged];
    let outcome = milvusdm(space, &[&check[..], &trouble].concat()).run();
    let outcome = outcome
        .exits(0)
        .prints(&["passed   damaged input is an error"]);
    assert!(!outcome.stdout.contains("FAILED"), "{outcome}");
}

/// A copy of a file without its last byte.
fn cut(space: &Space, file: &Path) -> String {
    let bytes = fs::read(file).expect("a sample");
    let name = file.file_name().expect("a name").to_string_lossy();
    text(space.write(&format!("cut/{name}"), &bytes[..bytes.len() - 1]))
}

fn points() -> Vec<Vec<f64>> {
    let row = |i: i32| (0..4).map(|j| f64::from(i) + f64::from(j) / 4.0).collect();
    (0..10).map(row).collect()
}

#[test]
fn a_new_plugin_in_rust_builds_passes_its_tests_and_runs() {
    let plugin = Outside::new_plugin("outside_rust", &[]);
    plugin.cargo(&["fmt", "--check"]);
    let file = plugin.build("outside_rust");
    let tests = plugin.cargo(&["test", "--release", "--offline"]);
    assert!(
        tests.contains("it_keeps_the_contract_of_a_source ... ok"),
        "{tests}"
    );

    let space = Space::new();
    let sample = plugin.path("sample/points.f32");
    let source = |path: &str| format!("outside_rust:{path}?dim=4");
    let inspected = milvusdm(
        &space,
        &[
            "inspect",
            "--allow-plugin",
            &text(&file),
            &source(&text(&sample)),
        ],
    )
    .run()
    .exits(0);
    inspected.prints(&["points", "4 x f32", "auto Int64"]);
    let sources = [&text(&sample), "nowhere", &cut(&space, &sample)].map(source);
    checked(&space, &file, 10, sources.each_ref().map(String::as_str));
    let found = carried(&space, &file, &sources[0]);
    assert_eq!(found["datasets"]["embeddings"]["values"], json!(points()));
    assert_eq!(
        found["datasets"]["ids"]["values"],
        json!((0..10).collect::<Vec<_>>())
    );
}

#[test]
fn a_new_plugin_is_built_with_another_crate_for_plugins_where_that_is_said() {
    let api = text(repository().join("plugin-api"));
    let plugin = Outside::new_plugin("outside_api", &["--api", &api]);
    assert!(!plugin.path("plugin-api").exists());
    let file = plugin.build("outside_api");
    let tests = plugin.cargo(&["test", "--release", "--offline"]);
    assert!(
        tests.contains("the_sample_arrives_as_it_is ... ok"),
        "{tests}"
    );
    let space = Space::new();
    milvusdm(&space, &["plugins", "check", &text(&file)])
        .run()
        .exits(0);
}

#[test]
fn a_new_plugin_in_c_builds_passes_its_tests_and_runs() {
    let plugin = Outside::new_plugin("outside_c", &["--lang", "c"]);
    plugin.run("make", &[]);
    let binary = format!("MILVUSDM={}", text(crate::support::binary_path()));
    plugin.run("make", &["test", &binary]);
    let space = Space::new();
    let file = plugin.path("libmilvusdm_outside_c.so");
    let sample = plugin.path("sample.raw");
    let source = |path: &str| format!("outside_c:{path}?dim=4");
    let sources = [&text(&sample), "nowhere", &cut(&space, &sample)].map(source);
    checked(&space, &file, 3, sources.each_ref().map(String::as_str));
    let found = carried(&space, &file, &sources[0]);
    let wanted = json!([
        [1.0, 2.0, 3.0, 4.0],
        [5.0, 6.0, 7.0, 8.0],
        [-1.0, 0.5, 0.0, 0.0]
    ]);
    assert_eq!(found["datasets"]["embeddings"]["values"], wanted);
}

#[test]
fn the_example_in_rust_passes_its_tests_and_carries_each_format_when_it_is_loaded() {
    let folder = repository().join("examples/plugins/vecs");
    let vecs = Outside::at(folder.clone());
    let file = vecs.build("vecs");
    vecs.cargo(&["test", "--release", "--offline", "--locked"]);

    let space = Space::new();
    let data = |name: &str| folder.join("data").join(name);
    for (name, rows) in [
        ("points.fvecs", 10),
        ("bytes.bvecs", 12),
        ("nearest.ivecs", 5),
    ] {
        let sample = data(name);
        let ending = Path::new(name)
            .extension()
            .expect("an ending")
            .to_string_lossy();
        let missing = format!("nowhere.{ending}");
        let sources = [&text(&sample), &missing, &cut(&space, &sample)];
        let sources = sources.map(|path| format!("vecs:{path}"));
        checked(&space, &file, rows, sources.each_ref().map(String::as_str));
    }
    let at = |name: &str, more: &str| {
        let found = carried(&space, &file, &format!("vecs:{}{more}", text(data(name))));
        found["datasets"]["embeddings"].clone()
    };
    let floats = at("points.fvecs", "");
    assert_eq!(floats["dtype"], "<f4");
    assert_eq!(floats["values"], json!(points()));
    let bytes = at("bytes.bvecs", "?first_id=7");
    assert_eq!(bytes["dtype"], "|u1");
    assert_eq!(bytes["values"][11][15], json!(191));
    let doubles = at("nearest.ivecs", "?integers=f64");
    assert_eq!(doubles["dtype"], "<f8");
    assert_eq!(doubles["values"][4], json!([4.0, 5.0, 6.0]));
}

/// Name and version of each crate of a lock file that comes from a registry.
fn locked(file: &str) -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(repository().join(file)).expect("a lock file");
    let packages = text.split("[[package]]").skip(1);
    let packages = packages.filter(|package| package.contains("\nsource = "));
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key));
        line.expect("a line of each package")
            .trim_matches('"')
            .to_owned()
    };
    packages
        .map(|package| (value(package, "name = "), value(package, "version = ")))
        .collect()
}

/// So that nothing is fetched for them, and what is tested is what the workspace is tested with.
#[test]
fn the_examples_are_locked_to_the_versions_of_the_workspace() {
    let ours = locked("Cargo.lock");
    for example in ["plugins/vecs", "vendor-build"] {
        let its = locked(&format!("examples/{example}/Cargo.lock"));
        assert!(its.len() > 50, "{example}: {its:?}");
        let others: Vec<_> = its.difference(&ours).collect();
        assert!(
            others.is_empty(),
            "{example}: not in the workspace's Cargo.lock: {others:?}; copy that file over the example's and run `cargo build --offline` there"
        );
    }
}

#[test]
fn a_project_is_never_written_over_anything_and_leaves_nothing_behind() {
    let space = Space::new();
    space.write("taken/mine", "mine");
    let names = || {
        space
            .list("")
            .into_iter()
            .filter(|n| !n.starts_with("hidden"))
    };
    let before: Vec<String> = names().collect();
    milvusdm(&space, &["plugins", "new", "taken"])
        .run()
        .exits(2)
        .says(&["exists already", "taken"]);
    for (name, why) in [
        ("Acme", "`A`"),
        ("../acme", "`.`"),
        ("hdf5", "built-in"),
        ("", "empty"),
    ] {
        milvusdm(&space, &["plugins", "new", name])
            .run()
            .exits(2)
            .says(&[why]);
    }
    milvusdm(&space, &["plugins", "new", "acme", "--dir", "nowhere"])
        .run()
        .exits(2)
        .says(&["nowhere"]);
    milvusdm(&space, &["plugins", "new", "acme", "--api", "taken"])
        .run()
        .exits(2)
        .says(&["--api", "milvusdm-plugin-api"]);
    assert_eq!(names().collect::<Vec<_>>(), before);

    let document = milvusdm(&space, &["plugins", "new", "acme", "--json"])
        .run()
        .exits(0)
        .json();
    let project = &document["project"];
    assert_eq!(project["lang"], "rust");
    assert_eq!(project["next"].as_array().map(Vec::len), Some(3));
    let files = project["files"].as_array().expect("files");
    assert!(files.iter().all(|file| {
        let file = file.as_str().expect("a name");
        space.path("acme").join(file).is_file()
    }));
}
