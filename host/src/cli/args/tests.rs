// SPDX-License-Identifier: Apache-2.0
//! Command lines that are taken, and those that are refused.

use super::*;

fn parse(line: &str) -> Result<Taken, clap::Error> {
    let words = line.split_whitespace().map(|word| word.trim_matches('\''));
    take(words)
}

fn refused(line: &str) -> String {
    let error = parse(line).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{line}: {error}");
    error.to_string()
}

#[test]
fn the_definition_is_consistent() {
    definition().debug_assert();
}

#[test]
fn every_command_has_a_long_help_with_examples_that_parse() {
    let mut command = definition();
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
fn what_comes_later_is_not_offered() {
    let mut command = definition();
    let help = command.render_long_help().to_string();
    for word in ["verify", "dump", "restore", "status"] {
        assert!(!help.contains(word), "{word}");
    }
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
        };
        assert_eq!(parse(line).unwrap().plugins, wanted, "{line}");
    }
    let without = parse("milvusdm plugins list").unwrap().plugins;
    assert_eq!(without, PluginOptions::default());
    let help = definition().render_help().to_string();
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
