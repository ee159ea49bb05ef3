// SPDX-License-Identifier: Apache-2.0
//! Sources that may only be read, targets that may not be written, disks that are full.
//!
//! CI runs as root, whom no permission stops: there the runs become another user with
//! `setpriv`. Mounts are made in a mount namespace of the run's own (`unshare`), which a plain
//! user may do where the kernel allows user namespaces; where it does not, the test fails and
//! says so.

use std::path::PathBuf;

use crate::support::{
    Outcome, Space, data, in_mount_namespace, is_root, milvusdm, open_binary, set_mode, text,
};

/// The user whom nothing belongs to.
const NOBODY: &str = "65534";

/// Runs milvusdm as a user without rights: as nobody if we are root, else as we are.
fn as_plain_user(space: &Space, args: &[&str]) -> Outcome {
    let binary = open_binary(space);
    let run = milvusdm(space, args).program(binary);
    let wrapper = [
        "setpriv",
        "--reuid",
        NOBODY,
        "--regid",
        NOBODY,
        "--clear-groups",
        "--",
    ];
    if is_root() {
        run.under(&wrapper).run()
    } else {
        run.run()
    }
}

/// A folder that everybody may write to.
fn open_folder(space: &Space, name: &str) -> PathBuf {
    let folder = space.folder(name);
    set_mode(&folder, 0o777);
    folder
}

#[test]
fn sources_are_read_by_a_user_who_may_not_write_them() {
    let space = Space::new();
    let files = [
        ("faiss", data("faiss/ivf8_flat_ids.index"), "a.index"),
        (
            "faiss",
            data("faiss/ivf6_ondisk.index"),
            "ivf6_ondisk.index",
        ),
        ("hdf5", data("hdf5/shop/hats.h5"), "hats.h5"),
    ];
    space.copy(&data("faiss/ivf6_ondisk.ivfdata"), "in/ivf6_ondisk.ivfdata");
    for (_, from, name) in &files {
        space.copy(from, &format!("in/{name}"));
    }
    for name in space.list("in") {
        set_mode(&space.path("in").join(name), 0o444);
    }
    set_mode(&space.path("in"), 0o555);
    open_folder(&space, "home");
    open_folder(&space, "out");
    for (plugin, _, name) in files {
        let source = format!("{plugin}:in/{name}");
        as_plain_user(&space, &["inspect", &source]).exits(0);
        as_plain_user(&space, &["copy", &source, &format!("hdf5:out/{name}.h5")]).exits(0);
    }
    assert_eq!(
        space.list("out"),
        ["a.index.h5", "hats.h5.h5", "ivf6_ondisk.index.h5"]
    );
}

#[test]
fn sources_are_read_from_a_read_only_mount() {
    let space = Space::new();
    space.copy(&data("faiss/ivf6_ondisk.index"), "in/ivf6_ondisk.index");
    space.copy(&data("faiss/ivf6_ondisk.ivfdata"), "in/ivf6_ondisk.ivfdata");
    space.copy(&data("hdf5/glove-24-angular.hdf5"), "in/glove.hdf5");
    let outcome = in_mount_namespace(
        &space,
        r#"mount --bind in in
           mount -o remount,bind,ro in
           if touch in/probe 2>/dev/null; then echo "the mount can be written to" >&2; exit 77; fi
           "$0" copy faiss:in/ivf6_ondisk.index hdf5:out/a.h5
           "$0" copy hdf5:in/glove.hdf5 hdf5:out/b.h5
           "$0" inspect faiss:in/ivf6_ondisk.index >/dev/null"#,
    );
    outcome.exits(0);
    assert_eq!(space.list("out"), ["a.h5", "b.h5"]);
}

#[test]
fn a_run_is_looked_at_and_verified_by_a_user_who_may_not_write_anything() {
    let space = Space::new();
    let task = "source: {plugin: random, rows: 50, dim: 4}\nsink: {plugin: hdf5, path: out.h5}\n";
    let task = text(space.write("task.yaml", task));
    milvusdm(&space, &["run", &task]).run().exits(0);
    let status = as_plain_user(&space, &["status", &task, "--json"]).exits(0);
    assert_eq!(status.json()["state"], "finished", "{status}");
    as_plain_user(&space, &["verify", &task])
        .exits(0)
        .prints(&["as the run hashed them"]);
}

#[test]
fn a_source_that_may_not_be_read_is_named() {
    let space = Space::new();
    open_folder(&space, "home");
    open_folder(&space, "out");
    for (plugin, from) in [
        ("faiss", "faiss/flat_l2.index"),
        ("hdf5", "hdf5/shop/hats.h5"),
    ] {
        let secret = space.copy(&data(from), "secret");
        set_mode(&secret, 0o000);
        let outcome = as_plain_user(
            &space,
            &["copy", &format!("{plugin}:secret"), "hdf5:out/a.h5"],
        );
        outcome.exits(4).says(&["secret", "ermission denied"]);
        std::fs::remove_file(secret).expect("a file of ours");
    }
    assert!(space.list("out").is_empty());
}

#[test]
fn a_target_that_may_not_be_written_is_named_and_nothing_is_left() {
    let space = Space::new();
    open_folder(&space, "home");
    let closed = space.folder("closed");
    set_mode(&closed, 0o555);
    let source = format!(
        "faiss:{}",
        text(space.copy(&data("faiss/flat_l2.index"), "a.index"))
    );
    for target in [
        "hdf5:closed/a.h5",
        "hdf5:closed/folder/",
        "hdf5:/proc/nowhere/a.h5",
    ] {
        let outcome = as_plain_user(&space, &["copy", &source, target]);
        let named = target.trim_start_matches("hdf5:").trim_end_matches('/');
        outcome.exits(4).says(&[named]);
    }
    assert!(space.list("closed").is_empty());
}

#[test]
fn too_little_free_space_is_refused_before_the_first_byte() {
    let space = Space::new();
    let outcome = in_mount_namespace(
        &space,
        r#"mkdir small
           mount -t tmpfs -o size=4m tmpfs small
           printf 'source: {plugin: random, rows: 100000, dim: 128, seed: 1}\nsink: {plugin: hdf5, path: small/a.h5}\n' >task.yaml
           code=0; "$0" run task.yaml || code=$?
           ls -A small >left
           exit $code"#,
    );
    assert!(
        matches!(outcome.code, Some(2 | 4)),
        "it is refused: {outcome}"
    );
    let outcome = outcome.says(&["space"]);
    let left = std::fs::read_to_string(space.path("left")).expect("a list");
    assert_eq!(left, "", "nothing was written: {outcome}");
}

#[test]
fn a_disk_that_fills_up_in_the_middle_ends_the_run_and_leaves_no_result() {
    let space = Space::new();
    // Compressed output has no size that could be checked beforehand; random floats hardly
    // shrink, so 20 MB of them do not fit either. The filler comes after the check.
    let outcome = in_mount_namespace(
        &space,
        r#"mkdir small
           mount -t tmpfs -o size=64m tmpfs small
           printf 'source: {plugin: random, rows: 100000, dim: 128, seed: 1}\nsink: {plugin: hdf5, path: small/a.h5, compression: "gzip:6"}\nmemory: 16MiB\n' >task.yaml
           known() { [ "$(du -sk small | cut -f1)" -ge 200 ]; }
           fill_under "$0" run task.yaml
           ls -A small >left
           exit $code"#,
    );
    let outcome = outcome.exits(4);
    let left = std::fs::read_to_string(space.path("left")).expect("a list");
    assert_eq!(left, "", "nothing is left: {outcome}");
}

#[test]
fn a_disk_that_others_fill_does_not_stop_an_uncompressed_target_whose_space_is_reserved() {
    let space = Space::new();
    let outcome = in_mount_namespace(
        &space,
        r#"mkdir small
           mount -t tmpfs -o size=400m tmpfs small
           printf 'source: {plugin: random, rows: 600000, dim: 128, seed: 1}\nsink: {plugin: hdf5, path: small/a.h5}\nmemory: 16MiB\n' >task.yaml
           known() { [ "$(du -sk small | cut -f1)" -ge 304000 ]; }
           fill_under "$0" run task.yaml
           ls -A small >left
           exit $code"#,
    );
    let outcome = outcome
        .exits(0)
        .prints(&["600,000 found = 600,000 written"]);
    let left = std::fs::read_to_string(space.path("left")).expect("a list");
    assert_eq!(left, "a.h5\n", "the target is there: {outcome}");
}
