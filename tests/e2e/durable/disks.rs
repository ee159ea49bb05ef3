// SPDX-License-Identifier: Apache-2.0
//! Disks that are full, and then have room again.

use super::*;
use crate::support::in_mount_namespace;

/// Runs a command whose disk fills up, keeps its exit code and what it said, and runs it again.
const AGAIN: &str = r#"
again() {
    fill_under "$@" >first 2>&1
    echo $code >code
    "$@"
}
"#;

fn filled(space: &Space, script: &str) -> Outcome {
    in_mount_namespace(space, &format!("{AGAIN}{script}"))
}

/// The exit code of the run whose disk was full, and what it printed.
fn first(space: &Space) -> (String, String) {
    let read = |name: &str| std::fs::read_to_string(space.path(name)).expect("a file");
    (read("code").trim().to_owned(), read("first"))
}

#[test]
fn a_target_without_room_is_written_when_there_is_room_again() {
    let space = Space::new();
    let outcome = filled(
        &space,
        r#"mkdir small
           mount -t tmpfs -o size=64m tmpfs small
           printf 'source: {plugin: random, rows: 100000, dim: 128, seed: 1}\nsink: {plugin: hdf5, path: small/a.h5, compression: "gzip:6"}\nmemory: 16MiB\n' >task.yaml
           known() { [ "$(du -sk small | cut -f1)" -ge 200 ]; }
           again "$0" run task.yaml
           "$0" verify task.yaml
           ls -A small >left"#,
    );
    let outcome = outcome.exits(0);
    let outcome = outcome.prints(&["100,000 found = 100,000 written", "equal: 100,000 rows"]);
    let (code, said) = first(&space);
    assert_eq!(code, "4", "{said}");
    assert!(said.contains("small/a.h5"), "{said}");
    let left = std::fs::read_to_string(space.path("left")).expect("a list");
    assert_eq!(left, "a.h5\n", "{outcome}");
}

#[test]
fn a_journal_without_room_stops_the_run_which_goes_on_when_there_is_room_again() {
    let space = space();
    let task = into_file(&space, "limit: {rows_per_second: 2000}\n");
    run(&space, &task, &["--no-journal"]).exits(0);
    let wanted = std::fs::read(space.path("out.h5")).expect("the target");
    std::fs::remove_file(space.path("out.h5")).expect("the target");
    let outcome = filled(
        &space,
        r#"mkdir small
           mount -t tmpfs -o size=2m tmpfs small
           known() { "$0" status task.yaml --state small | grep -q 'writing  *[1-9]'; }
           again "$0" run task.yaml --state small"#,
    );
    outcome
        .exits(0)
        .prints(&["resume", "4,000 found = 4,000 written"]);
    let (code, said) = first(&space);
    assert_eq!(code, "4", "{said}");
    assert!(said.contains("journal"), "{said}");
    let found = std::fs::read(space.path("out.h5")).expect("the target");
    assert!(found == wanted, "the file differs");
}

#[test]
fn a_dump_without_room_goes_on_when_there_is_room_again() {
    let space = Space::new();
    let outcome = filled(
        &space,
        r#"mkdir small
           mount -t tmpfs -o size=64m tmpfs small
           known() { [ "$(du -sk small | cut -f1)" -ge 200 ]; }
           again "$0" dump 'random:100000?dim=128&seed=1' small/backup --compression gzip:6
           "$0" restore small/backup hdf5:back.h5
           "$0" copy 'random:100000?dim=128&seed=1' hdf5:wanted.h5"#,
    );
    outcome.exits(0);
    let (code, said) = first(&space);
    assert_eq!(code, "4", "{said}");
    let read = |name: &str| std::fs::read(space.path(name)).expect("a file");
    assert!(read("back.h5") == read("wanted.h5"), "the rows differ");
}
