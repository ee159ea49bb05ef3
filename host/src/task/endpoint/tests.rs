// SPDX-License-Identifier: Apache-2.0
//! Arguments that are taken, and where those that are not are wrong.

use super::*;
use proptest::prelude::*;

fn info(name: &str) -> Result<PluginInfo> {
    let schema = json!({
        "type": "object",
        "properties": {
            "path": {
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
                "x-positional": true
            },
            "rows": {"type": "integer"},
            "columns": {"type": "array", "items": {"type": "string"}},
            "lossy": {"$ref": "#/$defs/Lossy"},
            "pass": {"type": "string", "x-secret": true},
        },
        "required": ["path"],
        "additionalProperties": false,
        "$defs": {"Lossy": {"enum": ["refuse", "allow"]}},
    });
    let bare = json!({"type": "object", "properties": {"rows": {"type": "integer"}}});
    let (source_options, sink_options) = match name {
        "faiss" => (Some(schema), None),
        "null" => (None, Some(bare)),
        _ => {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no plugin `{name}`"),
            ));
        }
    };
    let (version, summary, docs) = Default::default();
    Ok(PluginInfo {
        name: name.to_owned(),
        version,
        summary,
        docs,
        source_options,
        sink_options,
        panic: Default::default(),
    })
}

fn source(text: &str) -> Result<Value> {
    parse(text, Side::Source, &info, &Defaults::default())
        .map(|(plugin, _)| Value::Object(plugin.options))
}

#[test]
fn options_are_decoded_and_typed_by_the_schema() {
    let cases = [
        ("faiss:/a%20b%3F.index", json!({"path": "/a b?.index"})),
        ("faiss:/a,b=c:d&e", json!({"path": "/a,b=c:d&e"})),
        (
            "faiss:a?rows=7&lossy=allow",
            json!({"path": "a", "rows": 7, "lossy": "allow"}),
        ),
        ("faiss?path=/a", json!({"path": "/a"})),
        ("faiss:?path=a&path=b", json!({"path": ["a", "b"]})),
        (
            "faiss:a?columns=x,y%2Cz&columns=w&",
            json!({"path": "a", "columns": ["x", "y,z", "w"]}),
        ),
        ("faiss:é?columns=", json!({"path": "é", "columns": [""]})),
    ];
    for (text, wanted) in cases {
        assert_eq!(source(text).unwrap(), wanted, "{text}");
    }
    assert_eq!(
        parse("null", Side::Sink, &info, &Defaults::default())
            .unwrap()
            .0
            .options,
        Map::new()
    );
    assert_eq!(
        parse("null:", Side::Sink, &info, &Defaults::default())
            .unwrap()
            .0
            .plugin,
        "null"
    );
}

#[test]
fn what_is_wrong_is_shown_under_the_argument() {
    let cases = [
        (
            "/data/a.index",
            0,
            "found `/data/a.index`, wanted the name of a plugin first",
        ),
        ("", 0, "found ``, wanted the name of a plugin first"),
        ("fais:a", 0, "there is no plugin `fais`"),
        (
            "null:a",
            0,
            "source.plugin: the plugin `null` does not read",
        ),
        ("faiss:é?lossi=allow", 8, "unknown key `lossi` in source"),
        (
            "faiss:a?lossy=alow",
            14,
            "source.lossy: found string \"alow\"",
        ),
        (
            "faiss:a?rows=x",
            13,
            "source.rows: found string \"x\", wanted a whole number",
        ),
        (
            "faiss:a?rows=1&rows=2",
            20,
            "source.rows: this option is given more than once",
        ),
        ("faiss:a?rows", 8, "the option `rows` has no value"),
        (
            "faiss:100%.index",
            6,
            "source.path: found a `%` without two",
        ),
        ("faiss:a?%FF=1", 8, "the percent codes are not UTF-8"),
        ("faiss:?rows=1", 0, "`path` is missing in source"),
    ];
    for (text, caret, message) in cases {
        let error = source(text).expect_err(text);
        assert!(error.message().starts_with(message), "{text}: {error:?}");
        assert_eq!(error.context_value("at"), Some("argument SRC"), "{text}");
        let snippet = error.context_value("snippet").unwrap();
        let found = snippet.lines().nth(1).and_then(|line| line.find('^'));
        assert_eq!(found, Some(caret + 2), "{text}:\n{snippet}");
    }
    let error = parse("null:a", Side::Sink, &info, &Defaults::default()).unwrap_err();
    assert_eq!(error.message(), "the plugin `null` takes no path");
    assert_eq!(
        error.help_text(),
        Some("write options as `?key=value`; there are `rows`")
    );
}

#[test]
fn secrets_of_an_argument_are_not_shown() {
    for text in [
        "faiss:a?pass=hunter2&lossi=1",
        "faiss:http://u:hunter2@h?x=1",
        "faiss:a?password=hunter2",
    ] {
        let error = source(text).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_argument_makes_it_panic(text in "\\PC{0,30}", rest in "[?&=:%,a-f0-9é]{0,20}") {
        let _ = source(&text);
        let _ = source(&format!("faiss:{rest}"));
    }

    #[test]
    fn any_path_comes_through_when_it_is_encoded(path in "\\PC{1,20}") {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
        let text = format!("faiss:{}", utf8_percent_encode(&path, NON_ALPHANUMERIC));
        prop_assert_eq!(source(&text).map_err(|e| TestCaseError::fail(e.to_string()))?, json!({"path": path}));
    }
}
