// SPDX-License-Identifier: Apache-2.0
//! Checks keys and values of metadata: sizes, and the form of the keys that the convention names
//! (data model 5.1). Keys that it does not name are carried whatever they hold.

use arrow_schema::{DataType, Field, Metadata, Schema};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{Descriptor, keys};
use crate::{Error, ErrorKind, Result};

/// Refuses a schema whose names or metadata are too large or not of their form.
pub(super) fn check(schema: &Schema) -> Result<()> {
    check_version(schema)?;
    let mut sizes = Sizes::default();
    sizes.add("schema", schema.metadata())?;
    if let Some(text) = schema.metadata().get(keys::DATASET) {
        serde_json::from_str::<Descriptor>(text).map_err(|e| {
            bad(format!(
                "schema metadata `{}` is no descriptor",
                keys::DATASET
            ))
            .caused_by(e)
        })?;
    }
    for field in schema.fields() {
        check_field(field, &mut sizes)?;
    }
    Ok(())
}

/// A number in metadata: decimal digits, nothing else.
pub(super) fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    match text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse().ok(),
        false => None,
    }
}

fn check_version(schema: &Schema) -> Result<()> {
    let found = schema.metadata().get(keys::VERSION);
    match found.and_then(|v| decimal::<u32>(v)) {
        Some(version) if (1..=keys::MODEL_VERSION).contains(&version) => Ok(()),
        Some(version) if version > keys::MODEL_VERSION => Err(bad(format!(
            "data model version {version} is newer than this host's {}",
            keys::MODEL_VERSION
        ))
        .help("update milvusdm")),
        _ => Err(bad(format!(
            "schema metadata `{}` is {}, wanted `{}`",
            keys::VERSION,
            found.map_or_else(|| "missing".to_owned(), |v| format!("`{v}`")),
            keys::MODEL_VERSION
        ))),
    }
}

/// Bytes of names, keys and values that were met.
#[derive(Default)]
struct Sizes {
    total: usize,
}

impl Sizes {
    fn add(&mut self, owner: &str, metadata: &Metadata) -> Result<()> {
        let owner = owner.escape_debug();
        for (key, value) in metadata {
            if value.len() > keys::MAX_VALUE_BYTES {
                return Err(bad(format!(
                    "`{owner}`: metadata `{key}` has {} bytes, at most {} are allowed",
                    value.len(),
                    keys::MAX_VALUE_BYTES
                )));
            }
            if key.contains('\0') || value.contains('\0') {
                return Err(bad(format!(
                    "`{owner}`: metadata `{}` holds a NUL byte",
                    key.escape_debug()
                )));
            }
            self.count(key.len() + value.len())?;
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<()> {
        self.total = self.total.saturating_add(bytes);
        match self.total > keys::MAX_SCHEMA_BYTES {
            true => Err(bad(format!(
                "the schema's names and metadata take more than {} bytes",
                keys::MAX_SCHEMA_BYTES
            ))),
            false => Ok(()),
        }
    }
}

fn check_field(field: &Field, sizes: &mut Sizes) -> Result<()> {
    if field.name().contains('\0') {
        let name = field.name().escape_debug();
        return Err(bad(format!("column name `{name}` holds a NUL byte")));
    }
    sizes.count(field.name().len())?;
    sizes.add(field.name(), field.metadata())?;
    check_values(field)?;
    match field.data_type() {
        DataType::List(item) | DataType::FixedSizeList(item, _) => check_field(item, sizes),
        DataType::Struct(fields) => fields.iter().try_for_each(|f| check_field(f, sizes)),
        _ => Ok(()),
    }
}

/// Booleans are `true`, numbers decimal, JSON is JSON.
fn check_values(field: &Field) -> Result<()> {
    for (key, text) in field.metadata() {
        let (fits, wanted) = match key.as_str() {
            keys::NORMALIZED | keys::PARTITION_KEY | keys::GENERATED => {
                (text == "true", "`true` or no such key")
            }
            keys::MAX_LENGTH => (decimal::<u64>(text).is_some(), "a decimal number"),
            keys::DEFAULT => (
                serde_json::from_str::<IgnoredAny>(text).is_ok(),
                "a JSON value",
            ),
            keys::NATIVE => (
                serde_json::from_str::<Map<String, Value>>(text).is_ok(),
                "a JSON object",
            ),
            _ => continue,
        };
        if !fits {
            let name = field.name();
            return Err(bad(format!(
                "column `{name}`: metadata key `{key}`: found `{text}`, wanted {wanted}"
            )));
        }
    }
    Ok(())
}

fn bad(message: String) -> Error {
    Error::new(ErrorKind::Format, message)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn with(key: &str, value: &str) -> Schema {
        let inner = Field::new("inner", DataType::Int8, true)
            .with_metadata(HashMap::from([(key.to_owned(), value.to_owned())]));
        let outer = Field::new("outer", DataType::Struct(vec![inner].into()), true);
        Schema::new_with_metadata(
            vec![outer],
            HashMap::from([(keys::VERSION.to_owned(), "1".to_owned())]),
        )
    }

    #[test]
    fn a_missing_newer_or_odd_version_is_refused() {
        for (version, what) in [
            (None, "missing"),
            (Some("2"), "newer"),
            (Some("0"), "`0`"),
            (Some("+1"), "`+1`"),
        ] {
            let metadata = version.map(|v| (keys::VERSION.to_owned(), v.to_owned()));
            let schema = Schema::new_with_metadata(
                Vec::<Field>::new(),
                metadata.into_iter().collect::<HashMap<_, _>>(),
            );
            let error = check(&schema).unwrap_err();
            assert!(error.message().contains(what), "{error}");
        }
    }

    #[test]
    fn large_metadata_is_refused_at_any_depth() {
        let large = "y".repeat(keys::MAX_VALUE_BYTES + 1);
        assert!(
            check(&with("x", &large))
                .unwrap_err()
                .message()
                .contains("`inner`")
        );
        let mut schema = with("x", "y");
        for i in 0..5 {
            let value = "y".repeat(keys::MAX_VALUE_BYTES);
            schema.metadata.insert(i.to_string(), value);
        }
        assert!(
            check(&schema)
                .unwrap_err()
                .message()
                .contains("more than 1048576")
        );
    }

    #[test]
    fn nul_bytes_are_refused() {
        assert!(check(&with("x", "a\0")).is_err());
        assert!(check(&with("x\0", "a")).is_err());
    }

    #[test]
    fn values_of_known_keys_have_their_form() {
        for (key, good, bad) in [
            (keys::NORMALIZED, "true", "false"),
            (keys::PARTITION_KEY, "true", ""),
            (keys::GENERATED, "true", "1"),
            (keys::MAX_LENGTH, "64", "-1"),
            (keys::MAX_LENGTH, "0", "many"),
            (keys::DEFAULT, "\"untitled\"", "untitled"),
            (keys::NATIVE, "{\"system\":\"x\"}", "[]"),
            ("vendor.key", "anything", "\0"),
        ] {
            check(&with(key, good)).unwrap();
            assert!(check(&with(key, bad)).is_err(), "{key} {bad}");
        }
    }

    #[test]
    fn the_dumped_descriptor_must_be_one() {
        let mut schema = with("x", "y");
        schema
            .metadata
            .insert(keys::DATASET.to_owned(), "{}".to_owned());
        assert!(check(&schema).is_err());
        let text = serde_json::to_string(&Descriptor::default()).unwrap();
        schema.metadata.insert(keys::DATASET.to_owned(), text);
        check(&schema).unwrap();
    }
}
