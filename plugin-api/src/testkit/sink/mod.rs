// SPDX-License-Identifier: Apache-2.0
//! The suite for sinks.

mod abilities;
mod modes;
mod order;
mod place;
mod resuming;
mod shapes;
mod unfinished;
mod writing;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use self::place::Place;
use super::report::{Checked, Report, fail};
use super::runner::{PATIENCE, Plan, run};
use super::{info, report};
use crate::abi::PluginHandle;
use crate::model::Capabilities;
use crate::{PluginInfo, TargetSpec};

type OptionsAt = Arc<dyn Fn(&Path) -> Value + Send + Sync>;
type ReadBack = Arc<dyn Fn(&Path, &TargetSpec) -> (PluginHandle, Value) + Send + Sync>;

/// Asks of a sink all that the contract asks; see [`sink`](super::sink).
#[derive(Clone)]
#[must_use = "call `run`"]
pub struct SinkSuite {
    plugin: PluginHandle,
    options: OptionsAt,
    read_back: Option<ReadBack>,
    keeps_rows: bool,
    patience: Duration,
}

impl std::fmt::Debug for SinkSuite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SinkSuite").finish_non_exhaustive()
    }
}

impl SinkSuite {
    pub(super) fn new(plugin: PluginHandle, options: OptionsAt) -> Self {
        Self {
            plugin,
            options,
            read_back: None,
            keeps_rows: true,
            patience: PATIENCE,
        }
    }

    /// How to read a target again: a source plugin and its options, by the folder that the
    /// sink's options were made for and the target.
    ///
    /// Without it, only counts and files are compared.
    pub fn read_back(
        mut self,
        source: impl Fn(&Path, &TargetSpec) -> (PluginHandle, Value) + Send + Sync + 'static,
    ) -> Self {
        self.read_back = Some(Arc::new(source));
        self
    }

    /// For a sink that keeps nothing, so that no target is ever there.
    pub fn keeps_nothing(mut self) -> Self {
        self.keeps_rows = false;
        self
    }

    /// How long each case may take, in place of 60 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs every case, through the plugin's table.
    pub fn run(self) -> Report {
        let subject = format!("{} sink", info::name_of(&self.plugin));
        let patience = self.patience;
        run(subject, &Arc::new(Asked { suite: self }), patience, cases())
    }
}

/// What the cases work with.
struct Asked {
    suite: SinkSuite,
}

impl Asked {
    fn info(&self) -> Checked<PluginInfo> {
        Ok(self.suite.plugin.info()?)
    }

    /// A place where nothing is yet, and the sink opened there.
    fn place(&self) -> Checked<Place> {
        Place::new(&self.suite)
    }

    fn capabilities(&self) -> Checked<Capabilities> {
        Ok(self.place()?.sink.capabilities()?)
    }

    fn options_schema(&self) -> Checked<Value> {
        match self.info()?.sink_options {
            Some(schema) => Ok(schema),
            None => fail("the plugin does not say what options its sink has"),
        }
    }

    /// Leaves the case out for a sink that keeps nothing.
    fn needs_kept_rows(&self) -> Checked {
        match self.suite.keeps_rows {
            true => Ok(()),
            false => report::skip("the sink keeps nothing"),
        }
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
            let place = asked.place()?;
            let open = |options: &Value| place.open(options);
            info::refuses_unknown_options(&place.options, open)
        }),
    ];
    cases.extend(abilities::CASES);
    cases.extend(writing::CASES);
    cases.extend(order::CASES);
    cases.extend(unfinished::CASES);
    cases.extend(modes::CASES);
    cases.extend(resuming::CASES);
    cases
        .into_iter()
        .map(|(name, run)| Plan { name, run })
        .collect()
}

/// A case by name.
type Case = (&'static str, fn(&Asked) -> Checked);
