// SPDX-License-Identifier: Apache-2.0
//! The plugin in Rust that breaks on purpose, loaded from its file: panics and errors in every
//! entry, calls that come back late or never, threads that outlive everything, an allocator of
//! its own, and a build that would abort.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Outcome, Space, Standing, binary_path, built, milvusdm, plugin_file, repository, text,
    with_plugins,
};

/// Entries that reading into a target goes through, as the option `at` and in the table.
const OF_SOURCE: [(&str, &str); 6] = [
    ("open", "source_open"),
    ("datasets", "source_datasets"),
    ("splits", "source_splits"),
    ("read", "source_read"),
    ("next", "reader_next"),
    ("account", "reader_account"),
];
const OF_SINK: [(&str, &str); 7] = [
    ("open", "sink_open"),
    ("capabilities", "sink_capabilities"),
    ("check", "sink_check"),
    ("prepare", "sink_prepare"),
    ("write", "writer_write"),
    ("finish", "writer_finish"),
    ("abort", "writer_abort"),
];

/// Copies with the loaded plugin; what it prints itself on a panic is its own affair.
#[track_caller]
fn copy(space: &Space, source: &str, sink: &str, extra: &[&str]) -> Outcome {
    let file = plugin_file("faulty");
    let args = [&["copy", source, sink], extra].concat();
    with_plugins(space, &[&file], &args).run_with_panics()
}

/// Reads with that fault over the target that stands, and into a fresh one.
#[track_caller]
fn reads_badly(standing: &Standing, fault: &str, at: &str) -> Outcome {
    let source = format!("faulty:?fault={fault}&at={at}");
    let space = &standing.space;
    let over = copy(
        space,
        &source,
        "hdf5:out/a.h5",
        &["--mode", "overwrite", "--no-journal"],
    );
    standing.is_unharmed(at);
    let fresh = copy(space, &source, "hdf5:fresh/b.h5", &["--no-journal"]);
    assert_eq!(over.code, fresh.code, "{over}\n{fresh}");
    standing.has_nothing_fresh(at);
    over
}

#[track_caller]
fn writes_badly(space: &Space, fault: &str, at: &str) -> Outcome {
    copy(
        space,
        "random:?rows=100&dim=2",
        &format!("faulty:?fault={fault}&at={at}"),
        &[],
    )
}

#[test]
fn the_plugin_without_a_fault_keeps_its_word_with_an_allocator_of_its_own() {
    // Memory that were freed on the wrong side would end the process at once.
    let space = Space::new();
    let outcome = copy(&space, "faulty:", "faulty:", &["--json"]).exits(0);
    assert_eq!(outcome.json()["ledger"]["written"], 100);
    let file = text(plugin_file("faulty"));
    let args = [
        "plugins", "check", &file, "--source", "faulty:", "--rows", "100",
    ];
    let outcome = milvusdm(&space, &args).run().exits(0);
    outcome.prints(&[
        "good; `faulty`",
        "entered by the root module door",
        "faulty source",
    ]);
}

#[test]
fn a_panic_in_any_entry_is_an_error_that_names_plugin_and_entry() {
    let standing = Standing::new();
    for fault in ["panics", "panics_twice"] {
        for (at, entry) in OF_SOURCE {
            let outcome = reads_badly(&standing, fault, at).exits(3);
            outcome.says(&["plugin: faulty", &format!("plugin panicked in `{entry}`")]);
        }
    }
    for (at, entry) in OF_SINK.into_iter().filter(|(at, _)| *at != "abort") {
        let outcome = writes_badly(&standing.space, "panics", at).exits(3);
        outcome.says(&[
            &format!("plugin panicked in `{entry}`: on purpose"),
            "plugin: faulty",
        ]);
    }
    // Here the write has failed already, and that is what is told first.
    let outcome = writes_badly(&standing.space, "panics", "abort").exits(4);
    outcome.says(&[
        "can't go on",
        "taking back what was written failed",
        "`writer_abort`",
    ]);
    let file = plugin_file("faulty");
    let args = ["inspect", "faulty:?fault=panics&at=inspect"];
    let outcome = with_plugins(&standing.space, &[&file], &args)
        .run_with_panics()
        .exits(3);
    outcome.says(&["plugin panicked in `source_inspect`: on purpose"]);
    let run = with_plugins(&standing.space, &[&file], &["plugins", "show", "faulty"]);
    let outcome = run.env("FAULTY_INFO", "panics").run_with_panics().exits(3);
    outcome.says(&[
        "plugin panicked in `info`: on purpose",
        "libmilvusdm_faulty.so",
    ]);
}

#[test]
fn a_panic_on_closing_does_no_harm() {
    let space = Space::new();
    for at in ["close_reader", "close"] {
        copy(
            &space,
            &format!("faulty:?fault=panics&at={at}"),
            "null:",
            &[],
        )
        .exits(0);
    }
    for at in ["close_writer", "close"] {
        writes_badly(&space, "panics", at).exits(0);
    }
}

#[test]
fn an_error_in_any_entry_is_told_as_it_is() {
    let standing = Standing::new();
    for (at, _) in OF_SOURCE.into_iter().filter(|(at, _)| *at != "account") {
        reads_badly(&standing, "fails", at)
            .exits(4)
            .says(&["can't go on, on purpose"]);
    }
    for (at, _) in OF_SINK {
        writes_badly(&standing.space, "fails", at)
            .exits(4)
            .says(&["can't go on, on purpose"]);
    }
}

#[test]
fn accounts_that_do_not_balance_finish_nothing() {
    let standing = Standing::new();
    for (fault, code, part) in [
        ("one_less", 5, "100 rows found, 99 accounted for"),
        (
            "one_more",
            3,
            "announced with 100 rows, but reading gave 101",
        ),
        ("changes_its_schema", 3, "a batch with columns [id: Int64]"),
    ] {
        let outcome = reads_badly(&standing, fault, "next").exits(code);
        outcome.says(&[part, "plugin: faulty"]);
    }
}

#[test]
fn a_plugin_that_ends_the_process_is_named() {
    let standing = Standing::new();
    for (at, entry) in OF_SOURCE {
        let source = format!("faulty:?fault=exits&at={at}");
        let outcome = copy(
            &standing.space,
            &source,
            "hdf5:out/a.h5",
            &["--mode", "overwrite"],
        );
        standing.is_as_before(at);
        outcome
            .exits(3)
            .says(&["has ended the process", "faulty", entry]);
    }
    let run = with_plugins(
        &standing.space,
        &[&plugin_file("faulty")],
        &["plugins", "show", "faulty"],
    );
    let outcome = run.env("FAULTY_INFO", "exits").run().exits(3);
    outcome.says(&["the code of a plugin has ended the process"]);
}

#[test]
fn a_thread_that_logs_for_ever_does_not_keep_a_run_from_its_end() {
    let space = Space::new();
    for _ in 0..5 {
        let outcome = copy(
            &space,
            "faulty:?fault=logs_for_ever&at=open",
            "null:",
            &["--json"],
        );
        let outcome = outcome.exits(0).says(&["Still here."]);
        assert_eq!(outcome.json()["exit"], 0, "{outcome}");
    }
}

/// A run that is asked to stop once it has come to the fault.
struct Stopped {
    child: Child,
    since: Instant,
}

impl Stopped {
    fn start(standing: &Standing, args: &[&str]) -> Self {
        let create =
            |name: &str| std::fs::File::create(standing.space.path(name)).expect("a file of ours");
        let mut child = Command::new(binary_path())
            .args(args)
            .args(["--allow-plugin", &text(plugin_file("faulty"))])
            .current_dir(standing.space.root())
            .env("HOME", standing.space.path("home"))
            .env("MILVUSDM_PATH", standing.space.path("home"))
            .stdout(create("output"))
            .stderr(create("errors"))
            .spawn()
            .expect("milvusdm starts");
        std::thread::sleep(Duration::from_millis(1500));
        assert!(
            child.try_wait().expect("a child").is_none(),
            "it is in the fault"
        );
        kill_process(Pid::from_child(&child), Signal::INT).expect("a signal of ours");
        Self {
            child,
            since: Instant::now(),
        }
    }

    /// Waits for its end; gives the exit code and how many seconds it took.
    fn end(mut self) -> (Option<i32>, u64) {
        while self.child.try_wait().expect("a child").is_none() {
            assert!(self.since.elapsed() < Duration::from_secs(60), "it hangs");
            std::thread::sleep(Duration::from_millis(20));
        }
        let code = self.child.wait().expect("a child").code();
        (code, self.since.elapsed().as_secs())
    }
}

#[test]
fn calls_that_come_back_late_or_never_after_they_are_asked_to_stop() {
    let into = ["hdf5:out/a.h5", "--mode", "overwrite"];
    // What, how it ends, after how many seconds at least, and what is said.
    let cases: [(&str, i32, u64, &[&str]); 7] = [
        (
            "faulty:?fault=hangs&at=next",
            3,
            9,
            &["`faulty`", "`reader_next`", "10 s"],
        ),
        (
            "faulty:?fault=hangs&at=splits",
            3,
            9,
            &["`faulty`", "`source_splits`"],
        ),
        (
            "faulty:?fault=hangs&at=account",
            3,
            9,
            &["`faulty`", "`reader_account`"],
        ),
        (
            "faulty:?fault=hangs&at=close_reader",
            3,
            9,
            &["`faulty`", "`reader_close`"],
        ),
        (
            "faulty:?fault=returns_late&at=next",
            130,
            1,
            &["Stopping on SIGINT"],
        ),
        (
            "faulty:?fault=heeds_cancel&at=next",
            130,
            0,
            &["Stopping on SIGINT"],
        ),
        (
            "faulty:?fault=heeds_cancel&at=open",
            130,
            0,
            &["Stopping on SIGINT"],
        ),
    ];
    // Side by side, as ten seconds are long.
    std::thread::scope(|scope| {
        for (source, code, at_least, parts) in cases {
            scope.spawn(move || {
                let standing = Standing::new();
                let args = [&["copy", source], &into[..]].concat();
                let (ended, took) = Stopped::start(&standing, &args).end();
                let errors = standing.space.path("errors");
                let errors = std::fs::read_to_string(errors).expect("what it said");
                assert_eq!(ended, Some(code), "{source}: {errors}");
                standing.is_as_before(source);
                assert!(
                    (at_least..at_least + 9).contains(&took),
                    "{source}: {took} s"
                );
                for part in parts {
                    assert!(errors.contains(part), "{source}: wanted `{part}`: {errors}");
                }
            });
        }
    });
}

/// The plugin's loadable form, once more, as a build with `panic = "abort"` would make it.
#[track_caller]
fn aborting(to: &Path) {
    let api = built("libmilvusdm_plugin_api.rlib");
    let plugin = built("libmilvusdm_plugin_null.rlib");
    let output = Command::new("rustc")
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "cdylib",
            "--crate-name",
            "milvusdm_null",
        ])
        .args(["-C", "panic=abort", "-o"])
        .arg(to)
        .arg(repository().join("plugins/null/so/src/lib.rs"))
        .arg("--extern")
        .arg(format!("milvusdm_plugin_api={}", text(&api)))
        .arg("--extern")
        .arg(format!("milvusdm_plugin_null={}", text(&plugin)))
        .arg("-L")
        .arg(format!("dependency={}", text(api.with_file_name("deps"))))
        .current_dir(repository())
        .output()
        .expect("rustc is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_plugin_that_was_built_to_abort_on_a_panic_is_refused_before_its_code_runs() {
    let space = Space::new();
    let file = space.path("libmilvusdm_null.so");
    aborting(&file);
    let args = [
        "copy",
        "random:?rows=1&dim=1",
        "null:",
        "--prefer",
        "loaded",
    ];
    let outcome = with_plugins(&space, &[&file], &args).run().exits(3);
    outcome.says(&[
        "was built with `panic = \"abort\"`",
        "build it with `panic = \"unwind\"`",
    ]);
    let outcome = milvusdm(&space, &["plugins", "check", &text(&file)])
        .run()
        .exits(3);
    assert!(
        !outcome.stdout.contains("dlopen"),
        "it was not loaded: {outcome}"
    );
    outcome
        .prints(&["refused", "format"])
        .says(&["panic = \"abort\""]);
}
