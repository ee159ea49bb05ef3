// SPDX-License-Identifier: Apache-2.0
//! Values on the command line, where everything is text: which type is meant, the schema says.

use serde_json::{Map, Value};

use super::shape;

/// The value that `texts`, one for each time the option was given, stand for; `None` if it was
/// given more than once and is no list.
///
/// Whether the value is legal is not decided here: what fits no type stays text, and the check
/// against the schema then says what was wanted.
pub(super) fn value(root: &Value, schema: &Map<String, Value>, texts: &[String]) -> Option<Value> {
    if let [one] = texts
        && !is_list(root, schema)
    {
        return Some(scalar(root, schema, one));
    }
    let types = shape::all_types(root, schema);
    if !types.iter().any(|name| name == "array") {
        return None;
    }
    let parts = std::iter::once(schema).chain(shape::parts(root, schema));
    let items = parts
        .filter_map(|part| part.get("items")?.as_object())
        .next();
    let item = |text: &String| match items {
        Some(items) => scalar(root, items, text),
        None => Value::from(text.as_str()),
    };
    Some(texts.iter().map(item).collect())
}

/// Whether only lists are taken, so that commas divide.
pub(super) fn is_list(root: &Value, schema: &Map<String, Value>) -> bool {
    let types = shape::all_types(root, schema);
    let is_scalar = |name: &String| !["array", "null"].contains(&name.as_str());
    types.iter().any(|name| name == "array") && !types.iter().any(is_scalar)
}

fn scalar(root: &Value, schema: &Map<String, Value>, text: &str) -> Value {
    let constants = shape::constants(root, &Value::Object(schema.clone()));
    if let Some(constant) = constants
        .into_iter()
        .find(|constant| shape::plain(constant) == text)
    {
        return constant;
    }
    let types = shape::all_types(root, schema);
    let takes = |name: &str| types.iter().any(|own| own == name);
    if takes("integer") || takes("number") {
        if let Ok(whole) = text.parse::<i64>() {
            return Value::from(whole);
        }
        if let Ok(whole) = text.parse::<u64>() {
            return Value::from(whole);
        }
    }
    if takes("number")
        && let Some(float) = text.parse::<f64>().ok().filter(|float| float.is_finite())
    {
        return Value::from(float);
    }
    if takes("boolean")
        && let Ok(truth) = text.parse::<bool>()
    {
        return Value::from(truth);
    }
    Value::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn typed(schema: &Value, texts: &[&str]) -> Option<Value> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        value(schema, schema.as_object().unwrap(), &texts)
    }

    #[test]
    fn the_schema_says_which_type_a_text_has() {
        let cases = [
            (json!({"type": "string"}), &["7"][..], json!("7")),
            (json!({"type": ["integer", "null"]}), &["7"], json!(7)),
            (
                json!({"type": "integer"}),
                &["18446744073709551615"],
                json!(u64::MAX),
            ),
            (json!({"type": "integer"}), &["7x"], json!("7x")),
            (json!({"type": "number"}), &["1e3"], json!(1000.0)),
            (json!({"type": "number"}), &["inf"], json!("inf")),
            (json!({"type": "boolean"}), &["true"], json!(true)),
            (json!({"type": "boolean"}), &["yes"], json!("yes")),
            (
                json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
                &["7"],
                json!(7),
            ),
            (json!({"enum": ["7", "8"]}), &["7"], json!("7")),
            (
                json!({"type": "array", "items": {"type": "integer"}}),
                &["1", "2"],
                json!([1, 2]),
            ),
            (json!({"type": "array"}), &["1"], json!(["1"])),
            (
                json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
                &["1", "2"],
                json!(["1", "2"]),
            ),
            (json!({}), &["x"], json!("x")),
        ];
        for (schema, texts, wanted) in cases {
            assert_eq!(typed(&schema, texts), Some(wanted), "{schema} {texts:?}");
        }
        assert_eq!(typed(&json!({"type": "string"}), &["a", "b"]), None);
    }

    #[test]
    fn commas_divide_only_where_nothing_but_a_list_is_taken() {
        let is_list = |schema: Value| is_list(&schema, schema.as_object().unwrap());
        assert!(is_list(json!({"type": ["array", "null"]})));
        assert!(!is_list(json!({"type": ["array", "string"]})));
        assert!(!is_list(json!({"type": "string"})));
        assert!(!is_list(json!({})));
    }
}
