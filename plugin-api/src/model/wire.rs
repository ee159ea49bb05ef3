// SPDX-License-Identifier: Apache-2.0
//! The closed set of Arrow types that may cross the boundary (data model 5.2).

use std::collections::HashSet;

use arrow_schema::{DataType, Field, TimeUnit};

use super::field::{self, extension};
use super::keys;
use crate::{Error, ErrorKind, Result};

/// The name of a column's type in capabilities and messages: `Int64`, `Utf8`, `Json`, `Uuid`,
/// `Timestamp`, `List<Utf8>`, …
pub fn type_name(field: &Field) -> String {
    match (field.data_type(), extension(field)) {
        (DataType::FixedSizeBinary(16), Some(keys::UUID)) => "Uuid".to_owned(),
        (DataType::Utf8, Some(keys::JSON)) => "Json".to_owned(),
        (DataType::Binary, Some("geoarrow.wkb")) => "Wkb".to_owned(),
        (DataType::Binary | DataType::Null, Some("arrow.opaque")) => "Opaque".to_owned(),
        (DataType::FixedSizeBinary(_), _) => "FixedSizeBinary".to_owned(),
        (DataType::Decimal128(..), _) => "Decimal128".to_owned(),
        (DataType::Time32(_), _) => "Time32".to_owned(),
        (DataType::Time64(_), _) => "Time64".to_owned(),
        (DataType::Timestamp(..), _) => "Timestamp".to_owned(),
        (DataType::List(item), _) => format!("List<{}>", type_name(item)),
        (DataType::FixedSizeList(item, _), _) => format!("FixedSizeList<{}>", type_name(item)),
        (DataType::Struct(_), _) => "Struct".to_owned(),
        (other, _) => other.to_string(),
    }
}

/// Refuses a field whose type, or that of any child, is not in the closed set.
///
/// # Errors
/// `Format`, naming the column and the type.
pub fn check(field: &Field) -> Result<()> {
    check_nested(field, field.name(), 0)
}

fn check_nested(field: &Field, column: &str, depth: usize) -> Result<()> {
    let refuse = |what: String| {
        Err(Error::new(
            ErrorKind::Format,
            format!("column `{column}`: {what}"),
        ))
    };
    if depth > keys::MAX_DEPTH {
        return refuse(format!(
            "the type is nested deeper than {} levels",
            keys::MAX_DEPTH
        ));
    }
    use DataType as T;
    match field.data_type() {
        T::Null | T::Boolean | T::Int8 | T::Int16 | T::Int32 | T::Int64 => Ok(()),
        T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => Ok(()),
        T::Float16 | T::Float32 | T::Float64 | T::Utf8 | T::Binary | T::Date32 => Ok(()),
        T::Time32(TimeUnit::Second | TimeUnit::Millisecond) => Ok(()),
        T::Time64(TimeUnit::Microsecond | TimeUnit::Nanosecond) => Ok(()),
        T::Decimal128(digits, scale) if (1..=38).contains(digits) && (-38..=38).contains(scale) => {
            Ok(())
        }
        T::Decimal128(digits, scale) => refuse(format!(
            "a decimal of {digits} digits and scale {scale}, wanted 1 to 38 and -38 to 38"
        )),
        T::Timestamp(_, None) => Ok(()),
        T::Timestamp(_, Some(zone)) if zone.as_ref() == "UTC" => Ok(()),
        T::Timestamp(_, Some(zone)) => refuse(format!(
            "a timestamp's zone must be `UTC` or absent, found `{zone}`"
        )),
        T::FixedSizeBinary(bytes) if *bytes >= 1 => Ok(()),
        T::FixedSizeBinary(bytes) => refuse(format!("a fixed size of {bytes} bytes")),
        T::List(item) => check_nested(item, column, depth + 1),
        T::FixedSizeList(item, size) => {
            if *size < 1 || i64::from(*size) > i64::from(keys::MAX_DIM) {
                return refuse(format!(
                    "a fixed list size of {size}, wanted 1 to {}",
                    keys::MAX_DIM
                ));
            }
            check_nested(item, column, depth + 1)
        }
        T::Struct(children) => {
            let mut names = HashSet::new();
            for child in children {
                if !names.insert(child.name()) {
                    return refuse(format!("two members are named `{}`", child.name()));
                }
                check_nested(child, column, depth + 1)?;
            }
            Ok(())
        }
        other => refuse(format!("type {other} does not cross the plugin boundary")),
    }
}

/// Whether the type may hold an entity's id.
pub fn is_id_type(field: &Field) -> bool {
    matches!(
        field.data_type(),
        DataType::Int64 | DataType::UInt64 | DataType::Utf8
    ) || (*field.data_type() == DataType::FixedSizeBinary(16)
        && field::extension(field) == Some(keys::UUID))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn types_outside_the_set_are_refused_by_name() {
        for data_type in [
            DataType::LargeUtf8,
            DataType::Utf8View,
            DataType::Date64,
            DataType::Time32(TimeUnit::Nanosecond),
            DataType::Time64(TimeUnit::Second),
            DataType::Decimal128(39, 0),
            DataType::FixedSizeBinary(0),
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
            DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, false)), 0),
            DataType::Timestamp(arrow_schema::TimeUnit::Second, Some("Europe/Oslo".into())),
        ] {
            let error = check(&Field::new("c", data_type.clone(), true)).unwrap_err();
            assert!(
                error.to_string().starts_with("column `c`"),
                "{data_type}: {error}"
            );
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let mut field = Field::new("item", DataType::Int8, true);
        for _ in 0..40 {
            field = Field::new("item", DataType::List(Arc::new(field)), true);
        }
        assert!(
            check(&field)
                .unwrap_err()
                .to_string()
                .contains("nested deeper")
        );
    }

    #[test]
    fn names_tell_extensions_apart() {
        let uuid = field::with_extension(
            Field::new("u", DataType::FixedSizeBinary(16), true),
            keys::UUID,
        );
        assert_eq!(type_name(&uuid), "Uuid");
        assert_eq!(
            type_name(&Field::new("b", DataType::FixedSizeBinary(16), true)),
            "FixedSizeBinary"
        );
    }
}
