// SPDX-License-Identifier: Apache-2.0
//! Whole task files: what they mean, and what each class of error says, to the letter.

use serde_json::json;

use super::env::NotText;
use super::*;

const GOOD: &str = "source: {plugin: faiss, path: a.index}\nsink: {plugin: hdf5, path: out/}\n";

fn env(name: &str) -> Option<Result<String, NotText>> {
    match name {
        "DATA" => Some(Ok("/srv".to_owned())),
        "PASS" => Some(Ok("hunter2".to_owned())),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Task> {
    resolve::task(text, "task.yaml", &env)
}

fn info() -> PluginInfo {
    PluginInfo {
        name: "faiss".to_owned(),
        version: "1".to_owned(),
        summary: String::new(),
        docs: String::new(),
        source_options: Some(json!({
            "type": "object",
            "properties": {
                "path": {"type": "string", "x-positional": true},
                "lossy": {"enum": ["refuse", "allow"]},
                "rows": {"type": "integer", "minimum": 1},
                "key": {"type": "string", "x-secret": true},
                "files": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["path"],
            "additionalProperties": false,
        })),
        sink_options: None,
    }
}

/// As the command line prints an error.
fn printed(error: &Error) -> String {
    let at = error.context_value("at").unwrap_or("nowhere");
    let snippet = error.context_value("snippet").unwrap_or("no line");
    let help = error.help_text().map(|help| format!("\nhelp: {help}"));
    format!(
        "{at}: {}\n{snippet}{}",
        error.message(),
        help.unwrap_or_default()
    )
}

#[track_caller]
fn assert_refused(text: &str, wanted: &str) {
    let error = parse(text).expect_err(text);
    assert_eq!(printed(&error), wanted, "\n{text}");
    let keys: Vec<&str> = error.context().map(|(key, _)| key).collect();
    assert_eq!(keys, ["at", "snippet"]);
}

/// `line` is added as the third line of a good task.
#[track_caller]
fn assert_third_line_refused(line: &str, wanted: &str) {
    assert_refused(&format!("{GOOD}{line}\n"), wanted);
}

#[test]
fn the_example_of_the_guide_means_what_it_says() {
    let text = r#"
source: {plugin: milvus1, path: "${DATA}/milvus", price: $$5}
sink:   {plugin: hdf5, path: out/}
select: {include: ["faces", "docs/p1", "logs/*"], exclude: ["*/tmp*"]}
map:    [{from: "faces/*", to: "all_faces/{partition}"}]
convert: {ids: uuid5, duplicates: error, columns: {notes: drop}}
mode: append
memory: 64MiB
parallel: 3
"#;
    let task = parse(text).unwrap();
    assert_eq!(task.source.plugin, "milvus1");
    let options = Value::Object(task.source.options.clone());
    assert_eq!(options, json!({"path": "/srv/milvus", "price": "$5"}));
    assert!(
        task.selection.matches("docs", Some("p1")) && !task.selection.matches("faces", Some("tmp"))
    );
    assert_eq!(
        task.mapping.target("faces", Some("x")).unwrap().collection,
        "all_faces"
    );
    assert_eq!(task.conversions.ids, Some(IdConversion::Uuid5));
    assert_eq!(
        task.conversions.columns.get("notes"),
        Some(&ColumnConversion::Drop)
    );
    assert_eq!((task.mode, task.memory_bytes), (Mode::Append, 64 << 20));
    assert_eq!(task.parallel.map(NonZeroU16::get), Some(3));
}

#[test]
fn what_is_left_out_has_its_default() {
    let task = parse(GOOD).unwrap();
    assert_eq!((task.mode, task.memory_bytes), (Mode::Fail, 256 << 20));
    assert_eq!(
        (task.parallel, task.conversions.clone()),
        (None, Conversions::default())
    );
    assert!(task.selection.matches("a", None));
    let target = task.mapping.target("a", Some("p")).unwrap();
    assert_eq!(
        (target.collection.as_str(), target.partition.as_deref()),
        ("a", Some("p"))
    );
    let task = parse(&format!("{GOOD}map: test/p1\n")).unwrap();
    assert_eq!(
        task.mapping.target("x", None).unwrap().partition.as_deref(),
        Some("p1")
    );
}

#[test]
fn the_plugin_null_needs_no_quotes_but_a_forgotten_name_is_refused() {
    let task = parse("source: {plugin: a}\nsink: {plugin: null}\n").unwrap();
    assert_eq!(task.sink.plugin, "null");
    assert_refused(
        "source: {plugin: a}\nsink:\n  plugin:\n",
        "task.yaml:3:3: sink.plugin: found nothing (null), wanted a string\n\
         \x20 3 |   plugin:\n    |   ^^^^^^\nhelp: give it a value, or leave the key out",
    );
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
    assert_refused(
        "# Faiss\nF2M:\n  milvus_version: 1.x\n  data_path: 'a.index'\n",
        "task.yaml:2:1: this is a MilvusDM 1.0 task, channel F2M (Faiss to Milvus 1.x); it needs \
         the plugin `milvus1`, which is not in this build\n  2 | F2M:\n    | ^^^\n\
         help: write a task with `source` and `sink` for the formats of this build",
    );
    for channel in ["H2M", "M2M", "M2H"] {
        let error = parse(&format!("{channel}: {{}}\n")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
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
         help: known: `convert`, `map`, `memory`, `mode`, `parallel`, `select`, `sink`, `source`",
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

#[test]
fn errors_of_plugins_get_their_place_once() {
    let text = "source:\n  plugin: faiss\n  files: [a, b]\nsink: {plugin: b}\n";
    let task = parse(text).unwrap();
    let at = |error: &Error| error.context_value("at").map(str::to_owned);
    let error = Error::new(ErrorKind::NotFound, "no such file").with("option", "files[1]");
    let located = task.locate(Side::Source, error);
    assert_eq!(at(&located).as_deref(), Some("task.yaml:3:14"));
    assert_eq!(
        located.context_value("snippet"),
        Some("  3 |   files: [a, b]\n    |              ^")
    );
    let again = task.locate(Side::Sink, located.clone());
    assert_eq!(again.to_string(), located.to_string());
    let config = task.locate(Side::Sink, Error::new(ErrorKind::Config, "m"));
    assert_eq!(at(&config).as_deref(), Some("task.yaml:4:1"));
    let io = task.locate(
        Side::Sink,
        task.locate(Side::Sink, Error::new(ErrorKind::Io, "m")),
    );
    assert_eq!(io.to_string(), "m (side: sink)");
    let unmatched = task.locate_pointer("/sink/plugin", Error::new(ErrorKind::Config, "m"));
    assert_eq!(at(&unmatched).as_deref(), Some("task.yaml:4:16"));
}

#[test]
fn secrets_are_known_and_not_shown() {
    let text = "source: {plugin: faiss, path: 'http://u:p%40ss@h/', key: k3y, db: {token: t0k}, rows: x}\n\
                sink: {plugin: b, password: \"${PASS}\"}\n";
    let task = parse(text).unwrap();
    assert_eq!(
        task.secrets(&info(), &info()),
        ["hunter2", "k3y", "p%40ss", "p@ss", "t0k"]
    );
    let error = task.check_options(Side::Source, &info()).unwrap_err();
    let debug = format!("{error} {task:?}");
    for secret in ["hunter2", "k3y", "p%40ss", "t0k"] {
        assert!(!debug.contains(secret), "{secret}: {debug}");
    }
    let broken = parse("source: {plugin: a, password: hunter2").unwrap_err();
    assert!(!broken.to_string().contains("hunter2"), "{broken}");
}

#[test]
fn a_task_of_two_arguments_names_the_argument() {
    let lookup = |_: &str| {
        Ok(PluginInfo {
            sink_options: Some(json!({"type": "object"})),
            ..info()
        })
    };
    let task = Task::copy("faiss:a.index?rows=7", "faiss", &lookup).unwrap();
    assert_eq!(
        Value::Object(task.source.options.clone()),
        json!({"path": "a.index", "rows": 7})
    );
    let error = Error::new(ErrorKind::Format, "bad").with("option", "rows");
    assert_eq!(
        printed(&task.locate(Side::Source, error)),
        "argument SRC: bad\n  faiss:a.index?rows=7\n                     ^",
    );
    let error = Task::copy("faiss:a", "a.h5", &lookup).unwrap_err();
    assert_eq!(
        printed(&error),
        "argument DST: found `a.h5`, wanted the name of a plugin first\n  a.h5\n  ^^^^\n\
         help: write `PLUGIN:PATH?key=value`, for example `faiss:/data/a.index`",
    );
    assert!(PluginTask::parse_source("faiss:a?x=1", &lookup).is_err());
}

#[test]
fn memory_on_the_command_line_is_a_size() {
    assert_eq!(parse_memory("1GiB").unwrap(), 1 << 30);
    for text in ["", "lots", "1MiB", "-1"] {
        assert_eq!(
            parse_memory(text).unwrap_err().kind(),
            ErrorKind::Config,
            "{text}"
        );
    }
}

/// Whatever is refused is refused at a place of the file.
fn holds_for(text: &str) {
    match parse(text) {
        Ok(task) => {
            let _ = task.check_options(Side::Source, &info());
            let _ = task.secrets(&info(), &info());
        }
        Err(error) => {
            assert!(
                matches!(error.kind(), ErrorKind::Config | ErrorKind::Unsupported),
                "{error:?}"
            );
            let at = error.context_value("at").expect("an error has its place");
            let line: usize = at
                .split(':')
                .nth(1)
                .and_then(|line| line.parse().ok())
                .expect("a line");
            assert!(line <= text.split(['\n', '\r']).count() + 1, "{at}\n{text}");
        }
    }
}

#[test]
fn no_text_makes_it_panic() {
    bolero::check!().for_each(|bytes: &[u8]| holds_for(&String::from_utf8_lossy(bytes)));
}

/// Bytes pick words of which task files are made, so that most texts get far.
#[test]
fn no_text_of_the_right_words_makes_it_panic() {
    const WORDS: [&str; 48] = [
        "source:",
        "sink:",
        "plugin:",
        "select:",
        "include:",
        "exclude:",
        "map:",
        "from:",
        "to:",
        "convert:",
        "ids:",
        "columns:",
        "mode:",
        "memory:",
        "parallel:",
        "path:",
        "F2M:",
        " ",
        "  ",
        "\n",
        "\n  ",
        "\n- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        ", ",
        "\"",
        "'",
        "*",
        "&x",
        "!t",
        "#",
        "|\n",
        "${DATA}",
        "${",
        "$$",
        "null",
        "7",
        "1.5",
        "256MiB",
        "fail",
        "uuid5",
        "a/b",
        "é",
        "\\",
        "? ",
    ];
    bolero::check!()
        .with_type::<(bool, Vec<u8>)>()
        .for_each(|(is_after_good, picks)| {
            let mut text = if *is_after_good {
                GOOD.to_owned()
            } else {
                String::new()
            };
            text.extend(
                picks
                    .iter()
                    .map(|pick| WORDS[usize::from(*pick) % WORDS.len()]),
            );
            holds_for(&text);
        });
}

/// The two parsers see the same values: each has its place, within the text.
#[test]
fn every_value_has_a_place() {
    fn walk(value: &Value, at: &str, places: &places::Places, text: &str) {
        let place = places.find(at, Part::Value);
        let line = render::line(text, place.line);
        assert!(
            place.column <= line.chars().count() + 1,
            "{at} {place:?}\n{text}"
        );
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &pointer::element(at, index), places, text);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    let at = pointer::member(at, key);
                    let key_place = places.find(&at, Part::Key);
                    let line = render::line(text, key_place.line);
                    let written: String = line.chars().skip(key_place.column - 1).collect();
                    // In braces, a key may go on in the next line.
                    let first = key.split_whitespace().next().unwrap_or_default();
                    let written = written.trim_start_matches('"');
                    assert!(written.starts_with(first), "{at} {key_place:?}\n{text}");
                    walk(member, &at, places, text);
                }
            }
            _ => {}
        }
    }
    const WORDS: [&str; 19] = [
        "a", "b:", "c: ", "é: ", "7", "\n", "\n  ", "\n    ", "\n- ", "\n  - ", "- ", "{", "}",
        "[", "]", ", ", "\"q\"", " # x", "\r\n",
    ];
    bolero::check!().with_type::<Vec<u8>>().for_each(|picks| {
        let text: String = picks
            .iter()
            .map(|pick| WORDS[usize::from(*pick) % WORDS.len()])
            .collect();
        if let Ok((value, places)) = yaml::read(&text) {
            walk(&value, "", &places, &text);
        }
    });
}
