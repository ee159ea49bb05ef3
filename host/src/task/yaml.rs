// SPDX-License-Identifier: Apache-2.0
//! From YAML text to one JSON value, strictly.
//!
//! serde_yaml parses; [`Places::scan`] has refused before what it would take badly. What has no
//! JSON counterpart (NaN, keys that are not text) is an error at its place, never an
//! approximation. Nothing here knows what a task is.

use serde_json::{Map, Value};

use super::places::{Place, Places, Refusal};
use super::pointer;

/// The value of the one document in `text`, and the places of its parts.
pub(super) fn read(text: &str) -> Result<(Value, Places), Refusal> {
    let places = match Places::scan(text) {
        Ok(places) => places,
        Err(refusal) => return Err(refusal),
    };
    let parsed: serde_yaml::Value = serde_yaml::from_str(text).map_err(|e| from_serde(&e))?;
    let value = to_json(parsed, "").map_err(|(at, message)| Refusal {
        place: places.find_around(&at, super::places::Part::Value).unwrap_or(Place::at(1, 1)),
        message: message.to_owned(),
        help: None,
        syntax: false,
    })?;
    check_aliases(&value, &places)?;
    Ok((value, places))
}

fn from_serde(error: &serde_yaml::Error) -> Refusal {
    let place = match error.location() {
        Some(location) => Place::at(location.line().max(1), location.column().max(1)),
        None => Place::at(1, 1),
    };
    // The place is printed in front; the library repeats it at the end of most messages.
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or_default();
    Refusal {
        place,
        message: format!("this is not valid YAML: {message}"),
        help: None,
        syntax: true,
    }
}

/// Recursion ends at the depth that [`Places::scan`] has checked.
fn to_json(value: serde_yaml::Value, at: &str) -> Result<Value, (String, &'static str)> {
    use serde_yaml::Value as Yaml;
    let here = |message| Err((at.to_owned(), message));
    match value {
        Yaml::Null => Ok(Value::Null),
        Yaml::Bool(truth) => Ok(Value::Bool(truth)),
        Yaml::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(whole), _, _) => Ok(Value::from(whole)),
            (_, Some(whole), _) => Ok(Value::from(whole)),
            (_, _, Some(float)) if float.is_finite() => Ok(Value::from(float)),
            _ => here("found a number that is not finite, wanted a finite one"),
        },
        Yaml::String(text) => Ok(Value::String(text)),
        Yaml::Sequence(items) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| to_json(item, &pointer::element(at, index)))
            .collect(),
        Yaml::Mapping(members) => {
            let mut object = Map::with_capacity(members.len());
            for (key, member) in members {
                let Yaml::String(key) = key else {
                    return here("a key in here is not text; put it in quotes");
                };
                let member = to_json(member, &pointer::member(at, &key))?;
                object.insert(key, member);
            }
            Ok(Value::Object(object))
        }
        Yaml::Tagged(_) => here("YAML tags (`!…`) are not taken"),
    }
}

/// Both libraries must agree on what an alias means: serde_yaml_ng 0.10 confuses anchors when
/// one name is given twice (it numbers them by how many names there are).
fn check_aliases(value: &Value, places: &Places) -> Result<(), Refusal> {
    for (alias, target, place) in places.aliases() {
        if value.pointer(&alias) != value.pointer(&target) {
            return Err(Refusal {
                place,
                message: "this alias could mean two values: an anchor name is used twice".into(),
                help: Some("give each anchor a name of its own"),
                syntax: false,
            });
        }
    }
    Ok(())
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
        let (value, _) = read("a: yes\nb: true\nc: 0x10\nd: ~\ne: 1.5\nf: -3\ng: '7'\nh:\n").unwrap();
        let wanted = json!({"a": "yes", "b": true, "c": 16, "d": null, "e": 1.5, "f": -3, "g": "7", "h": null});
        assert_eq!(value, wanted);
    }

    #[test]
    fn what_json_can_not_hold_is_refused_at_its_place() {
        for text in ["a: 1\nb: .nan\n", "a: 1\nb: -.inf\n"] {
            let (line, column, message) = refused(text);
            assert_eq!((line, column), (2, 4), "{text}: {message}");
        }
        let (line, _, message) = refused("a:\n  1: x\n");
        assert_eq!(line, 2, "{message}");
        assert!(message.contains("not text"), "{message}");
        let (line, column, message) = refused("a: 1\nb: 99999999999999999999999\n");
        assert_eq!(line, 2, "{column} {message}");
    }

    #[test]
    fn broken_yaml_is_refused_where_it_breaks() {
        let (line, _, message) = refused("a: [1, 2\nb: 3\n");
        assert_eq!(line, 2, "{message}");
        let (line, column, _) = refused("a: 1\n\tb: 2\n");
        assert!(line == 2 && column <= 2);
        let (line, _, _) = refused("a: \"never closed\n");
        assert!(line <= 2);
    }

    #[test]
    fn an_anchor_name_used_twice_never_gives_another_value() {
        let (line, column, _) = refused("a: &x 1\nb: &x 2\nc: &y 3\nd: *x\n");
        assert_eq!((line, column), (4, 4));
    }
}
