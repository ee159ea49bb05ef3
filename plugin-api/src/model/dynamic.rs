// SPDX-License-Identifier: Apache-2.0
//! The members of the dynamic column: JSON objects that may not shadow a column.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// Says what is wrong with a value of the dynamic column, if anything.
pub(super) fn check(text: &str, columns: &HashSet<&str>) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let shadowed = json
        .deserialize_map(Members(columns))
        .and_then(|shadowed| json.end().map(|()| shadowed))
        .map_err(|e| format!("is no JSON object, as the dynamic column wants: {e}"))?;
    match shadowed {
        Some(name) => Err(format!("has a dynamic member `{name}`, which is a column")),
        None => Ok(()),
    }
}

/// Reads an object's member names and gives back the first that is a column's.
struct Members<'a>(&'a HashSet<&'a str>);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut shadowed = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            map.next_value::<IgnoredAny>()?;
            if shadowed.is_none() && self.0.contains(name.as_ref()) {
                shadowed = Some(name.into_owned());
            }
        }
        Ok(shadowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_without_column_names_pass() {
        let columns = HashSet::from(["id", "näme"]);
        for good in ["{}", r#" {"a":[1,{"id":2}],"b":null} "#] {
            assert_eq!(check(good, &columns), Ok(()), "{good}");
        }
        for bad in ["", "1", "[]", "null", "{", "{} x", r#"{"a":}"#] {
            assert!(
                check(bad, &columns).unwrap_err().contains("no JSON object"),
                "{bad}"
            );
        }
        // The name may be written with an escape.
        for bad in [r#"{"a":1,"id":2}"#, r#"{"n\u00e4me":1}"#] {
            assert!(
                check(bad, &columns).unwrap_err().contains("is a column"),
                "{bad}"
            );
        }
    }

    #[test]
    fn deep_values_neither_overflow_nor_fail() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(check(&deep, &HashSet::new()), Ok(()));
    }
}
