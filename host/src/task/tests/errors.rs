// SPDX-License-Identifier: Apache-2.0
//! What each class of error in a task file says, to the letter.

use super::*;

/// `line` is added as the third line of a good task.
#[track_caller]
fn assert_third_line_refused(line: &str, wanted: &str) {
    assert_refused(&format!("{GOOD}{line}\n"), wanted);
}

#[test]
fn a_file_that_is_no_task_says_what_it_is() {
    for text in ["", "\n\n", "# nothing\n", "---\n"] {
        let error = parse(text).expect_err(text);
        assert_eq!(
            error.message(),
            "the task: found nothing, wanted a mapping with `source` and `sink`"
        );
    }
    assert_refused(
        "- a\n",
        "task.yaml:1:1: the task: found a list, wanted a mapping\n  1 | - a\n    | ^",
    );
}

#[test]
fn a_task_of_milvusdm_1_is_checked_as_its_own_kind_of_file() {
    assert_refused(
        "# Faiss\nF2M:\n  milvus_version: 1.x\n  data_path: 'a.index'\n",
        "task.yaml:2:1: `dest_host` is missing in F2M\n  2 | F2M:\n    | ^^^\n\
         help: add `dest_host:` with a string",
    );
    for channel in ["H2M", "M2M", "M2H"] {
        let error = parse(&format!("{channel}: {{}}\n")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.message().contains(channel), "{error}");
    }
}

#[test]
fn broken_yaml_is_shown_where_it_breaks() {
    assert_refused(
        "source: {plugin: a\nsink: b\n",
        "task.yaml:2:5: this is not valid YAML: while parsing a flow mapping, did not find \
         expected ',' or '}'\n  2 | sink: b\n    |     ^",
    );
    assert_third_line_refused(
        "select: {exclude: [*/tmp*]}",
        "task.yaml:3:20: YAML aliases (`*name`) are not taken\n\
         \x20 3 | select: {exclude: [*/tmp*]}\n    |                    ^\n\
         help: put a value that starts with `*`, such as a glob, in quotes",
    );
    assert_third_line_refused(
        "sink: {plugin: b}",
        "task.yaml:3:1: key `sink` stands here twice\n  3 | sink: {plugin: b}\n    | ^^^^\n\
         help: keep one of them",
    );
    assert_refused(
        "source: {plugin: a, path: ${DATA}/a}\nsink: {plugin: b}\n",
        "task.yaml:1:28: this is not valid YAML: while parsing a flow mapping, did not find \
         expected ',' or '}'\n  1 | source: {plugin: a, path: ${DATA}/a}\n\
         \x20   |                            ^\n\
         help: inside `{…}` or `[…]`, put a value with `${NAME}` in quotes",
    );
}

#[test]
fn unknown_and_missing_keys_name_the_nearest() {
    assert_refused(
        "souce: {plugin: a}\nsink: {plugin: b}\n",
        "task.yaml:1:1: unknown key `souce` in the task\n  1 | souce: {plugin: a}\n    | ^^^^^\n\
         help: did you mean `source`?",
    );
    assert_third_line_refused(
        "version: 1",
        "task.yaml:3:1: unknown key `version` in the task\n  3 | version: 1\n    | ^^^^^^^\n\
         help: known: `convert`, `limit`, `map`, `memory`, `mode`, `parallel`, `prefer`, `select`, `sink`, `source`",
    );
    assert_third_line_refused(
        "select: {inclde: [a]}",
        "task.yaml:3:10: unknown key `inclde` in select\n  3 | select: {inclde: [a]}\n\
         \x20   |          ^^^^^^\nhelp: did you mean `include`?",
    );
    assert_third_line_refused(
        "map: [{from: a, to: b, too: c}]",
        "task.yaml:3:24: unknown key `too` in map[0]\n  3 | map: [{from: a, to: b, too: c}]\n\
         \x20   |                        ^^^\nhelp: did you mean `to`?",
    );
    assert_refused(
        "source: {path: a}\nsink: {plugin: b}\n",
        "task.yaml:1:1: `plugin` is missing in source\n  1 | source: {path: a}\n    | ^^^^^^\n\
         help: add `plugin:` with a string",
    );
    assert_third_line_refused(
        "map: [{from: a}]",
        "task.yaml:3:7: `to` is missing in map[0]\n  3 | map: [{from: a}]\n    |       ^\n\
         help: add `to:` with a string",
    );
}

#[test]
fn wrong_values_say_what_was_wanted() {
    assert_third_line_refused(
        "mode: fial",
        "task.yaml:3:7: mode: found string \"fial\", wanted one of `fail`, `skip`, `append`, \
         `overwrite`\n  3 | mode: fial\n    |       ^^^^\nhelp: did you mean `fail`?",
    );
    assert_third_line_refused(
        "memory: 1MiB",
        "task.yaml:3:9: memory: found 1MiB, wanted at least 16MiB\n  3 | memory: 1MiB\n\
         \x20   |         ^^^^",
    );
    assert_third_line_refused(
        "memory: 256M",
        "task.yaml:3:9: memory: found `256M`, wanted a whole number of bytes or a size such as \
         `256MiB` or `1GB`; write the unit out (`MiB` or `MB`)\n  3 | memory: 256M\n\
         \x20   |         ^^^^",
    );
    assert_third_line_refused(
        "parallel: 0",
        "task.yaml:3:11: parallel: found number 0, wanted a whole number from 1 to 1024\n\
         \x20 3 | parallel: 0\n    |           ^",
    );
    assert_third_line_refused(
        "select: {include: [1]}",
        "task.yaml:3:20: select.include[0]: found number 1, wanted a string\n\
         \x20 3 | select: {include: [1]}\n    |                    ^\n\
         help: put it in quotes to make it a string",
    );
    assert_third_line_refused(
        "convert: {columns: {notes: dorp}}",
        "task.yaml:3:28: convert.columns.notes: found string \"dorp\", wanted one of `drop`, \
         `json`, `cast`, `text`\n  3 | convert: {columns: {notes: dorp}}\n\
         \x20   |                            ^^^^\nhelp: did you mean `drop`?",
    );
}

#[test]
fn bad_globs_and_targets_are_refused() {
    assert_third_line_refused(
        "select: {include: [a, 'b[']}",
        "task.yaml:3:23: select.include[1]: `[` is never closed; write `\\[` for a plain one\n\
         \x20 3 | select: {include: [a, 'b[']}\n    |                       ^^^^",
    );
    assert_third_line_refused(
        "select:\n  include:",
        "task.yaml:4:3: select.include: found nothing (null), wanted a list\n\
         \x20 4 |   include:\n    |   ^^^^^^^\nhelp: give it a value, or leave the key out",
    );
    assert_third_line_refused(
        "map: [{from: a, to: ''}]",
        "task.yaml:3:21: map[0].to: found an empty name, wanted `collection` or \
         `collection/partition`\n  3 | map: [{from: a, to: ''}]\n    |                     ^^",
    );
    assert_third_line_refused(
        "map: '{colection}'",
        "task.yaml:3:6: map: found the placeholder `{colection}`, wanted `{collection}` or \
         `{partition}`\n  3 | map: '{colection}'\n    |      ^^^^^^^^^^^^^",
    );
    for line in [
        "select: {include: []}",
        "map: []",
        "map: /p",
        "map: 7",
        "map: [a]",
    ] {
        assert!(parse(&format!("{GOOD}{line}\n")).is_err(), "{line}");
    }
}

#[test]
fn variables_are_put_in_and_never_shown() {
    assert_third_line_refused(
        "mode: ${GONE}",
        "task.yaml:3:7: mode: the environment variable `GONE` is not set\n  3 | mode: ${GONE}\n\
         \x20   |       ^^^^^^^\nhelp: set it, or write `$$` for a plain `$`",
    );
    assert_third_line_refused(
        "mode: ${PASS}",
        "task.yaml:3:7: mode: found the value of `${PASS}`, wanted one of `fail`, `skip`, \
         `append`, `overwrite`\n  3 | mode: ${PASS}\n    |       ^^^^^^^",
    );
    assert_third_line_refused(
        "memory: ${PASS}",
        "task.yaml:3:9: memory: found `${PASS}`, wanted a whole number of bytes or a size such \
         as `256MiB` or `1GB`\n  3 | memory: ${PASS}\n    |         ^^^^^^^",
    );
}

#[test]
fn options_are_checked_against_the_plugins_schema() {
    let refused = |options: &str| {
        let task = parse(&format!(
            "source:\n  plugin: faiss\n{options}sink: {{plugin: b}}\n"
        ))
        .unwrap();
        printed(
            &task
                .check_options(Side::Source, &info())
                .expect_err(options),
        )
    };
    assert_eq!(
        refused("  path: a\n  lossi: allow\n"),
        "task.yaml:4:3: unknown key `lossi` in source\n  4 |   lossi: allow\n    |   ^^^^^\n\
         help: did you mean `lossy`?",
    );
    assert_eq!(
        refused("  path: 7\n"),
        "task.yaml:3:9: source.path: found number 7, wanted a string\n  3 |   path: 7\n\
         \x20   |         ^\nhelp: put it in quotes to make it a string",
    );
    assert_eq!(
        refused("  rows: 1\n"),
        "task.yaml:1:1: `path` is missing in source\n  1 | source:\n    | ^^^^^^\n\
         help: add `path:` with a string",
    );
    assert_eq!(
        refused("  path: a\n  rows: ${DATA}\n"),
        "task.yaml:4:9: source.rows: found the value of `${DATA}`, wanted a whole number of at \
         least 1\n  4 |   rows: ${DATA}\n    |         ^^^^^^^\n\
         help: what comes from `${…}` is always a string",
    );
    let task = parse(GOOD).unwrap();
    assert!(task.check_options(Side::Source, &info()).is_ok());
    let error = task.check_options(Side::Sink, &info()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.message(),
        "sink.plugin: the plugin `faiss` does not write"
    );
    assert_eq!(error.context_value("at"), Some("task.yaml:2:16"));
}
