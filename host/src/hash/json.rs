// SPDX-License-Identifier: Apache-2.0
//! Feeds of JSON: its values, not the way they are written down.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use serde_json::{Map, Value};
use twox_hash::{XxHash3_64, XxHash3_128};

use super::scalar;

/// Writes the feed of JSON text; `false`, and nothing written, if it says `null`.
///
/// Text that is no JSON, or nested deeper than can be read, is a string.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => write(&value, out),
        Err(_) => {
            scalar::text(text, out);
            true
        }
    }
}

fn write(value: &Value, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Null => return false,
        Value::Bool(value) => scalar::boolean(*value, out),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => scalar::integer(integer.into(), out),
            (None, Some(integer)) => scalar::integer(integer.into(), out),
            (None, None) => scalar::float(number.as_f64().unwrap_or(f64::NAN), out),
        },
        Value::String(text) => scalar::text(text, out),
        Value::Array(items) => {
            out.push(scalar::LIST);
            out.extend_from_slice(&(items.len() as u64).to_le_bytes());
            for item in items {
                if !write(item, out) {
                    out.push(scalar::NULL);
                }
            }
        }
        Value::Object(members) => {
            scalar::object(out, |out| {
                let mut count = 0;
                for (name, value) in in_order(members) {
                    scalar::text(name, out);
                    write(value, out);
                    count += 1;
                }
                count
            });
        }
    }
    true
}

/// The members that are there, in the order of their names' bytes.
fn in_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().filter(|(_, v)| !v.is_null()).collect();
    members.sort_by_key(|(name, _)| *name);
    members
}

/// The cells of a row's dynamic members, in the order of their names' bytes.
///
/// What is no object that can be read is a cell of the column itself.
pub(super) fn members(texts: &dyn Array, row: usize, column: &str) -> Vec<(String, u128)> {
    if texts.is_null(row) {
        return Vec::new();
    }
    let text = texts.as_string::<i32>().value(row);
    let mut feed = Vec::new();
    let Ok(Value::Object(members)) = serde_json::from_str(text) else {
        let is_there = write_text(text, &mut feed);
        return is_there
            .then(|| (column.to_owned(), digest(column, &feed)))
            .into_iter()
            .collect();
    };
    let cells = in_order(&members).into_iter().map(|(name, value)| {
        feed.clear();
        write(value, &mut feed);
        (name.clone(), digest(name, &feed))
    });
    cells.collect()
}

fn digest(name: &str, feed: &[u8]) -> u128 {
    XxHash3_128::oneshot_with_seed(XxHash3_64::oneshot(name.as_bytes()), feed)
}
