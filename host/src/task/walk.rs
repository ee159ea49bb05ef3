// SPDX-License-Identifier: Apache-2.0
//! The walk over a YAML file's parser events: keeps the places, refuses what a task is not.
//!
//! It comes before serde_yaml and refuses what costs time or memory out of proportion to the
//! file (deep nesting, aliases) and what would be taken for something else than was meant:
//! tags, anchors and aliases (`*/tmp*` and `&secret` are nearly always strings without their
//! quotes), merge keys, keys that are not text, repeated keys. No step here recurses.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use super::place::Place;
use super::places::{Places, Segment};
use super::render::{self, shorten};

/// Deepest nesting; task files need about six levels.
pub(super) const MAX_DEPTH: usize = 64;

/// Why the file can't be a task file, and where.
#[derive(Debug)]
pub(super) struct Refusal {
    pub place: Place,
    pub message: String,
    pub help: Option<&'static str>,
}

/// Reads the places out of `text`, or says why it is refused.
pub(super) fn scan(text: &str) -> Result<Places, Refusal> {
    let mut walk = Walk::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| broken(&error, text))?;
        walk.take(&event, Place::of_span(span))?;
    }
    Ok(walk.places)
}

fn broken(error: &ScanError, text: &str) -> Refusal {
    let mut place = Place::of_marker(error.marker());
    // What is missing at the end is shown after the last text, not in an empty line below it.
    let end = Place::after(text.trim_end());
    if place.line > end.line {
        place = end;
    }
    // Anchors are refused, so that every alias is one without an anchor.
    if error.info().contains("unknown anchor") {
        return alias_at(place);
    }
    let line = render::line(text, place.line);
    let help = if line.trim_start_matches(' ').starts_with('\t') {
        Some("indent with spaces, not tabs")
    } else if line.contains("${") {
        Some("inside `{…}` or `[…]`, put a value with `${NAME}` in quotes")
    } else {
        None
    };
    let message = format!("this is not valid YAML: {}", error.info());
    Refusal {
        place,
        message,
        help,
    }
}

/// One collection that is still open.
#[derive(Debug)]
struct Open {
    node: usize,
    /// The last key on the way here.
    key: Option<String>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    List {
        next: usize,
    },
    Map {
        seen: HashSet<String>,
        key: Option<(String, Place)>,
    },
}

impl Content {
    fn map() -> Self {
        Self::Map {
            seen: HashSet::new(),
            key: None,
        }
    }
}

#[derive(Debug, Default)]
struct Walk {
    places: Places,
    open: Vec<Open>,
    documents: usize,
}

impl Walk {
    fn take(&mut self, event: &Event<'_>, place: Place) -> Result<(), Refusal> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return refuse(place, "a second document starts here, wanted one", None);
                }
            }
            Event::Alias(_) => return Err(alias_at(place)),
            Event::Scalar(text, style, anchor, tag) => {
                refuse_marks(*anchor, tag.is_some(), place)?;
                if self.is_at_key() {
                    self.key(text, *style, place)?;
                } else {
                    let (_, key) = self.add(place)?;
                    self.places.add_scalar(key, place);
                }
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_marks(*anchor, tag.is_some(), place)?;
                self.begin(place, Content::List { next: 0 })?;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_marks(*anchor, tag.is_some(), place)?;
                self.begin(place, Content::map())?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// Whether the next node is a key of the innermost mapping.
    fn is_at_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                content: Content::Map { key: None, .. },
                ..
            })
        )
    }

    fn key(&mut self, text: &str, style: ScalarStyle, place: Place) -> Result<(), Refusal> {
        if text == "<<" && style == ScalarStyle::Plain {
            return refuse(
                place,
                "merge keys (`<<`) are not taken",
                Some("write the keys out"),
            );
        }
        if let Some(Open {
            content: Content::Map { seen, key },
            ..
        }) = self.open.last_mut()
        {
            if !seen.insert(text.to_owned()) {
                let message = format!("key `{}` stands here twice", shorten(text));
                return refuse(place, message, Some("keep one of them"));
            }
            *key = Some((text.to_owned(), place));
        }
        Ok(())
    }

    fn begin(&mut self, place: Place, content: Content) -> Result<(), Refusal> {
        if self.is_at_key() {
            let help = "a value that starts with `{` or `[` needs quotes";
            return refuse(
                place,
                "this key is a list or mapping, wanted text",
                Some(help),
            );
        }
        if self.open.len() >= MAX_DEPTH {
            return refuse(
                place,
                format!("nested deeper than {MAX_DEPTH} levels"),
                None,
            );
        }
        // A block starts at its first key or dash, with a span of nothing.
        let place = if place.is_empty() {
            Place::at(place.line, place.column)
        } else {
            place
        };
        let (node, key) = self.add(place)?;
        self.open.push(Open { node, key, content });
        Ok(())
    }

    /// Adds a node under the innermost open collection; returns it and the last key on the way.
    fn add(&mut self, place: Place) -> Result<(usize, Option<String>), Refusal> {
        let Some(Open {
            node,
            key: outer,
            content,
        }) = self.open.last_mut()
        else {
            return Ok((self.places.add(None, None, place), None));
        };
        match content {
            Content::List { next } => {
                let name = (*node, Segment::Index(*next));
                *next += 1;
                Ok((self.places.add(Some(name), None, place), outer.clone()))
            }
            Content::Map { key, .. } => {
                let Some((key, key_place)) = key.take() else {
                    return refuse(place, "this value has no key", None);
                };
                let name = (*node, Segment::Key(key.clone()));
                Ok((
                    self.places.add(Some(name), Some(key_place), place),
                    Some(key),
                ))
            }
        }
    }
}

fn alias_at(place: Place) -> Refusal {
    Refusal {
        place,
        message: "YAML aliases (`*name`) are not taken".to_owned(),
        help: Some("put a value that starts with `*`, such as a glob, in quotes"),
    }
}

fn refuse_marks(anchor: usize, is_tagged: bool, place: Place) -> Result<(), Refusal> {
    if anchor != 0 {
        let help = "put a value that starts with `&` in quotes";
        return refuse(place, "YAML anchors (`&name`) are not taken", Some(help));
    }
    if is_tagged {
        let help = "put a value that starts with `!` in quotes";
        return refuse(place, "YAML tags (`!name`) are not taken", Some(help));
    }
    Ok(())
}

fn refuse<T>(
    place: Place,
    message: impl Into<String>,
    help: Option<&'static str>,
) -> Result<T, Refusal> {
    Err(Refusal {
        place,
        message: message.into(),
        help,
    })
}

#[cfg(test)]
mod tests {
    use super::super::place::Part;
    use super::*;

    fn start(places: &Places, pointer: &str, part: Part) -> (usize, usize) {
        let place = places.find(pointer, part);
        (place.line, place.column)
    }

    #[test]
    fn finds_keys_and_values_in_block_and_flow_style() {
        let text = "a:\n  b: 1\n  c: {d: x, é: [7, \"8\"]}\nlast:\n- p\n- q\n";
        let places = scan(text).unwrap();
        assert_eq!(start(&places, "", Part::Value), (1, 1));
        assert_eq!(start(&places, "/a", Part::Key), (1, 1));
        assert_eq!(start(&places, "/a", Part::Value), (2, 3));
        assert_eq!(start(&places, "/a/b", Part::Value), (2, 6));
        assert_eq!(start(&places, "/a/c/d", Part::Key), (3, 7));
        assert_eq!(start(&places, "/a/c/é/1", Part::Value), (3, 20));
        assert_eq!(start(&places, "/last/1", Part::Value), (6, 3));
    }

    #[test]
    fn what_is_not_there_stands_at_the_value_around_it() {
        let places = scan("a:\n  b: {c: 1}\n").unwrap();
        assert_eq!(start(&places, "/a/b/zzz/9", Part::Key), (2, 6));
        assert_eq!(start(&places, "/zzz", Part::Key), (1, 1));
        assert_eq!(start(&Places::default(), "/a", Part::Value), (1, 1));
    }

    #[test]
    fn a_value_of_which_nothing_is_written_stands_at_its_key() {
        let places = scan("b: 1\na:\n").unwrap();
        assert_eq!(start(&places, "/a", Part::Value), (2, 1));
    }

    #[test]
    fn scalars_are_found_by_their_key_also_inside_lists() {
        let places = scan("a: {token: [x, y], b: z}\n").unwrap();
        let found = places.scalars_under(|key| key == "token");
        assert_eq!(found.iter().map(|p| p.column).collect::<Vec<_>>(), [13, 16]);
    }

    #[test]
    fn what_a_task_is_not_is_refused_at_its_place() {
        let cases = [
            ("a: 1\nb: 2\na: 3\n", 3, 1, "key `a` stands here twice"),
            ("a: 1\nb: !x 2\n", 2, 4, "YAML tags"),
            ("a: &x {k: 1}\n", 1, 4, "YAML anchors"),
            ("a: &secret\n", 1, 4, "YAML anchors"),
            ("a: 1\nb: [*/tmp*]\n", 2, 5, "YAML aliases"),
            ("a: 1\n<<: 2\n", 2, 1, "merge keys"),
            ("a: 1\n---\nb: 2\n", 2, 1, "a second document"),
            ("a: 1\n? [b]\n: 2\n", 2, 3, "this key is a list or mapping"),
        ];
        for (text, line, column, message) in cases {
            let found = scan(text).expect_err(text);
            assert!(found.message.contains(message), "{text}: {found:?}");
            assert_eq!(
                (found.place.line, found.place.column),
                (line, column),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(scan(&nested(MAX_DEPTH)).is_ok());
        assert!(
            scan(&nested(MAX_DEPTH + 1))
                .unwrap_err()
                .message
                .contains("deeper than 64")
        );
    }
}
