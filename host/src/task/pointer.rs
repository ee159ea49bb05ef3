// SPDX-License-Identifier: Apache-2.0
//! JSON pointers (RFC 6901) into the task file: how every error says which value it means.
//!
//! Pointers are plain text (`/source/path`), so that they can stand in an error, a test or a
//! plan without a type of their own. This module knows nothing of YAML or of places in a file.

use std::fmt::Write as _;

/// The pointer to member `key` of the mapping at `parent`.
pub(super) fn member(parent: &str, key: &str) -> String {
    let mut pointer = String::with_capacity(parent.len() + key.len() + 1);
    pointer.push_str(parent);
    pointer.push('/');
    for letter in key.chars() {
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
    pointer
}

/// The pointer to element `index` (from 0) of the list at `parent`.
pub(super) fn element(parent: &str, index: usize) -> String {
    format!("{parent}/{index}")
}

/// The unescaped segments of a pointer, outermost first; none for the document itself.
pub(super) fn segments(pointer: &str) -> impl Iterator<Item = String> {
    let inner = pointer.strip_prefix('/');
    inner
        .into_iter()
        .flat_map(|path| path.split('/'))
        .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

/// How a pointer is shown to a person: `source.files[2]`, or `the task` for the document.
pub(super) fn readable(pointer: &str) -> String {
    let mut shown = String::new();
    for segment in segments(pointer) {
        if !shown.is_empty() && segment.bytes().all(|b| b.is_ascii_digit()) && !segment.is_empty() {
            let _ = write!(shown, "[{segment}]");
        } else {
            if !shown.is_empty() {
                shown.push('.');
            }
            shown.push_str(&segment);
        }
    }
    if shown.is_empty() {
        shown.push_str("the task");
    }
    shown
}

/// Turns the path of a typed option (`files[2].name`, as serde_path_to_error and plugins write
/// it) into a pointer below `parent`.
pub(super) fn from_option_path(parent: &str, path: &str) -> String {
    let mut pointer = parent.to_owned();
    for part in path.split(['.', '[']) {
        let part = part.strip_suffix(']').unwrap_or(part);
        if !part.is_empty() && part != "?" {
            pointer = member(&pointer, part);
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_slash_and_tilde_survives_the_round_trip() {
        let pointer = member("/convert/columns", "a/b~c");
        assert_eq!(pointer, "/convert/columns/a~1b~0c");
        let back: Vec<_> = segments(&pointer).collect();
        assert_eq!(back, ["convert", "columns", "a/b~c"]);
    }

    #[test]
    fn the_document_has_no_segments() {
        assert_eq!(segments("").count(), 0);
        assert_eq!(readable(""), "the task");
    }

    #[test]
    fn an_option_path_becomes_a_pointer() {
        assert_eq!(
            from_option_path("/source", "files[2].name"),
            "/source/files/2/name"
        );
        assert_eq!(from_option_path("/source", "lossy"), "/source/lossy");
        assert_eq!(readable("/source/files/2/name"), "source.files[2].name");
    }
}
