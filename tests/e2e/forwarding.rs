// SPDX-License-Identifier: Apache-2.0
//! What a plugin says from inside its file arrives as if it were linked in: logs, progress,
//! secrets.

use serde_json::Value;

use crate::support::{Space, faulty_binary, plugin_file, with_plugins};

const SECRET: &str = "hunter2-of-faulty";
/// Lines that are shown at these levels and all above.
const BY_LEVEL: [(&str, &[&str]); 4] = [
    (
        "ERROR",
        &["Services speak at error.", "Tracing speaks at error."],
    ),
    (
        "WARN",
        &[
            "Services speak at warn.",
            "Tracing speaks at warn.",
            "Another crate warns.",
        ],
    ),
    (
        "INFO",
        &[
            "Services speak at info.",
            "Tracing speaks at info.",
            "Inside a span.",
            "Services tell ***.",
            "Tracing tells ***.",
        ],
    ),
    (
        "DEBUG",
        &["Services speak at debug.", "Tracing speaks at debug."],
    ),
];
const NEVER: [&str; 4] = [
    "speaks at trace",
    "Another crate chats",
    SECRET,
    "\u{1b}[31m.",
];

fn arguments<'a>(extra: &[&'a str]) -> Vec<&'a str> {
    [&["copy", "faulty:?fault=speaks&at=open", "null:"], extra].concat()
}

/// The log file of the only day.
#[track_caller]
fn log_file(space: &Space) -> String {
    let files = space.list("home/milvusdm/logs");
    assert_eq!(files.len(), 1, "{files:?}");
    std::fs::read_to_string(space.path("home/milvusdm/logs").join(&files[0])).expect("a log")
}

#[test]
fn logs_of_a_loaded_plugin_reach_stderr_and_the_log_file_with_its_name() {
    let space = Space::new();
    let file = plugin_file("faulty");
    let outcome = with_plugins(&space, &[&file], &arguments(&[]))
        .run()
        .exits(0);
    let log = log_file(&space);
    for (level, lines) in BY_LEVEL {
        for line in lines {
            let found = |text: &str| {
                let found = text
                    .lines()
                    .find(|found| found.contains(line))
                    .map(str::to_owned);
                found.is_some_and(|found| {
                    found.contains(level) && found.contains("plugin=\"faulty\"")
                })
            };
            assert_eq!(
                found(&outcome.stderr),
                level != "DEBUG",
                "{line}: {outcome}"
            );
            assert!(found(&log), "{line}: {log}");
        }
    }
    for text in [&outcome.stderr, &log] {
        for never in NEVER {
            assert!(!text.contains(never), "{never}: {text}");
        }
        assert!(
            text.contains("rows=3 file=\"a b\""),
            "fields are told: {text}"
        );
        assert!(text.contains("(in opening)"), "spans are told: {text}");
    }
}

#[test]
fn logs_of_a_loaded_plugin_are_json_where_that_is_asked_for() {
    let space = Space::new();
    let file = plugin_file("faulty");
    let extra = ["--log-format", "json", "--log-level", "debug"];
    let outcome = with_plugins(&space, &[&file], &arguments(&extra))
        .run()
        .exits(0);
    let lines: Vec<Value> = outcome
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    for (level, messages) in BY_LEVEL {
        for message in messages {
            let is_it = |line: &&Value| {
                line["message"]
                    .as_str()
                    .is_some_and(|text| text.contains(message))
            };
            let found = lines
                .iter()
                .find(is_it)
                .unwrap_or_else(|| panic!("{message}: {outcome}"));
            assert_eq!(
                (&found["level"], &found["plugin"]),
                (&level.into(), &"faulty".into())
            );
        }
    }
    assert!(!outcome.stderr.contains(SECRET), "{outcome}");
}

#[test]
fn a_linked_plugin_says_the_same() {
    let space = Space::new();
    let args = arguments(&["--log-level", "debug"]);
    let linked = with_plugins(&space, &[], &args)
        .program(faulty_binary())
        .run()
        .exits(0);
    for (_, lines) in BY_LEVEL {
        linked_says(&linked.stderr, lines);
    }
    assert!(!linked.stderr.contains(SECRET), "{linked}");
}

#[track_caller]
fn linked_says(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn progress_of_a_loaded_plugin_is_shown() {
    let space = Space::new();
    let file = plugin_file("faulty");
    let args = [
        "copy",
        "faulty:?fault=dawdles&at=next",
        "null:",
        "--progress",
        "plain",
    ];
    let outcome = with_plugins(&space, &[&file], &args).run().exits(0);
    outcome.says(&["faulty: warming up 3 of 7"]);
}
