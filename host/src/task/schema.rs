// SPDX-License-Identifier: Apache-2.0
//! The JSON Schema of the whole task file, for editors that complete and check it.
//!
//! The envelope's schema with, under `source` and `sink`, a condition for each plugin that
//! brings in its options. A plugin's schema is put whole under `$defs`, its references
//! redirected there: editors do not all follow a `$id` inside a schema.

use milvusdm_plugin_api::PluginInfo;
use serde_json::{Map, Value, json};

use super::defaults::Defaults;
use super::raw::envelope_schema;
use super::{Side, options};
use crate::program;

/// The JSON Schema of task files, with the options of these plugins; what `defaults` stand in
/// for may be left out.
pub fn schema(plugins: &[PluginInfo], defaults: &Defaults) -> Value {
    let mut schema = envelope_schema();
    for (key, value) in defaults.top_level() {
        if let Some(property) = schema.pointer_mut(&format!("/properties/{key}")) {
            insert(property, "default", value.clone());
        }
    }
    let sides = [Side::Source, Side::Sink].into_iter();
    for side in sides.filter(|side| defaults.endpoint(*side).is_some()) {
        need_not(&mut schema, side.name());
    }
    for side in [Side::Source, Side::Sink] {
        let name = side.name();
        let described = schema
            .pointer(&format!("/properties/{name}/description"))
            .cloned();
        let (endpoint, definitions) = endpoint(side, plugins, defaults);
        if let Some(property) = schema.pointer_mut(&format!("/properties/{name}")) {
            *property = endpoint;
            if let Some(described) = described {
                insert(property, "description", described);
            }
        }
        if let Some(Value::Object(all)) = schema.get_mut("$defs") {
            all.extend(definitions);
        }
    }
    schema
}

/// What stands under `source` or `sink`, and the definitions that it refers to.
fn endpoint(
    side: Side,
    plugins: &[PluginInfo],
    defaults: &Defaults,
) -> (Value, Map<String, Value>) {
    let default = defaults.endpoint(side);
    let mut names = Vec::new();
    let mut conditions = Vec::new();
    let mut definitions = Map::new();
    for info in plugins {
        let Some(options) = options::schema(side, info) else {
            continue;
        };
        // Of the plugin `null`, YAML makes a null.
        let spellings = match info.name.as_str() {
            "null" => vec![json!("null"), Value::Null],
            name => vec![json!(name)],
        };
        let key = format!("{}.{}", side.name(), info.name);
        let mut options = options.clone();
        redirect(&mut options, &format!("#/$defs/{key}"));
        allow_plugin(&mut options);
        let mut condition = json!({
            "if": {"properties": {"plugin": {"enum": spellings}}, "required": ["plugin"]},
            "then": {"$ref": format!("#/$defs/{key}")},
        });
        if let Some((_, given)) = default.filter(|(plugin, _)| *plugin == info.name) {
            given
                .keys()
                .for_each(|option| need_not(&mut options, option));
            // It is meant where no other is named.
            if let Some(named) = condition.pointer_mut("/if") {
                need_not(named, "plugin");
            }
        }
        conditions.push(condition);
        definitions.insert(key, options);
        names.extend(spellings);
    }
    let mut endpoint = json!({
        "type": "object",
        "required": ["plugin"],
        "properties": {"plugin": {
            "description": format!("The name of the plugin, as {} shows it.", program::typed("plugins list")),
            "enum": names,
        }},
    });
    if default.is_some() {
        need_not(&mut endpoint, "plugin");
    }
    if !conditions.is_empty() {
        insert(&mut endpoint, "allOf", Value::Array(conditions));
    }
    (endpoint, definitions)
}

/// Makes references within a schema hold after it was moved to `base`.
fn redirect(schema: &mut Value, base: &str) {
    match schema {
        Value::Object(members) => {
            // It is part of a document now.
            members.shift_remove("$schema");
            for (key, member) in members {
                match member {
                    Value::String(reference) if key == "$ref" => {
                        if let Some(inner) = reference.strip_prefix('#') {
                            *reference = format!("{base}{inner}");
                        }
                    }
                    // These hold values, not schemas.
                    _ if ["default", "const", "enum", "examples"].contains(&key.as_str()) => {}
                    member => redirect(member, base),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redirect(item, base)),
        _ => {}
    }
}

/// The plugin's own schema does not know the key that names it.
fn allow_plugin(options: &mut Value) {
    let Value::Object(schema) = options else {
        return;
    };
    if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        let properties = schema.entry("properties").or_insert_with(|| json!({}));
        insert(properties, "plugin", Value::Bool(true));
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        if let Some(Value::Array(choices)) = schema.get_mut(keyword) {
            choices.iter_mut().for_each(allow_plugin);
        }
    }
}

/// Lets a member be left out, in a schema and in what it is put together from.
fn need_not(schema: &mut Value, name: &str) {
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|required| required != name);
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        if let Some(Value::Array(choices)) = schema.get_mut(keyword) {
            choices.iter_mut().for_each(|choice| need_not(choice, name));
        }
    }
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugins() -> Vec<PluginInfo> {
        let options = |required: &str| {
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {"path": {"type": "string"}, "lossy": {"$ref": "#/$defs/Lossy"}},
                "required": [required],
                "additionalProperties": false,
                "$defs": {"Lossy": {"enum": ["refuse", "allow"]}},
            })
        };
        let plugin = |name: &str, source, sink| PluginInfo {
            name: name.to_owned(),
            version: String::new(),
            summary: String::new(),
            docs: String::new(),
            source_options: source,
            sink_options: sink,
            panic: Default::default(),
        };
        vec![
            plugin("faiss", Some(options("path")), None),
            plugin("hdf5", Some(options("path")), Some(options("path"))),
            plugin(
                "null",
                None,
                Some(json!({"type": "object", "additionalProperties": false})),
            ),
        ]
    }

    #[test]
    fn an_editor_takes_and_refuses_what_the_program_does() {
        let schema = schema(&plugins(), &Defaults::default());
        assert!(jsonschema::meta::is_valid(&schema));
        let validator = jsonschema::validator_for(&schema).unwrap();
        let sink = json!({"plugin": "hdf5", "path": "o"});
        let source = json!({"plugin": "faiss", "path": "a", "lossy": "allow"});
        for good in [
            json!({"source": source, "sink": sink}),
            json!({"source": source, "sink": {"plugin": null}, "memory": "1GiB", "map": "a/b"}),
            json!({"source": source, "sink": sink, "select": {"include": ["a"]}, "parallel": 4}),
        ] {
            assert!(validator.is_valid(&good), "{good}");
        }
        for bad in [
            json!({"source": source}),
            json!({"source": source, "sink": {"plugin": "faiss"}}),
            json!({"source": source, "sink": {"plugin": "null", "path": "x"}}),
            json!({"source": {"plugin": null}, "sink": sink}),
            json!({"source": {"plugin": "faiss", "path": "a", "lossy": "x"}, "sink": sink}),
            json!({"source": {"plugin": "faiss"}, "sink": sink}),
            json!({"source": source, "sink": sink, "select": {"include": null}}),
            json!({"source": source, "sink": sink, "mdoe": "fail"}),
        ] {
            assert!(!validator.is_valid(&bad), "{bad}");
        }
    }

    #[test]
    fn what_defaults_stand_in_for_may_be_left_out() {
        let text = "sink: {plugin: hdf5, path: out/}\nmemory: 1GiB\n";
        let defaults = Defaults::parse(text, "acme").unwrap();
        let schema = schema(&plugins(), &defaults);
        assert!(jsonschema::meta::is_valid(&schema));
        assert_eq!(
            schema.pointer("/properties/memory/default"),
            Some(&json!("1GiB"))
        );
        let validator = jsonschema::validator_for(&schema).unwrap();
        let source = json!({"plugin": "faiss", "path": "a"});
        for good in [
            json!({"source": source}),
            json!({"source": source, "sink": {"lossy": "allow"}}),
            json!({"source": source, "sink": {"plugin": "hdf5"}}),
            json!({"source": source, "sink": {"plugin": "null"}}),
        ] {
            assert!(validator.is_valid(&good), "{good}");
        }
        for bad in [
            json!({}),
            json!({"source": {"plugin": "hdf5"}}),
            json!({"source": source, "sink": {"lossi": "allow"}}),
            json!({"source": source, "sink": {"plugin": "faiss"}}),
        ] {
            assert!(!validator.is_valid(&bad), "{bad}");
        }
    }

    #[test]
    fn it_stands_without_plugins() {
        assert!(jsonschema::meta::is_valid(&schema(
            &[],
            &Defaults::default()
        )));
    }
}
