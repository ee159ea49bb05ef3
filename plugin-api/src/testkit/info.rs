// SPDX-License-Identifier: Apache-2.0
//! Cases for what a plugin says of itself and how it takes its options.

use serde_json::{Map, Value, json};

use super::report::{Checked, ensure, fail};
use crate::abi::PluginHandle;
use crate::{ErrorKind, PluginInfo, Result};

/// An option that no plugin has.
const UNKNOWN: &str = "no_such_option";

/// Name, version, summary and docs are there.
pub(super) fn says_what_it_is(info: &PluginInfo) -> Checked {
    ensure!(!info.name.is_empty(), "the name is empty");
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(
        info.name.chars().all(is_plain),
        "name `{}`: wanted lower-case letters, digits and `_`",
        info.name
    );
    ensure!(!info.version.is_empty(), "the version is empty");
    ensure!(
        !info.summary.trim().is_empty() && !info.summary.contains('\n'),
        "the summary is `{}`, wanted one line",
        info.summary
    );
    ensure!(!info.docs.trim().is_empty(), "the docs are empty");
    Ok(())
}

/// The options that a schema describes, by name.
fn properties(schema: &Value) -> Map<String, Value> {
    match schema.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        _ => Map::new(),
    }
}

/// The schema is an object's, describes each option, and allows no others.
pub(super) fn describes_options(schema: &Value) -> Checked {
    let kind = schema.get("type");
    ensure!(
        kind == Some(&json!("object")),
        "the options' schema is of type {kind:?}, wanted an object"
    );
    ensure!(
        schema.get("additionalProperties") == Some(&json!(false)),
        "the options' schema allows unknown keys; is `deny_unknown_fields` missing?"
    );
    for (name, option) in properties(schema) {
        let description = option.get("description").and_then(Value::as_str);
        ensure!(
            description.is_some_and(|d| !d.trim().is_empty()),
            "option `{name}` has no description; a doc comment gives it one"
        );
    }
    Ok(())
}

/// The docs name each option in backquotes.
pub(super) fn documents_options(info: &PluginInfo, schema: &Value) -> Checked {
    for name in properties(schema).keys() {
        ensure!(
            info.docs.contains(&format!("`{name}`")),
            "the docs never mention option `{name}`"
        );
    }
    Ok(())
}

/// An option that it does not have is refused, and named.
pub(super) fn refuses_unknown_options<T>(
    options: &Value,
    open: impl FnOnce(&Value) -> Result<T>,
) -> Checked {
    let mut options = match options {
        Value::Object(options) => options.clone(),
        _ => Map::new(),
    };
    options.insert(UNKNOWN.to_owned(), json!(1));
    match open(&Value::Object(options)) {
        Ok(_) => fail(format!("option `{UNKNOWN}` was accepted")),
        Err(error) => {
            ensure!(
                error.kind() == ErrorKind::Config,
                "an unknown option gave {error:?}, wanted kind Config"
            );
            ensure!(
                error.to_string().contains(UNKNOWN),
                "the error for an unknown option does not name it: {error}"
            );
            Ok(())
        }
    }
}

/// The name of a plugin, for reports; a plugin without info fails a case of its own.
pub(super) fn name_of(plugin: &PluginHandle) -> String {
    plugin
        .info()
        .map_or_else(|_| "plugin".to_owned(), |i| i.name)
}
