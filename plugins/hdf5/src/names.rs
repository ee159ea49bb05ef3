// SPDX-License-Identifier: Apache-2.0
//! Turns collection and partition names into file names and back.

use twox_hash::XxHash3_64;

/// Longest file name that is made, extension aside, in bytes.
pub const MAX_NAME_BYTES: usize = 200;
/// Name of a partition that has none.
pub const DEFAULT_PARTITION: &str = "_default";
/// Extensions of HDF5 files.
pub const EXTENSIONS: [&str; 2] = ["h5", "hdf5"];

/// A name that is safe in every file system: bytes outside `[A-Za-z0-9._-]` and a leading dot
/// as `%XX`; beyond 200 bytes cut, with a hash of the whole at the end.
///
/// Different names give different file names (but for a collision of 64-bit hashes).
pub fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (i, byte) in name.bytes().enumerate() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => escaped.push(char::from(byte)),
            b'.' if i > 0 => escaped.push('.'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    if escaped.is_empty() {
        // No other name gives a lone percent sign.
        escaped.push('%');
    }
    if escaped.len() > MAX_NAME_BYTES {
        // `~` stands in no escaped name, so a cut one is never taken for another's.
        let hash = format!("~{:016x}", XxHash3_64::oneshot(name.as_bytes()));
        escaped.truncate(MAX_NAME_BYTES - hash.len());
        escaped.push_str(&hash);
    }
    escaped
}

/// The name that [`escape`] made this of; what it can't have made is taken as it is.
pub fn unescape(file_name: &str) -> String {
    if file_name == "%" {
        return String::new();
    }
    let mut bytes = Vec::with_capacity(file_name.len());
    let mut rest = file_name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| file_name.to_owned())
}

/// Whether a path ends in an extension of HDF5 files, in any case.
pub fn is_hdf5_path(path: &std::path::Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Whether a dataset in a group may have this name.
pub fn is_dataset_name(name: &str) -> bool {
    !name.is_empty() && name != "." && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_escaped_as_documented() {
        assert_eq!(escape("faces"), "faces");
        assert_eq!(escape("a/b"), "a%2Fb");
        assert_eq!(escape(".hidden.x"), "%2Ehidden.x");
        assert_eq!(escape("é"), "%C3%A9");
        assert_eq!(escape("100%"), "100%25");
        assert_eq!(escape(".."), "%2E.");
        assert_eq!(escape(""), "%");
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (a, b) = ("x".repeat(300), format!("{}y", "x".repeat(299)));
        assert_eq!(escape(&a).len(), MAX_NAME_BYTES);
        assert_ne!(escape(&a), escape(&b));
        assert_ne!(
            escape(&escape(&a)),
            escape(&a),
            "a cut name is no name's own"
        );
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescape("50%"), "50%");
        assert_eq!(unescape("a%zz"), "a%zz");
        assert_eq!(unescape("%FF"), "%FF");
    }

    proptest! {
        #[test]
        fn escaped_names_read_back(name in "\\PC{0,60}") {
            let escaped = escape(&name);
            prop_assert!(escaped.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-%~".contains(&b)));
            prop_assert!(!escaped.starts_with('.'));
            if !escaped.contains('~') {
                prop_assert_eq!(unescape(&escaped), name);
            }
        }

        #[test]
        fn any_file_name_can_be_read(name in "\\PC{0,60}") {
            let _ = unescape(&name);
        }
    }
}
