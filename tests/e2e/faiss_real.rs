// SPDX-License-Identifier: Apache-2.0
//! Indexes that real Faiss builds here and now, in dimensions, sizes and nestings that nobody
//! picked by hand. `MILVUSDM_TEST_SEED` tries others.

use serde_json::{Value, json};

use crate::support::{Space, milvusdm, run_python, text};

const SEEDS: [u64; 1] = [1];

fn seeds() -> Vec<u64> {
    match std::env::var("MILVUSDM_TEST_SEED") {
        Ok(seed) => vec![seed.parse().expect("MILVUSDM_TEST_SEED is a number")],
        Err(_) => SEEDS.to_vec(),
    }
}

#[test]
fn indexes_of_real_faiss_arrive_whatever_their_shape_and_nesting() {
    for seed in seeds() {
        let space = Space::new();
        space.folder("in");
        space.folder("out");
        run_python(
            "write_faiss.py",
            &[&text(space.path("in")), &seed.to_string()],
        );
        let cases = std::fs::read(space.path("in/cases.json")).expect("the list of cases");
        let cases: Vec<Value> = serde_json::from_slice(&cases).expect("cases in JSON");
        assert!(cases.len() >= 50);
        for case in &cases {
            let name = case["name"].as_str().expect("a name");
            let mut source = json!({"plugin": "faiss", "path": format!("in/{name}.index")});
            let options = case["options"].as_object().expect("options").clone();
            source.as_object_mut().expect("an object").extend(options);
            let sink = json!({"plugin": "hdf5", "path": format!("out/{name}.h5")});
            let task = json!({"source": source, "sink": sink});
            let task = text(space.write("task.yaml", task.to_string()));
            let report = milvusdm(&space, &["run", &task, "--json"])
                .run()
                .exits(0)
                .json();
            assert_eq!(
                report["ledger"]["found"], case["rows"],
                "seed {seed}: {case:#}"
            );
            assert_eq!(
                report["ledger"]["written"], case["rows"],
                "seed {seed}: {case:#}"
            );
        }
        run_python(
            "compare_faiss.py",
            &[&text(space.path("in")), &text(space.path("out"))],
        );
    }
}
