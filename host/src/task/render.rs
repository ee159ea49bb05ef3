// SPDX-License-Identifier: Apache-2.0
//! The line of the task file (or the argument) under an error, with a caret where it is wrong.
//!
//! A task may hold passwords, and its lines end up in terminals and logs: what stands in a
//! secret's place, and the password of a URI, is masked, control characters are replaced, and
//! long lines are cut around the caret.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::place::Place;

/// Columns of the terminal that the line may take.
const MAX_WIDTH: usize = 100;
/// Characters kept before the caret when a line is cut.
const KEPT_BEFORE: usize = 60;
const MASK: &str = "***";

/// The lines of a text as YAML counts them: broken by LF, CR LF or CR.
pub(super) fn line(text: &str, number: usize) -> &str {
    let mut rest = text;
    for _ in 1..number {
        let after = rest
            .find(['\n', '\r'])
            .and_then(|end| rest.get(end..))
            .unwrap_or_default();
        rest = match after
            .strip_prefix("\r\n")
            .or_else(|| after.strip_prefix(['\n', '\r']))
        {
            Some(next) => next,
            None => return "",
        };
    }
    rest.split(['\n', '\r']).next().unwrap_or_default()
}

/// The two lines to print under an error at `place`: the line itself and the caret.
///
/// `secrets` are the places of values that must not be shown; `None` means that they are not
/// known (the file does not parse), so that the line is masked by the look of its words.
pub(super) fn snippet(text: &str, place: Place, secrets: Option<&[Place]>) -> String {
    let line = line(text, place.line);
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    let (shown, caret) = masked(line, place, secrets);
    format!("  {number} | {shown}\n  {margin} | {caret}")
}

/// As [`snippet`], for a command-line argument, which has no line number.
pub(super) fn argument_snippet(text: &str, place: Place, secrets: Option<&[Place]>) -> String {
    let (shown, caret) = masked(text, place, secrets);
    format!("  {shown}\n  {caret}")
}

fn masked(line: &str, place: Place, secrets: Option<&[Place]>) -> (String, String) {
    let letters: Vec<char> = line.chars().collect();
    let mut hidden = vec![false; letters.len()];
    match secrets {
        Some(secrets) => hide_places(&mut hidden, place.line, secrets),
        None => hide_after_secret_word(&mut hidden, line),
    }
    hide_uri_passwords(&mut hidden, &letters);
    let caret = place.column.saturating_sub(1);
    let caret_end = if place.end_line == place.line {
        place.end_column.saturating_sub(1)
    } else {
        letters.len()
    };
    let (shown, before, under) = draw(&letters, &hidden, caret, caret_end);
    (
        shown,
        format!("{}{}", " ".repeat(before), "^".repeat(under)),
    )
}

/// The line as it is shown, the width before the caret and the width under it.
fn draw(letters: &[char], hidden: &[bool], caret: usize, end: usize) -> (String, usize, usize) {
    let from = if letters.len() > MAX_WIDTH {
        caret.saturating_sub(KEPT_BEFORE)
    } else {
        0
    };
    let mut shown = String::new();
    let mut width = 0;
    if from > 0 {
        shown.push('…');
        width = 1;
    }
    let mut before = None;
    let mut under_end = None;
    let mut was_hidden = false;
    for (at, (letter, is_hidden)) in letters.iter().zip(hidden).enumerate().skip(from) {
        if at == caret {
            before = Some(width);
        }
        if at == end {
            under_end = Some(width);
        }
        if width >= MAX_WIDTH {
            shown.push('…');
            break;
        }
        if *is_hidden {
            if !was_hidden {
                shown.push_str(MASK);
                width += MASK.len();
            }
        } else {
            let letter = visible(*letter);
            shown.push(letter);
            width += letter.width().unwrap_or(1);
        }
        was_hidden = *is_hidden;
    }
    let before = before.unwrap_or(width);
    let under = under_end.unwrap_or(width).saturating_sub(before).max(1);
    (shown, before, under)
}

/// Nothing of a task file may steer a terminal.
pub(super) fn visible(letter: char) -> char {
    match letter {
        '\t' => ' ',
        letter if letter.is_control() => '\u{FFFD}',
        // Direction and formatting marks that would let a line show other than it is.
        '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}'
        | '\u{FEFF}' => '\u{FFFD}',
        letter => letter,
    }
}

fn hide_places(hidden: &mut [bool], line: usize, secrets: &[Place]) {
    for secret in secrets
        .iter()
        .filter(|s| s.line <= line && line <= s.end_line)
    {
        let from = if secret.line == line {
            secret.column.saturating_sub(1)
        } else {
            0
        };
        let to = if secret.end_line == line {
            secret.end_column.saturating_sub(1)
        } else {
            usize::MAX
        };
        for (at, hidden) in hidden.iter_mut().enumerate() {
            *hidden |= from <= at && at < to;
        }
    }
}

/// Whether a key of this name most likely holds a secret.
pub(super) fn looks_secret(key: &str) -> bool {
    secret_word(key).is_some()
}

/// The byte after the first word in `text` that names a secret.
fn secret_word(text: &str) -> Option<usize> {
    const WORDS: [&str; 8] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "credential",
        "credentials",
    ];
    let mut end = 0;
    let mut last = "";
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        end += word.len();
        let word = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_one_of = |known: &&str| word.eq_ignore_ascii_case(known);
        let is_api_key = last.eq_ignore_ascii_case("api") && word.eq_ignore_ascii_case("key");
        if is_api_key || WORDS.iter().any(is_one_of) {
            return Some(end);
        }
        last = word;
    }
    None
}

/// Hides the rest of the line after a word that names a secret.
fn hide_after_secret_word(hidden: &mut [bool], line: &str) {
    if let Some(end) = secret_word(line) {
        let start = line.get(..end).unwrap_or_default().chars().count();
        hidden
            .iter_mut()
            .skip(start)
            .for_each(|hidden| *hidden = true);
    }
}

fn hide_uri_passwords(hidden: &mut [bool], letters: &[char]) {
    for password in uri_passwords(letters) {
        for hidden in hidden.get_mut(password).into_iter().flatten() {
            *hidden = true;
        }
    }
}

/// What stands between `//user:` and the last `@` of the word: passwords hold any letter.
fn uri_passwords(letters: &[char]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let starts = letters
        .windows(3)
        .enumerate()
        .filter(|(_, three)| *three == [':', '/', '/']);
    for start in starts.map(|(at, _)| at + 3) {
        let rest = letters.get(start..).unwrap_or_default();
        let ends = |c: &char| c.is_whitespace() || matches!(c, '"' | '\'');
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        let colon = word.iter().position(|c| *c == ':');
        let sign = word.iter().rposition(|c| *c == '@');
        if let (Some(colon), Some(sign)) = (colon, sign)
            && colon < sign
        {
            found.push(start + colon + 1..start + sign);
        }
    }
    found
}

/// The passwords of the URIs in `text`.
pub(super) fn passwords_in(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let passwords = uri_passwords(&letters).into_iter();
    passwords
        .map(|range| letters.get(range).unwrap_or_default().iter().collect())
        .collect()
}

/// At most 60 characters of `text`, for a message: URI passwords masked, nothing in it that
/// steers a terminal.
pub(super) fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    // Whatever is cut off below needs no masking; a password may reach beyond the cut.
    let letters: Vec<char> = text.chars().take(MOST * 8).collect();
    let mut hidden = vec![false; letters.len()];
    hide_uri_passwords(&mut hidden, &letters);
    let mut shown = String::new();
    let mut was_hidden = false;
    for (at, (letter, is_hidden)) in letters.iter().zip(hidden).enumerate() {
        if at == MOST {
            shown.push('…');
            break;
        }
        match (is_hidden, was_hidden) {
            (true, false) => shown.push_str(MASK),
            (true, true) => {}
            (false, _) => shown.push(visible(*letter)),
        }
        was_hidden = is_hidden;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize, end_column: usize) -> Place {
        Place {
            line,
            column,
            end_line: line,
            end_column,
        }
    }

    #[test]
    fn the_caret_stands_under_the_value() {
        let shown = snippet("a: 1\nmode: fial\n", place(2, 7, 11), Some(&[]));
        assert_eq!(shown, "  2 | mode: fial\n    |       ^^^^");
    }

    #[test]
    fn wide_letters_and_tabs_keep_the_caret_in_its_column() {
        let shown = snippet("数:\tx", place(1, 4, 5), Some(&[]));
        assert_eq!(shown, "  1 | 数: x\n    |     ^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let shown = snippet(&text, place(1, 501, 502), Some(&[]));
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[1].find('^').unwrap();
        assert_eq!(lines[0].chars().nth(caret), Some('X'));
        assert!(
            lines.iter().all(|line| line.chars().count() < 120),
            "{shown}"
        );
    }

    #[test]
    fn passwords_are_not_shown() {
        let line = "uri: http://me:hunter2@host/x, bad: 1";
        let shown = snippet(line, place(1, 32, 35), Some(&[]));
        assert!(!shown.contains("hunter2"), "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1].find('^'), lines[0].find("bad"), "{shown}");
        let shown = snippet("token: abc]", place(1, 11, 12), None);
        assert!(!shown.contains("abc"), "{shown}");
        assert_eq!(shorten("s3://u:p@h/k"), "s3://u:***@h/k");
        assert_eq!(
            passwords_in("a s3://u:p@h/k http://h:80/ x://:q@r@h"),
            ["p", "q@r"]
        );
    }

    #[test]
    fn a_key_looks_secret_by_its_words() {
        for key in [
            "password",
            "db-password",
            "API_KEY",
            "apikey",
            "auth.token",
            "secret",
            "Token",
        ] {
            assert!(looks_secret(key), "{key}");
        }
        for key in ["tokenizer", "key", "api", "secretary", "path"] {
            assert!(!looks_secret(key), "{key}");
        }
    }

    #[test]
    fn an_argument_is_shown_without_a_line_number() {
        let shown = argument_snippet("faiss:/a?lossi=1", Place::in_line(9, 14), Some(&[]));
        assert_eq!(shown, "  faiss:/a?lossi=1\n           ^^^^^");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let shown = snippet("a: \u{1b}[31m\u{202e}", place(1, 1, 2), Some(&[]));
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'));
    }

    #[test]
    fn lines_are_counted_over_every_kind_of_break() {
        let text = "a\r\nb\rc\nd";
        let lines: Vec<&str> = (1..=5).map(|number| line(text, number)).collect();
        assert_eq!(lines, ["a", "b", "c", "d", ""]);
    }
}
