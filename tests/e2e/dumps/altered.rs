// SPDX-License-Identifier: Apache-2.0
//! Dumps whose files, manifests or sources are not what they were.

use super::*;
use crate::support::run_python;

#[test]
fn a_dump_is_checked_where_it_lies_and_what_was_altered_is_dumped_again() {
    let space = Space::new();
    let dump = ["dump", "random:50?dim=4&seed=1", "backup", "--json"];
    run(&space, &dump).exits(0);
    run(&space, &["verify", "backup"])
        .exits(0)
        .prints(&["The dump is whole: 1 dataset", "50 rows"]);
    let file = manifest(&space)["datasets"][0]["file"]
        .as_str()
        .map(str::to_owned);
    let path = space.path("backup").join(file.expect("a name"));
    // As large as it was.
    let made = std::fs::metadata(&path)
        .and_then(|data| data.modified())
        .expect("a time");
    let mut bytes = std::fs::read(&path).expect("a file");
    *bytes.last_mut().expect("bytes") ^= 1;
    std::fs::write(&path, &bytes).expect("a file");
    space.write("backup/notes.txt", "mine");
    let report = run(&space, &["verify", "backup", "--json"]).exits(1).json();
    assert_eq!(report["datasets"][0]["whole"], false, "{report:#}");
    assert_eq!(report["strays"], serde_json::json!(["notes.txt"]));
    // As old as it was: only who asks for all of them to be read notices.
    let file = std::fs::File::options()
        .append(true)
        .open(&path)
        .expect("a file");
    file.set_modified(made).expect("a file of ours");
    let report = run(&space, &dump).exits(0).json();
    assert_eq!(report["ledger"]["written"], 0, "{report:#}");
    run(&space, &["restore", "backup", "null:"])
        .exits(4)
        .says(&["dump again with `--verify`"]);
    let again = [&dump[..], &["--verify"]].concat();
    let outcome = run(&space, &again)
        .exits(0)
        .says(&["is not the one that the manifest has"]);
    assert_eq!(outcome.json()["ledger"]["written"], 50, "{outcome}");
    run(&space, &["verify", "backup"])
        .exits(0)
        .prints(&["notes.txt is no part of the dump"]);
    // Copied elsewhere, its files have other times, and are what they were.
    run_cp(&space, "backup", "copy");
    let report = run(&space, &["dump", dump[1], "copy", "--json"])
        .exits(0)
        .json();
    assert_eq!(report["ledger"]["written"], 0, "{report:#}");
    run(&space, &["verify", "copy"]).exits(0);
    run(&space, &["verify", "in"]).exits(2);
    run(&space, &["verify", "copy", "--sample", "5"]).exits(2);
}

#[test]
fn a_dump_of_another_source_is_replaced_only_if_that_is_wanted() {
    let space = Space::new();
    run(&space, &["dump", "random:50?dim=4&seed=1", "backup"]).exits(0);
    let before = files_of(&space.path("backup"));
    let other = ["dump", "random:60?dim=4&seed=1&collection=other", "backup"];
    run(&space, &other)
        .exits(2)
        .says(&["another source", "source.collection", "--replace"]);
    assert_eq!(files_of(&space.path("backup")), before);
    run(&space, &[&other[..], &["--replace"]].concat()).exits(0);
    assert!(!space.path("backup/random/_default.h5").exists());
    run(&space, &["verify", "./backup/"])
        .exits(0)
        .prints(&["other: whole: 60 rows"]);
}

#[test]
fn what_was_altered_before_a_dump_went_on_is_not_sealed() {
    let space = Space::new();
    let dump = ["dump", "random:4000?dim=8&partitions=2", "backup"];
    let slow = [&dump[..], &["--rows-per-second", "2000"]].concat();
    let mut child = milvusdm(&space, &slow).start();
    let done = space.path("backup/random/p0.h5");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done.exists() {
        assert!(Instant::now() < deadline, "it does not come so far");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Until that is noted, too.
    std::thread::sleep(Duration::from_millis(200));
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");
    let file = text(&done);
    run_python("change_h5.py", &[&file, "flip", "7"]);
    run(&space, &dump)
        .exits(2)
        .says(&["changed or replaced since", "take it away"]);
    std::fs::remove_file(&done).expect("a file of the dump");
    run(&space, &[&dump[..], &["--verify"]].concat()).exits(0);
    run(&space, &["verify", "backup"]).exits(0);
}

#[test]
fn a_file_that_is_not_selected_is_not_taken_for_whole() {
    let space = Space::new();
    let dump = ["dump", "random:50?dim=4&partitions=2", "backup"];
    run(&space, &dump).exits(0);
    let file = space.path("backup/random/p1.h5");
    let mut bytes = std::fs::read(&file).expect("a file");
    *bytes.last_mut().expect("bytes") ^= 1;
    std::fs::write(&file, &bytes).expect("a file");
    let one = [&dump[..], &["--select", "random/p0"]].concat();
    run(&space, &one).exits(0);
    run(&space, &["verify", "backup"])
        .exits(1)
        .prints(&["random/p1: DAMAGED"]);
    let report = run(&space, &[&dump[..], &["--json"]].concat())
        .exits(0)
        .json();
    assert_eq!(report["ledger"]["written"], 25, "{report:#}");
    run(&space, &["verify", "backup"]).exits(0);
}

#[test]
fn a_dump_that_was_killed_behind_its_manifest_hands_its_report_out() {
    let space = Space::new();
    let dump = ["dump", "random:50?dim=4&partitions=2", "backup"];
    let args = [
        &dump[..],
        &["--receipt", "kept/receipt.json", "--rows-per-second", "50"],
    ]
    .concat();
    std::fs::create_dir(space.path("kept")).expect("a folder of ours");
    let mut child = milvusdm(&space, &args).start();
    let deadline = Instant::now() + Duration::from_secs(30);
    while space.list("kept").is_empty() {
        assert!(Instant::now() < deadline, "it does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    // All is there but the receipt, for which there is no place any more.
    std::fs::remove_dir_all(space.path("kept")).expect("a folder of ours");
    assert_eq!(child.wait().expect("a child of ours").code(), Some(4));
    assert!(space.path("backup/manifest.json").exists());
    let report = run(&space, &[&dump[..], &["--json", "--verify"]].concat())
        .exits(0)
        .json();
    assert_eq!(report["ledger"]["written"], 50, "{report:#}");
    assert_eq!(report["rows"], 0, "{report:#}");
    let verified = report["verified"]["targets"].as_array().expect("targets");
    assert_eq!(verified.len(), 2, "{report:#}");
    assert_eq!(space.list("home/milvusdm/state"), [""; 0]);
}

#[test]
fn a_manifest_that_was_altered_is_told() {
    let space = Space::new();
    let dump = ["dump", "random:50?dim=4&seed=1", "backup"];
    run(&space, &dump).exits(0);
    let whole = std::fs::read_to_string(space.path("backup/manifest.json")).expect("a manifest");
    for altered in [
        whole.replace("\"rows\": 50", "\"rows\": 51"),
        whole[..whole.len() / 2].to_owned(),
        String::new(),
    ] {
        space.write("backup/manifest.json", altered);
        for args in [
            &["verify", "backup"][..],
            &["restore", "backup", "hdf5:out.h5"],
        ] {
            run(&space, args)
                .exits(4)
                .says(&["this is no manifest", "a copy of the dump"]);
        }
        run(&space, &dump).exits(4).says(&["this is no manifest"]);
    }
    space.write("backup/manifest.json", whole);
    run(&space, &["verify", "backup"]).exits(0);
}

#[test]
fn parts_of_a_damaged_dump_are_restored() {
    let space = Space::new();
    let dump = ["dump", "random:50?dim=4&partitions=2", "backup"];
    run(&space, &dump).exits(0);
    std::fs::remove_file(space.path("backup/random/p1.h5")).expect("a file of the dump");
    let restore = ["restore", "backup", "hdf5:back/"];
    run(&space, &restore)
        .exits(4)
        .says(&["missing", "--exclude"]);
    let part = [&restore[..], &["--exclude", "random/p1"]].concat();
    run(&space, &part)
        .exits(0)
        .prints(&["25 found = 25 written"]);
    let none = [&restore[..], &["--select", "nothing"]].concat();
    run(&space, &none)
        .exits(2)
        .says(&["nothing of the dump is selected"]);
}

#[test]
fn the_same_words_elsewhere_are_another_source() {
    let space = Space::new();
    for (folder, rows) in [("one", "50"), ("two", "60")] {
        space.folder(folder);
        let source = format!("random:{rows}?dim=4&collection={folder}");
        let sink = format!("hdf5:{folder}/in/");
        run(&space, &["copy", &source, &sink, "--no-journal"]).exits(0);
    }
    let dump = |folder: &str, source: &str| {
        let dump = milvusdm(&space, &["dump", source, "../backup"]);
        dump.under(&["env", "-C", folder]).run()
    };
    dump("one", "hdf5:in/").exits(0);
    dump("two", "hdf5:in/").exits(2).says(&["another source"]);
    dump("two", "hdf5:../one/in/").exits(0);
    run(&space, &["verify", "backup"])
        .exits(0)
        .prints(&["one: whole: 50 rows"]);
}

fn run_cp(space: &Space, from: &str, to: &str) {
    let mut copy = std::process::Command::new("cp");
    copy.current_dir(space.root()).args(["-r", from, to]);
    assert!(copy.status().expect("cp starts").success());
}
