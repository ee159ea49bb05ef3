// SPDX-License-Identifier: Apache-2.0
//! From YAML text to one JSON value, strictly.
//!
//! serde_yaml parses; [`walk::scan`] has refused before what it would take badly. What has no
//! JSON counterpart (NaN, keys that are not text) is an error at its place, never an
//! approximation. Nothing here knows what a task is.

use serde_json::{Map, Value};

use super::place::{Part, Place};
use super::places::Places;
use super::pointer;
use super::walk::{self, Refusal};

/// The value of the one document in `text`, and the places of its parts.
pub(super) fn read(text: &str) -> Result<(Value, Places), Refusal> {
    refuse_unprintable(text)?;
    let places = walk::scan(text)?;
    let parsed: serde_yaml::Value = serde_yaml::from_str(text).map_err(|e| from_serde(&e))?;
    let value = to_json(parsed, "").map_err(|unfit| Refusal {
        place: places.find(&unfit.pointer, unfit.part),
        message: unfit.message.to_owned(),
        help: unfit.help,
    })?;
    Ok((value, places))
}

/// What YAML does not take, and what the two parsers would not both take for the end of a line:
/// no key may stand where only one of them sees it.
fn refuse_unprintable(text: &str) -> Result<(), Refusal> {
    let is_refused = |letter: char| match letter {
        '\t' | '\n' | '\r' => false,
        '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' => true,
        other => other.is_control(),
    };
    let Some((at, letter)) = text.char_indices().find(|(_, letter)| is_refused(*letter)) else {
        return Ok(());
    };
    Err(Refusal {
        place: Place::after(text.get(..at).unwrap_or_default()),
        message: format!("found the control character U+{:04X}", u32::from(letter)),
        help: Some("remove it; in double quotes it can be written as an escape, such as `\\u2028`"),
    })
}

fn from_serde(error: &serde_yaml::Error) -> Refusal {
    let place = match error.location() {
        Some(location) => Place::at(location.line().max(1), location.column().max(1)),
        None => Place::at(1, 1),
    };
    // The place is printed in front; the library repeats it at the end of most messages.
    let text = error.to_string();
    if text.contains("as u128") || text.contains("as i128") {
        let message = "found a whole number of more than 64 bits".to_owned();
        return Refusal {
            place,
            message,
            help: Some("put it in quotes if it is meant as text"),
        };
    }
    let message = text.split(" at line ").next().unwrap_or_default();
    Refusal {
        place,
        message: format!("this is not valid YAML: {message}"),
        help: None,
    }
}

/// A value or key that JSON does not have.
struct Unfit {
    pointer: String,
    part: Part,
    message: &'static str,
    help: Option<&'static str>,
}

/// Recursion ends at the depth that the walk has checked.
fn to_json(value: serde_yaml::Value, at: &str) -> Result<Value, Unfit> {
    use serde_yaml::Value as Yaml;
    match value {
        Yaml::Null => Ok(Value::Null),
        Yaml::Bool(truth) => Ok(Value::Bool(truth)),
        Yaml::Number(number) => number_to_json(&number).ok_or_else(|| Unfit {
            pointer: at.to_owned(),
            part: Part::Value,
            message: "found a number that is not finite, wanted a finite one",
            help: Some("put it in quotes if it is meant as text"),
        }),
        Yaml::String(text) => Ok(Value::String(text)),
        Yaml::Sequence(items) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| to_json(item, &pointer::element(at, index)))
            .collect(),
        Yaml::Mapping(members) => {
            let mut object = Map::with_capacity(members.len());
            for (key, member) in members {
                let key = text_key(key, at)?;
                let member = to_json(member, &pointer::member(at, &key))?;
                object.insert(key, member);
            }
            Ok(Value::Object(object))
        }
        Yaml::Tagged(_) => Err(Unfit {
            pointer: at.to_owned(),
            part: Part::Value,
            message: "YAML tags (`!name`) are not taken",
            help: None,
        }),
    }
}

fn number_to_json(number: &serde_yaml::Number) -> Option<Value> {
    let whole = number
        .as_u64()
        .map(Value::from)
        .or_else(|| number.as_i64().map(Value::from));
    whole.or_else(|| {
        Some(Value::from(
            number.as_f64().filter(|float| float.is_finite())?,
        ))
    })
}

fn text_key(key: serde_yaml::Value, parent: &str) -> Result<String, Unfit> {
    use serde_yaml::Value as Yaml;
    let shown = match key {
        Yaml::String(text) => return Ok(text),
        Yaml::Bool(truth) => truth.to_string(),
        Yaml::Number(number) => number.to_string(),
        _ => "null".to_owned(),
    };
    Err(Unfit {
        pointer: pointer::member(parent, &shown),
        part: Part::Key,
        message: "this key is not text",
        help: Some("put it in quotes"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(text: &str) -> (usize, usize, String) {
        let refusal = read(text).expect_err("the text is refused");
        (refusal.place.line, refusal.place.column, refusal.message)
    }

    #[test]
    fn scalars_mean_what_yaml_1_2_says() {
        let text = "a: yes\nb: true\nc: 0x10\nd: ~\ne: 1.5\nf: -3\ng: '7'\nh:\ni: 1e3\n";
        let wanted = json!({
            "a": "yes", "b": true, "c": 16, "d": null, "e": 1.5, "f": -3, "g": "7", "h": null, "i": 1e3
        });
        assert_eq!(read(text).unwrap().0, wanted);
    }

    #[test]
    fn what_json_can_not_hold_is_refused_at_its_place() {
        for text in ["a: 1\nb: .nan\n", "a: 1\nb: -.inf\n"] {
            let (line, column, message) = refused(text);
            assert_eq!((line, column), (2, 4), "{text}: {message}");
        }
        for text in ["a:\n  1: x\n", "a:\n  true: x\n", "a:\n  null: x\n"] {
            let (line, column, message) = refused(text);
            assert_eq!((line, column), (2, 3), "{text}: {message}");
            assert!(message.contains("not text"), "{message}");
        }
    }

    #[test]
    fn control_characters_and_huge_numbers_are_refused_at_their_place() {
        for letter in ['\0', '\u{1}', '\u{85}', '\u{2028}', '\u{FEFF}'] {
            let (line, column, message) = refused(&format!("a: 1\r\n# é{letter}b: 2\n"));
            assert_eq!((line, column), (2, 4), "{message}");
        }
        let (line, column, message) = refused("a: 1\nb: 99999999999999999999\n");
        assert_eq!((line, column), (2, 4));
        assert!(message.contains("more than 64 bits"), "{message}");
    }

    #[test]
    fn broken_yaml_is_refused_where_it_breaks() {
        let (line, _, message) = refused("a: [1, 2\nb: 3\n");
        assert_eq!(line, 2, "{message}");
        let refusal = read("a:\n\tb: 2\n").unwrap_err();
        assert_eq!(
            (refusal.place.line, refusal.help),
            (2, Some("indent with spaces, not tabs"))
        );
        let refusal = read("a: {b: ${X}/c}\n").unwrap_err();
        assert!(
            refusal.help.is_some_and(|help| help.contains("in quotes")),
            "{refusal:?}"
        );
        let (line, column, message) = refused("a: [1,\n\n");
        assert_eq!((line, column), (1, 7), "{message}");
        let (line, _, _) = refused("a: \"never closed\n");
        assert_eq!(line, 1);
    }
}
