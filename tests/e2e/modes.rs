// SPDX-License-Identifier: Apache-2.0
//! What happens where the target exists already.

use serde_json::{Value, json};

use crate::support::{Outcome, Space, data, milvusdm, read_h5, text};

const FLAT_ROWS: u64 = 100;

/// Moves `tests/data/faiss/FROM.index` to `out.h5`.
fn run(space: &Space, from: &str, mode: Option<&str>, to: &str) -> Outcome {
    let mut task = json!({
        "source": {"plugin": "faiss", "path": text(data(&format!("faiss/{from}.index")))},
        "sink": {"plugin": "hdf5", "path": to},
    });
    if let Some(mode) = mode {
        task["mode"] = json!(mode);
    }
    let task = text(space.write("task.yaml", task.to_string()));
    milvusdm(space, &["run", &task, "--json"]).run()
}

fn ids(space: &Space, name: &str) -> Vec<i64> {
    let file = read_h5(&space.path(name));
    let ids = file["datasets"]["ids"]["values"]
        .as_array()
        .expect("ids")
        .clone();
    ids.iter()
        .map(|id| id.as_i64().expect("an integer"))
        .collect()
}

#[test]
fn an_existing_target_is_refused_by_default_before_anything_is_written() {
    let space = Space::new();
    run(&space, "flat_l2", None, "out.h5").exits(0);
    let before = std::fs::read(space.path("out.h5")).expect("the result");
    for mode in [None, Some("fail")] {
        let outcome = run(&space, "flat_ip", mode, "out.h5").exits(2);
        let outcome = outcome.says(&["out.h5", "exist"]);
        assert!(
            outcome.stderr.contains("overwrite"),
            "it says the ways out: {outcome}"
        );
        let after = std::fs::read(space.path("out.h5")).expect("the result");
        assert!(before == after, "the target is as it was");
    }
}

#[test]
fn every_target_is_checked_before_the_first_is_written() {
    let space = Space::new();
    // The second of two targets exists.
    space.copy(&data("hdf5/shop/shoes.h5"), "out/shoes/_default.h5");
    let folder = text(data("hdf5/shop"));
    let outcome = milvusdm(&space, &["copy", &format!("hdf5:{folder}"), "hdf5:out/"]).run();
    outcome.exits(2).says(&["shoes"]);
    assert_eq!(
        space.list("out"),
        ["shoes/", "shoes/_default.h5"],
        "nothing of the first is there"
    );
}

#[test]
fn an_existing_target_is_skipped_and_the_rest_is_moved() {
    let space = Space::new();
    let existing = space.copy(&data("hdf5/shop/shoes.h5"), "out/shoes/_default.h5");
    let before = std::fs::read(&existing).expect("the target");
    let task = json!({
        "source": {"plugin": "hdf5", "path": text(data("hdf5/shop"))},
        "sink": {"plugin": "hdf5", "path": "out/"},
        "mode": "skip",
    });
    let task = text(space.write("task.yaml", task.to_string()));
    let report = milvusdm(&space, &["run", &task, "--json"])
        .run()
        .exits(0)
        .json();
    assert_eq!(
        space.list("out"),
        ["hats/", "hats/_default.h5", "shoes/", "shoes/_default.h5"]
    );
    assert!(
        std::fs::read(&existing).expect("the target") == before,
        "the target is as it was"
    );
    let statuses: Vec<&Value> = report["targets"]
        .as_array()
        .expect("targets")
        .iter()
        .map(|t| &t["status"])
        .collect();
    assert_eq!(statuses, ["done", "skipped"]);
    let shoes = &report["datasets"][1]["ledger"];
    assert_eq!(
        (&shoes["written"], &shoes["skipped"]),
        (&json!(0), &json!(180)),
        "{report:#}"
    );
}

#[test]
fn an_existing_target_is_overwritten() {
    let space = Space::new();
    run(&space, "flat_l2", None, "out.h5").exits(0);
    run(&space, "idmap_flat", Some("overwrite"), "out.h5").exits(0);
    let alone = run(&space, "idmap_flat", None, "alone.h5").exits(0).json();
    assert_eq!(alone["datasets"][0]["collection"], "idmap_flat");
    assert_eq!(ids(&space, "out.h5"), ids(&space, "alone.h5"));
    assert_eq!(
        space.list("."),
        space_of_two(&space),
        "nothing else is left"
    );
}

fn space_of_two(space: &Space) -> Vec<String> {
    let is_temporary =
        |name: &String| name.contains(".h5") && name != "out.h5" && name != "alone.h5";
    space
        .list(".")
        .into_iter()
        .filter(|name| !is_temporary(name))
        .collect()
}

#[test]
fn rows_are_appended_to_an_existing_target_in_order() {
    let space = Space::new();
    run(&space, "flat_l2", Some("append"), "out.h5").exits(0);
    let report = run(&space, "flat_l2", Some("append"), "out.h5")
        .exits(0)
        .json();
    assert_eq!(report["targets"][0]["rows_before"], FLAT_ROWS, "{report:#}");
    assert_eq!(
        report["targets"][0]["rows_total"],
        2 * FLAT_ROWS,
        "{report:#}"
    );
    let once: Vec<i64> = (0..100).collect();
    assert_eq!(ids(&space, "out.h5"), [once.clone(), once].concat());
}

#[test]
fn rows_of_another_shape_are_not_appended_and_the_target_stays_as_it_was() {
    let space = Space::new();
    run(&space, "flat_l2", None, "out.h5").exits(0);
    let before = std::fs::read(space.path("out.h5")).expect("the result");
    // 32 numbers a vector are there; this one has 1, then one has bits.
    for from in ["flat_d1", "bflat"] {
        let outcome = run(&space, from, Some("append"), "out.h5");
        let outcome = outcome.says(&["out.h5"]);
        assert!(matches!(outcome.code, Some(2 | 4)), "{outcome}");
        assert!(std::fs::read(space.path("out.h5")).expect("the result") == before);
    }
}

#[test]
fn two_datasets_for_one_file_are_an_error_in_plan() {
    let space = Space::new();
    let folder = text(data("hdf5/shop"));
    let task = json!({
        "source": {"plugin": "hdf5", "path": folder},
        "sink": {"plugin": "hdf5", "path": "one.h5"},
    });
    let task = text(space.write("task.yaml", task.to_string()));
    for command in ["plan", "run"] {
        let outcome = milvusdm(&space, &[command, &task]).run().exits(2);
        let all = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(all.contains("one.h5"), "it names the target: {outcome}");
        assert!(!space.path("one.h5").exists());
    }
}

#[test]
fn several_datasets_may_be_merged_into_one_target() {
    let space = Space::new();
    let task = json!({
        "source": {"plugin": "hdf5", "path": text(data("hdf5/shop"))},
        "sink": {"plugin": "hdf5", "path": "one.h5"},
        "map": "goods",
    });
    let task = text(space.write("task.yaml", task.to_string()));
    milvusdm(&space, &["run", &task]).run().exits(0);
    let merged = ids(&space, "one.h5");
    let hats = (0..120).map(|n| n * 3 + 10_000);
    let shoes = (0..180).map(|n| n * 3 + 20_000);
    assert_eq!(
        merged,
        hats.chain(shoes).collect::<Vec<i64>>(),
        "in plan order"
    );
}
