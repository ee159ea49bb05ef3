// SPDX-License-Identifier: Apache-2.0
//! What a JSON Schema wants, in words, and the small questions that checking it asks.
//!
//! Nothing here decides whether a value passes as a whole; that is `check`.

use serde_json::{Map, Value};

/// Steps through `$ref` and alternatives when a schema is described, not checked.
const MAX_DESCRIBED: u32 = 16;

/// The schema that a `$ref` inside `root` names; only references within the document.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// The elements of the list under `key`; none if there is no list.
pub(super) fn list<'a>(
    schema: &'a Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a Value> {
    schema
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The names in the `type` keyword itself.
pub(super) fn own_types(schema: &Map<String, Value>) -> Vec<String> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// The types a schema takes, seen through references and alternatives.
pub(super) fn all_types(root: &Value, schema: &Map<String, Value>) -> Vec<String> {
    let (mut types, mut left) = (Vec::new(), MAX_DESCRIBED);
    collect_types(root, schema, &mut types, &mut left);
    types
}

fn collect_types(
    root: &Value,
    schema: &Map<String, Value>,
    types: &mut Vec<String>,
    left: &mut u32,
) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    types.extend(own_types(schema));
    for constant in own_constants(schema) {
        types.push(type_of(&constant).to_owned());
    }
    for part in parts(root, schema) {
        collect_types(root, part, types, left);
    }
    types.sort_unstable();
    types.dedup();
}

/// The schema of the member `key`, as `schema` itself says.
pub(super) fn member<'a>(schema: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let own = schema
        .get("properties")
        .and_then(|properties| properties.get(key));
    own.or_else(|| schema.get("additionalProperties"))
}

/// The first answer to `question` among `schema` and all it refers to or chooses from.
pub(super) fn find<'a, T>(
    root: &'a Value,
    schema: &'a Value,
    question: impl Fn(&'a Map<String, Value>) -> Option<T>,
) -> Option<T> {
    let mut left = MAX_DESCRIBED;
    let mut open = vec![schema.as_object()?];
    while let Some(schema) = open.pop() {
        if let Some(answer) = question(schema) {
            return Some(answer);
        }
        left = left.checked_sub(1)?;
        open.extend(parts(root, schema));
    }
    None
}

/// What a schema refers to or chooses from.
pub(super) fn parts<'a>(
    root: &'a Value,
    schema: &'a Map<String, Value>,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    let referred = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|r| resolve(root, r));
    referred
        .into_iter()
        .chain(
            ["oneOf", "anyOf", "allOf"]
                .into_iter()
                .flat_map(|key| list(schema, key)),
        )
        .filter_map(Value::as_object)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether `value` is of the JSON Schema type `name`; 1.0 is no integer, as for serde.
pub(super) fn is_of_type(value: &Value, name: &str) -> bool {
    let own = type_of(value);
    own == name || (name == "number" && own == "integer")
}

/// What a value is, in words and without its content.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing (null)",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A constant as it is written in YAML.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether an option holds a secret: `x-secret`, `writeOnly` or `format: password`.
pub(super) fn is_secret(schema: &Map<String, Value>) -> bool {
    let is_true = |key| schema.get(key) == Some(&Value::Bool(true));
    is_true("x-secret")
        || is_true("writeOnly")
        || schema.get("format").and_then(Value::as_str) == Some("password")
}

pub(super) fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

fn own_constants(schema: &Map<String, Value>) -> Vec<Value> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(only), _) => vec![only.clone()],
        (None, Some(Value::Array(known))) => known.clone(),
        _ => Vec::new(),
    }
}

/// The constants a schema chooses from, if it takes nothing but constants.
pub(super) fn constants(root: &Value, schema: &Value) -> Vec<Value> {
    let (mut found, mut left) = (Vec::new(), MAX_DESCRIBED);
    match schema.as_object() {
        Some(schema) if collect_constants(root, schema, &mut found, &mut left) => found,
        _ => Vec::new(),
    }
}

fn collect_constants(
    root: &Value,
    schema: &Map<String, Value>,
    found: &mut Vec<Value>,
    left: &mut u32,
) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    let own = own_constants(schema);
    if !own.is_empty() {
        found.extend(own);
        return true;
    }
    let mut has_parts = false;
    for part in parts(root, schema) {
        has_parts = true;
        let is_null = part.get("type").and_then(Value::as_str) == Some("null");
        if !is_null && !collect_constants(root, part, found, left) {
            return false;
        }
    }
    has_parts
}

/// The alternative whose constant members (`kind: "flat"`) are those of `value`.
pub(super) fn tagged_choice<'a>(
    root: &'a Value,
    choices: &'a [Value],
    value: &Value,
) -> Option<&'a Value> {
    let members = value.as_object()?;
    choices.iter().find(|choice| {
        let target = choice
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|r| resolve(root, r));
        let properties = target
            .unwrap_or(choice)
            .get("properties")
            .and_then(Value::as_object);
        let tags = properties
            .into_iter()
            .flatten()
            .filter_map(|(key, s)| Some((key, s.get("const")?)));
        let mut matches = tags
            .map(|(key, constant)| members.get(key) == Some(constant))
            .peekable();
        matches.peek().is_some() && matches.all(|is_equal| is_equal)
    })
}

/// Whether an alternative is at all meant for values of this type.
pub(super) fn may_hold(root: &Value, choice: &Value, value: &Value) -> bool {
    let Some(choice) = choice.as_object() else {
        return false;
    };
    let types = all_types(root, choice);
    types.is_empty() || types.iter().any(|name| is_of_type(value, name))
}

/// The range of the integers that a schema's `format` names.
fn format_range(schema: &Map<String, Value>) -> Option<(i128, i128)> {
    let format = schema.get("format").and_then(Value::as_str)?;
    let of_bits = |bits: u32| (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1);
    let of_unsigned = |bits: u32| (0, (1i128 << bits) - 1);
    Some(match format {
        "int8" => of_bits(8),
        "int16" => of_bits(16),
        "int32" => of_bits(32),
        "int64" | "int" => of_bits(64),
        "uint8" => of_unsigned(8),
        "uint16" => of_unsigned(16),
        "uint32" => of_unsigned(32),
        "uint64" | "uint" => of_unsigned(64),
        _ => return None,
    })
}

/// Whether a number keeps the bounds that a schema sets.
pub(super) fn is_in_bounds(schema: &Map<String, Value>, value: &Value) -> bool {
    let whole = value
        .as_i64()
        .map(i128::from)
        .or_else(|| value.as_u64().map(i128::from));
    if let (Some(whole), Some((least, most))) = (whole, format_range(schema))
        && (whole < least || whole > most)
    {
        return false;
    }
    let order = |key: &str| {
        let bound = schema.get(key)?;
        let bound_whole = bound
            .as_i64()
            .map(i128::from)
            .or_else(|| bound.as_u64().map(i128::from));
        match (whole, bound_whole) {
            (Some(whole), Some(bound)) => Some(whole.cmp(&bound)),
            _ => value.as_f64()?.partial_cmp(&bound.as_f64()?),
        }
    };
    order("minimum").is_none_or(|order| order.is_ge())
        && order("maximum").is_none_or(|order| order.is_le())
        && order("exclusiveMinimum").is_none_or(|order| order.is_gt())
        && order("exclusiveMaximum").is_none_or(|order| order.is_lt())
}

/// What a schema wants, in words: "a whole number from 0 to 255", "one of `a`, `b`".
pub(super) fn wanted(root: &Value, schema: &Map<String, Value>) -> String {
    let (mut words, mut left) = (Vec::new(), MAX_DESCRIBED);
    describe(root, schema, &mut words, &mut left);
    words.dedup();
    match words.as_slice() {
        [] => "a value".to_owned(),
        words => words.join(" or "),
    }
}

fn describe(root: &Value, schema: &Map<String, Value>, words: &mut Vec<String>, left: &mut u32) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    let constants = own_constants(schema);
    if !constants.is_empty() {
        words.extend(
            constants
                .iter()
                .filter(|c| !c.is_null())
                .map(|c| format!("`{}`", plain(c))),
        );
        return;
    }
    for name in own_types(schema) {
        match name.as_str() {
            "string" => words.push("a string".to_owned()),
            "boolean" => words.push("`true` or `false`".to_owned()),
            "integer" => words.push(format!("a whole number{}", range(schema))),
            "number" => words.push(format!("a number{}", range(schema))),
            "array" => words.push("a list".to_owned()),
            "object" => words.push("a mapping".to_owned()),
            // A value that may be left out is no advice.
            _ => {}
        }
    }
    for part in parts(root, schema) {
        describe(root, part, words, left);
    }
}

fn range(schema: &Map<String, Value>) -> String {
    let by_format = format_range(schema);
    let given = |key: &str| schema.get(key).map(plain);
    let least = given("minimum").or_else(|| by_format.map(|(least, _)| least.to_string()));
    let most = given("maximum").or_else(|| by_format.map(|(_, most)| most.to_string()));
    let is_64_bit = by_format.is_some_and(|(_, most)| most >= i128::from(i64::MAX));
    let below = given("exclusiveMaximum");
    match (least, most) {
        (Some(least), Some(_)) if is_64_bit && !schema.contains_key("maximum") => {
            if least.starts_with('-') {
                String::new()
            } else {
                format!(" of at least {least}")
            }
        }
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        (None, Some(most)) => format!(" of at most {most}"),
        (None, None) => match (given("exclusiveMinimum"), below) {
            (Some(above), Some(below)) => format!(" above {above} and below {below}"),
            (Some(above), None) => format!(" above {above}"),
            (None, Some(below)) => format!(" below {below}"),
            (None, None) => String::new(),
        },
    }
}
