// SPDX-License-Identifier: Apache-2.0
//! Which values of a plugin's options must never be shown.
//!
//! Those that the plugin's schema marks, those whose key says so, and passwords inside URIs.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::render::{looks_secret, passwords_in};
use super::{pointer, shape};

/// Steps of one search; reached only by schemas that refer to themselves.
const MAX_STEPS: u32 = 100_000;
/// Nesting of one search: values are at most 64 deep, the rest is for `$ref` and alternatives.
const MAX_DEPTH: u32 = 256;

/// The pointers to secret values in `options`, which stand at `at`.
pub(super) fn pointers(
    schema: Option<&Value>,
    options: &Map<String, Value>,
    at: &str,
) -> Vec<String> {
    let root = schema.unwrap_or(&Value::Null);
    let mut search = Search {
        root,
        steps: 0,
        found: Vec::new(),
    };
    search.members(root.as_object(), options, at, 0);
    search.found.sort_unstable();
    search.found.dedup();
    search.found
}

/// The secret texts in `options`.
pub(super) fn texts(schema: Option<&Value>, options: &Map<String, Value>) -> Vec<String> {
    let document = Value::Object(options.clone());
    let mut texts = Vec::new();
    for pointer in pointers(schema, options, "") {
        if let Some(value) = document.pointer(&pointer) {
            scalars(value, &mut texts);
        }
    }
    let mut all = Vec::new();
    scalars(&document, &mut all);
    for password in all.iter().flat_map(|text| passwords_in(text)) {
        // A client may show the password as it sends it.
        texts.push(
            percent_decode_str(&password)
                .decode_utf8_lossy()
                .into_owned(),
        );
        texts.push(password);
    }
    texts.retain(|text| !text.is_empty());
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn scalars(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| scalars(item, texts)),
        Value::Object(members) => members.values().for_each(|member| scalars(member, texts)),
        Value::Null | Value::Bool(_) => {}
    }
}

struct Search<'a> {
    root: &'a Value,
    steps: u32,
    found: Vec<String>,
}

impl<'a> Search<'a> {
    fn value(
        &mut self,
        schema: Option<&'a Map<String, Value>>,
        value: &Value,
        at: &str,
        depth: u32,
    ) {
        self.steps += 1;
        if self.steps > MAX_STEPS || depth > MAX_DEPTH {
            return;
        }
        if schema.is_some_and(shape::is_secret) {
            self.found.push(at.to_owned());
            return;
        }
        match value {
            Value::Object(members) => self.members(schema, members, at, depth),
            Value::Array(items) => {
                let item_schema = schema.and_then(|schema| schema.get("items")?.as_object());
                for (index, item) in items.iter().enumerate() {
                    self.value(item_schema, item, &pointer::element(at, index), depth + 1);
                }
                self.alternatives(schema, value, at, depth);
            }
            _ => self.alternatives(schema, value, at, depth),
        }
    }

    fn members(
        &mut self,
        schema: Option<&'a Map<String, Value>>,
        members: &Map<String, Value>,
        at: &str,
        depth: u32,
    ) {
        for (key, member) in members {
            let at = pointer::member(at, key);
            if looks_secret(key) {
                self.found.push(at);
                continue;
            }
            let own = schema.and_then(|schema| shape::member(schema, key));
            self.value(own.and_then(Value::as_object), member, &at, depth + 1);
        }
        if let Some(schema) = schema {
            for part in shape::parts(self.root, schema) {
                self.steps += 1;
                if self.steps > MAX_STEPS || depth > MAX_DEPTH {
                    return;
                }
                self.members(Some(part), members, at, depth + 1);
            }
        }
    }

    fn alternatives(
        &mut self,
        schema: Option<&'a Map<String, Value>>,
        value: &Value,
        at: &str,
        depth: u32,
    ) {
        if let Some(schema) = schema {
            for part in shape::parts(self.root, schema) {
                self.value(Some(part), value, at, depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(schema: &Value, options: &Value) -> Vec<String> {
        pointers(Some(schema), options.as_object().unwrap(), "/sink")
    }

    #[test]
    fn marks_are_seen_through_references_lists_and_alternatives() {
        let schema = json!({
            "properties": {
                "a": {"$ref": "#/$defs/Key"},
                "b": {"anyOf": [{"type": "null"}, {"writeOnly": true}]},
                "c": {"items": {"properties": {"d": {"format": "password"}}}},
            },
            "additionalProperties": {"x-secret": true},
            "$defs": {"Key": {"x-secret": true}},
        });
        let options = json!({"a": "1", "b": "2", "c": [{"d": "3", "e": "4"}], "f": "5"});
        assert_eq!(
            found(&schema, &options),
            ["/sink/a", "/sink/b", "/sink/c/0/d", "/sink/f"]
        );
    }

    #[test]
    fn names_are_enough_and_the_texts_are_what_to_mask() {
        let options = json!({"db": {"api_key": ["k", 7]}, "uri": "x://u:a%2Fb@h", "password": ""});
        let options = options.as_object().unwrap();
        assert_eq!(pointers(None, options, ""), ["/db/api_key", "/password"]);
        assert_eq!(texts(None, options), ["7", "a%2Fb", "a/b", "k"]);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}], "items": {"$ref": "#"}});
        assert!(found(&schema, &json!({"a": [[["x"]]]})).is_empty());
    }
}
