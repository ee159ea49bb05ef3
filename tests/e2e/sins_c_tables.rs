// SPDX-License-Identifier: Apache-2.0
//! Tables, doors and notes that are not what the boundary asks for: refused before any entry is
//! called, with what does not fit.

use std::path::{Path, PathBuf};

use crate::support::{SINS, Space, Standing, compile_c, milvusdm, sins, text, with_plugins};

/// The C plugin, built with those switches, as that file in the space.
#[track_caller]
fn built_with(space: &Space, switches: &[&str], name: &str) -> PathBuf {
    let file = space.path(name);
    std::fs::create_dir_all(file.parent().expect("in the space")).expect("a folder of ours");
    compile_c(&SINS, switches, &file);
    file
}

#[test]
fn tables_that_do_not_fit_are_refused_by_what_does_not() {
    let standing = Standing::new();
    let cases: [(&str, &[&str]); 14] = [
        ("null", &["the door gives no table"]),
        ("misaligned", &["an address that is no multiple of 8"]),
        (
            "major_2",
            &["version 2.0 of the API", "build it again with version 1.0"],
        ),
        ("major_0", &["version 0.0 of the API"]),
        ("shorter", &["its table has 20 entries, version 1.0 had 21"]),
        (
            "size_too_small",
            &["184 bytes and 21 entries", "do not go together"],
        ),
        ("size_zero", &["0 bytes and 21 entries"]),
        ("size_huge", &["18446744073709551615 bytes and 21 entries"]),
        ("entries_huge", &["192 bytes and 4294967295 entries"]),
        ("hashes_null", &["the table has no hashes"]),
        ("hashes_misaligned", &["the table has no hashes"]),
        (
            "hashes_changed",
            &["entry 5 of its table is not what version 1.0 calls `source_inspect`"],
        ),
        ("hashes_swapped", &["entry 8 of its table", "`reader_next`"]),
        ("lacks_0", &["lacks the entry `info`"]),
    ];
    for (sin, parts) in cases {
        let outcome = standing.bears(&format!("table:{sin}")).exits(3);
        outcome
            .says(&["the plugin `sins` can't be loaded", "libmilvusdm_sins.so"])
            .says(parts);
    }
}

#[test]
fn a_side_that_is_half_there_is_refused_before_it_is_used() {
    let standing = Standing::new();
    let entries = [
        "source_datasets",
        "source_schema",
        "source_splits",
        "source_inspect",
        "source_read",
        "source_close",
        "reader_next",
        "reader_account",
        "reader_close",
        "",
        "sink_capabilities",
        "sink_check",
        "sink_prepare",
        "sink_close",
        "writer_write",
        "writer_flush",
        "writer_finish",
        "writer_abort",
        "writer_close",
    ];
    for (number, entry) in (2..).zip(entries).filter(|(_, entry)| !entry.is_empty()) {
        let sin = format!("table:lacks_{number}");
        let run = standing
            .run(&[sins()], &["plugins", "show", "sins"])
            .env("SIN", sin);
        run.run()
            .exits(3)
            .says(&[&format!("lacks the entry `{entry}`")]);
    }
    // A side that is not there at all is no sin.
    let run = standing
        .run(&[sins()], &["inspect", "sins:"])
        .env("SIN", "table:lacks_1");
    run.run().exits(2).says(&["does not read"]);
}

#[test]
fn a_longer_table_of_a_newer_plugin_is_taken() {
    let standing = Standing::new();
    let task = standing.task("sins", true);
    let run = standing
        .run(&[sins()], &["run", &task])
        .env("SIN", "table:longer");
    run.run().exits(0).prints(&["100 found = 100 written"]);
}

#[test]
fn check_says_of_a_table_what_a_run_says() {
    let space = Space::new();
    let check = ["plugins", "check", &text(sins())];
    let outcome = milvusdm(&space, &check)
        .env("SIN", "table:hashes_changed")
        .run()
        .exits(3);
    outcome
        .prints(&["refused", "dlopen   loaded"])
        .says(&["entry 5", "source_inspect"]);
}

#[test]
fn doors_that_lead_nowhere_are_refused_before_the_file_is_loaded() {
    let space = Space::new();
    for (switch, parts) in [
        (
            "-DNO_DOOR",
            &["is no plugin", "`milvusdm_plugin_init_v1`", "root module"][..],
        ),
        (
            "-DDOOR_IS_DATA",
            &["exports `milvusdm_plugin_init_v1`", "wanted a function"],
        ),
    ] {
        let file = built_with(&space, &[switch], "libmilvusdm_sins.so");
        let outcome = loads_nothing(&space, &file).exits(3);
        outcome.says(parts);
    }
    // The other door is opened from within: what lies behind it has to be loaded.
    let file = built_with(&space, &["-DJUNK_ROOT_MODULE"], "libmilvusdm_sins.so");
    let outcome = with_plugins(&space, &[&file], &["inspect", "sins:"])
        .run()
        .exits(3);
    outcome.says(&["does not fit this host", "root module can't be entered"]);
}

/// Inspects with the file, whose constructor must not run.
#[track_caller]
fn loads_nothing(space: &Space, file: &Path) -> crate::support::Outcome {
    let trace = space.path("trace");
    let outcome = with_plugins(space, &[file], &["inspect", "sins:"])
        .env("SINS_TRACE", &trace)
        .run();
    assert!(!trace.exists(), "its code ran: {outcome}");
    outcome
}

#[test]
fn a_note_that_can_not_be_read_or_names_another_is_refused() {
    let space = Space::new();
    // Breaks out of the quotation marks.
    let file = built_with(
        &space,
        &[r#"-DNOTE_VERSION="1\\\"2""#],
        "libmilvusdm_sins.so",
    );
    let outcome = loads_nothing(&space, &file).exits(3);
    outcome.says(&["the plugin's note is not the JSON that was expected"]);
    // The note says another name than the plugin itself.
    let file = built_with(&space, &["-DNOTE_NAME=\"saints\""], "libmilvusdm_saints.so");
    let outcome = with_plugins(&space, &[&file], &["inspect", "saints:"])
        .run()
        .exits(3);
    outcome.says(&["the plugin calls itself `sins`, its file `saints`"]);
    // So does the plugin, of the name that the file says.
    let file = built_with(&space, &["-DNO_NOTE"], "libmilvusdm_other.so");
    let outcome = with_plugins(&space, &[&file], &["inspect", "other:"])
        .run()
        .exits(3);
    outcome.says(&["the plugin calls itself `sins`, its file `other`"]);
    // Without a note, the name of the file serves.
    let file = built_with(&space, &["-DNO_NOTE"], "libmilvusdm_sins.so");
    with_plugins(&space, &[&file], &["inspect", "sins:"])
        .run()
        .exits(0);
    // Without either, nobody knows what it is.
    let file = built_with(&space, &["-DNO_NOTE"], "sins.so");
    let outcome = milvusdm(&space, &["plugins", "check", &text(file)])
        .run()
        .exits(2);
    outcome.says(&["neither a note with its name nor a file name that says it"]);
}

#[test]
fn a_file_of_another_name_is_not_taken_for_the_plugin() {
    let space = Space::new();
    let file = space.copy(sins(), "plugins/libmilvusdm_other.so");
    milvusdm(&space, &["plugins", "trust", &text(&file)])
        .run()
        .exits(0);
    let args = ["inspect", "other:", "--plugin-dir", "plugins"];
    let outcome = milvusdm(&space, &args).run().exits(3);
    outcome.says(&[
        "holds the plugin `sins`, wanted `other`",
        "call it `libmilvusdm_sins.so`",
    ]);
}

#[test]
fn what_a_note_says_can_not_steer_the_terminal() {
    let space = Space::new();
    let switch = r#"-DNOTE_VERSION="1\\\\u001b[31m""#;
    let file = built_with(&space, &[switch], "plugins/libmilvusdm_sins.so");
    let args = ["plugins", "list", "--plugin-dir", "plugins"];
    let outcome = milvusdm(&space, &args)
        .run()
        .exits(0)
        .prints(&["sins", "[31m"]);
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome}");
    let outcome = milvusdm(&space, &["plugins", "trust", &text(file)])
        .run()
        .exits(0);
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome}");
}
