// SPDX-License-Identifier: Apache-2.0
//! What a journal holds is there again; damage and other processes are told.

use super::*;

fn run() -> RunRecord {
    let split = |id: &str| super::super::record::SplitRecord {
        dataset: "a".to_owned(),
        id: id.to_owned(),
        fingerprint: "f".to_owned(),
        live: None,
        acknowledged: Mark::default(),
        durable: Mark::default(),
    };
    RunRecord {
        run: "abcd1234".to_owned(),
        began: 7,
        source: "s".into(),
        sink: "t".into(),
        mode: "fail".to_owned(),
        folder: "/a".into(),
        is_reported: false,
        targets: vec![super::super::record::TargetRecord {
            name: "a".to_owned(),
            location: "l".to_owned(),
            columns: Vec::new(),
            conversions: Vec::new(),
            existed: true,
            rows_before: Some(3),
            stage: Stage::Planned,
            splits: vec![split("0"), split("1")],
        }],
    }
}

fn mark(through: u64) -> Mark {
    Mark {
        through,
        written: through,
        ..Mark::default()
    }
}

#[test]
fn what_was_noted_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/a.journal");
    let mut store = Store::open(&path).unwrap();
    assert_eq!(store.load().unwrap(), None);
    store.replace(&run(), "boot").unwrap();
    store.stage(0, &Stage::Prepared, true).unwrap();
    store
        .marks(0, &[(0, mark(5)), (1, mark(2))], false)
        .unwrap();
    store.marks(0, &[(0, mark(4))], true).unwrap();
    store.marks(0, &[(1, mark(9))], false).unwrap();
    drop(store);
    let mut wanted = run();
    let target = &mut wanted.targets[0];
    target.stage = Stage::Prepared;
    target.splits[0].acknowledged = mark(5);
    target.splits[0].durable = mark(4);
    target.splits[1].acknowledged = mark(9);
    let mut store = Store::open(&path).unwrap();
    assert_eq!(
        store.load().unwrap(),
        Some((wanted.clone(), "boot".to_owned()))
    );
    store.replace(&wanted, "later").unwrap();
    assert_eq!(store.load().unwrap(), Some((wanted, "later".to_owned())));
    store.replace(&run(), "later").unwrap();
    assert_eq!(store.load().unwrap(), Some((run(), "later".to_owned())));
    store.clear().unwrap();
    assert_eq!(store.load().unwrap(), None);
}

#[test]
fn what_killed_processes_left_is_no_part_of_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let beside = |ending: &str| folder.path().join(format!("a.journal{ending}"));
    let mut old = Store::open(&path).unwrap();
    old.replace(&run(), "boot").unwrap();
    old.stage(0, &Stage::Prepared, false).unwrap();
    // Killed while it took the journal away, and another while it made one.
    std::fs::copy(beside("-wal"), beside(".kept")).unwrap();
    drop(old);
    std::fs::remove_file(&path).unwrap();
    std::fs::rename(beside(".kept"), beside("-wal")).unwrap();
    std::fs::write(beside(".new"), "half of it").unwrap();
    let store = Store::open(&path).unwrap();
    assert_eq!(store.load().unwrap(), None);
    assert!(!beside(".new").exists());
}

#[test]
fn a_second_process_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let first = Store::open(&path).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
    drop(first);
    Store::open(&path).unwrap();
}

#[test]
fn damage_and_later_versions_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    std::fs::write(&path, "x".repeat(5000)).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format, "{error}");
    std::fs::write(&path, "").unwrap();
    let error = Store::open(&path).unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Format,
        "a lost one is not none: {error}"
    );
    std::fs::remove_file(&path).unwrap();
    let mut store = Store::open(&path).unwrap();
    store.replace(&run(), "boot").unwrap();
    store
        .connection
        .execute("UPDATE run SET plan = '{'", [])
        .unwrap();
    assert_eq!(store.load().unwrap_err().kind(), ErrorKind::Format);
    store
        .connection
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    drop(store);
    let error = Store::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn a_run_whose_log_is_lost_is_not_taken_for_none() {
    for lose in [
        |log: &Path| fs::remove_file(log).unwrap(),
        |log: &Path| fs::write(log, "").unwrap(),
        |log: &Path| fs::write(log, vec![0; 40_000]).unwrap(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.journal");
        let beside = |ending: &str| folder.path().join(format!("a.journal{ending}"));
        // An earlier run ended well.
        let mut store = Store::open(&path).unwrap();
        store.replace(&run(), "boot").unwrap();
        store.reported().unwrap();
        drop(store);
        let mut store = Store::open(&path).unwrap();
        store.replace(&run(), "boot").unwrap();
        store.stage(0, &Stage::Prepared, true).unwrap();
        // Killed.
        for ending in ["", "-wal"] {
            fs::copy(
                beside(ending),
                folder.path().join(format!("b.journal{ending}")),
            )
            .unwrap();
        }
        let killed = folder.path().join("b.journal");
        let log = folder.path().join("b.journal-wal");
        for _ in 0..2 {
            let (found, _) = Store::look(&killed).unwrap();
            assert_eq!(found.unwrap().0.targets[0].stage, Stage::Prepared);
            assert!(log.exists(), "who looks leaves it");
        }
        lose(&log);
        let error = Store::open(&killed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{error}");
    }
}
