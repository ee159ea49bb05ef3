// SPDX-License-Identifier: Apache-2.0
//! Patterns over the names of collections and partitions.
//!
//! A dataset is named by its collection and, where the source divides it, a partition. The
//! default partition has two spellings that mean the same here: no partition, and
//! [`DEFAULT_PARTITION`].

use regex::bytes::{Regex, RegexBuilder};

/// How the default partition is written where a name is needed.
pub const DEFAULT_PARTITION: &str = "_default";

/// The name of a dataset: collection, and partition (`None` = whole collection or default one).
pub type DatasetName<'a> = (&'a str, Option<&'a str>);

/// Longest glob, in bytes; a name without wildcards may be longer.
const MAX_GLOB_BYTES: usize = 512;
/// Most memory one compiled glob may take.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// A glob over `collection` or `collection/partition`, split at the first `/`.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    collection: Glob,
    /// `None`: every partition.
    partition: Option<Glob>,
}

#[derive(Debug, Clone)]
enum Glob {
    /// A name without wildcards.
    Exact(String),
    Wild(Regex),
}

impl Pattern {
    /// Parses a pattern; an error is a message without the pattern's text in it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (collection, partition) = match text.split_once('/') {
            Some((collection, partition)) => (collection, Some(partition)),
            None => (text, None),
        };
        if collection.is_empty() || partition.is_some_and(str::is_empty) {
            return Err("wanted `collection` or `collection/partition`, found an empty name".into());
        }
        Ok(Self {
            collection: Glob::parse(collection)?,
            partition: partition.map(Glob::parse).transpose()?,
        })
    }

    /// The pattern that takes everything.
    pub(super) fn everything() -> Self {
        Self { collection: Glob::any(), partition: None }
    }

    pub(super) fn is_wild(&self) -> bool {
        [Some(&self.collection), self.partition.as_ref()]
            .into_iter()
            .flatten()
            .any(|glob| matches!(glob, Glob::Wild(_)))
    }

    pub(super) fn matches(&self, (collection, partition): DatasetName<'_>) -> bool {
        self.matches_collection(collection)
            && self
                .partition
                .as_ref()
                .is_none_or(|glob| glob.matches(partition.unwrap_or(DEFAULT_PARTITION)))
    }

    pub(super) fn matches_collection(&self, collection: &str) -> bool {
        self.collection.matches(collection)
    }

    /// Whether it names partitions, not whole collections.
    pub(super) fn has_partition(&self) -> bool {
        self.partition.is_some()
    }
}

impl Glob {
    fn any() -> Self {
        // `(?s)` lets `.` take line breaks, which names may hold.
        match Regex::new("(?s-u)^.*$") {
            Ok(regex) => Self::Wild(regex),
            Err(_) => Self::Exact("*".to_owned()),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        if !text.contains(['*', '?', '[', ']', '{', '}', '\\']) {
            return Ok(Self::Exact(text.to_owned()));
        }
        if text.len() > MAX_GLOB_BYTES {
            return Err(format!("found a glob of {} bytes, wanted at most {MAX_GLOB_BYTES}", text.len()));
        }
        let glob = globset::GlobBuilder::new(text)
            .literal_separator(false)
            .backslash_escape(true)
            .empty_alternates(true)
            .build()
            .map_err(|e| format!("this is not a valid glob: {}", e.kind()))?;
        // The regex is compiled here, and not by globset, because globset panics on one that is
        // over its size limit and looks at file extensions, which names do not have.
        RegexBuilder::new(glob.regex())
            .size_limit(MAX_COMPILED_BYTES)
            .build()
            .map(Self::Wild)
            .map_err(|_| "this glob is too large to compile".to_owned())
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Wild(regex) => regex.is_match(name.as_bytes()),
        }
    }
}

/// `collection` or `collection/partition`, as a person writes it.
pub(super) fn written_name((collection, partition): DatasetName<'_>) -> String {
    match partition {
        Some(partition) => format!("{collection}/{partition}"),
        None => collection.to_owned(),
    }
}

/// The existing name nearest to a pattern that matched none of `datasets`.
pub(super) fn nearest_name(
    pattern: &Pattern,
    written: &str,
    datasets: &[DatasetName<'_>],
) -> Option<String> {
    let names: Vec<String> = if pattern.has_partition() {
        datasets
            .iter()
            .map(|(collection, partition)| {
                written_name((collection, Some(partition.unwrap_or(DEFAULT_PARTITION))))
            })
            .collect()
    } else {
        datasets.iter().map(|(collection, _)| (*collection).to_owned()).collect()
    };
    super::nearest::nearest(written, names.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_collection_takes_all_its_partitions_and_default_is_one_of_them() {
        let faces = Pattern::parse("faces").unwrap();
        assert!(faces.matches(("faces", None)) && faces.matches(("faces", Some("p1"))));
        assert!(!faces.matches(("faces2", None)));
        let default = Pattern::parse("faces/_default").unwrap();
        assert!(default.matches(("faces", None)) && default.matches(("faces", Some("_default"))));
        assert!(!default.matches(("faces", Some("p1"))));
        let logs = Pattern::parse("logs/*").unwrap();
        assert!(logs.matches(("logs", None)) && logs.matches(("logs", Some("a/b"))));
    }

    #[test]
    fn globs_know_alternatives_classes_and_letters_of_any_script() {
        let cases = [
            ("{a,b}/p[0-9]", ("b", Some("p7")), true),
            ("{a,b}/p[0-9]", ("b", Some("px")), false),
            ("*/tmp*", ("x", Some("tmp_1")), true),
            ("*/tmp*", ("tmp", Some("x")), false),
            ("顔*", ("顔写真", None), true),
            ("*.idx", ("..idx", None), true),
            (r"a\*", ("a*", None), true),
            (r"a\*", ("ab", None), false),
        ];
        for (pattern, name, wanted) in cases {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(name), wanted, "{pattern} {name:?}");
        }
    }

    #[test]
    fn broken_and_outsized_globs_are_refused() {
        for pattern in ["", "/p", "c/", "a[", "{a", &"?".repeat(2000)] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(text in "\\PC{0,40}", name in "\\PC{0,10}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                let _ = pattern.matches((&name, None));
            }
        }

        #[test]
        fn the_pattern_for_everything_takes_everything(name in ".*", partition in ".*") {
            prop_assert!(Pattern::everything().matches((&name, Some(&partition))));
        }

        #[test]
        fn a_name_without_wildcards_matches_itself_alone(a in "[a-z_.-]{1,8}", b in "[a-z_.-]{1,8}") {
            let pattern = Pattern::parse(&a).map_err(TestCaseError::fail)?;
            prop_assert_eq!(pattern.matches((&b, None)), a == b);
        }
    }
}
