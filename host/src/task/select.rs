// SPDX-License-Identifier: Apache-2.0
//! Which datasets of the source a task moves.

use milvusdm_plugin_api::{Error, ErrorKind};

use super::env::Written;
use super::fault::Fault;
use super::names::{DatasetName, Pattern, nearest_name};
use super::pointer;
use super::render::shorten;
use crate::program;

/// Most globs in one list; names without wildcards do not count.
pub(super) const MAX_GLOBS: usize = 256;
/// Matching nothing is explained with the nearest name for this many patterns.
const MAX_EXPLAINED: usize = 10;

/// The `select` of a task: included and not excluded. The default takes everything.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// `None`: everything.
    include: Option<Vec<Entry>>,
    exclude: Vec<Entry>,
}

/// A pattern and where it stands in the task file.
#[derive(Debug, Clone)]
struct Entry {
    pattern: Pattern,
    /// As written in the file, with its `${…}`.
    written: String,
    pointer: String,
}

/// Something in the task file that matched no dataset of the source.
#[derive(Debug, Clone)]
pub struct Unmatched {
    /// Where it stands, for [`Task::locate_pointer`](super::Task::locate_pointer).
    pub pointer: String,
    /// The existing name that is nearest to it.
    pub nearest: Option<String>,
    /// What to say.
    pub error: Error,
}

impl Selection {
    /// Compiles the lists at `/select/include` and `/select/exclude`.
    pub(super) fn new(
        include: Option<&[String]>,
        exclude: &[String],
        written: &Written,
    ) -> Result<Self, Fault> {
        const INCLUDE: &str = "/select/include";
        if include.is_some_and(<[_]>::is_empty) {
            let message = "found an empty list, wanted at least one name";
            return Err(Fault::of_value(INCLUDE, message).help("leave it out to take everything"));
        }
        Ok(Self {
            include: include
                .map(|list| entries(list, INCLUDE, written))
                .transpose()?,
            exclude: entries(exclude, "/select/exclude", written)?,
        })
    }

    /// Whether a dataset is moved. `partition` is `None` for a whole collection and for the
    /// default partition alike: both are called `_default` when a pattern names partitions.
    pub fn matches(&self, collection: &str, partition: Option<&str>) -> bool {
        let name = (collection, partition);
        let is_included = self
            .include
            .as_ref()
            .is_none_or(|include| include.iter().any(|entry| entry.pattern.matches(name)));
        is_included && !self.exclude.iter().any(|entry| entry.pattern.matches(name))
    }

    /// The includes that match none of `datasets` (all of the source, selected or not): a
    /// mistyped name must not pass as a run that had nothing to do.
    pub fn unmatched_includes(&self, datasets: &[DatasetName<'_>]) -> Vec<Unmatched> {
        unmatched(self.include.iter().flatten(), datasets)
    }

    /// The names under `exclude` that match none of `datasets`: what they were to keep back would
    /// be moved. A pattern may match nothing.
    pub fn unmatched_excludes(&self, datasets: &[DatasetName<'_>]) -> Vec<Unmatched> {
        let names = self.exclude.iter().filter(|entry| !entry.pattern.is_wild());
        unmatched(names, datasets)
    }
}

fn unmatched<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    datasets: &[DatasetName<'_>],
) -> Vec<Unmatched> {
    entries
        .filter(|entry| !datasets.iter().any(|name| entry.pattern.matches(*name)))
        .enumerate()
        .map(|(count, entry)| {
            let nearest = (count < MAX_EXPLAINED)
                .then(|| nearest_name(&entry.pattern, &entry.written, datasets))
                .flatten();
            let message = format!("`{}` matches nothing in the source", entry.written);
            unmatched_at(&entry.pointer, message, nearest, datasets)
        })
        .collect()
}

pub(super) fn unmatched_at(
    pointer: &str,
    message: String,
    nearest: Option<String>,
    datasets: &[DatasetName<'_>],
) -> Unmatched {
    let error = Error::new(ErrorKind::NotFound, message);
    let error = match (&nearest, datasets.first()) {
        (Some(near), _) => error.help(format!("did you mean `{near}`?")),
        (None, Some(_)) => error.help(format!("{} lists what is there", program::typed("inspect"))),
        (None, None) => error.help("the source holds no collection at all"),
    };
    Unmatched {
        pointer: pointer.to_owned(),
        nearest,
        error,
    }
}

fn entries(list: &[String], at: &str, written: &Written) -> Result<Vec<Entry>, Fault> {
    let mut globs = 0;
    let mut entries = Vec::with_capacity(list.len());
    for (index, text) in list.iter().enumerate() {
        let pointer = pointer::element(at, index);
        let pattern = Pattern::parse(text).map_err(|m| Fault::of_value(&pointer, m))?;
        globs += usize::from(pattern.is_wild());
        if globs > MAX_GLOBS {
            let message = format!("found more than {MAX_GLOBS} globs in one list");
            return Err(Fault::of_value(&pointer, message).help("name the collections in full"));
        }
        let written = shorten(written.get(&pointer).unwrap_or(text));
        entries.push(Entry {
            pattern,
            written,
            pointer,
        });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(include: &[&str], exclude: &[&str]) -> Selection {
        let include: Vec<String> = include.iter().map(|s| (*s).to_owned()).collect();
        let exclude: Vec<String> = exclude.iter().map(|s| (*s).to_owned()).collect();
        let include = (!include.is_empty()).then_some(include.as_slice());
        Selection::new(include, &exclude, &Written::default()).unwrap()
    }

    #[test]
    fn the_default_takes_everything() {
        assert!(Selection::default().matches("any", None));
        assert!(Selection::default().matches("any", Some("p")));
    }

    #[test]
    fn the_example_of_the_guide_means_what_it_says() {
        let selection = selection(&["faces", "docs/p1", "logs/*"], &["*/tmp*"]);
        assert!(selection.matches("faces", None));
        assert!(selection.matches("faces", Some("p9")));
        assert!(!selection.matches("faces", Some("tmp1")));
        assert!(selection.matches("docs", Some("p1")));
        assert!(!selection.matches("docs", None));
        assert!(!selection.matches("docs", Some("p2")));
        assert!(selection.matches("logs", Some("2024")) && selection.matches("logs", None));
        assert!(!selection.matches("other", None));
    }

    #[test]
    fn no_partition_is_the_default_partition() {
        let only_default = selection(&["faces/_default"], &[]);
        assert!(only_default.matches("faces", None));
        assert!(only_default.matches("faces", Some("_default")));
        let not_default = selection(&[], &["faces/_default"]);
        assert!(!not_default.matches("faces", None));
        assert!(not_default.matches("faces", Some("p1")));
    }

    #[test]
    fn an_include_that_matches_nothing_names_the_nearest() {
        let selection = selection(&["faces", "fases", "docs/p3", "zzzzzzz"], &["faces"]);
        let datasets = [("faces", None), ("docs", Some("p1"))];
        let unmatched = selection.unmatched_includes(&datasets);
        let shown: Vec<_> = unmatched
            .iter()
            .map(|u| (u.pointer.as_str(), u.nearest.as_deref()))
            .collect();
        let wanted = [
            ("/select/include/1", Some("faces")),
            ("/select/include/2", Some("docs/p1")),
            ("/select/include/3", None),
        ];
        assert_eq!(shown, wanted);
        assert_eq!(
            unmatched[0].error.to_string(),
            "`fases` matches nothing in the source; did you mean `faces`?"
        );
    }
}
