// SPDX-License-Identifier: Apache-2.0
//! Numbers and foreign text as people read them.
//!
//! Names and messages come from files and servers; nothing of them may steer a terminal.

use std::fmt::Write as _;

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `1,234 rows`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `512 B`, `488.3 MiB`.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut units = ["KiB", "MiB", "GiB", "TiB", "PiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        // What would be shown as 1024.0 is 1.0 of the next unit.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, min, s) => format!("{min} min {s:02} s"),
        (h, min, _) if h < 48 => format!("{h} h {min:02} min"),
        (h, ..) => format!("{} days {} h", h / 24, h % 24),
    }
}

/// How many per second, rounded; `None` where the time is too short to tell.
pub(super) fn per_second(number: u64, seconds: f64) -> Option<u64> {
    (seconds > 0.0).then(|| (number as f64 / seconds).round() as u64)
}

/// Text from outside in one line: control characters, line breaks and direction marks replaced.
pub(super) fn line(text: &str) -> String {
    text.chars()
        .map(|letter| if steers(letter) { '\u{FFFD}' } else { letter })
        .collect()
}

/// Text from outside that may have lines of its own.
pub(super) fn lines(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for (at, part) in text.lines().enumerate() {
        let _ = write!(clean, "{}{}", if at > 0 { "\n" } else { "" }, line(part));
    }
    clean
}

/// A log line on its way out: what steers is replaced, but for colours where the log has some of
/// its own.
pub(super) fn log_line(text: &str, has_color: bool) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let taken = match colour(rest).filter(|_| has_color) {
            Some(sequence) => {
                clean.push_str(sequence);
                sequence.len()
            }
            None => {
                let is_kept = matches!(letter, '\n' | '\t') || !steers(letter);
                clean.push(if is_kept { letter } else { '\u{FFFD}' });
                letter.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    clean
}

/// The escape sequence that the text begins with, if it does nothing but set colours.
fn colour(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("\u{1b}[")?;
    let end = inside.find(|letter: char| !(letter.is_ascii_digit() || letter == ';'))?;
    inside
        .get(end..)?
        .starts_with('m')
        .then(|| text.get(..end + 3))?
}

/// Whether a character moves the cursor, starts an escape sequence or turns the writing around.
fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_keep_colours_and_nothing_else_that_steers() {
        for (written, shown) in [
            ("\u{1b}[32m INFO\u{1b}[0m a\tb\n", None),
            ("\u{1b}[1;31mred\u{1b}[m\n", None),
            ("\u{1b}[2J", Some("\u{FFFD}[2J")),
            ("\u{1b}]0;title\u{7}", Some("\u{FFFD}]0;title\u{FFFD}")),
            ("\u{1b}[3", Some("\u{FFFD}[3")),
            ("\u{1b}", Some("\u{FFFD}")),
            ("a\rb", Some("a\u{FFFD}b")),
        ] {
            assert_eq!(log_line(written, true), shown.unwrap_or(written));
            assert!(!log_line(written, false).contains('\u{1b}'));
        }
    }

    #[test]
    fn counts_have_separators() {
        let shown = [0, 7, 999, 1000, 1_234_567, u64::MAX].map(count);
        assert_eq!(
            shown,
            [
                "0",
                "7",
                "999",
                "1,000",
                "1,234,567",
                "18,446,744,073,709,551,615"
            ]
        );
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(0, "row", "rows"), "0 rows");
    }

    #[test]
    fn sizes_change_their_unit_before_they_show_1024() {
        let shown = [0, 1023, 1024, 1_048_575, 512_000_000, u64::MAX].map(size);
        assert_eq!(
            shown,
            [
                "0 B",
                "1023 B",
                "1.0 KiB",
                "1.0 MiB",
                "488.3 MiB",
                "16384.0 PiB"
            ]
        );
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let shown = [0.04, 9.94, 9.96, 59.6, 185.0, 7800.0, 200_000.0, f64::NAN].map(duration);
        let wanted = [
            "0.0 s",
            "9.9 s",
            "10 s",
            "1 min 00 s",
            "3 min 05 s",
            "2 h 10 min",
            "2 days 7 h",
            "unknown",
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn foreign_text_can_not_steer_a_terminal() {
        assert_eq!(
            line("a\u{1b}[2Jb\nc\u{202E}d"),
            "a\u{FFFD}[2Jb\u{FFFD}c\u{FFFD}d"
        );
        assert_eq!(lines("a\r\nb\u{7}\n"), "a\nb\u{FFFD}");
    }

    #[test]
    fn no_time_gives_no_rate() {
        assert_eq!(per_second(10, 0.0), None);
        assert_eq!(per_second(10, 4.0), Some(3));
    }
}
