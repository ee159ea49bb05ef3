// SPDX-License-Identifier: Apache-2.0
//! A plugin's options: their JSON Schema, and reading what the user wrote.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result};

/// The JSON Schema of an options struct.
pub(super) fn schema<O: JsonSchema>() -> serde_json::Value {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<O>()
        .into()
}

/// Reads a plugin's options; the error's context `option` is the path to the one at fault.
pub(super) fn read<O: DeserializeOwned>(json: &[u8]) -> Result<O> {
    let mut json = serde_json::Deserializer::from_slice(if json.is_empty() { b"{}" } else { json });
    let wrong = |cause: serde_json::Error| {
        Error::new(ErrorKind::Config, strip_position(&cause.to_string()))
    };
    let options = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        let error = wrong(e.into_inner());
        if path == "." {
            error
        } else {
            error.with("option", path)
        }
    })?;
    json.end().map_err(wrong)?;
    Ok(options)
}

/// serde_json ends messages with a position in a document that the user never saw.
fn strip_position(message: &str) -> String {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(head, _)| head)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "rows")]
        _rows: u32,
    }

    #[test]
    fn the_option_at_fault_is_named_without_a_position() {
        let error = read::<Options>(br#"{"inner":[{"rows":1},{"rows":"x"}]}"#).unwrap_err();
        assert_eq!(error.context_value("option"), Some("inner[1].rows"));
        assert!(!error.message().contains("at line"), "{error}");
        let error = read::<Options>(br#"{"inner":[{"row":1}]}"#).unwrap_err();
        assert!(error.message().contains("`row`"), "{error}");
    }

    #[test]
    fn no_options_are_an_empty_object_and_more_than_one_are_refused() {
        assert!(read::<Options>(b"").unwrap().inner.is_empty());
        assert_eq!(
            read::<Options>(b"{} {}").unwrap_err().kind(),
            ErrorKind::Config
        );
    }
}
