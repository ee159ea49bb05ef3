// SPDX-License-Identifier: Apache-2.0
//! From a task to everything that is decided before the first byte is written: datasets, splits,
//! targets, conversions, free space, and what stands in the way.
//!
//! A plan lists all that stands in the way, not only the first, so that a task is mended once.
//! Making it writes nothing.

mod dataset;
mod inspect;
mod limits;
mod notices;
mod refusals;
mod restart;
mod resume;
mod target;
mod written;

use std::sync::Arc;

use milvusdm_plugin_api::model::Capabilities;
use milvusdm_plugin_api::{Dataset, Error, ErrorKind, Split};
use serde_json::Value;

pub(crate) use dataset::full_name;
pub use inspect::inspect;
pub use limits::Limits;
pub use resume::Run;
pub(crate) use resume::Start;
pub use target::{Part, PlannedTarget};

use crate::calls::{Sink, Source};
use crate::control::Control;
use crate::convert::Recipe;
use crate::dump::Name;
use crate::failure::{DONE, Failure};
use crate::journal::{self, RunRecord};
use crate::program::Program;
use crate::registry::{Entry, Registry};
use crate::report::{DatasetView, PluginView, Refusal, RunReport, VERSION};
use crate::task::{DatasetName, Limit, Side, Task};
use dataset::{check_count, describe, is_unchanged, name};
use refusals::Refusals;

/// Everything that is decided before the first byte is written.
#[derive(Debug)]
pub struct Plan {
    pub(crate) source: Source,
    pub(crate) sink: Sink,
    pub(crate) capabilities: Capabilities,
    pub(crate) limits: Limits,
    pub(crate) limit: Limit,
    pub(crate) hashes_rows: bool,
    pub(crate) targets: Vec<PlannedTarget>,
    refusals: Vec<Refusal>,
    notices: Vec<String>,
    source_view: PluginView,
    sink_view: PluginView,
    /// Datasets that no target takes, because they are refused.
    refused: Vec<DatasetView>,
    /// Every dataset that the source has.
    pub(crate) names: Vec<Name>,
    /// Those that need not be moved again.
    pub(crate) unchanged: Vec<Name>,
    /// What the journal keeps of it.
    pub(crate) record: RunRecord,
}

impl Plan {
    /// Opens source and sink and plans the task.
    ///
    /// # Errors
    /// Where source or sink can't be opened or looked at; what merely stands in the way of this
    /// task is listed in the plan.
    pub fn make(
        task: &Task,
        registry: &Registry,
        control: &Arc<Control>,
        run: Run<'_>,
    ) -> Result<Self, Failure> {
        let of_source = |e| Failure::endpoint(task.locate(Side::Source, e));
        let of_sink = |e| Failure::endpoint(task.locate(Side::Sink, e));
        let mut plan = Self::open(task, registry, control)?;
        let mut refusals = Refusals::default();
        let selected = plan.select(task, &mut refusals).map_err(of_source)?;
        refusals.duplicates(task, &plan.capabilities);
        let parts = plan
            .parts(selected, task, control, &mut refusals)
            .map_err(of_source)?;
        plan.notices.extend(notices::unneeded(task, &parts));
        plan.record.run = run.name();
        plan.targets = plan.group(parts, task, &mut refusals);
        plan.look(task, run, &mut refusals).map_err(of_sink)?;
        plan.share_memory(task, &mut refusals);
        plan.refusals = refusals.into_inner();
        Ok(plan)
    }

    /// A plan of which nothing is decided but where from and where to.
    fn open(task: &Task, registry: &Registry, control: &Arc<Control>) -> Result<Self, Failure> {
        let source_entry = &entry(task, registry, Side::Source)?;
        let sink_entry = &entry(task, registry, Side::Sink)?;
        let of_source = |e| Failure::endpoint(task.locate(Side::Source, e));
        let of_sink = |e| Failure::endpoint(task.locate(Side::Sink, e));
        let options = Value::Object(task.source.options.clone());
        let source = Source::open(source_entry, &options, control).map_err(of_source)?;
        let options = Value::Object(task.sink.options.clone());
        let sink = Sink::open(sink_entry, &options, control).map_err(of_sink)?;
        let capabilities = sink.capabilities().map_err(of_sink)?;
        let parallel = task.parallel.map(|n| u64::from(n.get()));
        Ok(Self {
            limits: Limits::new(task.memory_bytes, parallel, &capabilities).slowed(task.limit),
            limit: task.limit,
            hashes_rows: task.hashes_rows,
            source,
            sink,
            capabilities,
            targets: Vec::new(),
            refusals: Vec::new(),
            notices: Vec::new(),
            source_view: PluginView::of(source_entry),
            sink_view: PluginView::of(sink_entry),
            refused: Vec::new(),
            names: Vec::new(),
            unchanged: Vec::new(),
            record: RunRecord {
                source: task.source.shown(Side::Source, &source_entry.info),
                sink: task.sink.shown(Side::Sink, &sink_entry.info),
                ..RunRecord::default()
            },
        })
    }

    /// Looks at what is there of the targets, an earlier process's part of the run too.
    fn look(&mut self, task: &Task, run: Run<'_>, refusals: &mut Refusals) -> Result<(), Error> {
        let earlier = run.earlier();
        if let Some(earlier) = earlier {
            resume::announce(&mut self.targets, &earlier.run);
        }
        let notices = target::check(&mut self.targets, &self.sink, task, refusals)?;
        self.notices.extend(notices);
        if let Some(earlier) = earlier {
            let sink = &self.capabilities;
            resume::settle(&mut self.targets, earlier, sink, task, refusals);
        }
        self.record = RunRecord {
            began: resume::began(earlier),
            mode: resume::mode(task.mode).to_owned(),
            folder: RunRecord::current_folder(),
            targets: resume::records(&self.targets, earlier),
            ..std::mem::take(&mut self.record)
        };
        // What can't be gone on with as the task is now would be thrown away without a word.
        if let Run::Resumed(earlier) = run
            && self.has_part(&earlier.run)
        {
            let changed = journal::refusal(&earlier.run, &self.record);
            changed.into_iter().for_each(|error| refusals.task(error));
        }
        Ok(())
    }

    /// Whether anything of an earlier process's part of the run is there, or may be.
    fn has_part(&self, earlier: &RunRecord) -> bool {
        let mut targets = self.targets.iter();
        let goes_on = targets.any(|target| target.start != Start::Anew);
        let left_behind = earlier.left_behind(&self.record).next();
        goes_on || earlier.begun().next().is_some() || left_behind.is_some()
    }

    /// The datasets that the task selects; names in it that match nothing are refused.
    fn select(&mut self, task: &Task, refusals: &mut Refusals) -> Result<Vec<Dataset>, Error> {
        let mut all = self.source.datasets()?;
        self.names = all.iter().map(full_name).collect();
        for dataset in &mut all {
            if let Some(described) = task.known.described.get(&full_name(dataset)) {
                describe(&mut dataset.descriptor, described);
            }
        }
        // Of a dump, only the files that are selected are opened.
        let dumped = task.known.dumped.keys();
        let dumped =
            dumped.map(|(collection, partition)| (collection.as_str(), partition.as_deref()));
        let names: Vec<DatasetName<'_>> = all.iter().map(name).chain(dumped).collect();
        let includes = task.selection.unmatched_includes(&names);
        let excludes = task.selection.unmatched_excludes(&names);
        for unmatched in includes.into_iter().chain(excludes) {
            refusals.task(task.locate_pointer(&unmatched.pointer, unmatched.error));
        }
        let is_selected = |dataset: &&Dataset| {
            let (collection, partition) = name(dataset);
            task.selection.matches(collection, partition)
        };
        let selected: Vec<Dataset> = all.iter().filter(is_selected).cloned().collect();
        let names: Vec<DatasetName<'_>> = selected.iter().map(name).collect();
        for unmatched in task.mapping.unmatched_rules(&names) {
            refusals.task(task.locate_pointer(&unmatched.pointer, unmatched.error));
        }
        refusals.unknown_columns(task, &selected);
        if selected.is_empty() && !all.is_empty() {
            refusals.nothing_selected(task);
        }
        Ok(selected)
    }

    /// The datasets with their splits and conversions; those that have no way are refused.
    fn parts(
        &mut self,
        selected: Vec<Dataset>,
        task: &Task,
        control: &Control,
        refusals: &mut Refusals,
    ) -> Result<Vec<Part>, Error> {
        let mut parts = Vec::with_capacity(selected.len());
        for dataset in selected {
            control.check()?;
            let splits = self.source.splits(&dataset)?;
            check_count(&dataset, &splits).map_err(|e| e.with("plugin", self.source.plugin()))?;
            match Recipe::decide(&dataset, &self.capabilities, &task.conversions) {
                Ok(recipe) if is_unchanged(task, &dataset, &splits, &recipe) => {
                    self.unchanged.push(full_name(&dataset));
                }
                Ok(recipe) => {
                    let dumped = task.known.dumped.get(&full_name(&dataset));
                    parts.push(Part {
                        digest: dumped.map(|dumped| dumped.sha256.clone()),
                        dataset,
                        splits,
                        recipe,
                    });
                }
                Err(errors) => self.refuse_dataset(&dataset, &splits, errors, refusals),
            }
        }
        Ok(parts)
    }

    /// Shares the memory out, now that it is known what reading and writing hold beside batches.
    fn share_memory(&mut self, task: &Task, refusals: &mut Refusals) {
        let written = || self.targets.iter().filter(|target| target.is_written());
        let splits = written()
            .flat_map(|target| &target.parts)
            .flat_map(|part| &part.splits);
        let reading = splits.map(|split| split.held_bytes).max().unwrap_or(0);
        let writing = written()
            .map(|target| target.state.held_bytes)
            .max()
            .unwrap_or(0);
        match self.limits.with_held(reading, writing) {
            Ok(limits) => self.limits = limits,
            Err(least) => refusals.too_little_memory(reading, writing, task, least),
        }
    }

    /// The targets; a dataset that fits into none is refused.
    fn group(
        &mut self,
        parts: Vec<Part>,
        task: &Task,
        refusals: &mut Refusals,
    ) -> Vec<PlannedTarget> {
        let (targets, refused) = target::group(parts, task, &self.record.run);
        for (part, error) in refused {
            self.refuse_dataset(&part.dataset, &part.splits, vec![error], refusals);
        }
        targets
    }

    fn refuse_dataset(
        &mut self,
        dataset: &Dataset,
        splits: &[Split],
        errors: Vec<Error>,
        refusals: &mut Refusals,
    ) {
        let view = DatasetView::of(dataset).with_splits(splits);
        for error in errors {
            refusals.about(&view.name(), error);
        }
        self.refused.push(view);
    }

    /// Why the plan can't be run; empty if it can.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// Rows and bytes that will go through, as far as they are known; what went through before is
    /// left out.
    pub fn totals(&self) -> (u64, u64) {
        let (mut rows, mut bytes) = (0u64, 0u64);
        for target in self.targets.iter().filter(|target| target.is_written()) {
            let splits = target.parts.iter().flat_map(|part| &part.splits);
            for (position, split) in splits.enumerate() {
                let mark = target.start.mark(position);
                let live = split.live.or(split.found).unwrap_or(0);
                rows = rows.saturating_add(live.saturating_sub(mark.through));
                bytes = bytes.saturating_add(split.bytes.saturating_sub(mark.bytes));
            }
        }
        (rows, bytes)
    }

    /// The report of a plan that is not run for these reasons, beside its own.
    pub fn refused(&self, reasons: Vec<Refusal>) -> RunReport {
        let mut report = self.report();
        let exits = reasons.iter().map(|reason| reason.exit);
        report.exit = exits.fold(report.exit, u8::max);
        report.refusals.extend(reasons);
        report
    }

    /// What would be done.
    pub fn report(&self) -> RunReport {
        let datasets = self.targets.iter().flat_map(PlannedTarget::dataset_views);
        RunReport {
            version: VERSION,
            program: format!("{} {}", Program::current().name, Program::current().version),
            run: self.record.run.clone(),
            began: self.record.began,
            source: self.source_view.clone(),
            sink: self.sink_view.clone(),
            datasets: datasets.chain(self.refused.iter().cloned()).collect(),
            targets: self.targets.iter().map(PlannedTarget::view).collect(),
            ledger: self.targets.iter().map(PlannedTarget::expected).sum(),
            rejected_rows: Vec::new(),
            refusals: self.refusals.clone(),
            notices: self.notices.clone(),
            rows: 0,
            bytes: self.totals().1,
            seconds: 0.0,
            error: None,
            verified: None,
            exit: self
                .refusals
                .iter()
                .map(|refusal| refusal.exit)
                .max()
                .unwrap_or(DONE),
        }
    }
}

/// The plugin of one side, its options checked.
fn entry(task: &Task, registry: &Registry, side: Side) -> Result<Arc<Entry>, Failure> {
    let (name, pointer) = match side {
        Side::Source => (&task.source.plugin, "/source/plugin"),
        Side::Sink => (&task.sink.plugin, "/sink/plugin"),
    };
    let entry = registry
        .get(name, task.prefer)
        .map_err(|e| Failure::task(task.locate_pointer(pointer, e)))?;
    let (options, does) = match side {
        Side::Source => (
            &entry.info.source_options,
            "read: it can't stand under `source`",
        ),
        Side::Sink => (
            &entry.info.sink_options,
            "write: it can't stand under `sink`",
        ),
    };
    if options.is_none() {
        let error = Error::new(
            ErrorKind::Config,
            format!("the plugin `{name}` does not {does}"),
        );
        return Err(Failure::task(task.locate_pointer(pointer, error)));
    }
    task.check_options(side, &entry.info)
        .map_err(Failure::task)?;
    Ok(entry)
}
