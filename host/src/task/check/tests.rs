// SPDX-License-Identifier: Apache-2.0
//! Holds the check to the verdicts of a full validator and of serde, and to its own words.

use std::collections::BTreeMap;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its shape matters")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// Documented, so that the schema is a `oneOf` of constants.
    Low,
    /// As well.
    High,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Plain {
    A,
    B,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape matters")]
enum Tagged {
    Flat { size: u8 },
    Tree { depth: Option<i64>, level: Level },
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape matters")]
struct Options {
    path: OneOrMany,
    #[serde(default)]
    rows: Option<u32>,
    #[serde(default)]
    ratio: f64,
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    plain: Option<Plain>,
    #[serde(default)]
    tagged: Option<Tagged>,
    #[serde(default)]
    list: Vec<i8>,
    #[serde(default)]
    map: BTreeMap<String, bool>,
    #[serde(default)]
    pair: Option<(u8, String)>,
}

fn schema() -> Value {
    schemars::schema_for!(Options).to_value()
}

fn verdict(schema: &Value, value: &Value) -> Result<(), Fault> {
    check(schema, value, "/source", &Written::default())
}

fn said(value: &Value) -> String {
    let fault = verdict(&schema(), value).expect_err("the value is refused");
    format!("{} | {}", fault.message, fault.help.unwrap_or_default())
}

/// Values near enough to the options' types to pass about half of the time.
///
/// Left out is where the check follows serde and a validator does not: 1.0 as an integer, and
/// integers outside the range of their `format`.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-200_i64..400).prop_map(Value::from),
        Just(json!(0.5)),
        prop::sample::select(vec!["a", "b", "low", "high", "text", ""]).prop_map(Value::from),
        prop::collection::vec(-130_i64..130, 0..3).prop_map(Value::from),
        prop::collection::vec("[ab]", 0..3).prop_map(Value::from),
        (-1_i64..257, "[ab]").prop_map(|(number, text)| json!([number, text])),
        any::<bool>().prop_map(|truth| json!({"x": truth})),
        (-1_i64..257).prop_map(|size| json!({"kind": "flat", "size": size})),
        Just(json!({"kind": "flat", "size": 1, "more": 1})),
        Just(json!({"kind": "tree", "level": "high"})),
        Just(json!({"kind": "tree", "depth": null, "level": "no"})),
        Just(json!({"kind": "bush"})),
    ]
}

fn any_options() -> impl Strategy<Value = Value> {
    let keys = vec![
        "path", "rows", "ratio", "level", "plain", "tagged", "list", "map", "pair", "pth",
    ];
    let members = prop::collection::btree_map(prop::sample::select(keys), any_value(), 0..4);
    (members, prop::option::weighted(0.8, "[ab]")).prop_map(|(members, path)| {
        let mut options: Map<String, Value> = members
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        if let Some(path) = path {
            options.insert("path".to_owned(), Value::from(path));
        }
        Value::Object(options)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn verdicts_are_those_of_a_validator_and_of_serde(value in any_options()) {
        let schema = schema();
        let ours = verdict(&schema, &value);
        let validator = jsonschema::validator_for(&schema).expect("schemars writes good schemas");
        prop_assert_eq!(ours.is_ok(), validator.is_valid(&value), "{} {:?}", value, ours);
        let typed: Result<Options, _> = serde_json::from_value(value.clone());
        prop_assert_eq!(ours.is_ok(), typed.is_ok(), "{} {:?} {:?}", value, ours, typed);
    }

    #[test]
    fn no_schema_makes_it_panic(schema in any_schema(), value in any_value()) {
        let _ = verdict(&schema, &value);
    }
}

/// Schemas that no serde type has.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!(7)),
        Just(json!({"$ref": "#"})),
        Just(json!({"$ref": "#/gone"})),
        Just(json!({"type": "integer", "minimum": "x", "format": "uint8"})),
        Just(json!({"enum": []})),
        Just(json!({"type": ["string", 7], "minLength": 3})),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|all| json!({"anyOf": all})),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|all| json!({"allOf": all})),
            inner
                .clone()
                .prop_map(|one| json!({"properties": {"x": one, "kind": one}})),
            inner
                .clone()
                .prop_map(|one| json!({"items": one, "additionalProperties": one})),
        ]
    })
}

#[test]
fn an_alternative_is_reported_by_the_one_that_was_meant() {
    let cases = [
        (
            json!({"path": 7}),
            "source.path: found number 7, wanted a string or a list | put it in quotes to make it a string",
        ),
        (
            json!({"path": ["a", 7]}),
            "source.path[1]: found number 7, wanted a string | put it in quotes to make it a string",
        ),
        (
            json!({"path": "a", "level": "hihg"}),
            "source.level: found string \"hihg\", wanted one of `low`, `high` | did you mean `high`?",
        ),
        (
            json!({"path": "a", "plain": "c"}),
            "source.plain: found string \"c\", wanted one of `a`, `b` | ",
        ),
        (
            json!({"path": "a", "tagged": {"kind": "flat", "size": 256}}),
            "source.tagged.size: found number 256, wanted a whole number from 0 to 255 | ",
        ),
        (
            json!({"path": "a", "tagged": {"kind": "tree"}}),
            "`level` is missing in source.tagged | add `level:` with `low` or `high`",
        ),
        (
            json!({"path": "a", "tagged": {"kind": "tree", "levl": "low"}}),
            "unknown key `levl` in source.tagged | did you mean `level`?",
        ),
        (
            json!({"path": "a", "rows": "7"}),
            "source.rows: found string \"7\", wanted a whole number from 0 to 4294967295 | leave the quotes away",
        ),
        (
            json!({"path": "a", "rows": 4294967296_u64}),
            "source.rows: found number 4294967296, wanted a whole number from 0 to 4294967295 | ",
        ),
        (
            json!({"path": "a", "rows": 1.0}),
            "source.rows: found number 1.0, wanted a whole number from 0 to 4294967295 | ",
        ),
        (
            json!({"path": "a", "map": {"x": "yes"}}),
            "source.map.x: found string \"yes\", wanted `true` or `false` | write `true` or `false`",
        ),
        (
            json!({"path": null}),
            "source.path: found nothing (null), wanted a string or a list | give it a value, or leave the key out",
        ),
        (json!([]), "source: found a list, wanted a mapping | "),
    ];
    for (value, wanted) in cases {
        assert_eq!(said(&value), wanted, "{value}");
    }
}

#[test]
fn secrets_are_not_repeated() {
    let schema = json!({"properties": {
        "key": {"type": "integer", "x-secret": true},
        "password": {"enum": ["x"]},
        "uri": {"enum": ["x"]},
    }});
    for value in [
        json!({"key": "hunter2"}),
        json!({"password": "hunter2"}),
        json!({"uri": "http://u:hunter2@h"}),
    ] {
        let fault = verdict(&schema, &value).unwrap_err();
        assert!(!fault.message.contains("hunter2"), "{}", fault.message);
    }
}

#[test]
fn a_schema_without_end_is_the_plugins_fault() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"$ref": "#/gone"}),
        json!({"anyOf": [{"$ref": "#"}, {"type": "string"}]}),
    ] {
        let fault = verdict(&schema, &json!("x")).expect_err("it has no end");
        assert_eq!(fault.kind, ErrorKind::Plugin, "{}", fault.message);
    }
}
