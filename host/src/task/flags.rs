// SPDX-License-Identifier: Apache-2.0
//! What `milvusdm copy` says beside its two ends: which datasets, and under which names.
//!
//! The same rules as in a task file; only the way they are written differs.

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::env::Written;
use super::raw::{RawMap, RawRule};
use super::select::Selection;
use super::{Task, resolve};

impl Task {
    /// Moves only what one of `include` matches (everything, if there are none) and none of
    /// `exclude` does.
    ///
    /// # Errors
    /// `Config` for a pattern that can't be used.
    pub fn select(&mut self, include: &[String], exclude: &[String]) -> Result<()> {
        let include = Some(include).filter(|include| !include.is_empty());
        self.selection = Selection::new(include, exclude, &Written::default())
            .map_err(super::fault::Fault::into_error)?;
        self.origin.forget("/select");
        Ok(())
    }

    /// Takes another size for the memory of all batches.
    pub fn limit_memory(&mut self, memory_bytes: u64) {
        self.memory_bytes = memory_bytes;
        self.origin.forget("/memory");
    }

    /// Renames: one `TO` for everything, or rules `FROM=TO` of which the first match wins.
    ///
    /// # Errors
    /// `Config` for a rule that can't be used.
    pub fn rename(&mut self, rules: &[String]) -> Result<()> {
        let raw = match rules {
            [] => None,
            [to] if !to.contains('=') => Some(RawMap::All(to.clone())),
            rules => Some(RawMap::Rules(
                rules
                    .iter()
                    .map(|rule| parse(rule))
                    .collect::<Result<_>>()?,
            )),
        };
        self.mapping =
            resolve::mapping(raw, &Written::default()).map_err(super::fault::Fault::into_error)?;
        self.origin.forget("/map");
        Ok(())
    }
}

fn parse(rule: &str) -> Result<RawRule> {
    let (from, to) = rule.split_once('=').ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            format!("found `{rule}` among several rules, wanted `FROM=TO`"),
        )
        .help("one name for everything stands alone; write `*=NAME` for the rest")
    })?;
    Ok(RawRule {
        from: from.to_owned(),
        to: to.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        Task::parse("source: {plugin: a}\nsink: {plugin: b}", "t.yaml").unwrap()
    }

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn selects_as_a_task_file_does() {
        let mut task = task();
        task.select(&strings(&["fa*"]), &strings(&["*/tmp*"]))
            .unwrap();
        assert!(task.selection.matches("faces", None));
        assert!(!task.selection.matches("faces", Some("tmp1")));
        assert!(!task.selection.matches("docs", None));
        task.select(&[], &strings(&["docs"])).unwrap();
        assert!(task.selection.matches("faces", None) && !task.selection.matches("docs", None));
        assert!(task.select(&strings(&[""]), &[]).is_err());
    }

    #[test]
    fn one_name_is_for_everything_and_rules_are_tried_in_order() {
        let mut task = task();
        task.rename(&strings(&["all/p1"])).unwrap();
        let target = task.mapping.target("faces", None).unwrap();
        assert_eq!(
            (target.collection.as_str(), target.partition.as_deref()),
            ("all", Some("p1"))
        );
        task.rename(&strings(&["fa*=people/{collection}", "*=rest"]))
            .unwrap();
        let target = task.mapping.target("faces", None).unwrap();
        assert_eq!(
            (target.collection.as_str(), target.partition.as_deref()),
            ("people", Some("faces"))
        );
        assert_eq!(
            task.mapping.target("docs", None).unwrap().collection,
            "rest"
        );
        let error = task.rename(&strings(&["a=b", "c"])).unwrap_err();
        assert!(
            error.to_string().contains("`c` among several rules"),
            "{error}"
        );
    }
}
