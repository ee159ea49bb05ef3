// SPDX-License-Identifier: Apache-2.0
//! Patterns over the names of collections and partitions.
//!
//! A dataset is named by its collection and, where the source divides it, a partition. The
//! default partition has two spellings that mean the same here: no partition, and
//! [`DEFAULT_PARTITION`].

use super::glob::Glob;

/// How the default partition is written where a name is needed.
pub const DEFAULT_PARTITION: &str = "_default";

/// The name of a dataset: collection, and partition (`None` = whole collection or default one).
pub type DatasetName<'a> = (&'a str, Option<&'a str>);

/// A glob over `collection` or `collection/partition`, split at the first `/`.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    collection: Glob,
    /// `None`: every partition.
    partition: Option<Glob>,
}

impl Pattern {
    /// Parses a pattern; an error is a message without the pattern's text in it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (collection, partition) = split(text)?;
        Ok(Self {
            collection: Glob::parse(collection)?,
            partition: partition.map(Glob::parse).transpose()?,
        })
    }

    /// The pattern that takes everything.
    pub(super) fn everything() -> Self {
        Self {
            collection: Glob::Any,
            partition: None,
        }
    }

    pub(super) fn is_wild(&self) -> bool {
        [Some(&self.collection), self.partition.as_ref()]
            .into_iter()
            .flatten()
            .any(|glob| matches!(glob, Glob::Wild(_)))
    }

    pub(super) fn matches(&self, (collection, partition): DatasetName<'_>) -> bool {
        self.collection.matches(collection)
            && self
                .partition
                .as_ref()
                .is_none_or(|glob| glob.matches(partition.unwrap_or(DEFAULT_PARTITION)))
    }

    /// Whether it names partitions, not whole collections.
    pub(super) fn has_partition(&self) -> bool {
        self.partition.is_some()
    }
}

/// The two halves of a name or pattern, neither of them empty.
pub(super) fn split(text: &str) -> Result<DatasetName<'_>, String> {
    let (collection, partition) = match text.split_once('/') {
        Some((collection, partition)) => (collection, Some(partition)),
        None => (text, None),
    };
    if collection.is_empty() || partition == Some("") {
        return Err(
            "found an empty name, wanted `collection` or `collection/partition`".to_owned(),
        );
    }
    Ok((collection, partition))
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
        datasets
            .iter()
            .map(|(collection, _)| (*collection).to_owned())
            .collect()
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
    fn globs_stand_on_each_side_of_the_slash() {
        let cases = [
            ("{a,b}/p[0-9]", ("b", Some("p7")), true),
            ("{a,b}/p[0-9]", ("b", Some("px")), false),
            ("*/tmp*", ("x", Some("tmp_1")), true),
            ("*/tmp*", ("tmp", Some("x")), false),
            ("*/_default", ("x", None), true),
        ];
        for (pattern, name, wanted) in cases {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(name),
                wanted,
                "{pattern} {name:?}"
            );
        }
        for pattern in ["", "/p", "c/"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    proptest! {
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
