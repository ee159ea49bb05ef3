// SPDX-License-Identifier: Apache-2.0
//! Hostile task files: nothing panics, every refusal has a place, both parsers see the same.

use super::*;

/// Whatever is refused is refused at a place of the file.
fn holds_for(text: &str) {
    match parse(text) {
        Ok(task) => {
            let _ = task.check_options(Side::Source, &info());
            let _ = task.secrets(&info(), &info());
        }
        Err(error) => {
            assert!(
                matches!(error.kind(), ErrorKind::Config | ErrorKind::Unsupported),
                "{error:?}"
            );
            let at = error.context_value("at").expect("an error has its place");
            let line: usize = at
                .split(':')
                .nth(1)
                .and_then(|line| line.parse().ok())
                .expect("a line");
            assert!(line <= text.split(['\n', '\r']).count() + 1, "{at}\n{text}");
        }
    }
}

#[test]
fn no_text_makes_it_panic() {
    bolero::check!().for_each(|bytes: &[u8]| holds_for(&String::from_utf8_lossy(bytes)));
}

/// Bytes pick words of which task files are made, so that most texts get far.
#[test]
fn no_text_of_the_right_words_makes_it_panic() {
    const WORDS: [&str; 48] = [
        "source:",
        "sink:",
        "plugin:",
        "select:",
        "include:",
        "exclude:",
        "map:",
        "from:",
        "to:",
        "convert:",
        "ids:",
        "columns:",
        "mode:",
        "memory:",
        "parallel:",
        "path:",
        "F2M:",
        " ",
        "  ",
        "\n",
        "\n  ",
        "\n- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        ", ",
        "\"",
        "'",
        "*",
        "&x",
        "!t",
        "#",
        "|\n",
        "${DATA}",
        "${",
        "$$",
        "null",
        "7",
        "1.5",
        "256MiB",
        "fail",
        "uuid5",
        "a/b",
        "é",
        "\\",
        "? ",
    ];
    bolero::check!()
        .with_type::<(bool, Vec<u8>)>()
        .for_each(|(is_after_good, picks)| {
            let mut text = if *is_after_good {
                GOOD.to_owned()
            } else {
                String::new()
            };
            text.extend(
                picks
                    .iter()
                    .map(|pick| WORDS[usize::from(*pick) % WORDS.len()]),
            );
            holds_for(&text);
        });
}

/// The two parsers see the same values: each has its place, within the text.
#[test]
fn every_value_has_a_place() {
    fn walk(value: &Value, at: &str, places: &places::Places, text: &str) {
        let place = places.find(at, Part::Value);
        let line = render::line(text, place.line);
        assert!(
            place.column <= line.chars().count() + 1,
            "{at} {place:?}\n{text}"
        );
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &pointer::element(at, index), places, text);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    let at = pointer::member(at, key);
                    let key_place = places.find(&at, Part::Key);
                    let line = render::line(text, key_place.line);
                    let written: String = line.chars().skip(key_place.column - 1).collect();
                    // In braces, a key may go on in the next line.
                    let first = key.split_whitespace().next().unwrap_or_default();
                    let written = written.trim_start_matches('"');
                    assert!(written.starts_with(first), "{at} {key_place:?}\n{text}");
                    walk(member, &at, places, text);
                }
            }
            _ => {}
        }
    }
    const WORDS: [&str; 19] = [
        "a", "b:", "c: ", "é: ", "7", "\n", "\n  ", "\n    ", "\n- ", "\n  - ", "- ", "{", "}",
        "[", "]", ", ", "\"q\"", " # x", "\r\n",
    ];
    bolero::check!().with_type::<Vec<u8>>().for_each(|picks| {
        let text: String = picks
            .iter()
            .map(|pick| WORDS[usize::from(*pick) % WORDS.len()])
            .collect();
        if let Ok((value, places)) = yaml::read(&text) {
            walk(&value, "", &places, &text);
        }
    });
}
