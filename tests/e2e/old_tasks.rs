// SPDX-License-Identifier: Apache-2.0
//! Task files of MilvusDM 1.0, run as they stand, and what `convert` makes of them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{OldWorld, data, golden_rows, milvusdm, text};

fn faiss(name: &str) -> String {
    format!(
        "  data_path: '{}'",
        text(data(&format!("faiss/{name}.index")))
    )
}

/// The ids in the one file of the folder where MilvusDM 1.0 kept them.
#[track_caller]
fn written_ids(world: &OldWorld, stem: &str) -> Vec<i64> {
    let files = world.space.list("home/milvusdm/ids");
    let named = |file: &&String| file.starts_with(&format!("{stem}_")) && file.ends_with(".txt");
    let file = files
        .iter()
        .find(named)
        .unwrap_or_else(|| panic!("{files:?}"));
    let path = world.space.path("home/milvusdm/ids").join(file);
    let text = std::fs::read_to_string(path).expect("the ids");
    let mut ids: Vec<i64> = text.lines().map(|id| id.parse().expect("an id")).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn f2m_loads_an_index_file_and_writes_the_ids_down() {
    let world = OldWorld::new();
    let task = world.load("F2M", &faiss("ivf8_flat_ids"), "append", ("p", 8, "IP"));
    let report = world.run(&task).exits(0).json();
    assert_eq!(report["ledger"]["written"], 120);
    let ids: Vec<i64> = world
        .rows("test", "p")
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(written_ids(&world, "ivf8_flat_ids"), ids);
    let contents = world.server.collection("test").expect("the collection");
    assert_eq!(contents.index_file_size_mib, 1024);
}

#[test]
fn the_dimension_of_the_task_is_held_against_the_file() {
    let world = OldWorld::new();
    let task = world.load("F2M", &faiss("ivf8_flat_ids"), "append", ("", 16, "IP"));
    let outcome = world.run(&task).exits(2);
    outcome.says(&["old.yaml:10:16", "dimension: 16", "8"]);
    assert!(world.server.contents().is_empty());
}

#[test]
fn h2m_loads_listed_files_or_those_of_a_folder_into_one_partition() {
    let world = OldWorld::new();
    world.make("10?dim=8&seed=1&collection=a", "in/a.h5");
    world.make("20?dim=8&seed=2&collection=b", "in/b.h5");
    world.make("40?dim=8&seed=3", "in/deep/c.h5");
    let listed = "  data_path:\n    - in/a.h5\n    - in/b.h5\n  data_dir:";
    let folder = "  data_path:\n  data_dir: 'in'";
    world
        .run(&world.load("H2M", listed, "overwrite", ("", 8, "L2")))
        .exits(0);
    assert_eq!(world.counts("test")["_default"], 30);
    // Replaced, and not added to; the folder below is none of it.
    world
        .run(&world.load("H2M", folder, "overwrite", ("", 8, "L2")))
        .exits(0);
    assert_eq!(world.counts("test")["_default"], 30);
    world
        .run(&world.load("H2M", folder, "append", ("p", 8, "L2")))
        .exits(0);
    let counts = world.counts("test");
    assert_eq!((counts["_default"], counts["p"]), (30, 30));
    assert_eq!(written_ids(&world, "b").len(), 20);
}

#[test]
fn h2m_takes_nothing_but_embeddings_and_ids() {
    let world = OldWorld::new();
    let shop = format!("  data_path: [{}]", text(data("hdf5/shop/hats.h5")));
    world
        .run(&world.load("H2M", &shop, "append", ("", 16, "L2")))
        .exits(0);
    assert!(world.counts("test")["_default"] > 0);
}

#[test]
fn m2m_takes_everything_leaves_out_and_merges() {
    let world = OldWorld::new();
    let milvus = world.milvus("partitions");
    let task = world.move_all(&milvus, "'*'", "skip");
    let task =
        format!("{task}  exclude_collection: {{second: , parts_auto: ['alpha beta', '日本']}}\n");
    let merged = format!("{task}  dest_collection_name: all\n  dest_partition_name: one\n");
    world.run(&task).exits(0);
    let names = world.server.contents().into_iter().map(|c| c.name);
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, ["parts_auto", "parts_user"]);
    assert_eq!(world.counts("parts_auto").into_values().sum::<u64>(), 30);
    let user = golden_rows("partitions", "parts_user", "p2");
    assert_eq!(world.rows("parts_user", "p2"), user);
    world.run(&merged).exits(0);
    assert_eq!(world.counts("all")["one"], 30 + 25 + 30 + 30);
}

#[test]
fn overwriting_a_collection_drops_partitions_that_are_not_written_anew() {
    let world = OldWorld::new();
    world
        .run(&world.load("F2M", &faiss("flat_l2"), "append", ("old", 32, "L2")))
        .exits(0);
    world
        .run(&world.load("F2M", &faiss("flat_l2"), "append", ("", 32, "L2")))
        .exits(0);
    world
        .run(&world.load("F2M", &faiss("flat_l2"), "overwrite", ("old", 32, "L2")))
        .exits(0);
    assert_eq!(world.counts("test").into_values().sum::<u64>(), 200);
    world
        .run(&world.load("F2M", &faiss("flat_l2"), "overwrite", ("", 32, "L2")))
        .exits(0);
    assert_eq!(
        world.counts("test").into_iter().collect::<Vec<_>>(),
        [("_default".to_owned(), 100)]
    );
}

#[test]
fn mistakes_are_shown_in_the_old_file() {
    let world = OldWorld::new();
    let milvus = world.milvus("partitions");
    let task = world.load("F2M", &faiss("flat_l2"), "append", ("", 32, "L3"));
    world
        .run(&task)
        .exits(2)
        .says(&["old.yaml:12:18", "metric", "L3"]);
    let task = world.load("F2M", &faiss("flat_l2"), "append", ("", 32, "L2"));
    world
        .run(&task.replace("1.x", "2.x"))
        .exits(2)
        .says(&["old.yaml:2:19", "milvus2"]);
    let task = world.move_all(&milvus, "{parts_usr: }", "append");
    world
        .run(&task)
        .exits(2)
        .says(&["old.yaml:5:", "parts_user"]);
    let secret = task.replace(
        "mysql_parameter:",
        "mysql_parameter: {host: 127.0.0.1, user: me, port: 1, password: 'hunter2 $', database: milvus}",
    );
    let outcome = world.run(&secret);
    assert!(outcome.code.is_some_and(|code| code != 0), "{outcome}");
    assert!(!outcome.to_string().contains("hunter2"), "{outcome}");
}

/// The document of `convert OLD --json`.
#[track_caller]
fn converted(world: &OldWorld, task: &str) -> Value {
    let file = text(world.space.write("old.yaml", task));
    milvusdm(&world.space, &["convert", &file, "--json"])
        .run()
        .exits(0)
        .json()
}

#[test]
fn what_convert_prints_does_what_the_old_file_does() {
    let world = OldWorld::new();
    let task = world.load("F2M", &faiss("flat_l2"), "append", ("p", 32, "L2"));
    world.run(&task).exits(0);
    let file = text(world.space.path("old.yaml"));
    let printed = milvusdm(&world.space, &["convert", &file]).run().exits(0);
    let printed = printed.prints(&[
        "# MilvusDM 1.0's F2M",
        "plugin: faiss",
        "map: test/p",
        "# `ids`",
    ]);
    assert!(
        printed
            .stdout
            .lines()
            .all(|line| line.chars().count() <= 160),
        "{printed}"
    );
    let new = text(world.space.write("new.yaml", &printed.stdout));
    milvusdm(&world.space, &["run", &new]).run().exits(0);
    assert_eq!(world.counts("test")["p"], 200);
    milvusdm(&world.space, &["convert", &new])
        .run()
        .exits(2)
        .says(&["a task of today"]);
}

#[test]
fn convert_shows_no_password_and_leaves_the_run_a_variable() {
    let world = OldWorld::new();
    let milvus = world.milvus("partitions");
    let task = world.move_all(&milvus, "{second: }", "append").replace(
        "mysql_parameter:",
        "mysql_parameter: {host: db, user: me, port: 3306, password: 'hunter2 $', database: milvus}",
    );
    let report = converted(&world, &task);
    let metadata = "mysql://me:${MYSQL_PASSWORD}@db:3306/milvus";
    assert_eq!(report["task"]["source"]["metadata"], metadata, "{report:#}");
    let m2h = format!(
        "M2H:\n  source_milvus_path: {}\n  source_collection: '*'\n  data_dir: out\n",
        milvus.display()
    );
    let report = converted(&world, &m2h);
    assert_eq!(
        (&report["version"], &report["channel"]),
        (&1.into(), &"M2H".into())
    );
    let new = text(world.space.write("new.yaml", report["task"].to_string()));
    let outcome = milvusdm(&world.space, &["run", &new])
        .env("RUN_ID", "today")
        .run();
    outcome.exits(0);
    assert!(world.space.path("out/today/second/_default.h5").exists());
}

#[test]
fn a_converted_task_can_leave_the_ids_to_the_server() {
    let world = OldWorld::new();
    let milvus = world.milvus("partitions");
    let mut task =
        converted(&world, &world.move_all(&milvus, "{parts_auto: }", "append"))["task"].take();
    task["convert"] = serde_json::json!({"ids": "generate"});
    let new = text(world.space.write("new.yaml", task.to_string()));
    milvusdm(&world.space, &["run", &new]).run().exits(0);
    let contents = world
        .server
        .collection("parts_auto")
        .expect("the collection");
    assert_eq!(contents.ids, Some(milvusdm_standin::IdMode::Auto));
    assert_eq!(contents.row_count(), 57);
}

/// An M2H task, and the file that it stands in.
fn export_all(world: &OldWorld) -> (String, String) {
    let task = format!(
        "M2H:\n  source_milvus_path: {}\n  source_collection: '*'\n  data_dir: out\n",
        world.milvus("partitions").display()
    );
    let file = text(world.space.write("old.yaml", &task));
    (task, file)
}

/// Kills it while the second of its seven files is written.
fn kill_export(world: &OldWorld, file: &str) {
    let status = || {
        let args = ["status", file, "--json"];
        milvusdm(&world.space, &args).run().exits(0).json()
    };
    let args = ["--yaml", file, "--rows-per-second", "60"];
    let mut child = milvusdm(&world.space, &args).start();
    let deadline = Instant::now() + Duration::from_secs(30);
    while status()["targets"][1]["stage"] != "writing" {
        assert!(Instant::now() < deadline, "{:#}", status());
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");
}

/// The folders of its runs.
fn folders(world: &OldWorld) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(world.space.path("out")).expect("a folder");
    folders
        .map(|folder| folder.expect("a folder").path())
        .collect()
}

/// The files of a run, but for the tasks that load them back.
fn files(world: &OldWorld, folder: &Path) -> Vec<String> {
    let name = text(folder.file_name().expect("a name"));
    let mut found = world.space.list(&format!("out/{name}"));
    found.retain(|file| !file.ends_with('/') && !file.starts_with("yamls/"));
    found
}

#[test]
fn a_killed_m2h_goes_on_in_its_folder_and_the_next_gets_a_new_one() {
    let world = OldWorld::new();
    let (task, file) = export_all(&world);
    kill_export(&world, &file);
    let planned = milvusdm(&world.space, &["plan", &file]).run().exits(0);
    planned.prints(&["resume", "This task can run"]);
    world.run(&task).exits(0);
    let first = folders(&world);
    assert_eq!(first.len(), 1, "it goes on in its folder: {first:?}");
    milvusdm(&world.space, &["verify", &file])
        .run()
        .exits(0)
        .prints(&["parts_user/p2: equal: 30 rows", "7 targets"]);
    world.run(&task).exits(0);
    let mut second = folders(&world);
    second.retain(|folder| *folder != first[0]);
    assert_eq!(second.len(), 1, "a new folder: {second:?}");
    assert_eq!(files(&world, &first[0]).len(), 7);
    assert_eq!(files(&world, &first[0]), files(&world, &second[0]));
    for file in files(&world, &first[0]) {
        let read = |folder: &Path| std::fs::read(folder.join(&file)).expect("a file");
        assert!(read(&first[0]) == read(&second[0]), "{file} differs");
    }
}

#[test]
fn a_restarted_m2h_gets_a_new_folder() {
    let world = OldWorld::new();
    let (_, file) = export_all(&world);
    kill_export(&world, &file);
    let first = folders(&world);
    let args = ["--yaml", &file, "--restart"];
    milvusdm(&world.space, &args).run().exits(0);
    // What was finished stays, what was half-written is gone.
    assert_eq!(files(&world, &first[0]), ["parts_user/_default.h5"]);
    let mut second = folders(&world);
    second.retain(|folder| *folder != first[0]);
    assert_eq!(files(&world, &second[0]).len(), 7);
}
