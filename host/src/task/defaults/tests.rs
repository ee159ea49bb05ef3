// SPDX-License-Identifier: Apache-2.0
//! What defaults stand in for, and who is told of a mistake in them.

use milvusdm_plugin_api::{Mode, PluginInfo};
use serde_json::json;

use super::*;
use crate::task::{Endpoint, PluginTask, Task};

const DEFAULTS: &str = "\
# of a vendor
source: {plugin: acme, region: eu, key: s3cr3t}
sink:
  plugin: hdf5
  path: out/
  chunk_rows: 7
memory: 1GiB
mode: skip
select: {exclude: [\"*/tmp*\"]}
convert: {ids: uuid5}
prefer: loaded
";

fn defaults() -> Defaults {
    Defaults::parse(DEFAULTS, "acme-move").unwrap()
}

fn none(_: &str) -> Option<std::result::Result<String, env::NotText>> {
    None
}

fn task_over(text: &str, defaults: &Defaults) -> Result<Task> {
    resolve::task(text, "task.yaml", defaults, &none)
}

fn task(text: &str) -> Task {
    task_over(text, &defaults()).unwrap()
}

fn info(name: &str) -> Result<PluginInfo> {
    let options = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string", "x-positional": true},
            "region": {"enum": ["eu", "us"]},
            "key": {"type": "string", "x-secret": true},
            "chunk_rows": {"type": "integer", "maximum": 5},
        },
        "required": ["path"],
        "additionalProperties": false,
    });
    Ok(PluginInfo {
        name: name.to_owned(),
        version: String::new(),
        summary: String::new(),
        docs: String::new(),
        source_options: Some(options.clone()),
        sink_options: Some(options),
        panic: Default::default(),
    })
}

fn options(plugin: &PluginTask) -> Value {
    Value::Object(plugin.options.clone())
}

fn at(error: &Error) -> &str {
    error.context_value("at").unwrap_or("nowhere")
}

#[test]
fn they_stand_in_for_what_a_task_leaves_out() {
    let task = task("source: {plugin: acme, path: a}\n");
    assert_eq!(
        options(&task.source),
        json!({"path": "a", "region": "eu", "key": "s3cr3t"})
    );
    assert_eq!(task.sink.plugin, "hdf5");
    assert_eq!(
        options(&task.sink),
        json!({"path": "out/", "chunk_rows": 7})
    );
    assert_eq!((task.memory_bytes, task.mode), (1 << 30, Mode::Skip));
    assert_eq!(task.prefer, Some(Prefer::Loaded));
    assert!(!task.selection.matches("a", Some("tmp1")));
    let wanted = [
        "source.region",
        "source.key",
        "sink",
        "memory",
        "mode",
        "select",
        "convert",
        "prefer",
    ];
    assert_eq!(task.defaults(), wanted);
}

#[test]
fn what_a_task_says_wins_key_by_key() {
    let task = task(
        "source: {region: us, path: a}\nsink: {plugin: 'null'}\nselect: {include: [b]}\n\
         convert: {}\nmemory: 64MiB\nmode: fail\nprefer: linked\n",
    );
    // Without `plugin`, that of the defaults is meant.
    assert_eq!(task.source.plugin, "acme");
    assert_eq!(
        options(&task.source),
        json!({"region": "us", "path": "a", "key": "s3cr3t"})
    );
    // Another plugin takes nothing of them, and a key is used as a whole.
    assert_eq!(
        (task.sink.plugin.as_str(), options(&task.sink)),
        ("null", json!({}))
    );
    assert!(task.selection.matches("b", Some("tmp1")));
    assert_eq!(task.conversions, crate::task::Conversions::default());
    assert_eq!((task.memory_bytes, task.mode), (64 << 20, Mode::Fail));
    assert_eq!(task.defaults(), ["source.plugin", "source.key"]);
}

#[test]
fn an_empty_file_is_no_task_and_a_forgotten_name_no_default() {
    for text in ["", "# nothing\n"] {
        assert!(task_over(text, &defaults()).is_err());
    }
    let error = task_over("source:\n  plugin:\n", &defaults()).unwrap_err();
    assert_eq!(at(&error), "task.yaml:2:3");
    assert_eq!(task("{}").source.plugin, "acme");
}

#[test]
fn an_error_points_into_whose_words_it_is_about() {
    let task = task("source: {plugin: acme, region: eu}\nsink: {plugin: hdf5, key: k}\n");
    let missing = task
        .check_options(Side::Source, &info("acme").unwrap())
        .unwrap_err();
    assert_eq!(at(&missing), "task.yaml:1:1");
    let error = task
        .check_options(Side::Sink, &info("hdf5").unwrap())
        .unwrap_err();
    assert_eq!(at(&error), "defaults of acme-move:6:15");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.context_value("snippet"),
        Some("  6 |   chunk_rows: 7\n    |               ^")
    );
    assert_eq!(
        error.help_text(),
        Some(
            "this is a default of acme-move; what the task says of `sink.chunk_rows` wins over it"
        )
    );
    let refused = task.locate(
        Side::Source,
        Error::new(ErrorKind::Denied, "no").with("option", "key"),
    );
    assert_eq!(at(&refused), "defaults of acme-move:2:41");
    // What is shown of it is masked on its way out.
    let info = info("acme").unwrap();
    assert!(task.secrets(&info, &info).contains(&"s3cr3t".to_owned()));
    let own = task.locate(
        Side::Source,
        Error::new(ErrorKind::Denied, "no").with("option", "region"),
    );
    assert_eq!(at(&own), "task.yaml:1:32");
    let glob = task.locate_pointer("/select/exclude/0", Error::new(ErrorKind::NotFound, "m"));
    assert_eq!(at(&glob), "defaults of acme-move:9:20");
    assert!(
        glob.help_text()
            .is_some_and(|help| help.contains("`select`"))
    );
}

#[test]
fn a_secret_that_the_task_replaces_is_hidden_in_the_defaults_too() {
    let defaults = Defaults::parse(
        "sink: {plugin: hdf5, key: s3cr3t, path: o, chunk_rows: 9}\n",
        "acme-move",
    )
    .unwrap();
    let text = "source: {plugin: a}\nsink: {plugin: hdf5, key: own}\n";
    let task = task_over(text, &defaults).unwrap();
    let error = task
        .check_options(Side::Sink, &info("hdf5").unwrap())
        .unwrap_err();
    assert_eq!(at(&error), "defaults of acme-move:1:56");
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
}

#[test]
fn what_is_wrong_in_them_is_the_programs_fault() {
    let cases = [
        ("memory: [1\n", 1, "this is not valid YAML"),
        ("a: 1\n", 1, "unknown key `a` in the task"),
        ("mode: skip\nmemory: 1KiB\n", 2, "memory: found 1KiB"),
        ("mode: skp\n", 1, "mode: found string \"skp\""),
        ("sink: {path: out/}\n", 1, "`plugin` is missing in sink"),
        ("map: []\n", 1, "map: found an empty list"),
        ("sink: {plugin: hdf5, path: '${'}\n", 1, "never closed"),
        ("- 1\n", 1, "found a list"),
        ("text\n", 1, "found string \"text\""),
    ];
    for (text, line, message) in cases {
        let error = Defaults::parse(text, "acme-move").expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Internal, "{text}");
        assert!(error.message().contains(message), "{text}: {error}");
        let place = format!("defaults of acme-move:{line}:");
        assert!(at(&error).starts_with(&place), "{text}: {error}");
        let help = error.help_text().unwrap();
        assert!(
            help.contains("a fault of acme-move, not of the task"),
            "{help}"
        );
    }
    for text in ["", "# nothing\n", "{}"] {
        assert!(Defaults::parse(text, "acme-move").is_ok(), "{text}");
    }
}

#[test]
fn a_variable_matters_where_it_is_needed() {
    let text = "sink: {plugin: hdf5, path: \"${MILVUSDM_TEST_UNSET}\"}\nmode: \"${MILVUSDM_TEST_UNSET}\"\n";
    let defaults = Defaults::parse(text, "acme-move").unwrap();
    let own = "source: {plugin: a}\nsink: {plugin: hdf5, path: $$x}\nmode: fail\n";
    let task = task_over(own, &defaults).unwrap();
    assert_eq!(options(&task.sink), json!({"path": "$x"}));
    let error = task_over("source: {plugin: a}\nmode: fail\n", &defaults).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(at(&error), "defaults of acme-move:1:28");
    assert!(error.message().contains("is not set"), "{error}");
    let set = |_: &str| Some(Ok("append".to_owned()));
    let task = resolve::task("source: {plugin: a}\n", "t", &defaults, &set).unwrap();
    assert_eq!(
        (task.mode, options(&task.sink)),
        (Mode::Append, json!({"path": "append"}))
    );
    let set = |_: &str| Some(Ok("hunter2".to_owned()));
    let error = resolve::task("source: {plugin: a}\n", "t", &defaults, &set).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn arguments_of_the_command_line_win_over_them() {
    let copy = |source: &str, sink: &str| Task::copy(source, sink, &info, &defaults());
    let mut task = copy("acme:a?region=us", "other:o").unwrap();
    assert_eq!(
        options(&task.source),
        json!({"path": "a", "region": "us", "key": "s3cr3t"})
    );
    assert_eq!(options(&task.sink), json!({"path": "o"}));
    assert_eq!((task.memory_bytes, task.mode), (1 << 30, Mode::Skip));
    let unmatched = |task: &Task| {
        let error = task.locate_pointer("/select/exclude/0", Error::new(ErrorKind::NotFound, "m"));
        at(&error).to_owned()
    };
    assert_eq!(unmatched(&task), "defaults of acme-move:9:20");
    task.select(&["x".to_owned()], &[]).unwrap();
    assert_eq!(unmatched(&task), "nowhere");
    let error = copy("acme:a", "hdf5:o").unwrap_err();
    assert_eq!(at(&error), "defaults of acme-move:6:15");
    let source = Endpoint::parse("acme:a", Side::Source, &info, &defaults()).unwrap();
    assert_eq!(options(&source.plugin)["region"], "eu");
    let about = |option| {
        let error = Error::new(ErrorKind::Denied, "no").with("option", option);
        at(&source.locate(error)).to_owned()
    };
    assert_eq!(about("region"), "defaults of acme-move:2:32");
    assert_eq!(about("path"), "argument SRC");
    let named = Endpoint::parse("acme:a?plugin=x", Side::Source, &info, &defaults()).unwrap_err();
    assert!(named.message().contains("unknown key `plugin`"), "{named}");
}

#[test]
fn no_text_makes_them_panic() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(defaults) = Defaults::parse(&String::from_utf8_lossy(bytes), "acme-move") {
            let _ = task_over("source: {plugin: a}\n", &defaults);
        }
    });
}
