// SPDX-License-Identifier: Apache-2.0
//! The line of the task file under an error, with a caret where it is wrong.
//!
//! A task file may hold passwords, and its lines end up in terminals and logs: what stands in a
//! secret's place, and the password of a URI, is masked, control characters are replaced, and
//! long lines are cut around the caret.

use unicode_width::UnicodeWidthChar;

use super::places::Place;

/// Columns of the terminal that the line may take.
const MAX_WIDTH: usize = 100;
/// Characters kept before the caret when a line is cut.
const KEPT_BEFORE: usize = 60;
const MASK: &str = "***";

/// The lines of a text as YAML counts them: broken by LF, CR LF or CR.
pub(super) fn line(text: &str, number: usize) -> &str {
    let mut rest = text;
    for _ in 1..number {
        let after = rest.find(['\n', '\r']).and_then(|end| rest.get(end..)).unwrap_or_default();
        rest = match after.strip_prefix("\r\n").or_else(|| after.strip_prefix(['\n', '\r'])) {
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
        caret.saturating_add(1)
    };
    let (shown, before, under) = draw(&letters, &hidden, caret, caret_end);
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    format!("  {number} | {shown}\n  {margin} | {}{}", " ".repeat(before), "^".repeat(under))
}

/// The line as it is shown, the width before the caret and the width under it.
fn draw(letters: &[char], hidden: &[bool], caret: usize, end: usize) -> (String, usize, usize) {
    let from = if letters.len() > MAX_WIDTH { caret.saturating_sub(KEPT_BEFORE) } else { 0 };
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
fn visible(letter: char) -> char {
    match letter {
        '\t' => ' ',
        letter if letter.is_control() => '\u{FFFD}',
        // Direction and formatting marks that would let a line show other than it is.
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' => '\u{FFFD}',
        letter => letter,
    }
}

fn hide_places(hidden: &mut [bool], line: usize, secrets: &[Place]) {
    for secret in secrets.iter().filter(|s| s.line <= line && line <= s.end_line) {
        let from = if secret.line == line { secret.column.saturating_sub(1) } else { 0 };
        let to = if secret.end_line == line { secret.end_column.saturating_sub(1) } else { usize::MAX };
        for (at, hidden) in hidden.iter_mut().enumerate() {
            *hidden |= from <= at && at < to;
        }
    }
}

/// Whether a key of this name most likely holds a secret.
pub(super) fn looks_secret(key: &str) -> bool {
    const WORDS: [&str; 8] =
        ["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "credential"];
    let key = key.to_ascii_lowercase().replace('-', "_");
    WORDS.iter().any(|word| key.contains(word))
}

fn hide_after_secret_word(hidden: &mut [bool], line: &str) {
    if !looks_secret(line) {
        return;
    }
    let value = line.chars().position(|c| c == ':' || c == '=');
    for hidden in hidden.iter_mut().skip(value.map_or(0, |at| at + 1)) {
        *hidden = true;
    }
}

/// Hides what stands between `//user:` and the last `@` of the word: passwords hold any letter.
fn hide_uri_passwords(hidden: &mut [bool], letters: &[char]) {
    let mut at = 0;
    while at < letters.len() {
        if letters.get(at..at + 3) != Some(&[':', '/', '/'][..]) {
            at += 1;
            continue;
        }
        let start = at + 3;
        let rest = letters.get(start..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|c| c.is_whitespace() || matches!(c, '"' | '\''))
            .unwrap_or(rest.len());
        let authority = rest.get(..length).unwrap_or_default();
        let colon = authority.iter().position(|c| *c == ':');
        let sign = authority.iter().rposition(|c| *c == '@');
        if let (Some(colon), Some(sign)) = (colon, sign) {
            for hidden in hidden.iter_mut().take(start + sign).skip(start + colon + 1) {
                *hidden = true;
            }
        }
        at = start;
    }
}

/// `text` with the passwords of its URIs masked.
pub(super) fn mask_uri_passwords(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut hidden = vec![false; letters.len()];
    hide_uri_passwords(&mut hidden, &letters);
    let mut shown = String::with_capacity(text.len());
    let mut was_hidden = false;
    for (letter, is_hidden) in letters.iter().zip(&hidden) {
        match (is_hidden, was_hidden) {
            (true, false) => shown.push_str(MASK),
            (true, true) => {}
            (false, _) => shown.push(*letter),
        }
        was_hidden = *is_hidden;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize, end_column: usize) -> Place {
        Place { line, column, end_line: line, end_column }
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
        assert!(lines.iter().all(|line| line.chars().count() < 120), "{shown}");
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
        assert_eq!(mask_uri_passwords("s3://u:p@h/k"), "s3://u:***@h/k");
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
