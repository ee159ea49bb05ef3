// SPDX-License-Identifier: Apache-2.0
//! Entries of a plugin in C that answer what no entry may: documents that are none, statuses
//! that nobody knows, no handle, or the end of the process.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Outcome, Space, Standing, sins, text, with_plugins};

/// Entries that answer with a document, and what the host calls it.
const OF_SOURCE: [(&str, &str); 3] = [
    ("source_datasets", "datasets"),
    ("source_splits", "splits"),
    ("reader_account", "read account"),
];
const OF_SINK: [(&str, &str); 4] = [
    ("sink_capabilities", "capabilities"),
    ("sink_check", "target states"),
    ("writer_write", "write acknowledgement"),
    ("writer_finish", "finish acknowledgement"),
];
/// Entries that give no document.
const OTHERS_OF_SOURCE: [&str; 4] = ["source_open", "source_schema", "source_read", "reader_next"];
const OTHERS_OF_SINK: [&str; 2] = ["sink_open", "sink_prepare"];

/// Runs into the C plugin's sink with that sin; claims that it never published its target, and
/// that the source is as it was.
#[track_caller]
fn into_sins(space: &Space, sin: &str) -> Outcome {
    let out = space.path("published");
    let outcome = with_plugins(
        space,
        &[sins()],
        &["copy", "random:?rows=100&dim=2", "sins:"],
    )
    .env("SIN", sin)
    .env("SINS_OUT", &out)
    .run();
    assert!(!outcome.stderr.contains("not released"), "{sin}: {outcome}");
    // The last thing that a finish of this plugin does.
    let may_be_published = sin.starts_with("writer_finish:") || outcome.code == Some(0);
    assert!(may_be_published || !out.exists(), "{sin}: {outcome}");
    let _ = std::fs::remove_file(out);
    outcome
}

#[test]
fn documents_that_are_none_are_refused_by_name() {
    let kinds: [(&str, &[&str]); 6] = [
        ("empty", &["is not the JSON that was expected"]),
        ("not_json", &["is not the JSON that was expected", "line 1"]),
        (
            "wrong_shape",
            &["is not the JSON that was expected", "invalid type: string"],
        ),
        (
            "null_with_a_length",
            &["a text of 5 bytes without an address"],
        ),
        (
            "huge_length",
            &["a text of 1099511627776 bytes, wanted at most 268435456"],
        ),
        ("deep", &["is not the JSON that was expected"]),
    ];
    let (standing, space) = (Standing::new(), Space::new());
    for (kind, parts) in kinds {
        for (entry, document) in OF_SOURCE {
            let outcome = standing.bears(&format!("{entry}:{kind}")).exits(3);
            let outcome = outcome.says(&["plugin: sins", &format!("entry: {entry}"), document]);
            outcome.says(parts);
        }
        for (entry, document) in OF_SINK {
            let outcome = into_sins(&space, &format!("{entry}:{kind}")).exits(3);
            let outcome = outcome.says(&["plugin: sins", &format!("entry: {entry}"), document]);
            outcome.says(parts);
        }
        let outcome = standing.bears(&format!("info:{kind}")).exits(3);
        outcome
            .says(&["libmilvusdm_sins.so", "plugin info"])
            .says(parts);
    }
    // The members that are there are none that are looked for, but UTF-8 they must be.
    standing.bears("info:not_utf8").exits(3).says(&["unicode"]);
}

#[test]
fn an_error_in_any_entry_is_passed_on_as_the_plugin_tells_it() {
    let (standing, space) = (Standing::new(), Space::new());
    let told = &["a disk is gone, on purpose"];
    for entry in OF_SOURCE
        .map(|(entry, _)| entry)
        .iter()
        .chain(&OTHERS_OF_SOURCE)
    {
        standing
            .bears(&format!("{entry}:fails"))
            .exits(4)
            .says(told);
    }
    for entry in OF_SINK
        .map(|(entry, _)| entry)
        .iter()
        .chain(&OTHERS_OF_SINK)
    {
        into_sins(&space, &format!("{entry}:fails"))
            .exits(4)
            .says(told);
    }
    standing.bears("info:fails").exits(3).says(told);
    let args = ["inspect", "sins:"];
    let run = standing
        .run(&[sins()], &args)
        .env("SIN", "source_inspect:fails");
    run.run().exits(4).says(told);
}

#[test]
fn failures_without_an_error_and_unknown_statuses_are_the_plugins_fault() {
    let (standing, space) = (Standing::new(), Space::new());
    let kinds = [
        (
            "fails_without_error",
            "failed with status 2 without saying why",
        ),
        ("fails_with_junk", "failed with status 2 without saying why"),
        ("status_7", "failed with status 7 without saying why"),
        ("status_end", "status `end` from an entry that has none"),
    ];
    for (kind, text) in kinds {
        for entry in OF_SOURCE
            .map(|(entry, _)| entry)
            .iter()
            .chain(&OTHERS_OF_SOURCE)
        {
            // The one entry that may say so.
            if (kind, *entry) == ("status_end", "reader_next") {
                continue;
            }
            let outcome = standing.bears(&format!("{entry}:{kind}")).exits(3);
            outcome.says(&[text, "plugin: sins", &format!("entry: {entry}")]);
        }
        for entry in OF_SINK
            .map(|(entry, _)| entry)
            .iter()
            .chain(&OTHERS_OF_SINK)
        {
            let outcome = into_sins(&space, &format!("{entry}:{kind}")).exits(3);
            outcome.says(&[text, "plugin: sins", &format!("entry: {entry}")]);
        }
    }
    let outcome = standing
        .bears("source_open:fails_with_an_unknown_kind")
        .exits(5);
    outcome.says(&["unheard of", "plugin: sins", "entry: source_open"]);
}

#[test]
fn an_end_that_comes_early_or_with_a_batch_does_not_balance() {
    let standing = Standing::new();
    for sin in ["reader_next:status_end", "reader_next:end_with_a_batch"] {
        let outcome = standing.bears(sin).exits(5);
        outcome.says(&["100 rows found, 50 accounted for", "plugin: sins"]);
    }
    // And one that never comes: more rows than were announced stop the run.
    let outcome = standing.bears("reader_next:never_ends").exits(3);
    outcome.says(&[
        "announced with 100 rows, but reading gave 125",
        "plugin: sins",
    ]);
}

#[test]
fn a_handle_that_is_none_is_not_used() {
    let (standing, space) = (Standing::new(), Space::new());
    for entry in ["source_open", "source_read"] {
        let outcome = standing.bears(&format!("{entry}:no_handle")).exits(3);
        outcome.says(&["without giving a handle", &format!("entry: {entry}")]);
    }
    for entry in OTHERS_OF_SINK {
        let outcome = into_sins(&space, &format!("{entry}:no_handle")).exits(3);
        outcome.says(&["without giving a handle", &format!("entry: {entry}")]);
    }
}

#[test]
fn a_plugin_that_ends_the_process_is_named_and_does_not_pass_for_done() {
    let (standing, space) = (Standing::new(), Space::new());
    let entries = OF_SOURCE.map(|(entry, _)| entry);
    for entry in entries
        .iter()
        .chain(&OTHERS_OF_SOURCE)
        .chain(&["reader_close"])
    {
        // Its batches are not released, which is no wonder here.
        let task = standing.task("sins", false);
        let run = standing.run(&[sins()], &["run", &task, "--json"]);
        let outcome = run.env("SIN", format!("{entry}:exits")).run().exits(3);
        assert_eq!(outcome.json()["exit"], 3, "{outcome}");
        outcome.says(&["plugin", "ended the process", "sins"]);
        standing.is_as_before(entry);
    }
    for entry in OF_SINK
        .map(|(entry, _)| entry)
        .iter()
        .chain(&OTHERS_OF_SINK)
    {
        let outcome = into_sins(&space, &format!("{entry}:exits")).exits(3);
        outcome.says(&["ended the process", "sins"]);
    }
    for sin in ["constructor:exits", "table:door_exits", "info:exits"] {
        // Beside no leftovers of those that were ended in the middle of a write.
        let outcome = Standing::new().bears(sin).exits(3);
        outcome.says(&["the code of a plugin has ended the process"]);
    }
}

#[test]
fn a_plugin_that_crashes_leaves_the_target_as_it_was() {
    let standing = Standing::new();
    for entry in ["source_open", "reader_next", "reader_account"] {
        let task = standing.task("sins", false);
        let status = std::process::Command::new(crate::support::binary_path())
            .args(["run", &task, "--allow-plugin", &text(sins())])
            .env("SIN", format!("{entry}:crashes"))
            .env("HOME", standing.space.path("home"))
            .env("MILVUSDM_PATH", standing.space.path("home"))
            .current_dir(standing.space.root())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("milvusdm starts");
        assert_eq!(status.signal(), Some(11), "{entry}");
        standing.is_as_before(entry);
    }
    // The next run goes on as if nothing had been.
    let task = standing.task("sins", false);
    standing.run(&[sins()], &["run", &task]).run().exits(0);
    assert_eq!(standing.space.list("out"), ["a.h5"]);
}

#[test]
fn counts_that_lie_do_not_balance() {
    let space = Space::new();
    for (sin, code, parts) in [
        (
            r#"writer_write:{"written": 101}"#,
            3,
            &[
                "of 100 rows, 101 are said to be written",
                "entry: writer_write",
            ][..],
        ),
        (
            r#"writer_write:{"written": 18446744073709551615, "rejected": [{"row":0,"reason":"r"}]}"#,
            3,
            &["of 100 rows", "entry: writer_write"],
        ),
        (
            r#"writer_write:{}"#,
            3,
            &["of 100 rows, 0 are said to be written"],
        ),
        (r#"writer_finish:{"rows_added": 99}"#, 5, &["100", "99"]),
        (
            r#"sink_check:[]"#,
            3,
            &["0 states for 1 targets", "entry: sink_check"],
        ),
    ] {
        into_sins(&space, sin).exits(code).says(parts);
    }
    let standing = Standing::new();
    for (sin, code, parts) in [
        (
            r#"reader_account:{"deleted": 18446744073709551615, "lost": 3}"#,
            5,
            &["does not balance", "plugin: sins"][..],
        ),
        (
            r#"source_splits:[{"id":"a","found":100,"live":100},{"id":"a"}]"#,
            3,
            &["two splits of `k` have the id `a`"],
        ),
        (
            r#"source_splits:[{"id":"a","found":18446744073709551615,"live":18446744073709551615,"bytes":18446744073709551615}]"#,
            3,
            &["its splits have 18446744073709551615", "plugin: sins"],
        ),
        (
            r#"source_datasets:[{"key":"k","descriptor":{"system":"s","collection":"c"}},{"key":"k","descriptor":{"system":"s","collection":"d"}}]"#,
            3,
            &["two datasets with the key `k`", "entry: source_datasets"],
        ),
    ] {
        standing.bears(sin).exits(code).says(parts);
    }
}

#[test]
fn names_that_would_lead_out_of_the_target_stay_in_it() {
    let standing = Standing::new();
    let task = format!(
        "source: {{plugin: sins}}\nsink: {{plugin: hdf5, path: {}}}\nconvert: {{columns: {{tags: drop}}}}\n",
        text(standing.space.path("in/here/"))
    );
    let task = text(standing.space.write("names.yaml", task));
    for name in [
        "../../../up",
        "/etc/up",
        "a\\u0000b",
        "\\u001b[31mred",
        &"x".repeat(5000),
    ] {
        let sin = format!(
            r#"source_datasets:[{{"key":"k","descriptor":{{"system":"s","collection":"{name}","id":{{"policy":"given"}}}}}}]"#
        );
        let run = standing
            .run(&[sins()], &["run", &task, "--json"])
            .env("SIN", sin);
        let outcome = run.run();
        assert!(matches!(outcome.code, Some(0 | 2 | 3)), "{outcome}");
        assert!(!outcome.stderr.contains('\u{1b}'), "{outcome}");
        let _: Value = outcome.json();
    }
    let mut outside = standing.space.list("");
    outside.retain(|name| name.ends_with(".h5") && !name.starts_with("in/here/"));
    assert_eq!(outside, ["out/a.h5"]);
}
