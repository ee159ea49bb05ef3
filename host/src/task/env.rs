// SPDX-License-Identifier: Apache-2.0
//! `${NAME}` in the values of a task file.
//!
//! It works on parsed values, so that no variable can change the shape of the file, and only
//! on strings, never on keys. Which values came from the environment is kept, because their
//! content must not appear in a message: the text as written is shown in its place.

use std::collections::HashMap;

use serde_json::Value;

use super::fault::Fault;
use super::pointer;
use super::render::shorten;

/// Looks a variable up; `None` if it is unset.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<Result<String, NotText>>;

/// A variable whose value is not UTF-8.
pub(super) struct NotText;

/// The process' environment.
pub(super) fn of_process(name: &str) -> Option<Result<String, NotText>> {
    std::env::var_os(name).map(|value| value.into_string().map_err(|_| NotText))
}

/// The text as written of each value that holds a variable, by pointer.
#[derive(Debug, Clone, Default)]
pub(super) struct Written(HashMap<String, String>);

impl Written {
    pub(super) fn get(&self, pointer: &str) -> Option<&str> {
        self.0.get(pointer).map(String::as_str)
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Most bytes that all variables of a file may put in: a file that repeats a long one must not
/// grow without measure.
const MAX_EXPANDED_BYTES: usize = 16 << 20;

/// How to write what is no variable.
const PLAIN: &str = "write `$$` for a plain `$`";

/// Replaces the variables in every string of `value`, which stands at the pointer `at`.
pub(super) fn interpolate(
    value: &mut Value,
    at: &str,
    lookup: Lookup<'_>,
) -> Result<Written, Fault> {
    let mut expansion = Expansion {
        lookup,
        left_bytes: MAX_EXPANDED_BYTES,
        written: Written::default(),
    };
    expansion.walk(value, at)?;
    Ok(expansion.written)
}

struct Expansion<'a> {
    lookup: Lookup<'a>,
    left_bytes: usize,
    written: Written,
}

/// What is wrong, and what to do.
type Complaint = (String, &'static str);

impl Expansion<'_> {
    /// Recursion ends at the depth that the parser has checked.
    fn walk(&mut self, value: &mut Value, at: &str) -> Result<(), Fault> {
        match value {
            Value::String(text) if text.contains('$') => {
                let (replaced, has_variables) = self
                    .replace(text)
                    .map_err(|(message, help)| Fault::of_value(at, message).help(help))?;
                let raw = std::mem::replace(text, replaced);
                if has_variables {
                    self.written.0.insert(at.to_owned(), raw);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.walk(item, &pointer::element(at, index))?;
                }
            }
            Value::Object(members) => {
                for (key, member) in members.iter_mut() {
                    self.walk(member, &pointer::member(at, key))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The text with its variables put in, and whether there were any.
    fn replace(&mut self, text: &str) -> Result<(String, bool), Complaint> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut has_variables = false;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('{') {
                let Some((name, after)) = after.split_once('}') else {
                    return Err(("`${` is never closed, wanted `${NAME}`".to_owned(), PLAIN));
                };
                out.push_str(&self.variable(name)?);
                has_variables = true;
                rest = after;
            } else {
                // `$$` is `$`; a `$` that starts nothing stays.
                out.push('$');
                rest = after.strip_prefix('$').unwrap_or(after);
            }
        }
        out.push_str(rest);
        Ok((out, has_variables))
    }

    fn variable(&mut self, name: &str) -> Result<String, Complaint> {
        let shown = shorten(name);
        if !is_name(name) {
            let message =
                format!("found `${{{shown}}}`, wanted a variable name of letters, digits and `_`");
            return Err((message, PLAIN));
        }
        let value = match (self.lookup)(name) {
            Some(Ok(value)) => value,
            Some(Err(NotText)) => {
                let message = format!("the environment variable `{shown}` is not UTF-8 text");
                return Err((message, "give it a value in UTF-8"));
            }
            None => {
                let message = format!("the environment variable `{shown}` is not set");
                return Err((message, "set it, or write `$$` for a plain `$`"));
            }
        };
        let left = self.left_bytes.checked_sub(value.len());
        self.left_bytes = left.ok_or_else(|| {
            let most = MAX_EXPANDED_BYTES >> 20;
            let message =
                format!("with `{shown}`, variables put more than {most} MiB into the task");
            (message, "use it less often, or shorten its value")
        })?;
        Ok(value)
    }
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
        let written = interpolate(&mut value, "", &lookup).unwrap();
        assert_eq!(
            value,
            json!({"${DATA}": ["/srv/${NESTED}/x", "$a$b$", "", 7]})
        );
        assert_eq!(written.get("/${DATA}/0"), Some("${DATA}/x"));
        assert_eq!(written.0.len(), 2);
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
            let fault = interpolate(&mut value, "", &lookup).expect_err(text);
            assert_eq!(fault.pointer, "/a/0");
            assert!(fault.message.contains(message), "{text}: {}", fault.message);
        }
    }

    #[test]
    fn a_long_variable_can_not_be_repeated_without_measure() {
        let lookup = |_: &str| Some(Ok("x".repeat(1 << 20)));
        let fault = interpolate(&mut json!("${X}".repeat(17)), "", &lookup).unwrap_err();
        assert!(
            fault.message.contains("more than 16 MiB"),
            "{}",
            fault.message
        );
    }

    proptest! {
        #[test]
        fn doubling_every_dollar_gives_the_text_back(text in "\\PC*") {
            let doubled = text.replace('$', "$$");
            let mut value = Value::String(doubled);
            let written = interpolate(&mut value, "", &lookup)
                .map_err(|fault| TestCaseError::fail(fault.message))?;
            prop_assert_eq!(value, Value::String(text));
            prop_assert!(written.0.is_empty());
        }
    }
}
