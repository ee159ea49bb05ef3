// SPDX-License-Identifier: Apache-2.0
//! What datasets are called at the target.
//!
//! A rule renames or merges; this module gives names only. Whether two datasets may share a
//! target is the planner's to decide.

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::names::{DEFAULT_PARTITION, DatasetName, Pattern, nearest_name, split, written_name};
use super::render::shorten;
use super::select::{Unmatched, unmatched_at};

/// The `map` of a task: rules of which the first match wins. The default keeps every name.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    rules: Vec<Rule>,
}

/// Where a dataset goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetName {
    /// The collection, never empty.
    pub collection: String,
    /// The partition; `None` = the default one. Never `_default`, so that two spellings of one
    /// target compare equal.
    pub partition: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub from: Pattern,
    pub to: Target,
    /// `from` as written in the file.
    pub written: String,
    pub pointer: String,
    /// A plain string (`map: test/p1`), which can't be mistyped against the source.
    pub is_for_all: bool,
}

/// The template of a target name.
#[derive(Debug, Clone)]
pub(super) struct Target {
    collection: Template,
    /// `None`: the partition keeps its name.
    partition: Option<Template>,
}

#[derive(Debug, Clone)]
struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Collection,
    Partition,
}

impl Mapping {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Where a dataset goes: as the first matching rule says, else under its own name.
    ///
    /// A target without partition (`to: people`) keeps the partition's name. `{partition}` of the
    /// default partition is the default partition, or `_default` beside other text.
    ///
    /// # Errors
    /// If the name that comes out is empty.
    pub fn target(&self, collection: &str, partition: Option<&str>) -> Result<TargetName> {
        let name = (collection, partition);
        let (to_collection, to_partition) = match self.rule_of(name) {
            None => (collection.to_owned(), partition.map(str::to_owned)),
            Some(rule) => rule.to.apply(name),
        };
        if to_collection.is_empty() || to_partition.as_deref() == Some("") {
            let message = format!("`{}` gets an empty name at the target", written_name(name));
            return Err(
                Error::new(ErrorKind::Config, message).help("give it one with a rule of `map`")
            );
        }
        let to_partition = to_partition.filter(|partition| partition != DEFAULT_PARTITION);
        Ok(TargetName {
            collection: to_collection,
            partition: to_partition,
        })
    }

    /// The pointer of the rule that names a dataset's target; `None` if it keeps its name.
    pub fn rule_pointer(&self, collection: &str, partition: Option<&str>) -> Option<&str> {
        self.rule_of((collection, partition))
            .map(|rule| rule.pointer.as_str())
    }

    /// The rules that name the target of none of `datasets` (those that are selected), because
    /// nothing matches them or an earlier rule takes all that does.
    pub fn unmatched_rules(&self, datasets: &[DatasetName<'_>]) -> Vec<Unmatched> {
        let mut used = vec![false; self.rules.len()];
        for name in datasets {
            let first = self.rules.iter().position(|rule| rule.from.matches(*name));
            if let Some(used) = first.and_then(|first| used.get_mut(first)) {
                *used = true;
            }
        }
        let unused = self
            .rules
            .iter()
            .zip(used)
            .filter(|(rule, used)| !used && !rule.is_for_all);
        unused
            .map(|(rule, _)| {
                let pointer = format!("{}/from", rule.pointer);
                if datasets.iter().any(|name| rule.from.matches(*name)) {
                    let message = format!(
                        "`{}` is never reached: earlier rules take all it matches",
                        rule.written
                    );
                    let error = Error::new(ErrorKind::Config, message).help("put it before them");
                    return Unmatched {
                        pointer,
                        nearest: None,
                        error,
                    };
                }
                let nearest = nearest_name(&rule.from, &rule.written, datasets);
                let message = format!("`{}` matches nothing that is selected", rule.written);
                unmatched_at(&pointer, message, nearest, datasets)
            })
            .collect()
    }

    fn rule_of(&self, name: DatasetName<'_>) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.from.matches(name))
    }
}

impl Target {
    /// Parses `collection` or `collection/partition` with placeholders.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (collection, partition) = split(text)?;
        Ok(Self {
            collection: Template::parse(collection)?,
            partition: partition.map(Template::parse).transpose()?,
        })
    }

    fn apply(&self, name: DatasetName<'_>) -> (String, Option<String>) {
        let partition = match &self.partition {
            None => name.1.map(str::to_owned),
            Some(Template(pieces)) if pieces.as_slice() == [Piece::Partition] => {
                name.1.map(str::to_owned)
            }
            Some(template) => Some(template.apply(name)),
        };
        (self.collection.apply(name), partition)
    }
}

impl Template {
    fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = brace.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else {
                let (placeholder, after) = placeholder(brace)?;
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(placeholder);
                rest = after;
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Ok(Self(pieces))
    }

    fn apply(&self, (collection, partition): DatasetName<'_>) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Collection => collection,
            Piece::Partition => partition.unwrap_or(DEFAULT_PARTITION),
        });
        pieces.collect()
    }
}

/// The placeholder that `text` starts with, and what comes after it.
fn placeholder(text: &str) -> Result<(Piece, &str), String> {
    let Some((name, after)) = text
        .strip_prefix('{')
        .and_then(|inner| inner.split_once('}'))
    else {
        return Err("a brace without its partner; write `{{` or `}}` for a plain one".to_owned());
    };
    match name {
        "collection" => Ok((Piece::Collection, after)),
        "partition" => Ok((Piece::Partition, after)),
        other => Err(format!(
            "found the placeholder `{{{}}}`, wanted `{{collection}}` or `{{partition}}`",
            shorten(other)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mapping(rules: &[(&str, &str)]) -> Mapping {
        let rule = |(index, (from, to)): (usize, &(&str, &str))| Rule {
            from: Pattern::parse(from).unwrap(),
            to: Target::parse(to).unwrap(),
            written: (*from).to_owned(),
            pointer: format!("/map/{index}"),
            is_for_all: false,
        };
        Mapping::new(rules.iter().enumerate().map(rule).collect())
    }

    fn target(mapping: &Mapping, collection: &str, partition: Option<&str>) -> String {
        let target = mapping.target(collection, partition).unwrap();
        written_name((&target.collection, target.partition.as_deref()))
    }

    #[test]
    fn names_stay_without_rules_and_default_is_written_one_way() {
        let none = Mapping::default();
        assert_eq!(target(&none, "a", None), "a");
        assert_eq!(target(&none, "a", Some("p")), "a/p");
        assert_eq!(target(&none, "a", Some("_default")), "a");
        assert!(none.target("", None).is_err());
    }

    #[test]
    fn the_first_matching_rule_wins() {
        let rules = mapping(&[
            ("faces/tmp", "trash/{collection}"),
            ("faces/*", "all_faces/{partition}"),
            ("docs", "papers"),
            ("logs", "all/{collection}_{partition}"),
        ]);
        assert_eq!(target(&rules, "faces", Some("tmp")), "trash/faces");
        assert_eq!(target(&rules, "faces", Some("p1")), "all_faces/p1");
        assert_eq!(target(&rules, "faces", None), "all_faces");
        assert_eq!(target(&rules, "docs", Some("p1")), "papers/p1");
        assert_eq!(target(&rules, "logs", None), "all/logs__default");
        assert_eq!(target(&rules, "other", Some("x")), "other/x");
        assert_eq!(rules.rule_pointer("docs", None), Some("/map/2"));
        assert_eq!(rules.rule_pointer("other", None), None);
    }

    #[test]
    fn doubled_braces_are_braces() {
        let rules = mapping(&[("*", "{{{collection}}}")]);
        assert_eq!(target(&rules, "a", None), "{a}");
    }

    #[test]
    fn other_placeholders_and_lone_braces_are_refused() {
        for (text, message) in [
            ("{colection}", "found the placeholder `{colection}`"),
            ("a/{}", "found the placeholder `{}`"),
            ("a{", "without its partner"),
            ("a}", "without its partner"),
            ("/a", "empty name"),
            ("a/", "empty name"),
        ] {
            let found = Target::parse(text).expect_err(text);
            assert!(found.contains(message), "{text}: {found}");
        }
    }

    #[test]
    fn rules_that_take_nothing_are_reported_with_the_reason() {
        let rules = mapping(&[("faces", "a"), ("faces/p1", "b"), ("fases", "c")]);
        let unmatched = rules.unmatched_rules(&[("faces", Some("p1"))]);
        let texts: Vec<String> = unmatched.iter().map(|u| u.error.to_string()).collect();
        assert_eq!(unmatched[0].pointer, "/map/1/from");
        assert!(texts[0].contains("never reached"), "{texts:?}");
        assert!(texts[1].contains("did you mean `faces`"), "{texts:?}");
    }

    proptest! {
        #[test]
        fn no_template_makes_it_panic(text in "[{}/a-c$]{0,20}", name in "\\PC{0,6}") {
            if let Ok(target) = Target::parse(&text) {
                let _ = target.apply((&name, None));
            }
        }

        #[test]
        fn a_name_with_its_braces_doubled_is_that_name(name in "[a-z{}]{1,12}") {
            let text = name.replace('{', "{{").replace('}', "}}");
            let target = Target::parse(&text).map_err(TestCaseError::fail)?;
            prop_assert_eq!(target.apply(("c", None)).0, name);
        }
    }
}
