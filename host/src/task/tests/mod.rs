// SPDX-License-Identifier: Apache-2.0
//! Whole tasks: what they mean, what is located, what is masked.

mod errors;
mod fuzz;

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
    resolve::task(text, "task.yaml", &Defaults::default(), &env)
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
        panic: Default::default(),
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
    let task = Task::copy(
        "faiss:a.index?rows=7",
        "faiss",
        &lookup,
        &Defaults::default(),
    )
    .unwrap();
    assert_eq!(
        Value::Object(task.source.options.clone()),
        json!({"path": "a.index", "rows": 7})
    );
    let error = Error::new(ErrorKind::Format, "bad").with("option", "rows");
    assert_eq!(
        printed(&task.locate(Side::Source, error)),
        "argument SRC: bad\n  faiss:a.index?rows=7\n                     ^",
    );
    let error = Task::copy("faiss:a", "a.h5", &lookup, &Defaults::default()).unwrap_err();
    assert_eq!(
        printed(&error),
        "argument DST: found `a.h5`, wanted the name of a plugin first\n  a.h5\n  ^^^^\n\
         help: write `PLUGIN:PATH?key=value`, for example `faiss:/data/a.index`",
    );
    let defaults = Defaults::default();
    assert!(Endpoint::parse("faiss:a?x=1", Side::Source, &lookup, &defaults).is_err());
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
