// SPDX-License-Identifier: Apache-2.0
//! The nearest known name to a mistyped one, for error messages.

/// Longer names than this are not compared: the comparison costs the product of both lengths.
const MAX_COMPARED_CHARS: usize = 128;
/// More known names than this are not listed in a message.
const MAX_LISTED: usize = 12;

/// The candidate that `name` was most likely meant to be, if one is near enough to name.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let chars = name.chars().count();
    if chars > MAX_COMPARED_CHARS {
        return None;
    }
    let allowed = (chars / 3).max(2);
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_COMPARED_CHARS * 4)
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        // A replacement of every letter is no resemblance.
        .filter(|(distance, candidate)| {
            *distance <= allowed && *distance < candidate.chars().count().max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What to say about `name` where only `known` are wanted: the nearest, else all of them.
pub(crate) fn advice(name: &str, known: &[&str]) -> String {
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    let mut sorted = known.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    match sorted.len() {
        0 => "there are none to choose from".to_owned(),
        n if n <= MAX_LISTED => format!("known: {}", quoted_list(&sorted)),
        n => {
            let head = sorted.get(..MAX_LISTED).unwrap_or_default();
            format!("known: {} and {} more", quoted_list(head), n - MAX_LISTED)
        }
    }
}

/// `` `a`, `b`, `c` ``.
pub(super) fn quoted_list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_name_that_was_meant() {
        let known = ["plugin", "path", "lossy", "space"];
        assert_eq!(nearest("lossi", known), Some("lossy"));
        assert_eq!(nearest("LOSSY", known), Some("lossy"));
        assert_eq!(nearest("plguin", known), Some("plugin"));
        assert_eq!(nearest("quantum", known), None);
        assert_eq!(nearest("x", ["y"]), None);
    }

    #[test]
    fn lists_what_there_is_when_nothing_is_near() {
        assert_eq!(advice("quantum", &["b", "a"]), "known: `a`, `b`");
        assert_eq!(advice("mdoe", &["mode", "map"]), "did you mean `mode`?");
        assert_eq!(advice("x", &[]), "there are none to choose from");
    }

    #[test]
    fn an_endless_name_is_not_compared() {
        let long = "a".repeat(1 << 20);
        assert_eq!(nearest(&long, ["a"]), None);
    }
}
