// SPDX-License-Identifier: Apache-2.0
//! The documents of `--json`: what programs may rely on.

use serde_json::{Value, json};

use crate::support::{Outcome, Space, data, milvusdm, text};

/// milvusdm with a sink that holds little.
const FAULTY: &str = env!("CARGO_BIN_EXE_milvusdm-faulty");

fn task(space: &Space, extra: &str) -> String {
    let source = text(data("hdf5/shop"));
    let task = format!(
        "source: {{plugin: hdf5, path: {source:?}}}\nsink: {{plugin: hdf5, path: out/}}\n{extra}"
    );
    text(space.write("task.yaml", task))
}

/// What every document of datasets has.
#[track_caller]
fn has_the_promised_fields(document: &Value, datasets: usize, exit: i64) {
    assert_eq!(document["version"], 1, "{document:#}");
    assert_eq!(document["exit"], exit, "{document:#}");
    let list = document["datasets"].as_array().expect("datasets");
    assert_eq!(list.len(), datasets, "{document:#}");
    for dataset in list {
        assert!(dataset["collection"].is_string(), "{dataset:#}");
        let partition = dataset.as_object().expect("an object").get("partition");
        assert!(
            partition.is_some_and(|p| p.is_null() || p.is_string()),
            "{dataset:#}"
        );
        assert!(dataset["rows"].is_u64(), "{dataset:#}");
        assert_eq!(dataset["dim"], 16, "{dataset:#}");
        assert!(
            dataset
                .as_object()
                .expect("an object")
                .contains_key("metric"),
            "{dataset:#}"
        );
        assert_eq!(dataset["ids"], "given", "{dataset:#}");
    }
}

#[test]
fn inspect_plan_and_run_print_documents_with_the_promised_fields() {
    let space = Space::new();
    let source = format!("hdf5:{}", text(data("hdf5/shop")));
    let outcome = milvusdm(&space, &["inspect", &source, "--json"])
        .run()
        .exits(0);
    has_the_promised_fields(&outcome.json(), 2, 0);

    let task = task(&space, "");
    let plan = milvusdm(&space, &["plan", &task, "--json"])
        .run()
        .exits(0)
        .json();
    has_the_promised_fields(&plan, 2, 0);
    assert!(!space.path("out").exists(), "a plan writes nothing");

    let receipt = milvusdm(&space, &["run", &task, "--json"])
        .run()
        .exits(0)
        .json();
    has_the_promised_fields(&receipt, 2, 0);
    for (dataset, rows) in receipt["datasets"]
        .as_array()
        .expect("datasets")
        .iter()
        .zip([120, 180])
    {
        let ledger = &dataset["ledger"];
        for (key, wanted) in [
            ("found", rows),
            ("written", rows),
            ("deleted", 0),
            ("skipped", 0),
        ] {
            assert_eq!(ledger[key], wanted, "{key}: {receipt:#}");
        }
        for key in ["collapsed", "rejected", "lost"] {
            assert_eq!(ledger[key], 0, "{key}: {receipt:#}");
        }
    }
    assert_eq!(receipt["ledger"]["found"], 300);

    // Now the target exists.
    let plan = milvusdm(&space, &["plan", &task, "--json"])
        .run()
        .exits(2)
        .json();
    assert_eq!(plan["exit"], 2);
    assert!(
        !plan["refusals"].as_array().expect("refusals").is_empty(),
        "{plan:#}"
    );
    milvusdm(&space, &["run", &task, "--json"])
        .run()
        .exits(2)
        .json();
}

#[test]
fn a_receipt_is_kept_in_a_file_and_equals_what_is_printed() {
    let space = Space::new();
    let task = task(&space, "");
    let args = ["run", task.as_str(), "--json", "--receipt", "receipt.json"];
    let printed = milvusdm(&space, &args).run().exits(0).json();
    let kept = std::fs::read(space.path("receipt.json")).expect("a receipt");
    let mut kept: Value = serde_json::from_slice(&kept).expect("a receipt in JSON");
    // Its seal.
    let seal = kept.as_object_mut().expect("an object").remove("sha256");
    assert_eq!(seal.and_then(|seal| Some(seal.as_str()?.len())), Some(64));
    assert_eq!(kept, printed);
}

#[test]
fn conversions_are_listed_in_the_receipt() {
    let space = Space::new();
    // The sink of `milvusdm-faulty` takes signed ids only.
    let args = ["copy", "faulty:?fault=large_ids", "faulty:", "--json"];
    let report = milvusdm(&space, &args)
        .program(FAULTY)
        .run()
        .exits(1)
        .json();
    let conversions = report["targets"][0]["conversions"]
        .as_array()
        .expect("conversions");
    assert_eq!(conversions.len(), 1, "{report:#}");
    for (key, wanted) in [("column", "id"), ("from", "UInt64"), ("to", "Int64")] {
        assert_eq!(conversions[0][key], wanted, "{key}: {report:#}");
    }
    assert!(conversions[0]["class"].is_string(), "{report:#}");
}

#[test]
fn ids_that_the_target_can_not_hold_are_refused_with_type_limit_and_options() {
    let space = Space::new();
    let code = "import h5py, numpy as np, sys\n\
        f = h5py.File(sys.argv[1], 'w')\n\
        f['embeddings'] = np.ones((4, 2), 'f4')\n\
        f.create_dataset('ids', data=['a', 'b', 'c', 'd'], dtype=h5py.string_dtype())\n";
    space.write("write.py", code);
    crate::support::run_python(&text(space.path("write.py")), &[&text(space.path("in.h5"))]);
    let run = milvusdm(&space, &["copy", "hdf5:in.h5", "faulty:"]).program(FAULTY);
    run.run().exits(2).says(&["id", "Utf8", "Int64"]);
    milvusdm(&space, &["inspect", "hdf5:in.h5"])
        .run()
        .exits(0)
        .prints(&["given"]);
    // HDF5 holds them.
    milvusdm(&space, &["copy", "hdf5:in.h5", "hdf5:out.h5"])
        .run()
        .exits(0);
    let file = crate::support::read_h5(&space.path("out.h5"));
    assert_eq!(
        file["datasets"]["ids"]["values"],
        json!(["a", "b", "c", "d"])
    );
}

#[test]
fn selection_and_mapping_decide_what_arrives_where() {
    let space = Space::new();
    let run = |extra: &str| -> Outcome {
        let task = task(&space, extra);
        milvusdm(&space, &["run", &task]).run().exits(0)
    };
    run("select: {include: [hats]}\n");
    assert_eq!(space.list("out"), ["hats/", "hats/_default.h5"]);
    std::fs::remove_dir_all(space.path("out")).expect("the results");
    run("select: {exclude: [\"h*\"]}\n");
    assert_eq!(space.list("out"), ["shoes/", "shoes/_default.h5"]);
    std::fs::remove_dir_all(space.path("out")).expect("the results");
    run("map: [{from: hats, to: \"goods/{collection}\"}, {from: \"*\", to: \"rest\"}]\n");
    assert_eq!(
        space.list("out"),
        ["goods/", "goods/hats.h5", "rest/", "rest/_default.h5"]
    );
}

#[test]
fn names_that_are_no_file_names_are_escaped() {
    let space = Space::new();
    let long = "x".repeat(300);
    for (map, wanted) in [
        (
            "map: \"ü b/..\"\n".to_owned(),
            "%C3%BC%20b/%2E..h5".to_owned(),
        ),
        (
            "map: \".hidden/a%\"\n".to_owned(),
            "%2Ehidden/a%25.h5".to_owned(),
        ),
    ] {
        let task = task(&space, &format!("select: {{include: [hats]}}\n{map}"));
        milvusdm(&space, &["run", &task]).run().exits(0);
        assert!(
            space.list("out").contains(&wanted),
            "{map}: {:?}",
            space.list("out")
        );
    }
    let task = task(
        &space,
        &format!("select: {{include: [hats]}}\nmap: {long}\n"),
    );
    milvusdm(&space, &["run", &task]).run().exits(0);
    let longest = space
        .list("out")
        .iter()
        .flat_map(|n| n.split('/').map(str::len).collect::<Vec<_>>())
        .max();
    assert!(
        longest.is_some_and(|length| length <= 255),
        "{:?}",
        space.list("out")
    );
}
