// SPDX-License-Identifier: Apache-2.0
//! Globs over names: `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, and `\` before a plain letter.
//!
//! Translated to the regex crate, which matches in linear time whatever the pattern. The glob
//! crates are made for paths: they match single bytes of a letter, or know no alternatives, or
//! backtrack. Tests hold this to globset where both mean the same (ASCII).

use regex::{Regex, RegexBuilder};

/// Longest glob, in bytes; a name without wildcards may be longer.
const MAX_BYTES: usize = 256;
/// Most memory one compiled glob may take.
const MAX_COMPILED_BYTES: usize = 256 << 10;

/// A compiled glob, or a plain name.
#[derive(Debug, Clone)]
pub(super) enum Glob {
    /// `*`.
    Any,
    /// A name without wildcards.
    Exact(String),
    /// Anything else.
    Wild(Regex),
}

impl Glob {
    /// Parses a glob; an error is a message without the glob's text in it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if !text.contains(['*', '?', '[', ']', '{', '}', '\\']) {
            return Ok(Self::Exact(text.to_owned()));
        }
        if text.len() > MAX_BYTES {
            return Err(format!(
                "found a glob of {} bytes, wanted at most {MAX_BYTES}",
                text.len()
            ));
        }
        RegexBuilder::new(&to_regex(text)?)
            .size_limit(MAX_COMPILED_BYTES)
            .dfa_size_limit(MAX_COMPILED_BYTES)
            .build()
            .map(Self::Wild)
            .map_err(|_| "this glob is too large to compile".to_owned())
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == name,
            Self::Wild(regex) => regex.is_match(name),
        }
    }
}

fn to_regex(glob: &str) -> Result<String, &'static str> {
    // `s` lets `.` take line breaks, which names may hold.
    let mut regex = String::from(r"(?s)\A(?:");
    let mut open_braces = 0_u32;
    let mut letters = glob.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => class(&mut letters, &mut regex)?,
            '{' => {
                open_braces += 1;
                regex.push_str("(?:");
            }
            '}' => {
                open_braces = open_braces
                    .checked_sub(1)
                    .ok_or("`}` has no `{` before it; write `\\}` for a plain one")?;
                regex.push(')');
            }
            ',' if open_braces > 0 => regex.push('|'),
            '\\' => {
                let plain = letters
                    .next()
                    .ok_or("it ends in a lone `\\`; write `\\\\` for a plain one")?;
                literal(plain, &mut regex);
            }
            plain => literal(plain, &mut regex),
        }
    }
    if open_braces > 0 {
        return Err("`{` is never closed; write `\\{` for a plain one");
    }
    regex.push_str(r")\z");
    Ok(regex)
}

/// `[a-z_]`; a `]` in front is one of the letters.
fn class(letters: &mut std::str::Chars<'_>, regex: &mut String) -> Result<(), &'static str> {
    const UNCLOSED: &str = "`[` is never closed; write `\\[` for a plain one";
    regex.push('[');
    let mut ahead = letters.clone();
    if matches!(ahead.next(), Some('!' | '^')) {
        regex.push('^');
        *letters = ahead;
    }
    let mut is_first = true;
    loop {
        let from = letters.next().ok_or(UNCLOSED)?;
        if from == ']' && !is_first {
            break;
        }
        is_first = false;
        literal(from, regex);
        let mut ahead = letters.clone();
        let range = (ahead.next(), ahead.next());
        if let (Some('-'), Some(to)) = range
            && to != ']'
        {
            if to < from {
                return Err("a range in `[…]` runs backwards");
            }
            regex.push('-');
            literal(to, regex);
            *letters = ahead;
        }
    }
    regex.push(']');
    Ok(())
}

/// One plain letter, also inside a class.
fn literal(letter: char, regex: &mut String) {
    regex.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
}

/// A path in a pattern, with nothing in it that a pattern gives a meaning.
pub(crate) fn literal_path(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for letter in path.chars() {
        match letter {
            '*' | '?' | '[' | ']' => {
                plain.push('[');
                plain.push(letter);
                plain.push(']');
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn globs_know_alternatives_classes_and_letters_of_any_script() {
        let cases = [
            ("{a,b}x", "bx", true),
            ("{a,b*}x", "bcx", true),
            ("{a,b}x", "cx", false),
            ("a{,b}", "a", true),
            ("p[0-9]", "p7", true),
            ("p[!0-9]", "px", true),
            ("p[!0-9]", "p7", false),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[a&&b]", "&", true),
            ("顔*", "顔写真", true),
            ("顔?", "顔写", true),
            ("[é]t?", "été", true),
            ("*.idx", "..idx", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("a,b*", "a,b", true),
            ("a*", "a\nb", true),
            ("a?", "a", false),
        ];
        for (glob, name, wanted) in cases {
            assert_eq!(
                Glob::parse(glob).unwrap().matches(name),
                wanted,
                "{glob} {name:?}"
            );
        }
    }

    #[test]
    fn broken_and_outsized_globs_are_refused() {
        for glob in [
            "a[",
            "{a",
            "a}",
            "[z-a]",
            r"a\",
            "[]",
            &"?".repeat(MAX_BYTES + 1),
        ] {
            assert!(Glob::parse(glob).is_err(), "{glob}");
        }
        assert!(Glob::parse(&"?".repeat(MAX_BYTES)).is_ok());
    }

    proptest! {
        #[test]
        fn no_glob_makes_it_panic(text in "\\PC{0,40}", name in "\\PC{0,10}") {
            if let Ok(glob) = Glob::parse(&text) {
                glob.matches(&name);
            }
        }

        #[test]
        fn ascii_globs_mean_what_globset_says(text in "[ab*?!{},-]{0,8}|[ab]?\\[[!]?[ab-c]{1,3}\\][*]?", name in "[abc,!-]{0,5}") {
            let theirs = globset::GlobBuilder::new(&text)
                .empty_alternates(true)
                .literal_separator(false)
                .build();
            let ours = Glob::parse(&text);
            if let (Ok(theirs), Ok(ours)) = (&theirs, &ours) {
                // A path has no meaning for an empty name.
                prop_assume!(!name.is_empty());
                prop_assert_eq!(ours.matches(&name), theirs.compile_matcher().is_match(&name), "{}", text);
            } else {
                prop_assert_eq!(theirs.is_ok(), ours.is_ok(), "{}", text);
            }
        }
    }
}
