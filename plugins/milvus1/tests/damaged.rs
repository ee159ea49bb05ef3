// SPDX-License-Identifier: Apache-2.0
//! Directories with something wrong in them: every one is an error that says where, or, when told
//! to pass over it, rows that are counted as lost. Never a panic, never a row less in silence.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use common::make::{Home, counted};
use common::{copy, golden, open, read};
use milvusdm_plugin_api::{Error, ErrorKind};
use serde_json::json;

const DIM: usize = 4;

/// A collection of two segments, ten rows each; the second has two deleted.
fn two_segments(path: &Path) -> Home {
    let home = Home::new(path);
    home.table("c", "", "", DIM as i64, 0);
    home.segment("c", "100", DIM, &(0..10).collect::<Vec<_>>(), &[]);
    home.segment("c", "200", DIM, &(10..20).collect::<Vec<_>>(), &[3, 1, 3]);
    home
}

/// Reads it both ways: an error, and then the first segment's rows with this many lost.
fn check(path: &Path, what: &str, lost: u64) -> Error {
    let error = match read(path, &json!({})) {
        Ok(_) => panic!("{what}: it was read as if it were whole"),
        Err(error) => error,
    };
    let text = error.to_string();
    assert!(error.context_value("segment").is_some(), "{what}: {text}");
    assert!(
        error
            .context_value("file")
            .or(error.context_value("folder"))
            .is_some(),
        "{what}: {text}"
    );
    assert!(text.contains("skip_segment"), "{what}: {text}");
    let found = read(path, &json!({"on_error": "skip_segment"})).unwrap();
    let whole = &found["c/_default"];
    assert_eq!(whole.rows.len(), 10, "{what}");
    assert_eq!(whole.account.lost, lost, "{what}");
    // It can be looked at all the same.
    let inspection = open(path, &json!({})).unwrap().inspect().unwrap();
    assert!(
        inspection
            .notices
            .iter()
            .any(|n| n.contains("can't be read")),
        "{what}"
    );
    error
}

#[test]
fn every_cut_of_every_file_is_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let home = two_segments(&scratch.path().join("m"));
    let folder = home.folder("c", "200");
    for (name, lost) in [("200.rv", 8), ("200.uid", 8), ("deleted_docs", 10)] {
        let whole = fs::read(folder.join(name)).unwrap();
        for length in (0..whole.len()).filter(|l| *l < 20 || l % 7 == 0) {
            fs::write(folder.join(name), &whole[..length]).unwrap();
            check(&home.path, &format!("{name} cut to {length}"), lost);
        }
        fs::write(folder.join(name), [&whole[..], b"x"].concat()).unwrap();
        check(&home.path, &format!("{name} with a byte more"), lost);
        for said in [0, 1, whole.len() as u64, u64::MAX, 1 << 62] {
            fs::write(
                folder.join(name),
                [&said.to_le_bytes(), &whole[8..]].concat(),
            )
            .unwrap();
            check(&home.path, &format!("{name} that says {said}"), lost);
        }
        fs::write(folder.join(name), &whole).unwrap();
    }
    assert_eq!(
        read(&home.path, &json!({})).unwrap()["c/_default"]
            .rows
            .len(),
        18
    );
}

#[test]
fn files_that_do_not_fit_together_are_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let home = two_segments(&scratch.path().join("m"));
    let folder = home.folder("c", "200");
    let ids = fs::read(folder.join("200.uid")).unwrap();
    fs::write(folder.join("200.uid"), counted(&[0; 88])).unwrap();
    let error = check(&home.path, "an id too many", 9);
    assert!(
        error.message().contains("wanted 176 for the 11 ids"),
        "{error}"
    );
    fs::write(folder.join("200.uid"), ids).unwrap();
    for offset in [-1i32, 10, i32::MAX, i32::MIN] {
        fs::write(folder.join("deleted_docs"), counted(&offset.to_le_bytes())).unwrap();
        let error = check(&home.path, "an offset outside", 10);
        assert_eq!(error.context_value("offset"), Some("8"), "{error}");
    }
}

#[test]
fn missing_files_and_folders_are_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let home = two_segments(&scratch.path().join("m"));
    let folder = home.folder("c", "200");
    for name in ["200.rv", "200.uid"] {
        let whole = fs::read(folder.join(name)).unwrap();
        fs::remove_file(folder.join(name)).unwrap();
        let error = check(&home.path, name, 8);
        assert!(error.message().contains("files are missing"), "{error}");
        fs::create_dir(folder.join(name)).unwrap();
        check(&home.path, name, 8);
        fs::remove_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name), whole).unwrap();
    }
    // The server writes an empty list, but nothing is deleted without it.
    fs::remove_file(folder.join("deleted_docs")).unwrap();
    assert_eq!(
        read(&home.path, &json!({})).unwrap()["c/_default"]
            .rows
            .len(),
        20
    );
    fs::remove_dir_all(&folder).unwrap();
    check(&home.path, "no folder", 8);
}

#[test]
fn links_and_names_that_lead_out_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let home = two_segments(&scratch.path().join("m"));
    let folder = home.folder("c", "200");
    let outside = scratch.path().join("outside");
    fs::rename(&folder, &outside).unwrap();
    symlink(&outside, &folder).unwrap();
    let error = check(&home.path, "a linked folder", 8);
    assert!(error.message().contains("symbolic link"), "{error}");
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    for name in ["200.rv", "200.uid", "deleted_docs"] {
        symlink(outside.join(name), folder.join(name)).unwrap();
    }
    check(&home.path, "linked files", 8);
    fs::remove_dir_all(&folder).unwrap();
    for name in ["../../../outside", "..", ".", "", "/etc", "a\0b"] {
        home.meta
            .execute("UPDATE TableFiles SET segment_id = ?1 WHERE id = 2", [name])
            .unwrap();
        check(&home.path, &format!("a segment called {name:?}"), 8);
    }
    home.meta
        .execute(
            "UPDATE TableFiles SET segment_id = '200', file_id = '../100/100' WHERE id = 2",
            [],
        )
        .unwrap();
    fs::create_dir(&folder).unwrap();
    check(&home.path, "a file of another folder", 8);
}

#[test]
fn numbers_in_the_metadata_that_can_not_be_are_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let home = two_segments(&scratch.path().join("m"));
    for (column, value) in [
        ("dimension", "0"),
        ("dimension", "-4"),
        ("dimension", "9223372036854775807"),
        ("metric_type", "8"),
        ("metric_type", "NULL"),
        ("flush_lsn", "-1"),
        ("state", "'x'"),
        ("table_id", "NULL"),
    ] {
        let before: rusqlite::types::Value = home
            .meta
            .query_row(&format!("SELECT {column} FROM Tables"), [], |r| r.get(0))
            .unwrap();
        home.meta
            .execute(&format!("UPDATE Tables SET {column} = {value}"), [])
            .unwrap();
        let error = read(&home.path, &json!({}))
            .err()
            .unwrap_or_else(|| panic!("{column} {value}"));
        assert_eq!(error.kind(), ErrorKind::Format, "{error}");
        assert!(error.to_string().contains(column), "{error}");
        home.meta
            .execute(&format!("UPDATE Tables SET {column} = ?1"), [before])
            .unwrap();
    }
    // These say nothing that the files do not say better.
    home.meta
        .execute("UPDATE TableFiles SET row_count = -5", [])
        .unwrap();
    home.meta
        .execute(
            "UPDATE Tables SET index_params = NULL, version = NULL, index_file_size = -1",
            [],
        )
        .unwrap();
    assert_eq!(
        read(&home.path, &json!({})).unwrap()["c/_default"]
            .rows
            .len(),
        18
    );
    home.list("c", "200", 7, 8);
    let error = read(&home.path, &json!({})).err().unwrap();
    assert!(error.message().contains("listed twice"), "{error}");
}

#[test]
fn a_metadata_file_that_is_cut_or_none_is_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("m");
    copy(&golden().join("deletes"), &path);
    let file = path.join("db/meta.sqlite");
    let whole = fs::read(&file).unwrap();
    for length in [
        0,
        1,
        50,
        100,
        512,
        4096,
        8192,
        whole.len() - 4096,
        whole.len() - 1,
    ] {
        fs::write(&file, &whole[..length]).unwrap();
        let error = read(&path, &json!({}))
            .err()
            .unwrap_or_else(|| panic!("cut to {length}"));
        assert_eq!(error.kind(), ErrorKind::Format, "cut to {length}: {error}");
        assert!(error.to_string().contains("meta.sqlite"), "{error}");
    }
    fs::write(&file, "no database at all\n".repeat(1000)).unwrap();
    assert_eq!(
        read(&path, &json!({})).err().unwrap().kind(),
        ErrorKind::Format
    );
    fs::remove_file(&file).unwrap();
    let error = read(&path, &json!({})).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("metadata: none"), "{error}");
    // After a kill all of it stands in the other file.
    copy(&golden().join("wal"), &scratch.path().join("w"));
    fs::remove_file(scratch.path().join("w/db/meta.sqlite-wal")).unwrap();
    let error = read(&scratch.path().join("w"), &json!({})).err().unwrap();
    assert!(error.to_string().contains("meta.sqlite-wal"), "{error}");
}

#[test]
fn early_versions_are_refused_by_name() {
    let scratch = tempfile::tempdir().unwrap();
    let home = Home::new(&scratch.path().join("m"));
    home.meta.execute_batch("ALTER TABLE TableFiles DROP COLUMN segment_id; ALTER TABLE Tables ADD COLUMN nlist INTEGER").unwrap();
    let error = read(&home.path, &json!({})).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("0.5 or 0.6"), "{error}");
}

#[test]
fn tables_of_0_7_in_another_order_are_read_with_a_notice() {
    let scratch = tempfile::tempdir().unwrap();
    let home = two_segments(&scratch.path().join("m"));
    home.meta
        .execute_batch(
            "UPDATE Tables SET version = '0.7.1';
             CREATE TABLE Other AS SELECT flush_lsn, version, metric_type, table_id, id, state, dimension, flag, index_file_size, engine_type, index_params, owner_table, partition_tag FROM Tables;
             DROP TABLE Tables; ALTER TABLE Other RENAME TO Tables;",
        )
        .unwrap();
    assert_eq!(
        read(&home.path, &json!({})).unwrap()["c/_default"]
            .rows
            .len(),
        18
    );
    let notices = open(&home.path, &json!({}))
        .unwrap()
        .inspect()
        .unwrap()
        .notices;
    assert!(notices.iter().any(|n| n.contains("0.7.1")), "{notices:?}");
}

#[test]
fn a_plan_does_not_fit_files_that_changed() {
    let scratch = tempfile::tempdir().unwrap();
    let home = two_segments(&scratch.path().join("m"));
    let source = open(&home.path, &json!({})).unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let split = source.splits(&dataset.key).unwrap().remove(0);
    let mut reader = source
        .read(&dataset, &split, &common::request(40, 0))
        .unwrap();
    reader.next().unwrap();
    fs::write(home.folder("c", "100").join("100.uid"), counted(&[0; 72])).unwrap();
    assert!(reader.next().unwrap_err().message().contains("changed"));
    assert!(
        source
            .read(&dataset, &split, &common::request(40, 0))
            .is_err()
    );
}

/// Runs the test of that name again as a user who owns nothing.
fn as_nobody(name: &str) {
    use std::os::unix::process::CommandExt;
    if std::env::var_os("AS_NOBODY").is_some() || !rustix::process::geteuid().is_root() {
        return;
    }
    // The program itself may stand where only its owner looks.
    let scratch = tempfile::tempdir().unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = scratch.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = std::process::Command::new(program)
        .args(["--exact", name])
        .env("AS_NOBODY", "1")
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[test]
fn folders_of_another_user_are_denied_not_missing() {
    as_nobody("folders_of_another_user_are_denied_not_missing");
    if rustix::process::geteuid().is_root() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let home = two_segments(&scratch.path().join("m"));
    let folder = home.folder("c", "200");
    // As another's folder of mode 0744 is: its names are seen, what they stand for is not.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o444)).unwrap();
    for options in [json!({}), json!({"on_error": "skip_segment"})] {
        let error = read(&home.path, &options).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(
            error.to_string().contains("only their owner may enter"),
            "{error}"
        );
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}
