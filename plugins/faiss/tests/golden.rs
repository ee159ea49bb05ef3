// SPDX-License-Identifier: Apache-2.0
//! Files that Faiss 1.5.3 to 1.15.1 wrote, read through the plugin's table: bit by bit, or within
//! the tolerance that their descriptions give.

mod common;

use std::path::PathBuf;

use common::{compare, golden, open, read_all, read_file, read_json, wanted};
use milvusdm_plugin_api::ErrorKind;
use milvusdm_plugin_api::model::VectorType;
use serde_json::{Value, json};

/// The descriptions of the golden files.
fn cases() -> Vec<(String, PathBuf, Value)> {
    let folder = golden();
    let index = read_json(&folder.join("index.json"));
    let names = index
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["name"].as_str().unwrap());
    names
        .map(|name| {
            let case = read_json(&folder.join(format!("{name}.json")));
            let file = folder.join(case["file"].as_str().unwrap());
            (name.to_owned(), file, case)
        })
        .collect()
}

#[test]
fn every_file_with_rows_gives_them() {
    let mut count = 0;
    for (name, file, case) in cases() {
        if case["expect"] != "rows" {
            continue;
        }
        count += 1;
        let options = match case["class"].as_str().unwrap() {
            "lossy" => json!({ "lossy": "allow" }),
            _ => json!({}),
        };
        let (dataset, rows) = read_file(&file, &options).unwrap_or_else(|e| panic!("{name}: {e}"));
        compare(&name, &rows, &wanted(&case["ids"], &case["vectors"]), &case);

        assert_eq!(dataset.descriptor.collection, name);
        let field = dataset.schema.field(1);
        let vector = VectorType::of(field).unwrap().unwrap();
        assert_eq!(u64::from(vector.dim), case["d"].as_u64().unwrap(), "{name}");
        let metric = match (
            case["kind"].as_str().unwrap(),
            case["metric"].as_str().unwrap(),
        ) {
            ("binary", _) => "hamming",
            (_, "INNER_PRODUCT") => "ip",
            (_, other) => &other.to_lowercase(),
        };
        assert_eq!(vector.metric.as_deref(), Some(metric), "{name}");
        if metric == "lp" {
            assert_eq!(vector.metric_arg, case["metric_arg"].as_f64(), "{name}");
        }
    }
    assert_eq!(count, 99);
}

#[test]
fn every_file_without_rows_is_refused_by_name() {
    let mut count = 0;
    for (name, file, case) in cases() {
        if case["expect"] != "refuse" {
            continue;
        }
        count += 1;
        let error = read_file(&file, &json!({ "lossy": "allow" })).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
        let text = error.to_string();
        let words: &[&str] = match name.as_str() {
            "eden4" => &["IndexEDEN", "`IxEe`", "EDEN"],
            "hnsw8_null_storage" => &["not in the file", "`null`", "IO_FLAG_SKIP_STORAGE"],
            "idmap_ivf_removed_corrupt" => &["no longer says which id", "remove_ids"],
            "itq16_flat" => &["ITQTransform", "Viqt", "space: stored"],
            "ivf4_flat_il00" => &["inverted lists", "il00", "not in the file"],
            "lsh" => &["IndexLSH", "`IxHe`", "signs"],
            "rabitq" => &["IndexRaBitQ", "`Ixrq`", "RaBitQ"],
            "rabitqfs" => &["IndexRaBitQFastScan", "`Irfn`", "RaBitQ"],
            "zn_lattice" => &["IndexLattice", "`IxLa`", "codec"],
            other => panic!("no words for {other}"),
        };
        for word in words.iter().chain(&["offset", "file"]) {
            assert!(text.contains(word), "{name}: `{word}` is not in: {text}");
        }
        // It can be looked at all the same.
        let source = open(&file, &json!({})).unwrap();
        assert!(!source.inspect().unwrap().trees.is_empty(), "{name}");
    }
    assert_eq!(count, 9);
}

#[test]
fn lossy_files_are_refused_unless_allowed_saying_what_would_be_lost() {
    let mut count = 0;
    for (name, file, case) in cases() {
        if case["class"] != "lossy" {
            continue;
        }
        count += 1;
        let error = read_file(&file, &json!({})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
        let text = error.to_string();
        assert!(text.contains("lossy: allow"), "{name}: {text}");
        let lost = [
            "rounded to",
            "replaced by",
            "projected",
            "scaled",
            "differences",
        ];
        assert!(
            lost.iter().any(|word| text.contains(word)),
            "{name}: {text}"
        );
    }
    assert!(count > 20, "{count}");
}

#[test]
fn the_stored_space_is_bit_exact() {
    let mut count = 0;
    for (name, file, case) in cases() {
        let Some(inner) = case.get("inner").filter(|inner| inner.is_object()) else {
            continue;
        };
        count += 1;
        let (dataset, rows) = read_file(&file, &json!({ "space": "stored" }))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(rows, wanted(&case["ids"], &inner["vectors"]), "{name}");
        let vector = VectorType::of(dataset.schema.field(1)).unwrap().unwrap();
        assert_eq!(
            u64::from(vector.dim),
            inner["d"].as_u64().unwrap(),
            "{name}"
        );
    }
    assert!(count >= 10, "{count}");
    let itq = golden().join("itq16_flat.index");
    assert_eq!(
        read_file(&itq, &json!({ "space": "stored" }))
            .unwrap()
            .1
            .ids
            .len(),
        200
    );
}

#[test]
fn small_batches_and_resumed_splits_give_the_same_rows() {
    for (name, file, case) in cases() {
        if case["expect"] != "rows" {
            continue;
        }
        let source = open(&file, &json!({ "lossy": "allow" })).unwrap();
        let (dataset, whole) = read_all(&source, 1 << 30).unwrap();
        for max_batch_bytes in [1, 700, 5000] {
            let (_, rows) = read_all(&source, max_batch_bytes).unwrap();
            assert_eq!(rows, whole, "{name}: batches of {max_batch_bytes} bytes");
        }
        for split in source.splits(&dataset.key).unwrap() {
            let request = |first| common::request(900, first);
            let all = common::read_split(&source, &dataset, &split, &request(0)).unwrap();
            let count = all.ids.len() as u64;
            for first in [1, count / 3, count - 1, count] {
                let rest = common::read_split(&source, &dataset, &split, &request(first)).unwrap();
                assert_eq!(
                    rest.ids,
                    all.ids[first as usize..],
                    "{name}: from row {first}"
                );
                assert_eq!(
                    rest.vectors,
                    all.vectors[first as usize..],
                    "{name}: from row {first}"
                );
            }
            let error = source
                .read(&dataset, &split, &request(count + 1))
                .unwrap_err();
            assert!(
                error.to_string().contains("can't pass over"),
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn the_worked_example_of_the_data_model_is_described_so() {
    let file = golden().join("idmap_ivf.index");
    let source = open(&file, &json!({})).unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let descriptor = serde_json::to_value(&dataset.descriptor).unwrap();
    assert_eq!(descriptor["system"], "faiss");
    assert_eq!(
        descriptor["id"],
        json!({ "policy": "given", "unique": "unknown" })
    );
    assert_eq!(descriptor["properties"]["faiss"]["fourcc"], "IxMp");
    let definition = &descriptor["indexes"][0];
    assert_eq!(definition["family"], "ivf");
    assert_eq!(definition["quantizer"], "none");
    assert_eq!(definition["params"], json!({ "nlist": 8 }));
    assert_eq!(definition["native"]["type"], "IxMp(IwFl(IxF2))");
    assert_eq!(definition["native"]["metric"], "METRIC_L2");
    assert_eq!(definition["native"]["params"]["nprobe"], 1);

    let flat = open(&golden().join("flat_l2.index"), &json!({})).unwrap();
    let descriptor = flat.datasets().unwrap().remove(0).descriptor;
    let id = serde_json::to_value(descriptor.id).unwrap();
    assert_eq!(id, json!({ "policy": "auto", "unique": true }));
}

#[test]
fn inspect_shows_the_tree() {
    let source = open(&golden().join("pca8_pq4x4_rflat.index"), &json!({})).unwrap();
    let tree = source.inspect().unwrap().trees.remove(0);
    let refine = &tree.children[0];
    assert_eq!(refine.label, "IndexRefine (IxRF)");
    let labels: Vec<&str> = refine.children.iter().map(|c| c.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "base: IndexPreTransform (IxPT)",
            "refine: IndexFlatL2 (IxF2)"
        ]
    );
    let transform = &refine.children[0].children[0];
    assert_eq!(transform.label, "transform: PCAMatrix (Pcam)");
    assert_eq!(transform.facts["dim_out"], 8);

    let source = open(&golden().join("ivf4_flat_nan_dropped.index"), &json!({})).unwrap();
    let notices = source.inspect().unwrap().notices;
    assert!(
        notices[0].contains("counts 100 vectors, but 98"),
        "{notices:?}"
    );
}

#[test]
fn binary_id_maps_of_old_versions_have_no_code_size() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["bidmap_flat", "bidmap2_flat"] {
        let file = golden().join(format!("{name}.index"));
        let (_, wanted) = read_file(&file, &json!({})).unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[8..12].fill(0);
        let old = folder.path().join(format!("{name}.index"));
        std::fs::write(&old, &bytes).unwrap();
        assert_eq!(read_file(&old, &json!({})).unwrap().1, wanted, "{name}");
        // The index inside has one all the same.
        bytes[4 + 21 + 8..4 + 21 + 12].fill(0);
        std::fs::write(&old, &bytes).unwrap();
        assert!(read_file(&old, &json!({})).is_err(), "{name}");
    }
}
