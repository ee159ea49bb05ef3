// SPDX-License-Identifier: Apache-2.0
//! Each class of mistake in a task file: exit code 2, `file:line:column`, the line itself, and
//! what would be right. Nothing is read or written before.

use crate::support::{Space, data, milvusdm, text};

/// A mistake: what it is called, the task, where it is, and words of the message.
struct Mistake {
    name: &'static str,
    task: String,
    /// `line:column`; a column of 0 leaves it open.
    place: (usize, usize),
    words: &'static [&'static str],
}

fn mistake(
    name: &'static str,
    task: &str,
    place: (usize, usize),
    words: &'static [&'static str],
) -> Mistake {
    let source = format!(
        "{{plugin: faiss, path: {:?}}}",
        text(data("faiss/flat_l2.index"))
    );
    let task = task
        .replace("SOURCE", &source)
        .replace("SINK", "{plugin: hdf5, path: out.h5}");
    Mistake {
        name,
        task,
        place,
        words,
    }
}

/// Runs a task with both commands that read one, and holds the message against the mistake.
fn is_refused(space: &Space, mistake: &Mistake) {
    let Mistake {
        name,
        task,
        place: (line, column),
        words,
    } = mistake;
    let file = format!("{name}.yaml");
    space.write(&file, task);
    for command in ["plan", "run"] {
        let outcome = milvusdm(space, &[command, &file]).run().exits(2);
        let place = match column {
            0 => format!("{file}:{line}:"),
            column => format!("{file}:{line}:{column}"),
        };
        let outcome = outcome.says(&[&place]).says(words);
        // The line stands below the message, as it is in the file.
        let shown = task.lines().nth(line - 1).unwrap_or_default().trim_end();
        let start: String = shown.chars().take(40).collect();
        assert!(
            outcome.stderr.contains(start.trim()),
            "wanted the line `{start}`: {outcome}"
        );
        assert!(
            !space.path("out.h5").exists(),
            "nothing is written: {outcome}"
        );
    }
}

#[test]
fn keys_that_do_not_exist_name_the_nearest() {
    let space = Space::new();
    for mistake in [
        mistake(
            "top",
            "source: SOURCE\nsnik: SINK\n",
            (2, 1),
            &["snik", "`sink`"],
        ),
        mistake(
            "mode",
            "source: SOURCE\nsink: SINK\nmod: skip\n",
            (3, 1),
            &["mod", "`mode`"],
        ),
        mistake(
            "select",
            "source: SOURCE\nsink: SINK\nselect:\n  includ: [a]\n",
            (4, 3),
            &["`include`"],
        ),
        mistake(
            "map",
            "source: SOURCE\nsink: SINK\nmap:\n- {form: a, to: b}\n",
            (4, 4),
            &["`from`"],
        ),
        mistake(
            "convert",
            "source: SOURCE\nsink: SINK\nconvert: {id: text}\n",
            (3, 11),
            &["`ids`"],
        ),
        mistake(
            "faiss_option",
            "source:\n  plugin: faiss\n  path: a.index\n  losy: allow\nsink: SINK\n",
            (4, 3),
            &["losy", "`lossy`"],
        ),
        mistake(
            "hdf5_option",
            "source: SOURCE\nsink:\n  plugin: hdf5\n  path: out.h5\n  compresion: gzip\n",
            (5, 3),
            &["compresion", "`compression`"],
        ),
    ] {
        is_refused(&space, &mistake);
    }
}

#[test]
fn keys_that_are_missing_or_doubled_are_named() {
    let space = Space::new();
    for mistake in [
        mistake("no_sink", "source: SOURCE\n", (1, 0), &["sink"]),
        mistake("no_source", "sink: SINK\n", (1, 0), &["source"]),
        mistake(
            "no_plugin",
            "source: {path: a.index}\nsink: SINK\n",
            (1, 0),
            &["plugin"],
        ),
        mistake(
            "no_path",
            "source: {plugin: faiss}\nsink: SINK\n",
            (1, 0),
            &["path"],
        ),
        mistake(
            "doubled",
            "source: SOURCE\nsink: SINK\nmode: skip\nmode: fail\n",
            (4, 1),
            &["mode"],
        ),
        mistake(
            "no_from",
            "source: SOURCE\nsink: SINK\nmap: [{to: a}]\n",
            (3, 0),
            &["from"],
        ),
    ] {
        is_refused(&space, &mistake);
    }
}

#[test]
fn values_of_the_wrong_kind_say_what_is_wanted() {
    let space = Space::new();
    for mistake in [
        mistake(
            "mode",
            "source: SOURCE\nsink: SINK\nmode: replace\n",
            (3, 7),
            &["replace", "overwrite"],
        ),
        mistake(
            "near",
            "source: SOURCE\nsink: SINK\nmode: overwrit\n",
            (3, 7),
            &["`overwrite`"],
        ),
        mistake(
            "list",
            "source: SOURCE\nsink: SINK\nselect: {include: a}\n",
            (3, 19),
            &["list"],
        ),
        mistake(
            "number",
            "source: SOURCE\nsink: SINK\nparallel: many\n",
            (3, 11),
            &["many", "number"],
        ),
        mistake(
            "range",
            "source: SOURCE\nsink: SINK\nparallel: 0\n",
            (3, 11),
            &["0", "1"],
        ),
        mistake("text", "source: faiss\nsink: SINK\n", (1, 9), &["mapping"]),
        mistake(
            "convert",
            "source: SOURCE\nsink: SINK\nconvert: {ids: uuid}\n",
            (3, 16),
            &["uuid5"],
        ),
        mistake(
            "choice",
            "source: {plugin: faiss, path: a, lossy: yes please}\nsink: SINK\n",
            (1, 41),
            &["allow"],
        ),
        mistake(
            "type",
            "source: SOURCE\nsink: {plugin: hdf5, path: out.h5, chunk_rows: x}\n",
            (2, 48),
            &["number"],
        ),
    ] {
        is_refused(&space, &mistake);
    }
}

#[test]
fn sizes_are_refused_when_ambiguous_or_too_small() {
    let space = Space::new();
    for mistake in [
        mistake(
            "unit",
            "source: SOURCE\nsink: SINK\nmemory: 256M\n",
            (3, 9),
            &["256M", "MiB"],
        ),
        mistake(
            "no_size",
            "source: SOURCE\nsink: SINK\nmemory: much\n",
            (3, 9),
            &["much", "256MiB"],
        ),
        mistake(
            "small",
            "source: SOURCE\nsink: SINK\nmemory: 1MiB\n",
            (3, 9),
            &["16MiB"],
        ),
        mistake(
            "small_number",
            "source: SOURCE\nsink: SINK\nmemory: 1000\n",
            (3, 9),
            &["16MiB"],
        ),
    ] {
        is_refused(&space, &mistake);
    }
}

#[test]
fn plugins_that_do_not_exist_or_can_not_do_it_are_named() {
    let space = Space::new();
    for mistake in [
        mistake(
            "unknown",
            "source: {plugin: fais, path: a}\nsink: SINK\n",
            (1, 18),
            &["fais", "`faiss`"],
        ),
        mistake(
            "no_reader",
            "source: {plugin: \"null\"}\nsink: SINK\n",
            (1, 0),
            &["null", "source"],
        ),
        mistake(
            "no_writer",
            "source: SOURCE\nsink: {plugin: faiss, path: a}\n",
            (2, 0),
            &["faiss", "sink"],
        ),
    ] {
        is_refused(&space, &mistake);
    }
}

#[test]
fn broken_yaml_names_its_place() {
    let space = Space::new();
    for mistake in [
        mistake(
            "open",
            "source: {plugin: faiss, path: a\nsink: SINK\n",
            (2, 0),
            &[],
        ),
        mistake(
            "tab",
            "source:\n\tplugin: faiss\nsink: SINK\n",
            (2, 0),
            &["tab"],
        ),
        mistake(
            "quote",
            "source: {plugin: \"faiss, path: a}\nsink: SINK\n",
            (1, 0),
            &[],
        ),
        mistake(
            "list",
            "- source: SOURCE\n- sink: SINK\n",
            (1, 0),
            &["mapping"],
        ),
        mistake(
            "indent",
            "source:\n    plugin: faiss\n   path: a\nsink: SINK\n",
            (3, 0),
            &[],
        ),
        mistake("empty", "", (1, 0), &["source"]),
    ] {
        is_refused(&space, &mistake);
    }
}

#[test]
fn environment_variables_that_are_not_set_are_an_error_at_their_line() {
    let space = Space::new();
    for mistake in [
        mistake(
            "unset",
            "source: SOURCE\nsink: {plugin: hdf5, path: \"${MILVUSDM_NOT_SET}/a.h5\"}\n",
            (2, 0),
            &["MILVUSDM_NOT_SET", "not set"],
        ),
        mistake(
            "open",
            "source: SOURCE\nsink: {plugin: hdf5, path: \"${A\"}\n",
            (2, 0),
            &["$"],
        ),
    ] {
        is_refused(&space, &mistake);
    }
    let task = format!(
        "source: {{plugin: faiss, path: {:?}}}\nsink: {{plugin: hdf5, path: \"${{NAME_OF_RESULT}}$$.h5\"}}\n",
        text(data("faiss/flat_l2.index"))
    );
    let task = text(space.write("set.yaml", task));
    milvusdm(&space, &["run", &task])
        .env("NAME_OF_RESULT", "from_env")
        .run()
        .exits(0);
    assert!(space.path("from_env$.h5").exists(), "`$$` is a dollar sign");
}

#[test]
fn names_and_globs_that_match_nothing_are_an_error_with_the_nearest_name() {
    let space = Space::new();
    for mistake in [
        mistake(
            "glob",
            "source: SOURCE\nsink: SINK\nselect: {include: [\"[a\"]}\n",
            (3, 20),
            &["[a"],
        ),
        mistake(
            "nothing",
            "source: SOURCE\nsink: SINK\nselect: {include: [flat_l3]}\n",
            (3, 20),
            &["flat_l3", "`flat_l2`"],
        ),
        mistake(
            "rule",
            "source: SOURCE\nsink: SINK\nmap: [{from: flatl2, to: b}]\n",
            (3, 14),
            &["`flat_l2`"],
        ),
        mistake(
            "braces",
            "source: SOURCE\nsink: SINK\nmap: \"{colection}\"\n",
            (3, 6),
            &["`{collection}`"],
        ),
        mistake(
            "empty",
            "source: SOURCE\nsink: SINK\nmap: \"/p\"\n",
            (3, 6),
            &["empty"],
        ),
    ] {
        is_refused(&space, &mistake);
    }
}

#[test]
fn a_task_as_json_reports_its_failure_as_json() {
    let space = Space::new();
    space.write("task.yaml", "source: {}\n");
    let outcome = milvusdm(&space, &["run", "task.yaml", "--json"])
        .run()
        .exits(2);
    let document = outcome.json();
    assert_eq!(document["version"], 1);
    assert_eq!(document["exit"], 2);
    assert!(
        document["error"]["message"]
            .as_str()
            .is_some_and(|m| !m.is_empty()),
        "{outcome}"
    );
}
