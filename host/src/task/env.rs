// SPDX-License-Identifier: Apache-2.0
//! `${NAME}` in the values of a task file.
//!
//! It works on parsed values, so that no variable can change the shape of the file, and only
//! on strings, never on keys. Which values came from the environment is kept, because their
//! content must not appear in a message: the text as written is shown in its place.

use std::collections::HashMap;

use serde_json::Value;

use super::pointer;

/// Looks a variable up; `None` if it is unset.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<Result<String, NotText>>;

/// A variable whose value is not UTF-8.
pub(super) struct NotText;

/// The process' environment.
pub(super) fn of_process(name: &str) -> Option<Result<String, NotText>> {
    std::env::var_os(name).map(|value| value.into_string().map_err(|_| NotText))
}

/// A variable that can't be put in, and the value it stands in.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub pointer: String,
    pub message: String,
    pub help: String,
}

/// Replaces the variables in every string of `document`; returns the text as written of each
/// value that has one, by pointer.
pub(super) fn interpolate(
    document: &mut Value,
    lookup: Lookup<'_>,
) -> Result<HashMap<String, String>, Unresolved> {
    let mut written = HashMap::new();
    walk(document, "", lookup, &mut written)?;
    Ok(written)
}

/// Recursion ends at the depth that the parser has checked.
fn walk(
    value: &mut Value,
    at: &str,
    lookup: Lookup<'_>,
    written: &mut HashMap<String, String>,
) -> Result<(), Unresolved> {
    match value {
        Value::String(text) if text.contains('$') => {
            let (replaced, has_variables) = replace(text, lookup).map_err(|(message, help)| {
                Unresolved { pointer: at.to_owned(), message, help: help.to_owned() }
            })?;
            let raw = std::mem::replace(text, replaced);
            if has_variables {
                written.insert(at.to_owned(), raw);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &pointer::element(at, index), lookup, written)?;
            }
        }
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                walk(member, &pointer::member(at, key), lookup, written)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The text with its variables put in, and whether there were any.
fn replace(text: &str, lookup: Lookup<'_>) -> Result<(String, bool), (String, &'static str)> {
    const PLAIN: &str = "write `$$` for a plain `$`";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut has_variables = false;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else if let Some(after) = after.strip_prefix('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(("`${` is never closed, wanted `${NAME}`".to_owned(), PLAIN));
            };
            if !is_name(name) {
                let name = super::places::shorten(name);
                let message = format!("found `${{{name}}}`, wanted a variable name of letters, digits and `_`");
                return Err((message, PLAIN));
            }
            match lookup(name) {
                Some(Ok(value)) => out.push_str(&value),
                Some(Err(NotText)) => {
                    return Err((format!("the environment variable `{name}` is not UTF-8 text"), PLAIN));
                }
                None => {
                    let message = format!("the environment variable `{name}` is not set");
                    return Err((message, "set it, or write `$$` for a plain `$`"));
                }
            }
            has_variables = true;
            after
        } else {
            // A `$` that starts nothing stays.
            out.push('$');
            after
        };
    }
    out.push_str(rest);
    Ok((out, has_variables))
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn lookup(name: &str) -> Option<Result<String, NotText>> {
        match name {
            "DATA" => Some(Ok("/srv/${NESTED}".to_owned())),
            "EMPTY" => Some(Ok(String::new())),
            "BYTES" => Some(Err(NotText)),
            _ => None,
        }
    }

    #[test]
    fn variables_are_put_in_once_and_remembered() {
        let mut value = json!({"${DATA}": ["${DATA}/x", "$$a$b$", "${EMPTY}", 7]});
        let written = interpolate(&mut value, &lookup).unwrap();
        assert_eq!(value, json!({"${DATA}": ["/srv/${NESTED}/x", "$a$b$", "", 7]}));
        assert_eq!(written.get("/${DATA}/0").map(String::as_str), Some("${DATA}/x"));
        assert_eq!(written.len(), 2);
    }

    #[test]
    fn what_can_not_be_put_in_names_the_value_and_the_cure() {
        for (text, message) in [
            ("${GONE}", "`GONE` is not set"),
            ("${DATA", "never closed"),
            ("${}", "wanted a variable name"),
            ("${a-b}", "wanted a variable name"),
            ("${BYTES}", "not UTF-8"),
        ] {
            let mut value = json!({"a": [text]});
            let unresolved = interpolate(&mut value, &lookup).expect_err(text);
            assert_eq!(unresolved.pointer, "/a/0");
            assert!(unresolved.message.contains(message), "{text}: {}", unresolved.message);
        }
    }

    proptest! {
        #[test]
        fn doubling_every_dollar_gives_the_text_back(text in "\\PC*") {
            let doubled = text.replace('$', "$$");
            let (back, has_variables) = replace(&doubled, &lookup).map_err(|e| TestCaseError::fail(e.0))?;
            prop_assert_eq!(back, text);
            prop_assert!(!has_variables);
        }
    }
}
