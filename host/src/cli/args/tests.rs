// SPDX-License-Identifier: Apache-2.0
//! Command lines that are taken, and those that are refused.

use clap::error::ErrorKind;

use super::*;
use crate::plugin_options::PluginOptions;
use crate::program::Program;
use crate::task::Prefer;

fn parse(line: &str) -> Result<Taken, clap::Error> {
    let words = line.split_whitespace().map(|word| word.trim_matches('\''));
    take(Program::HOST, words)
}

fn refused(line: &str) -> String {
    let error = parse(line).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{line}: {error}");
    error.to_string()
}

#[test]
fn the_definition_is_consistent() {
    definition(Program::HOST).debug_assert();
}

#[test]
fn every_command_has_a_long_help_with_examples_that_parse() {
    let mut command = definition(Program::HOST);
    command.build();
    let mut pages = vec![command.clone()];
    pages.extend(
        command
            .get_subcommands()
            .filter(|c| c.get_name() != "help")
            .cloned(),
    );
    for mut page in pages {
        let help = page.render_long_help().to_string();
        let examples = help
            .split_once("Examples:")
            .unwrap_or_else(|| panic!("{help}"))
            .1;
        let lines = examples
            .lines()
            .filter_map(|line| line.split_once("milvusdm "));
        for (before, line) in lines.filter(|(before, _)| before.trim().len() < 10) {
            let shell = line.split(" 2>").next().unwrap_or_default();
            let shell = shell.split(" >").next().unwrap_or_default();
            // What is set apart by many blanks is the explanation.
            let example = shell
                .split("   ")
                .next()
                .unwrap_or_default()
                .trim_end_matches(')');
            assert!(
                parse(&format!("milvusdm {example}")).is_ok(),
                "{before}milvusdm {example}"
            );
        }
    }
}

#[test]
fn yaml_is_run_under_its_old_name() {
    let taken = parse("milvusdm --yaml t.yaml --json --receipt r.json").unwrap();
    let (command, output) = (taken.command, taken.output);
    let Command::Run(args) = command else {
        panic!("{command:?}")
    };
    assert_eq!(args.task, PathBuf::from("t.yaml"));
    assert_eq!(args.run.receipt, Some(PathBuf::from("r.json")));
    assert!(output.json);
    assert!(refused("milvusdm --yaml t.yaml plan u.yaml").contains("by itself"));
    assert!(refused("milvusdm --receipt r.json run t.yaml").contains("after the command"));
    assert!(refused("milvusdm --json").contains("wanted a command"));
}

#[test]
fn output_options_stand_before_or_after_the_command() {
    for line in [
        "milvusdm --json -v plan t.yaml",
        "milvusdm plan -v t.yaml --json",
    ] {
        let output = parse(line).unwrap().output;
        assert!(output.json, "{line}");
        assert_eq!(output.level(), LevelFilter::DEBUG, "{line}");
    }
    let level = |line: &str| parse(line).unwrap().output.level();
    assert_eq!(level("milvusdm schema"), LevelFilter::INFO);
    assert_eq!(level("milvusdm schema -q"), LevelFilter::WARN);
    assert_eq!(level("milvusdm schema -vv"), LevelFilter::TRACE);
    assert_eq!(
        level("milvusdm schema --log-level error"),
        LevelFilter::ERROR
    );
    refused("milvusdm schema -q -v");
    refused("milvusdm schema -v --log-level error");
}

#[test]
fn what_is_wrong_exits_with_2() {
    for line in [
        "milvusdm",
        "milvusdm frobnicate",
        "milvusdm run",
        "milvusdm run a.yaml b.yaml",
        "milvusdm run a.yaml --frob",
        "milvusdm copy faiss:a",
        "milvusdm copy faiss:a hdf5:b --mode replace",
        "milvusdm copy faiss:a hdf5:b --parallel 0",
        "milvusdm plugins",
        "milvusdm plugins show",
        "milvusdm completions tcsh",
        "milvusdm completions bash --json",
        "milvusdm schema --log-format xml",
    ] {
        refused(line);
    }
    assert!(refused("milvusdm inspct faiss:a").contains("inspect"));
}

#[test]
fn plugin_options_stand_before_or_after_the_command_and_are_repeated() {
    for line in [
        "milvusdm --plugin-dir a --plugin-dir=b --allow-plugin c.so --prefer loaded plan t.yaml",
        "milvusdm plan t.yaml --plugin-dir a --prefer loaded --plugin-dir b --allow-plugin=c.so",
        "milvusdm --allow-plugin c.so plan --plugin-dir a --plugin-dir b t.yaml --prefer loaded",
    ] {
        let wanted = PluginOptions {
            dirs: vec!["a".into(), "b".into()],
            allowed: vec!["c.so".into()],
            prefer: Some(Prefer::Loaded),
            usual: None,
        };
        assert_eq!(parse(line).unwrap().plugins, wanted, "{line}");
    }
    let without = parse("milvusdm plugins list").unwrap().plugins;
    assert_eq!(without, PluginOptions::default());
    let help = definition(Program::HOST).render_help().to_string();
    assert!(
        help.contains("Show what a task would do; writes nothing"),
        "{help}"
    );
    refused("milvusdm plan t.yaml --prefer both");
    refused("milvusdm plan t.yaml --plugin-dir");
    let both = parse("milvusdm --plugin-dir a plan t.yaml --plugin-dir b")
        .unwrap()
        .plugins;
    assert_eq!(both.dirs, [PathBuf::from("a"), PathBuf::from("b")]);
}

const VENDOR: Program = Program {
    name: "acme-move",
    version: "2.1.0",
};

/// The long help of the program and of every command in it.
fn pages(program: Program) -> Vec<String> {
    fn add(command: &mut clap::Command, pages: &mut Vec<String>) {
        pages.push(command.render_long_help().to_string());
        pages.push(command.render_help().to_string());
        command
            .get_subcommands_mut()
            .for_each(|inner| add(inner, pages));
    }
    let mut command = definition(program);
    command.build();
    let mut pages = Vec::new();
    add(&mut command, &mut pages);
    pages
}

#[test]
fn a_program_of_another_name_is_typed_by_that_name_on_every_page() {
    let pages = pages(VENDOR);
    assert!(pages.len() > 20);
    for page in &pages {
        for line in page.lines() {
            // What is not typed keeps its name: a folder, a variable, a file.
            let rest = [
                "[default: ~/milvusdm]",
                "lib/milvusdm/plugins",
                "libmilvusdm_",
                "$XDG_CONFIG_HOME/milvusdm/",
                "the crate `milvusdm-plugin-api`",
            ]
            .iter()
            .fold(line.to_owned(), |line, kept| line.replace(kept, ""));
            assert!(!rest.contains("milvusdm"), "{line}\nin\n{page}");
        }
    }
    let top = &pages[0];
    for wanted in [
        "Usage: acme-move [OPTIONS]",
        "  acme-move run task.yaml ",
        "`acme-move plugins list`",
        "[default: ~/milvusdm]",
        "MILVUSDM_PATH",
    ] {
        assert!(top.contains(wanted), "{wanted}: {top}");
    }
    let all = pages.concat();
    assert!(all.contains("~/.zfunc/_acme-move") && all.contains("/acme-move.fish"));
    assert!(all.contains("~/.local/lib/milvusdm/plugins"), "{all}");
}

#[test]
fn the_version_of_another_program_says_whose_host_it_is() {
    let version = |option: &str| {
        let error = take(VENDOR, ["acme-move", option]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DisplayVersion);
        error.to_string()
    };
    assert_eq!(version("-V"), "acme-move 2.1.0\n");
    let host = env!("CARGO_PKG_VERSION");
    assert_eq!(
        version("--version"),
        format!("acme-move 2.1.0 (milvusdm {host})\n")
    );
    let error = take(VENDOR, ["x", "--receipt", "r", "run", "t"]).unwrap_err();
    assert!(
        error.to_string().contains("`acme-move run TASK.yaml"),
        "{error}"
    );
}
