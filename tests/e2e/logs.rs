// SPDX-License-Identifier: Apache-2.0
//! Log lines on the terminal and in the daily file.

use serde_json::Value;

use crate::support::{Space, data, milvusdm, text};

fn copy_args(space: &Space) -> Vec<String> {
    let out = text(space.fresh("out.h5"));
    vec![
        "copy".to_owned(),
        format!("faiss:{}", text(data("faiss/flat_l2.index"))),
        format!("hdf5:{out}"),
    ]
}

fn run(space: &Space, extra: &[&str], envs: &[(&str, &str)]) -> crate::support::Outcome {
    let args = copy_args(space);
    let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
    args.extend(extra);
    let run = envs
        .iter()
        .fold(milvusdm(space, &args), |run, (name, value)| {
            run.env(name, value)
        });
    run.run().exits(0)
}

#[test]
fn a_run_keeps_a_daily_file_with_more_than_the_terminal_shows() {
    let space = Space::new();
    let outcome = run(&space, &[], &[]);
    let files = space.list("home/milvusdm/logs");
    assert_eq!(files.len(), 1, "{files:?}");
    let file =
        std::fs::read_to_string(space.path("home/milvusdm/logs").join(&files[0])).expect("a log");
    assert!(file.contains("DEBUG"), "debug lines go to the file: {file}");
    assert!(
        !outcome.stderr.contains("DEBUG"),
        "and not to the terminal: {outcome}"
    );
    // A second run of the day adds to it.
    run(&space, &[], &[]);
    assert_eq!(space.list("home/milvusdm/logs"), files);
    let longer =
        std::fs::read_to_string(space.path("home/milvusdm/logs").join(&files[0])).expect("a log");
    assert!(longer.starts_with(&file) && longer.len() > file.len());
}

#[test]
fn the_folder_is_milvusdm_path_or_else_in_the_home() {
    let space = Space::new();
    run(
        &space,
        &[],
        &[("MILVUSDM_PATH", &text(space.path("elsewhere")))],
    );
    assert_eq!(space.list("elsewhere/logs").len(), 1);
    assert!(space.list("home").is_empty());
    // An empty value is none.
    run(&space, &[], &[("MILVUSDM_PATH", "")]);
    assert_eq!(space.list("home/milvusdm/logs").len(), 1);
}

#[test]
fn as_many_files_are_kept_as_logs_num_says() {
    let space = Space::new();
    for day in 1..=5 {
        space.write(
            &format!("home/milvusdm/logs/milvusdm.2020-01-0{day}.log"),
            "old\n",
        );
        // Files are told apart by the time they were made.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    run(&space, &[], &[("LOGS_NUM", "0")]);
    assert_eq!(space.list("home/milvusdm/logs").len(), 6, "0 keeps all");
    run(&space, &[], &[("LOGS_NUM", "3")]);
    let left = space.list("home/milvusdm/logs");
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(
        !left.iter().any(|name| name.contains("2020-01-01")),
        "the oldest go: {left:?}"
    );
}

#[test]
fn a_folder_that_can_not_be_written_is_a_warning_and_no_failure() {
    let space = Space::new();
    space.write("file", "in the way");
    let outcome = run(&space, &[], &[("MILVUSDM_PATH", &text(space.path("file")))]);
    outcome.says(&["log"]);
}

#[test]
fn log_lines_are_json_objects_when_asked_for() {
    let space = Space::new();
    let outcome = run(
        &space,
        &["--log-format", "json", "--log-level", "debug"],
        &[],
    );
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert!(!lines.is_empty(), "{outcome}");
    for line in lines {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}: {outcome}"));
        for key in ["timestamp", "level", "message"] {
            assert!(object[key].is_string(), "{key}: {line}");
        }
    }
    // A failure is a line like any other.
    let args = [
        "copy",
        "faiss:nowhere.index",
        "hdf5:out.h5",
        "--log-format",
        "json",
    ];
    let outcome = milvusdm(&space, &args).run().exits(4);
    let last = outcome.stderr.lines().last().expect("a line");
    let object: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(object["level"], "ERROR");
    assert!(last.contains("nowhere.index"), "{outcome}");
}

#[test]
fn quiet_shows_no_progress_and_no_information() {
    let space = Space::new();
    let outcome = run(&space, &["--quiet"], &[]);
    assert_eq!(outcome.stderr, "", "{outcome}");
    assert!(
        !outcome.stdout.is_empty(),
        "the ledger is the result: {outcome}"
    );
}

#[test]
fn reading_commands_keep_no_log_file() {
    let space = Space::new();
    milvusdm(&space, &["inspect", &copy_args(&space)[1]])
        .run()
        .exits(0);
    milvusdm(&space, &["plugins", "list"]).run().exits(0);
    assert!(space.list("home").is_empty(), "{:?}", space.list("home"));
}
