// SPDX-License-Identifier: Apache-2.0
//! Files that real h5py wrote, in the layouts that people have; and what h5py reads of ours.

use serde_json::{Value, json};

use crate::support::{Outcome, Space, data, milvusdm, read_h5, run_python, text};

/// Reads one file into `out/NAME.h5`.
fn export(space: &Space, case: &Value) -> Outcome {
    let name = case["name"].as_str().expect("a name");
    let mut source = json!({"plugin": "hdf5", "path": text(space.path(&format!("in/{name}.h5")))});
    let options = case["options"].as_object().expect("options").clone();
    source.as_object_mut().expect("an object").extend(options);
    // JSON is YAML.
    let task =
        json!({"source": source, "sink": {"plugin": "hdf5", "path": format!("out/{name}.h5")}});
    let task = text(space.write(&format!("{name}.yaml"), task.to_string()));
    milvusdm(space, &["run", &task, "--json"]).run()
}

#[test]
fn files_of_real_h5py_arrive_bit_by_bit_or_are_refused_with_the_reason() {
    let space = Space::new();
    space.folder("in");
    space.folder("out");
    run_python("write_layouts.py", &[&text(space.path("in"))]);
    let cases = std::fs::read(space.path("in/cases.json")).expect("the list of cases");
    let cases: Vec<Value> = serde_json::from_slice(&cases).expect("cases in JSON");
    assert!(cases.len() >= 95, "all cases are there");
    for case in &cases {
        let name = case["name"].as_str().expect("a name");
        let outcome = export(&space, case);
        if let Some(rows) = case["rows"].as_u64() {
            let report = outcome.exits(0).json();
            let ledger = &report["datasets"][0]["ledger"];
            assert_eq!(
                (&ledger["found"], &ledger["written"]),
                (&json!(rows), &json!(rows)),
                "{name}"
            );
            continue;
        }
        let words: Vec<&str> = case["refused"]
            .as_array()
            .expect("words")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let outcome = outcome.exits(4).says(&words).says(&[&format!("{name}.h5")]);
        assert!(
            !space.path(&format!("out/{name}.h5")).exists(),
            "nothing is left: {outcome}"
        );
    }
    run_python(
        "compare_layouts.py",
        &[&text(space.path("in")), &text(space.path("out"))],
    );
}

#[test]
fn a_file_of_ours_has_the_promised_names_types_and_attributes() {
    let space = Space::new();
    let source = format!("faiss:{}", text(data("faiss/ivf8_flat_ids.index")));
    let task = format!(
        "source: {{plugin: faiss, path: {:?}}}\nsink: {{plugin: hdf5, path: out/}}\nmap: shop/2021\n",
        source.trim_start_matches("faiss:")
    );
    let task = text(space.write("task.yaml", task));
    milvusdm(&space, &["run", &task]).run().exits(0);
    assert_eq!(space.list("out"), ["shop/", "shop/2021.h5"]);
    let file = read_h5(&space.path("out/shop/2021.h5"));
    let attributes = &file["attributes"];
    assert_eq!(attributes["milvusdm_format"], 1);
    assert_eq!(
        (&attributes["collection"], &attributes["partition"]),
        (&json!("shop"), &json!("2021"))
    );
    assert_eq!(attributes["metric"], "ip");
    for (name, kind) in [
        ("milvusdm_format", "int64"),
        ("dim", "int64"),
        ("collection", "str"),
        ("metric", "str"),
    ] {
        assert_eq!(file["attribute_types"][name], kind, "{name}");
    }
    assert_eq!(file["datasets"]["ids"]["dtype"], "<i8");
    let vectors = &file["datasets"]["embeddings"];
    assert_eq!(vectors["dtype"], "<f4");
    assert_eq!(vectors["shape"][1], attributes["dim"]);
    assert_eq!(
        vectors["chunks"],
        Value::Null,
        "contiguous, since the number of rows is known"
    );
}

#[test]
fn equal_data_give_equal_bytes() {
    let space = Space::new();
    let source = format!("faiss:{}", text(data("faiss/idmap_flat.index")));
    for out in ["hdf5:a.h5", "hdf5:b.h5"] {
        milvusdm(&space, &["copy", &source, out]).run().exits(0);
        // HDF5 writes whole seconds, if it writes times.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    let read = |name| std::fs::read(space.path(name)).expect("a result");
    assert!(read("a.h5") == read("b.h5"), "the files differ");
}

#[test]
fn compressed_and_chunked_files_of_ours_are_opened_by_h5py() {
    let space = Space::new();
    let source = format!("hdf5:{}", text(data("hdf5/glove-24-angular.hdf5")));
    milvusdm(&space, &["copy", &source, "hdf5:plain.h5"])
        .run()
        .exits(0);
    let plain = read_h5(&space.path("plain.h5"));
    let wanted = &plain["datasets"]["embeddings"];
    for (options, compression, shuffle) in [
        ("compression=gzip", Some("gzip"), false),
        ("compression=gzip:9&shuffle=true", Some("gzip"), true),
        (
            "compression=lzf&shuffle=true&chunk_rows=7",
            Some("lzf"),
            true,
        ),
        ("chunk_rows=64", None, false),
    ] {
        let out = space.fresh("out.h5");
        let sink = format!("hdf5:{}?{options}", text(&out));
        milvusdm(&space, &["copy", &source, &sink]).run().exits(0);
        let file = read_h5(&out);
        let vectors = &file["datasets"]["embeddings"];
        assert_eq!(vectors["values"], wanted["values"], "{options}");
        assert_eq!(vectors["compression"], json!(compression), "{options}");
        assert_eq!(vectors["shuffle"], shuffle, "{options}");
        assert!(vectors["chunks"].is_array(), "{options}");
        // And back again through our own source.
        let again = format!("hdf5:{}", text(space.fresh("again.h5")));
        milvusdm(&space, &["copy", &format!("hdf5:{}", text(&out)), &again])
            .run()
            .exits(0);
        let again = read_h5(again.trim_start_matches("hdf5:").as_ref());
        assert_eq!(
            again["datasets"]["embeddings"]["values"], wanted["values"],
            "{options}"
        );
    }
}

#[test]
fn a_file_a_list_a_folder_and_a_glob_are_taken_as_sources() {
    let space = Space::new();
    let shop = data("hdf5/shop");
    let (folder, hats, shoes) = (
        text(&shop),
        text(shop.join("hats.h5")),
        text(shop.join("shoes.h5")),
    );
    for (path, wanted) in [
        (json!(hats), vec!["hats"]),
        (json!([shoes, hats]), vec!["shoes", "hats"]),
        (json!(folder), vec!["hats", "shoes"]),
        (json!(format!("{folder}/*.h5")), vec!["hats", "shoes"]),
        (json!(format!("{folder}/s*.h5")), vec!["shoes"]),
    ] {
        let task = json!({"source": {"plugin": "hdf5", "path": path}, "sink": {"plugin": "null"}});
        let task = text(space.write("task.yaml", task.to_string()));
        let report = milvusdm(&space, &["run", &task, "--json"])
            .run()
            .exits(0)
            .json();
        let datasets = report["datasets"].as_array().expect("datasets");
        let names: Vec<&str> = datasets
            .iter()
            .filter_map(|d| d["collection"].as_str())
            .collect();
        assert_eq!(names, wanted, "{path}");
    }
}

#[test]
fn damaged_hdf5_files_are_refused_with_their_name_and_leave_nothing() {
    let space = Space::new();
    let whole = std::fs::read(data("hdf5/shop/hats.h5")).expect("a file");
    let mut cases: Vec<(String, Vec<u8>)> = (0..whole.len())
        .step_by(whole.len() / 23)
        .map(|length| (format!("cut_{length}"), whole[..length].to_vec()))
        .collect();
    cases.push(("text".to_owned(), b"no HDF5 file at all\n".repeat(100)));
    cases.push(("empty".to_owned(), Vec::new()));
    for (name, bytes) in cases {
        let path = text(space.write(&format!("{name}.h5"), bytes));
        let outcome = milvusdm(&space, &["copy", &format!("hdf5:{path}"), "hdf5:out.h5"]).run();
        let outcome = outcome
            .exits(4)
            .says(&[&format!("{name}.h5")])
            .within_mib(96);
        assert!(!space.path("out.h5").exists(), "nothing is left: {outcome}");
    }
}
