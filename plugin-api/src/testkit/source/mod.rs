// SPDX-License-Identifier: Apache-2.0
//! The suite for sources.

mod listing;
mod reading;
mod trouble;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::files::Files;
use super::report::{Checked, Report, skip};
use super::runner::{PATIENCE, Plan, run};
use super::{info, report};
use crate::abi::{PluginHandle, SourceHandle};
use crate::{Dataset, PluginInfo, Result, Services, Split};

/// Asks of a source all that the contract asks; see [`source`](super::source).
///
/// Everything is read several times: give it small data, of several splits if the format can.
#[derive(Debug, Clone)]
#[must_use = "call `run`"]
pub struct SourceSuite {
    plugin: PluginHandle,
    options: Value,
    rows: Option<u64>,
    missing: Vec<Value>,
    damaged: Vec<Value>,
    unchanged: Vec<PathBuf>,
    patience: Duration,
}

impl SourceSuite {
    pub(super) fn new(plugin: PluginHandle, options: Value) -> Self {
        Self {
            plugin,
            options,
            rows: None,
            missing: Vec::new(),
            damaged: Vec::new(),
            unchanged: Vec::new(),
            patience: PATIENCE,
        }
    }

    /// Rows that all datasets together give.
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Options that name a file, folder or collection that is not there.
    pub fn missing(mut self, options: Value) -> Self {
        self.missing.push(options);
        self
    }

    /// Options that name damaged input: truncated, overwritten, of another format.
    pub fn damaged(mut self, options: Value) -> Self {
        self.damaged.push(options);
        self
    }

    /// A file or folder that reading must leave as it is.
    pub fn unchanged(mut self, path: impl Into<PathBuf>) -> Self {
        self.unchanged.push(path.into());
        self
    }

    /// How long each case may take, in place of 60 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs every case, through the plugin's table.
    pub fn run(self) -> Report {
        let subject = format!("{} source", info::name_of(&self.plugin));
        let patience = self.patience;
        let before = self
            .unchanged
            .iter()
            .map(|path| Files::below(path))
            .collect();
        let asked = Arc::new(Asked {
            suite: self,
            before,
        });
        run(subject, &asked, patience, cases())
    }
}

/// What the cases work with.
struct Asked {
    suite: SourceSuite,
    /// What stood at the paths that must not change.
    before: Vec<Files>,
}

impl Asked {
    fn info(&self) -> Result<PluginInfo> {
        self.suite.plugin.info()
    }

    fn open(&self) -> Result<SourceHandle> {
        self.open_with(&self.suite.options, Services::detached())
    }

    fn open_with(&self, options: &Value, services: Services) -> Result<SourceHandle> {
        self.suite.plugin.open_source(options, services)
    }

    fn options_schema(&self) -> Checked<Value> {
        match self.info()?.source_options {
            Some(schema) => Ok(schema),
            None => report::fail("the plugin does not say what options its source has"),
        }
    }

    /// Runs the check for each split of each dataset.
    fn each_split(
        &self,
        source: &SourceHandle,
        check: impl Fn(&Dataset, &Split) -> Checked,
    ) -> Checked {
        for dataset in source.datasets()? {
            for split in source.splits(&dataset.key)? {
                check(&dataset, &split)
                    .map_err(|w| w.at(format_args!("`{}` split `{}`", dataset.key, split.id)))?;
            }
        }
        Ok(())
    }
}

fn cases() -> Vec<Plan<Asked>> {
    let mut cases: Vec<Case> = vec![
        ("it says what it is", |asked| {
            info::says_what_it_is(&asked.info()?)
        }),
        (
            "its options have a schema that describes each and refuses others",
            |asked| info::describes_options(&asked.options_schema()?),
        ),
        ("its docs name every option", |asked| {
            info::documents_options(&asked.info()?, &asked.options_schema()?)
        }),
        ("an unknown option is refused by name", |asked| {
            let open = |options: &Value| asked.open_with(options, Services::detached());
            info::refuses_unknown_options(&asked.suite.options, open)
        }),
    ];
    cases.extend(listing::CASES);
    cases.extend(reading::CASES);
    cases.extend(trouble::CASES);
    // Last, when everything else was done.
    cases.push(("what it reads stays as it was", stays_as_it_was));
    cases
        .into_iter()
        .map(|(name, run)| Plan { name, run })
        .collect()
}

fn stays_as_it_was(asked: &Asked) -> Checked {
    if asked.suite.unchanged.is_empty() {
        return skip("`unchanged` was not told where to look");
    }
    for (path, before) in asked.suite.unchanged.iter().zip(&asked.before) {
        before.expect_same(&Files::below(path))?;
    }
    Ok(())
}

/// A case by name.
type Case = (&'static str, fn(&Asked) -> Checked);
