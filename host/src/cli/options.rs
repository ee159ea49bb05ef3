// SPDX-License-Identifier: Apache-2.0
//! A plugin's options in words, from the JSON Schema that it brings.
//!
//! The schema is the plugin's own: what is not understood is left out or called a value, never
//! an error.

use serde_json::Value;

/// Types inside types (a list of a choice of …) beyond this are not spelt out.
const MAX_DEPTH: usize = 8;

/// An option as `plugins show` lists it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OptionView {
    pub name: String,
    pub type_name: String,
    /// `required`, or the default as it would be written; empty where leaving it out means
    /// something of its own.
    pub default: String,
    pub description: String,
    /// Whether `PLUGIN:REST` gives it.
    pub is_positional: bool,
}

/// The options in a schema, the one for REST first.
pub(super) fn options(schema: &Value) -> Vec<OptionView> {
    let mut options = Vec::new();
    collect(schema, schema, 0, &mut options);
    options.sort_by_key(|option: &OptionView| !option.is_positional);
    options
}

/// Options may stand in parts of a schema: behind `$ref`, or in all of several.
fn collect(root: &Value, schema: &Value, depth: usize, options: &mut Vec<OptionView>) {
    if depth > MAX_DEPTH {
        return;
    }
    let required: Vec<&str> = list(schema, "required")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if options.iter().all(|option| option.name != *name) {
            options.push(view(
                root,
                name,
                property,
                required.contains(&name.as_str()),
            ));
        }
    }
    for part in parts(root, schema) {
        collect(root, part, depth + 1, options);
    }
}

fn view(root: &Value, name: &str, property: &Value, is_required: bool) -> OptionView {
    let default = match property.get("default") {
        _ if is_required => "required".to_owned(),
        None | Some(Value::Null) => String::new(),
        Some(value) => plain(value),
    };
    let described = std::iter::once(property).chain(parts(root, property));
    let description = described
        .filter_map(|schema| schema.get("description")?.as_str())
        .next();
    OptionView {
        name: name.to_owned(),
        type_name: type_name(root, property, 0),
        default,
        // One line in the source may be broken into several.
        description: description
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        is_positional: property.get("x-positional") == Some(&Value::Bool(true)),
    }
}

/// What a schema refers to, chooses from or consists of.
fn parts<'a>(root: &'a Value, schema: &'a Value) -> impl Iterator<Item = &'a Value> {
    let referred = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| root.pointer(reference.strip_prefix('#')?));
    let kinds = ["allOf", "anyOf", "oneOf"];
    referred
        .into_iter()
        .chain(kinds.into_iter().flat_map(|kind| list(schema, kind)))
}

fn list<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// `text`, `whole number`, `refuse | f64`, `text or list of text`.
fn type_name(root: &Value, schema: &Value, depth: usize) -> String {
    let mut constants = Vec::new();
    let mut types = Vec::new();
    gather(root, schema, depth, &mut constants, &mut types);
    if !constants.is_empty() {
        types.insert(0, constants.join(" | "));
    }
    if types.is_empty() {
        "value".to_owned()
    } else {
        types.join(" or ")
    }
}

fn gather(
    root: &Value,
    schema: &Value,
    depth: usize,
    constants: &mut Vec<String>,
    types: &mut Vec<String>,
) {
    if depth > MAX_DEPTH {
        return;
    }
    let fixed = schema.get("const").into_iter().chain(list(schema, "enum"));
    let before = constants.len();
    for constant in fixed.filter(|constant| !constant.is_null()) {
        add(constants, plain(constant));
    }
    if constants.len() == before {
        let own = match schema.get("type") {
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one.as_str()],
            _ => Vec::new(),
        };
        // `null` says no more than that the option may be left out.
        for name in own.into_iter().filter(|name| *name != "null") {
            add(types, in_words(root, schema, name, depth));
        }
    }
    for part in parts(root, schema) {
        gather(root, part, depth + 1, constants, types);
    }
}

fn add(list: &mut Vec<String>, word: String) {
    if !list.contains(&word) {
        list.push(word);
    }
}

fn in_words(root: &Value, schema: &Value, name: &str, depth: usize) -> String {
    match name {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true | false".to_owned(),
        "array" => {
            let items = schema
                .get("items")
                .map(|items| type_name(root, items, depth + 1));
            format!("list of {}", items.unwrap_or_else(|| "values".to_owned()))
        }
        "object" => "mapping".to_owned(),
        other => other.to_owned(),
    }
}

/// A value as it would be written in a task.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use serde::Deserialize;

    #[derive(Deserialize, JsonSchema)]
    #[serde(untagged)]
    #[allow(dead_code)]
    enum OneOrMany {
        /// One.
        One(String),
        /// Several.
        Many(Vec<String>),
    }

    #[derive(Default, Deserialize, JsonSchema, serde::Serialize)]
    #[serde(rename_all = "snake_case")]
    #[allow(dead_code)]
    enum WideInts {
        /// Refuse them.
        #[default]
        Refuse,
        /// Carry them.
        F64,
    }

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    struct Options {
        /// How many, at most:
        /// a number.
        #[serde(default)]
        most: Option<u32>,
        /// What to do.
        #[serde(default)]
        wide: WideInts,
        #[serde(default)]
        is_on: bool,
        /// A file, or several.
        #[schemars(extend("x-positional" = true))]
        path: OneOrMany,
    }

    fn options_of<T: JsonSchema>() -> Vec<[String; 4]> {
        let schema = schemars::schema_for!(T).to_value();
        let options = options(&schema);
        options
            .into_iter()
            .map(|o| [o.name, o.type_name, o.default, o.description])
            .collect()
    }

    #[test]
    fn says_name_type_default_and_description() {
        let wanted = [
            [
                "path",
                "text or list of text",
                "required",
                "A file, or several.",
            ],
            ["most", "whole number", "", "How many, at most: a number."],
            ["wide", "refuse | f64", "refuse", "What to do."],
            ["is_on", "true | false", "false", ""],
        ];
        assert_eq!(
            options_of::<Options>(),
            wanted.map(|row| row.map(str::to_owned))
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = serde_json::json!({
            "properties": {"a": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}, "allOf": [{"$ref": "#/$defs/a"}]}},
            "allOf": [{"$ref": "#"}],
        });
        let options = options(&schema);
        assert_eq!(options.len(), 1);
        assert!(options[0].type_name.starts_with("list of "));
    }
}
