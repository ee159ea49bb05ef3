// SPDX-License-Identifier: Apache-2.0
//! Builds of one's own: the example as a vendor would build it, and defaults of every kind.
//!
//! The defaults that no sane vendor would ship are those of `milvusdm-faulty`, which takes them
//! from its environment.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::docs::run_document;
use crate::support::{Outcome, Outside, Space, milvusdm, outside_target, read_h5, repository};

const FAULTY: &str = env!("CARGO_BIN_EXE_milvusdm-faulty");

/// Runs cargo on the example, as its vendor would.
#[track_caller]
fn cargo(command: &str) -> String {
    let example = Outside::at(repository().join("examples/vendor-build"));
    example.cargo(&[command, "--release", "--locked", "--offline"])
}

/// The example, built once.
fn acme_move() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        cargo("build");
        outside_target().join("release/acme-move")
    })
}

fn acme(space: &Space, args: &[&str]) -> Outcome {
    milvusdm(space, args).program(acme_move()).run()
}

const LINES: &str = "7;0.25;-1.5;3\n8;0.5;2;1e-3\n";

#[test]
fn a_build_of_ones_own_goes_by_its_own_name() {
    let space = Space::new();
    let host = env!("CARGO_PKG_VERSION");
    let version = acme(&space, &["--version"]).exits(0);
    assert_eq!(
        version.stdout,
        format!("acme-move 2.1.0 (milvusdm {host})\n")
    );
    acme(&space, &["--help"])
        .exits(0)
        .prints(&["Usage: acme-move [OPTIONS]", "  acme-move run task.yaml"]);
    acme(&space, &["completions", "bash"])
        .exits(0)
        .prints(&["-o default acme-move"]);
    acme(&space, &["inspct", "x"])
        .exits(2)
        .says(&["Usage: acme-move"]);
    acme(&space, &["copy", "null:", "null:"])
        .exits(2)
        .says(&["`acme-move plugins list` shows which plugins read"]);
}

#[test]
fn its_own_plugin_is_in_it_and_what_its_features_leave_out_is_not() {
    let space = Space::new();
    let list = acme(&space, &["plugins", "list", "--json"]).exits(0).json();
    let names: Vec<&str> = list["plugins"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|plugin| plugin["name"].as_str())
        .collect();
    assert_eq!(names, ["acme", "hdf5", "null", "random"]);
    assert_eq!(list["plugins"][0]["version"], "2.1.0");
    acme(&space, &["plugins", "show", "acme"])
        .exits(0)
        .prints(&["separator"]);
    acme(&space, &["inspect", "faiss:a.index"])
        .exits(2)
        .says(&["there is no plugin `faiss`"]);
}

#[test]
fn a_run_uses_its_defaults_and_logs_under_its_name() {
    let space = Space::new();
    space.write("vectors.txt", LINES);
    space.write("task.yaml", "source: {path: vectors.txt}\n");
    acme(&space, &["run", "task.yaml"]).exits(0);
    let file = read_h5(&space.path("acme-out/vectors/_default.h5"));
    assert_eq!(
        file["datasets"]["ids"]["values"],
        serde_json::json!([7, 8]),
        "{file}"
    );
    let logs = space.list("home/milvusdm/logs");
    assert!(
        logs.len() == 1 && logs[0].starts_with("acme-move.2") && logs[0].ends_with(".log"),
        "{logs:?}"
    );
    let log = std::fs::read_to_string(space.path("home/milvusdm/logs").join(&logs[0]));
    let log = log.expect("a log");
    let host = format!("host=\"{}\"", env!("CARGO_PKG_VERSION"));
    for wanted in [
        "program=\"acme-move\" version=\"2.1.0\"",
        &host,
        "defaults=\"source.plugin, source.separator, sink, mode, memory\"",
        "memory_bytes=134217728",
    ] {
        assert!(log.contains(wanted), "{wanted}: {log}");
    }
    // `mode: skip` is theirs too, and an option wins over it.
    let again = acme(&space, &["run", "task.yaml", "--json"])
        .exits(0)
        .json();
    assert_eq!(again["ledger"]["skipped"], 2, "{again}");
    let copy = ["copy", "acme:vectors.txt", "hdf5:acme-out/"];
    acme(&space, &copy).exits(0).prints(&["2 skipped"]);
    acme(&space, &[&copy[..], &["--mode", "fail"]].concat()).exits(2);
}

#[test]
fn an_error_that_a_default_causes_says_so() {
    let space = Space::new();
    space.write("comma.txt", "7,0.25\n");
    space.write("task.yaml", "source: {path: comma.txt}\n");
    let caused = [
        "error: defaults of acme-move:3:35: found no `;`",
        "  3 | source: {plugin: acme, separator: \";\"}",
        "what the task says of `source.separator` wins over it",
    ];
    for args in [
        &["run", "task.yaml"][..],
        &["plan", "task.yaml"],
        &["copy", "acme:comma.txt", "null:"],
        &["inspect", "acme:comma.txt"],
    ] {
        acme(&space, args).exits(4).says(&caused);
    }
    acme(&space, &["inspect", "acme:comma.txt?separator=,"]).exits(0);
    space.write("own.yaml", "source: {path: comma.txt, separator: \":\"}\n");
    acme(&space, &["run", "own.yaml"])
        .exits(4)
        .says(&["error: own.yaml:1:38: found no `:`"]);
}

#[test]
fn its_own_tests_pass() {
    let printed = cargo("test");
    assert!(
        printed.contains("it_passes_the_suite_of_every_plugin ... ok"),
        "{printed}"
    );
}

#[test]
fn what_its_pages_show_is_true() {
    for (page, least) in [
        ("docs/vendors.md", 10),
        ("examples/vendor-build/README.md", 5),
    ] {
        let space = Space::new();
        space.folder("bin");
        symlink(acme_move(), space.path("bin/acme-move")).expect("a link");
        assert!(run_document(page, &space) >= least, "{page}");
    }
}

#[test]
fn a_mistake_in_the_defaults_is_the_programs_fault_whatever_is_asked() {
    let space = Space::new();
    space.write(
        "task.yaml",
        "source: {plugin: random, rows: 1, dim: 1}\nsink: {plugin: null}\nmemory: 64MiB\n",
    );
    let faulty = |defaults: &str, args: &[&str]| {
        let run = milvusdm(&space, args).program(FAULTY);
        run.env("MILVUSDM_FAULTY_DEFAULTS", defaults).run()
    };
    for args in [
        &["run", "task.yaml"][..],
        &["plan", "task.yaml"],
        &["copy", "random:1?dim=1", "null:"],
        &["inspect", "random:1?dim=1"],
        &["plugins", "list"],
    ] {
        let says = [
            "error: defaults of milvusdm-faulty:1:9: memory: found `lots`",
            "  1 | memory: lots",
            "this is a fault of milvusdm-faulty, not of the task; please report it",
        ];
        let outcome = faulty("memory: lots\n", args).exits(5).says(&says);
        assert_eq!(outcome.stdout, "");
        let document = faulty("memory: [", &[args, &["--json"]].concat())
            .exits(5)
            .json();
        assert_eq!(document["error"]["kind"], "internal", "{document}");
    }
    faulty("memory: lots\n", &["--version"]).exits(0);
    faulty("memory: lots\n", &["run", "--help"]).exits(0);
    faulty("", &["run", "task.yaml"]).exits(0);
}

#[test]
fn defaults_are_in_the_schema_and_a_secret_among_them_is_never_shown() {
    let space = Space::new();
    space.write("task.yaml", "source: {plugin: random, rows: 1, dim: 1}\n");
    let defaults = "sink: {plugin: hdf5, path: out/, password: hunter2}\nmemory: 64MiB\n";
    let faulty = |args: &[&str]| {
        let run = milvusdm(&space, args).program(FAULTY);
        run.env("MILVUSDM_FAULTY_DEFAULTS", defaults).run()
    };
    let schema = faulty(&["schema"]).exits(0).json();
    assert_eq!(schema["required"], serde_json::json!(["source"]));
    assert_eq!(schema["properties"]["memory"]["default"], "64MiB");
    let outcome = faulty(&["run", "task.yaml"])
        .exits(2)
        .says(&["error: defaults of milvusdm-faulty:1:34: unknown key `password` in sink"]);
    let shown = format!("{}{}{schema}", outcome.stdout, outcome.stderr);
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// A message that says what to type must say it under the name of the program.
#[test]
fn no_message_of_the_host_types_the_command_under_a_fixed_name() {
    let mut folders = vec![repository().join("host/src")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.display().to_string();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // These pass through what puts the name in.
            let is_help = name.contains("cli/help.rs") || name.contains("cli/args");
            if is_help || name.contains("tests") {
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a source");
            let code = source.split("mod tests {").next().unwrap_or_default();
            for line in code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
            {
                assert!(!line.contains("`milvusdm "), "{name}: {line}");
                seen += 1;
            }
        }
    }
    assert!(seen > 5000, "{seen}");
}
