// SPDX-License-Identifier: Apache-2.0
//! The program keeps what it acknowledged when it is killed.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{Client, fine, insertion, name};
use milvusdm_proto::milvus1 as wire;

/// A running program; it is killed when dropped.
struct Program {
    child: Child,
    uri: String,
}

impl Program {
    fn start(folder: &Path, more: &[&str]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_milvus1-standin"))
            .args(["--auto-flush-ms", "0", "--folder"])
            .arg(folder)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let uri = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        Program { child, uri }
    }

    /// Waits until it has ended by itself.
    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_killed_server_has_again_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let before = Program::start(folder.path(), &["--merge"]);
    let client = Client::at(&before.uri);
    assert_eq!(client.create("c", 4, 1), fine());
    assert_eq!(client.create("auto", 4, 2), fine());
    assert_eq!(client.create("gone", 4, 2), fine());
    assert_eq!(client.create_partition("c", "p"), fine());
    client.insert("c", "p", &[1, 2, 3]);
    client.insert("c", "", &[4]);
    client.flush("c");
    client.delete("c", "", &[2]);
    client.flush("c");
    client.insert("c", "", &[5]);
    let mut request = insertion("auto", "", &[0; 1500]);
    request.row_id_array.clear();
    let made: wire::VectorIds = client.call("Insert", request).unwrap();
    assert_eq!(client.status("DropCollection", name("gone")), fine());
    client.flush("auto");
    std::thread::sleep(std::time::Duration::from_millis(100));
    let segments = client.segments("c");
    drop(before);

    let after = Program::start(folder.path(), &[]);
    let client = Client::at(&after.uri);
    let list: wire::CollectionNameList = client
        .call("ShowCollections", wire::Command::default())
        .unwrap();
    assert_eq!(list.collection_names, ["c", "auto"]);
    assert_eq!(client.segments("c"), segments);
    assert_eq!(client.count("c"), 3);
    client.flush("c");
    assert_eq!(client.count("c"), 4);
    let found = client.get("c", "", &[1, 2, 3, 4, 5]).unwrap();
    assert_eq!(found, [Some(1.0), None, Some(3.0), Some(4.0), Some(5.0)]);
    let ids = &made.vector_id_array;
    let found = client.get("auto", "", &ids[..1000]).unwrap();
    assert!(found.iter().all(Option::is_some), "{found:?}");
}

#[test]
fn rows_lost_for_blanks_in_a_tag_come_back_with_a_restart_and_those_of_default_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let before = Program::start(folder.path(), &[]);
    let client = Client::at(&before.uri);
    client.create("c", 4, 1);
    client.create_partition("c", "p");
    client.insert("c", " p", &[1]);
    client.insert("c", "_default", &[2]);
    client.flush("c");
    assert_eq!(client.count("c"), 0);
    drop(before);
    let after = Program::start(folder.path(), &[]);
    let client = Client::at(&after.uri);
    client.flush("c");
    assert_eq!(client.count("c"), 1);
}

#[test]
fn a_server_told_to_die_ends_with_the_code_of_a_kill_and_keeps_what_it_stored() {
    for (fault, kept) in [("insert@2=die-before", 1), ("insert@2=die-after", 2)] {
        let folder = tempfile::tempdir().unwrap();
        let mut before = Program::start(folder.path(), &["--fail", fault]);
        let client = Client::at(&before.uri);
        client.create("c", 4, 1);
        client.insert("c", "", &[1]);
        let request = insertion("c", "", &[2]);
        client
            .call::<wire::VectorIds>("Insert", request)
            .unwrap_err();
        assert_eq!(before.code(), Some(137));
        let after = Program::start(folder.path(), &[]);
        let client = Client::at(&after.uri);
        client.flush("c");
        assert_eq!(client.count("c"), kept, "{fault}");
    }
}
