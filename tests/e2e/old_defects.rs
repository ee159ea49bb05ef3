// SPDX-License-Identifier: Apache-2.0
//! The fourteen defects of MilvusDM 1.0, each with the task that showed it.
//!
//! The numbers are those of the list of its known defects, in the guide.

use milvusdm_standin::{IdMode, Metric, StandinOptions};

use crate::support::{OldWorld, data, golden_rows, milvusdm, set_mode, text};

fn faiss(name: &str) -> String {
    format!(
        "  data_path: '{}'",
        text(data(&format!("faiss/{name}.index")))
    )
}

fn hdf5(paths: &[&str]) -> String {
    format!("  data_path: [{}]\n  data_dir:", paths.join(", "))
}

// Defect 1.
#[test]
fn m2h_and_its_own_tasks_bring_back_every_partition() {
    let world = OldWorld::new();
    world.export("partitions", "{parts_user: }");
    let tasks = world.tasks_left();
    assert_eq!(tasks.len(), 3, "{tasks:?}");
    // Whatever comes first, and again: nothing is there twice.
    for (_, task) in tasks.iter().chain(tasks.iter().rev()) {
        world.run(task).exits(0);
    }
    for tag in ["_default", "p1", "p2"] {
        let wanted = golden_rows("partitions", "parts_user", tag);
        assert_eq!(world.rows("parts_user", tag), wanted, "{tag}");
    }
    let contents = world
        .server
        .collection("parts_user")
        .expect("the collection");
    assert_eq!(
        (
            contents.dimension,
            contents.index_file_size_mib,
            contents.metric
        ),
        (8, 256, Metric::InnerProduct)
    );
}

// Defect 2.
#[test]
fn every_collection_that_a_task_names_is_moved() {
    let world = OldWorld::new();
    let milvus = world.milvus("partitions");
    let task = world.move_all(
        &milvus,
        "{parts_user: [p1], second: , parts_auto: ['日本', '']}",
        "skip",
    );
    world.run(&task).exits(0);
    assert_eq!(world.counts("parts_user")["p1"], 25);
    assert_eq!(world.counts("second")["_default"], 17);
    let auto = world.counts("parts_auto");
    assert_eq!(
        (auto["_default"], auto["日本"], auto.get("alpha beta")),
        (30, 12, None)
    );
}

// Defect 3.
#[test]
fn segments_that_wait_for_their_index_are_moved() {
    let world = OldWorld::new();
    let milvus = world.milvus("partitions");
    world.change(
        &milvus,
        "UPDATE TableFiles SET file_type = 2 WHERE table_id = 'second'",
    );
    world
        .run(&world.move_all(&milvus, "{second: }", "skip"))
        .exits(0);
    assert_eq!(
        world.rows("second", "_default"),
        golden_rows("partitions", "second", "_default")
    );
}

// Defect 4.
#[test]
fn a_file_without_embeddings_is_an_error() {
    let world = OldWorld::new();
    let args = ["copy", "random:10?dim=8", "hdf5:other.h5?vectors=train"];
    milvusdm(&world.space, &args).run().exits(0);
    let task = world.load("H2M", &hdf5(&["other.h5"]), "append", ("", 8, "L2"));
    let outcome = world.run(&task);
    assert!(outcome.code.is_some_and(|code| code != 0), "{outcome}");
    outcome.says(&["embeddings"]);
    assert!(world.server.contents().is_empty(), "nothing is made");
}

// Defect 5.
#[test]
fn a_file_without_ids_is_loaded_and_the_server_makes_them() {
    let world = OldWorld::new();
    world.make("10?dim=64&kind=binary&ids=false", "noid.h5");
    let task = world.load("H2M", &hdf5(&["noid.h5"]), "append", ("", 64, "JACCARD"));
    world.run(&task).exits(0);
    let contents = world.server.collection("test").expect("the collection");
    assert_eq!(
        (contents.row_count(), contents.ids),
        (10, Some(IdMode::Auto))
    );
}

// Defect 6.
#[test]
fn an_existing_target_is_skipped_by_every_channel() {
    let world = OldWorld::new();
    let milvus = world.milvus("partitions");
    world.make("10?dim=32", "rows.h5");
    for task in [
        world.load("F2M", &faiss("flat_l2"), "skip", ("f", 32, "L2")),
        world.load("H2M", &hdf5(&["rows.h5"]), "skip", ("h", 32, "L2")),
        world.move_all(&milvus, "{second: }", "skip"),
    ] {
        let first = world.run(&task).exits(0).json();
        let again = world.run(&task).exits(0).json();
        let rows = &first["ledger"]["written"];
        assert!(rows.as_u64() > Some(0), "{first:#}");
        assert_eq!(&again["ledger"]["skipped"], rows, "{again:#}");
        assert_eq!(again["ledger"]["written"], 0, "{again:#}");
    }
    assert_eq!(world.counts("second")["_default"], 17);
}

// Defect 7.
#[test]
fn what_a_failed_run_wrote_of_a_partition_is_taken_back_so_that_the_next_does_not_double_it() {
    let world = OldWorld::new();
    // More than one request.
    world.make("50000?dim=128", "rows.h5");
    let task = world.load("H2M", &hdf5(&["rows.h5"]), "append", ("p", 128, "L2"));
    world
        .server
        .fail("insert@2=unimplemented".parse().expect("a fault"));
    let outcome = world.run(&task);
    assert!(outcome.code.is_some_and(|code| code != 0), "{outcome}");
    world.server.clear_faults();
    world.run(&task).exits(0);
    assert_eq!(world.counts("test")["p"], 50_000);
}

// Defect 7: partitions that were complete before the failure are there, and `skip` knows it.
#[test]
fn a_failed_move_of_many_partitions_goes_on_when_it_is_run_again() {
    let world = OldWorld::new();
    let milvus = world.milvus("partitions");
    world
        .server
        .fail("insert@2=unimplemented".parse().expect("a fault"));
    let outcome = world.run(&world.move_all(&milvus, "{parts_user: }", "append"));
    assert!(outcome.code.is_some_and(|code| code != 0), "{outcome}");
    world.server.clear_faults();
    world
        .run(&world.move_all(&milvus, "{parts_user: }", "append"))
        .exits(0);
    let counts: Vec<u64> = world.counts("parts_user").into_values().collect();
    assert_eq!(counts, [30, 25, 30]);
}

// Defect 8.
#[test]
fn an_empty_default_partition_does_not_keep_back_the_others() {
    let world = OldWorld::new();
    let milvus = world.milvus("empty");
    world
        .run(&world.move_all(&milvus, "{emptydefault: , nothing: }", "skip"))
        .exits(0);
    assert_eq!(
        world.rows("emptydefault", "full"),
        golden_rows("empty", "emptydefault", "full")
    );
    world.export("empty", "{emptydefault: }");
    for (_, task) in world.tasks_left() {
        world.run(&task).exits(0);
    }
    assert_eq!(world.counts("emptydefault")["full"], 4);
}

// Defects 9 and 11.
#[test]
fn many_wide_vectors_stay_within_the_limits_of_server_and_memory() {
    let world = OldWorld::with(StandinOptions {
        discards: true,
        ..StandinOptions::default()
    });
    // 460 MB: more than a request may have, and more than a run may take.
    world.make("150000?dim=768", "wide.h5");
    let task = world.load("H2M", &hdf5(&["wide.h5"]), "append", ("", 768, "L2"));
    let outcome = world.run(&task).exits(0).within_mib(384);
    assert_eq!(outcome.json()["ledger"]["written"], 150_000);
}

// Defect 10.
#[test]
fn the_metric_is_the_collections_and_not_the_kind_of_its_index() {
    let world = OldWorld::new();
    let milvus = world.milvus("indexed");
    world
        .run(&world.move_all(&milvus, "{ivf_sq8: , hnsw: , bin_ivf: }", "skip"))
        .exits(0);
    for (name, metric) in [
        ("ivf_sq8", Metric::L2),
        ("hnsw", Metric::InnerProduct),
        ("bin_ivf", Metric::Hamming),
    ] {
        let contents = world.server.collection(name).expect(name);
        assert_eq!(contents.metric, metric, "{name}");
        let wanted = golden_rows("indexed", name, "_default");
        assert_eq!(world.rows(name, "_default"), wanted, "{name}");
    }
}

// Defect 12.
#[test]
fn deleted_rows_are_left_behind_and_counted() {
    let world = OldWorld::new();
    let milvus = world.milvus("deletes");
    let report = world
        .run(&world.move_all(&milvus, "'*'", "skip"))
        .exits(0)
        .json();
    assert!(report["ledger"]["deleted"].as_u64() > Some(0), "{report:#}");
    let wanted = golden_rows("deletes", "del_plain", "_default");
    assert_eq!(world.rows("del_plain", "_default"), wanted);
}

// Defect 13.
#[test]
fn indexes_go_along_and_kept_ids_and_wrong_servers_are_told() {
    let world = OldWorld::new();
    let milvus = world.milvus("indexed");
    world
        .run(&world.move_all(&milvus, "{ivf_flat: }", "skip"))
        .exits(0);
    let contents = world.server.collection("ivf_flat").expect("the collection");
    assert_eq!(contents.index_type, 2);
    assert!(contents.index_params.contains("16"), "{contents:?}");
    let milvus = world.milvus("partitions");
    let task = world.move_all(&milvus, "{parts_auto: }", "append");
    let report = world.run(&task).exits(0).json();
    let notices = report["notices"].to_string();
    assert!(notices.contains("ids: generate"), "{notices}");
    // A Milvus 2.x answers so.
    world
        .server
        .fail("*=unimplemented".parse().expect("a fault"));
    world.run(&task).says(&["Milvus 1.x"]);
}

// Defect 14.
#[test]
fn tags_with_any_letter_and_files_that_are_only_readable_are_no_trouble() {
    let world = OldWorld::new();
    let index = world
        .space
        .copy(&data("faiss/flat_l2.index"), "read-only.index");
    set_mode(&index, 0o444);
    let source = format!("  data_path: {}", index.display());
    world
        .run(&world.load("F2M", &source, "append", ("a/b", 32, "L2")))
        .exits(0);
    assert!(world.counts("test")["a/b"] > 0);
    let milvus = world.milvus("partitions");
    let sql = "UPDATE Tables SET partition_tag = 'x''/../y' WHERE partition_tag = 'p1'";
    world.change(&milvus, sql);
    let task = format!(
        "M2H:\n  source_milvus_path: {}\n  source_collection:\n    parts_user: [\"x'/../y\", '']\n  \
         data_dir: {}\n",
        milvus.display(),
        text(world.space.path("data")),
    );
    world.run(&task).exits(0);
    let files = world.space.list("data");
    for name in [
        "/parts_user/x%27%2F..%2Fy.h5",
        "/yamls/parts_user/x%27%2F..%2Fy.yaml",
        "/parts_user/_default.h5",
    ] {
        assert!(
            files.iter().any(|file| file.ends_with(name)),
            "{name}: {files:?}"
        );
    }
    for (_, task) in world.tasks_left() {
        world.run(&task).exits(0);
    }
    let wanted = golden_rows("partitions", "parts_user", "p1");
    assert_eq!(world.rows("parts_user", "x'/../y"), wanted);
}
