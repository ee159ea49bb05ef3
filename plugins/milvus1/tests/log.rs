// SPDX-License-Identifier: Apache-2.0
//! The write-ahead log beyond what the golden directory shows: several files, order, repeated ids,
//! and logs that are cut or lie.

mod common;

use std::fs;
use std::path::Path;

use common::make::{Home, Wal};
use common::{open, read};
use milvusdm_plugin_api::{Error, ErrorKind};
use serde_json::{Value, json};

const DIM: usize = 2;

/// A collection with a partition, a segment in each.
fn home(path: &Path) -> Home {
    let home = Home::new(path);
    home.table("c", "", "", DIM as i64, 0);
    home.table("777", "c", "p", DIM as i64, 0);
    home.segment("c", "100", DIM, &[1, 2, 3, 1], &[]);
    home.segment("777", "200", DIM, &[1, 2, 3], &[]);
    home
}

fn ids(path: &Path, name: &str) -> Vec<i64> {
    let all = read(path, &json!({})).unwrap();
    for whole in all.values() {
        for (id, vector) in &whole.rows {
            assert_eq!(*vector, common::make::vector(*id, DIM), "id {id}");
        }
    }
    all[name].rows.iter().map(|(id, _)| *id).collect()
}

fn refused(path: &Path, options: &Value) -> Error {
    let error = read(path, options).err().expect("an error");
    assert_eq!(error.kind(), ErrorKind::Format, "{error}");
    assert!(
        error.to_string().contains("wal: ignore") || error.to_string().contains("skip_segment"),
        "{error}"
    );
    read(path, &json!({"wal": "ignore"})).unwrap();
    error
}

#[test]
fn deletes_go_by_partition_and_by_order() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(&scratch.path().join("m"));
    let mut wal = Wal::new();
    wal.insert("c", "", DIM, &[10, 11, 12]);
    wal.insert("c", "p", DIM, &[10, 11]);
    // All rows of id 1, whatever the partition; 10 in p only.
    wal.delete("c", "", &[1]);
    wal.delete("c", "p", &[10]);
    wal.next_file();
    // What comes after a delete is not deleted by it.
    wal.insert("c", "", DIM, &[1, 13]);
    wal.delete("c", "", &[12, 13]);
    // These do nothing.
    wal.delete("c", "_default", &[2]);
    wal.delete("c", "no such", &[2]);
    wal.delete("gone", "", &[2]);
    wal.insert("gone", "", DIM, &[5]);
    wal.write(&home.path);
    assert_eq!(ids(&home.path, "c/_default"), [2, 3, 10, 11, 1]);
    assert_eq!(ids(&home.path, "c/p"), [2, 3, 11]);
    let notices = open(&home.path, &json!({}))
        .unwrap()
        .inspect()
        .unwrap()
        .notices;
    assert!(
        notices
            .iter()
            .any(|n| n.contains("1 rows of collections that are no more")),
        "{notices:?}"
    );
}

#[test]
fn a_single_id_removes_the_first_unflushed_row_and_several_remove_all() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(&scratch.path().join("m"));
    let mut wal = Wal::new();
    wal.insert("c", "", DIM, &[20, 20, 21, 21, 20]);
    wal.delete("c", "", &[20]);
    wal.delete("c", "", &[21, 99]);
    wal.write(&home.path);
    assert_eq!(ids(&home.path, "c/_default"), [1, 2, 3, 1, 20, 20]);
}

#[test]
fn what_was_flushed_is_not_replayed() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(&scratch.path().join("m"));
    let mut wal = Wal::new();
    wal.insert("c", "", DIM, &[1, 2, 3, 1]);
    wal.delete("c", "", &[3]);
    let flushed = wal.lsn();
    wal.insert("c", "", DIM, &[30]);
    wal.insert("c", "p", DIM, &[31]);
    let partition_flushed = wal.lsn();
    wal.write(&home.path);
    let set = |table: &str, lsn: u64| {
        home.meta
            .execute(
                "UPDATE Tables SET flush_lsn = ?1 WHERE table_id = ?2",
                (lsn as i64, table),
            )
            .unwrap();
    };
    set("c", flushed);
    set("777", partition_flushed);
    assert_eq!(ids(&home.path, "c/_default"), [1, 2, 3, 1, 30]);
    // The partition was flushed with the delete, which is thus done with.
    assert_eq!(ids(&home.path, "c/p"), [1, 2, 3]);
}

#[test]
fn rows_sent_to_a_partition_called_default_are_counted_as_skipped() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(&scratch.path().join("m"));
    let mut wal = Wal::new();
    wal.insert("c", "_default", DIM, &[40, 41]);
    wal.insert("c", " p ", DIM, &[42]);
    wal.write(&home.path);
    let all = read(&home.path, &json!({})).unwrap();
    assert_eq!(all["c/_default"].account.skipped, 2);
    assert!(all["c/_default"].account.notes[0].contains("never stores"));
    assert_eq!(ids(&home.path, "c/p"), [1, 2, 3, 42]);
}

#[test]
fn files_that_the_server_removed_are_not_missed_but_a_gap_is() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(&scratch.path().join("m"));
    let mut wal = Wal::new();
    wal.insert("c", "", DIM, &[50]);
    wal.next_file();
    wal.insert("c", "", DIM, &[51]);
    wal.next_file();
    wal.insert("c", "", DIM, &[52]);
    wal.write(&home.path);
    fs::remove_file(home.path.join("wal/0.wal")).unwrap();
    assert_eq!(ids(&home.path, "c/_default"), [1, 2, 3, 1, 51, 52]);
    fs::rename(home.path.join("wal/1.wal"), home.path.join("wal/0.wal")).unwrap();
    let error = refused(&home.path, &json!({}));
    assert!(error.message().contains("1.wal"), "{error}");
    fs::remove_file(home.path.join("wal/2.wal")).unwrap();
    refused(&home.path, &json!({}));
}

#[test]
fn what_was_not_acknowledged_is_not_read() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(&scratch.path().join("m"));
    let mut wal = Wal::new();
    wal.insert("c", "", DIM, &[60]);
    let end = wal.lsn();
    wal.insert("c", "", DIM, &[61]);
    wal.files[0].truncate(end as usize + 9);
    wal.write_until(&home.path, end);
    assert_eq!(ids(&home.path, "c/_default"), [1, 2, 3, 1, 60]);
}

#[test]
fn every_cut_of_a_log_is_an_error_and_a_cut_last_insert_is_counted() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(&scratch.path().join("m"));
    let mut wal = Wal::new();
    wal.insert("c", "", DIM, &[70]);
    let last = wal.lsn();
    wal.insert("c", "", DIM, &[71, 72, 73]);
    let end = wal.lsn();
    wal.write(&home.path);
    let whole = wal.files[0].clone();
    for length in 0..whole.len() {
        fs::write(home.path.join("wal/0.wal"), &whole[..length]).unwrap();
        refused(&home.path, &json!({}));
        let skipping = json!({"on_error": "skip_segment"});
        if (length as u64) < last + 21 + 1 {
            refused(&home.path, &skipping);
        } else {
            let all = read(&home.path, &skipping).unwrap();
            assert_eq!(all["c/_default"].account.lost, 3);
            assert_eq!(all["c/_default"].rows.len(), 5);
        }
    }
    // A delete that is cut can't be passed over: rows would come back.
    wal.delete("c", "", &[1, 2]);
    wal.files[0].pop();
    wal.write_until(&home.path, end + 21 + 1 + 16);
    refused(&home.path, &json!({"on_error": "skip_segment"}));
}

#[test]
fn records_that_lie_are_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(&scratch.path().join("m"));
    let mut wal = Wal::new();
    wal.insert("c", "", DIM, &[80]);
    wal.write(&home.path);
    let whole = wal.files[0].clone();
    // Every byte of the header matters, and the name.
    for at in (0..21).chain([21]) {
        for flip in [1u8, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            fs::write(home.path.join("wal/0.wal"), &bytes).unwrap();
            match read(&home.path, &json!({})) {
                // Another collection's.
                Ok(all) => assert!(at == 21 && all["c/_default"].rows.len() == 4, "byte {at}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Format, "byte {at}: {error}"),
            }
        }
    }
    let mut wrong = Wal::new();
    wrong.record(2, "c", "", &[80], &[0; 12]);
    wrong.write(&home.path);
    refused(&home.path, &json!({}));
    let mut binary = Wal::new();
    binary.record(1, "c", "", &[80], &[0; 8]);
    binary.write(&home.path);
    refused(&home.path, &json!({}));
    for bytes in [&b""[..], &[0; 23], &[0; 25]] {
        fs::write(home.path.join("wal/mxlog.meta"), bytes).unwrap();
        refused(&home.path, &json!({}));
    }
    fs::remove_file(home.path.join("wal/mxlog.meta")).unwrap();
    refused(&home.path, &json!({}));
}
