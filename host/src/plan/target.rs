// SPDX-License-Identifier: Apache-2.0
//! Targets: which datasets go into each, whether they fit together, and what is there already.

use milvusdm_plugin_api::model::Capabilities;
use milvusdm_plugin_api::{
    Dataset, Error, ErrorKind, Found, Mode, Result, Split, TargetPart, TargetRequest, TargetSpec,
    TargetState,
};

use super::refusals::Refusals;
use super::resume::Start;
use crate::calls::Sink;
use crate::convert::{Conversion, Recipe};
use crate::ledger::Ledger;
use crate::report::{Action, DatasetView, Status, TargetView};
use crate::task::{Side, TargetName, Task};

/// What to do about a target that this run finished, and that is not what it was.
pub(super) fn changed_since(mode: Mode) -> &'static str {
    match mode {
        // It may hold rows that nobody else has.
        Mode::Append => {
            "the run had finished this target: put back what was there; or leave it out with `select`, and begin the others anew with `--restart`"
        }
        _ => {
            "the run had finished this target: put back what was there, or take it away, and the run writes it anew; or leave it out with `select`, and begin the others anew with `--restart`"
        }
    }
}

/// A dataset on its way into a target.
#[derive(Debug)]
pub struct Part {
    /// Where the rows come from.
    pub dataset: Dataset,
    /// Its splits, in plan order.
    pub splits: Vec<Split>,
    /// How its columns become the target's.
    pub recipe: Recipe,
    /// Digest of the file that it is in, where that was checked: it says more than the file's time.
    pub digest: Option<String>,
}

impl Part {
    /// Rows that reading gives, where every split knows that exactly.
    fn live(&self) -> Option<u64> {
        self.splits
            .iter()
            .map(|split| split.live)
            .try_fold(0u64, |sum, live| sum.checked_add(live?))
    }

    /// What the sink is told of it.
    fn described(&self) -> TargetPart {
        TargetPart {
            splits: self.splits.len() as u64,
            descriptor: self.dataset.descriptor.clone(),
        }
    }

    /// Bytes that writing takes, about.
    fn bytes(&self) -> u64 {
        let bytes = self
            .splits
            .iter()
            .map(|split| split.bytes)
            .fold(0, u64::saturating_add);
        bytes.saturating_mul(self.recipe.growth(&self.dataset.schema))
    }

    /// The account as the source's structure gives it, before anything was read.
    pub fn found(&self) -> Option<u64> {
        self.splits
            .iter()
            .map(|split| split.found)
            .try_fold(0u64, |sum, found| sum.checked_add(found?))
    }
}

/// A target and all that goes into it.
#[derive(Debug)]
pub struct PlannedTarget {
    /// What the sink is asked for.
    pub request: TargetRequest,
    /// What the sink found there.
    pub state: TargetState,
    /// What is done there.
    pub action: Action,
    /// The datasets, in plan order.
    pub parts: Vec<Part>,
    /// Where writing begins.
    pub(crate) start: Start,
}

impl PlannedTarget {
    /// Whether each row has its place in the target, so that rows can be written in any order.
    pub(crate) fn has_places(&self, sink: &Capabilities) -> bool {
        sink.addressed_writes && self.request.spec.rows.is_some()
    }

    fn new(name: &TargetName, parts: Vec<Part>, mode: Mode, run: &str) -> Option<Self> {
        let first = parts.first()?;
        let live = parts
            .iter()
            .map(Part::live)
            .try_fold(0u64, |sum, live| sum.checked_add(live?));
        let is_exact = !parts.iter().any(|part| part.recipe.can_reject());
        let spec = TargetSpec {
            collection: name.collection.clone(),
            partition: name.partition.clone(),
            mode,
            rows: live.filter(|_| is_exact),
            bytes: parts.iter().map(Part::bytes).fold(0, u64::saturating_add),
            descriptor: first.dataset.descriptor.clone(),
            parts: parts.iter().map(Part::described).collect(),
            run: run.to_owned(),
            resumed: None,
        };
        let schema = std::sync::Arc::clone(first.recipe.target());
        Some(Self {
            request: TargetRequest { schema, spec },
            state: TargetState::default(),
            action: Action::Create,
            parts,
            start: Start::default(),
        })
    }

    /// Whether an earlier process of the run left it half-written.
    pub(crate) fn is_half_written(&self) -> bool {
        matches!(self.state.found, Some(Found::Acknowledged | Found::Rows(_)))
    }

    /// `collection` or `collection/partition`.
    pub fn name(&self) -> String {
        self.request.spec.full_name()
    }

    /// Whether rows will be written to it.
    pub fn is_written(&self) -> bool {
        self.action.writes()
    }

    /// What the conversions do to columns, each once.
    pub(super) fn conversions(&self) -> Vec<Conversion> {
        let mut conversions: Vec<Conversion> = Vec::new();
        for conversion in self.parts.iter().flat_map(|part| part.recipe.conversions()) {
            if !conversions.contains(conversion) {
                conversions.push(conversion.clone());
            }
        }
        conversions
    }

    /// The account before anything was done; what is skipped is skipped already.
    pub(super) fn expected(&self) -> Ledger {
        self.parts.iter().map(|part| self.expected_of(part)).sum()
    }

    /// The account of one dataset before anything was done.
    pub fn expected_of(&self, part: &Part) -> Ledger {
        let found = part.found();
        let skipped = if self.action == Action::Skip {
            found.unwrap_or(0)
        } else {
            0
        };
        Ledger {
            skipped,
            ..Ledger::of(found)
        }
    }

    pub(super) fn dataset_views(&self) -> impl Iterator<Item = DatasetView> {
        self.parts.iter().map(|part| DatasetView {
            target: Some(self.name()),
            ..DatasetView::of(&part.dataset).with_splits(&part.splits)
        })
    }

    pub(super) fn view(&self) -> TargetView {
        TargetView {
            name: self.name(),
            location: self.state.location.clone(),
            action: self.action,
            status: if self.action == Action::Skip {
                Status::Skipped
            } else {
                Status::Planned
            },
            rows_before: self.state.rows,
            rows_added: None,
            rows_total: None,
            bytes: None,
            needs_bytes: Some(self.state.needs_bytes).filter(|bytes| *bytes > 0),
            free_bytes: self.state.free_bytes,
            conversions: self.conversions(),
            ledger: self.expected(),
            hash: None,
        }
    }
}

/// Puts datasets together that the task's `map` sends to one target, in plan order.
///
/// Gives those that fit into no target too, each with the reason.
pub(super) fn group(
    parts: Vec<Part>,
    task: &Task,
    run: &str,
) -> (Vec<PlannedTarget>, Vec<(Part, Error)>) {
    let mut refused = Vec::new();
    let mut groups: Vec<(TargetName, Vec<Part>)> = Vec::new();
    let mut positions = std::collections::HashMap::new();
    for part in parts {
        let (collection, partition) = super::name(&part.dataset);
        let target = match task.mapping.target(collection, partition) {
            Ok(target) => target,
            Err(error) => {
                let pointer = task.mapping.rule_pointer(collection, partition);
                let error = task.locate_pointer(pointer.unwrap_or("/map"), error);
                refused.push((part, error));
                continue;
            }
        };
        let position = *positions.entry(target.clone()).or_insert(groups.len());
        match groups.get_mut(position) {
            None => groups.push((target, vec![part])),
            Some((_, group)) => match group
                .first()
                .map_or(Ok(()), |first| fits_together(first, &part))
            {
                Ok(()) => group.push(part),
                Err(error) => refused.push((part, error)),
            },
        }
    }
    let targets = groups
        .into_iter()
        .filter_map(|(name, parts)| PlannedTarget::new(&name, parts, task.mode, run))
        .collect();
    (targets, refused)
}

/// Rows of one target have the same columns, whatever dataset they come from.
fn fits_together(first: &Part, other: &Part) -> Result<()> {
    let (wanted, found) = (first.recipe.target(), other.recipe.target());
    let difference = wanted
        .fields()
        .iter()
        .find(|field| found.field_with_name(field.name()).ok() != Some(field.as_ref()))
        .map(|field| field.name().clone())
        .or_else(|| {
            let extra = found
                .fields()
                .iter()
                .find(|f| wanted.field_with_name(f.name()).is_err());
            extra.map(|field| field.name().clone())
        });
    // Batches are matched by position further on.
    let in_order = wanted
        .fields()
        .iter()
        .zip(found.fields())
        .all(|(w, f)| w.name() == f.name());
    let (what, column) = match (difference, in_order) {
        (None, true) => return Ok(()),
        (Some(column), _) => ("differ in column", column),
        (None, false) => (
            "have their columns in another order, beginning with",
            found.field(0).name().clone(),
        ),
    };
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "it can't share a target with `{}`: they {what} `{column}` (name, type, dimension or metric)",
            first.dataset.descriptor.full_name()
        ),
    )
    .help("send them to targets of their own with `map`"))
}

/// Asks the sink about all targets and decides what is done at each.
///
/// # Errors
/// Where the sink can't look; what it refuses is put into `refusals`.
pub(super) fn check(
    targets: &mut [PlannedTarget],
    sink: &Sink,
    task: &Task,
    refusals: &mut Refusals,
) -> Result<Vec<String>> {
    let requests: Vec<TargetRequest> = targets
        .iter()
        .map(|target| target.request.clone())
        .collect();
    let states = sink.check(&requests)?;
    let mut notices = Vec::new();
    for (target, state) in targets.iter_mut().zip(states) {
        if matches!(target.start, Start::Finished(..)) {
            if state.exists && state.location == target.state.location {
                // Nothing is done to it any more.
                let name = target.name();
                notices.extend(named(&name, &state.notices));
                for mut reason in state.refusals {
                    if reason.help_text().is_none() {
                        reason = reason.help(changed_since(task.mode));
                    }
                    refusals.target(&name, task.locate(Side::Sink, reason));
                }
                target.state.exists = true;
                target.state.read_back = state.read_back;
                target.state.rows = state.rows;
                continue;
            }
            // Somebody took it away since, or it is in another place.
            target.start = Start::Anew;
        }
        let name = target.name();
        for reason in &state.refusals {
            refusals.target(&name, task.locate(Side::Sink, reason.clone()));
        }
        notices.extend(named(&name, &state.notices));
        target.action = match state.found {
            Some(_) => Action::Resume,
            None => action(task.mode, &state, &name, refusals),
        };
        if target.action == Action::Skip {
            notices.push(format!(
                "{name}: exists already ({}), so it is skipped",
                state.location
            ));
        }
        target.state = state;
    }
    check_space(targets, refusals);
    Ok(notices)
}

fn named(name: &str, notices: &[String]) -> impl Iterator<Item = String> {
    notices
        .iter()
        .map(move |notice| format!("{name}: {notice}"))
}

fn action(mode: Mode, state: &TargetState, name: &str, refusals: &mut Refusals) -> Action {
    match (state.exists, mode) {
        (false, _) => Action::Create,
        (true, Mode::Skip) => Action::Skip,
        (true, Mode::Append) => Action::Append,
        (true, Mode::Overwrite) => Action::Overwrite,
        (true, Mode::Fail) => {
            let rows = state
                .rows
                .map_or_else(String::new, |rows| format!(" with {rows} rows"));
            let error = Error::new(
                ErrorKind::Exists,
                format!("the target exists already{rows}"),
            )
            .with("target", &state.location)
            .help("choose `mode: skip`, `append` or `overwrite`, or another target");
            refusals.endpoint(name, error);
            Action::Refuse
        }
    }
}

/// Adds up what all targets of one volume need.
fn check_space(targets: &[PlannedTarget], refusals: &mut Refusals) {
    let mut volumes = std::collections::BTreeMap::<&str, (u64, u64, &PlannedTarget)>::new();
    for target in targets.iter().filter(|target| target.is_written()) {
        let Some(free) = target.state.free_bytes else {
            continue;
        };
        let volume = volumes
            .entry(&target.state.volume)
            .or_insert((0, free, target));
        volume.0 = volume.0.saturating_add(target.state.needs_bytes);
        volume.1 = volume.1.min(free);
    }
    for (volume, (needed, free, first)) in volumes {
        if needed > free {
            let message = format!("writing needs {needed} bytes, but only {free} are free");
            let error = Error::new(ErrorKind::Io, message)
                .with("volume", volume)
                .help(
                    "free some space, choose another target, or move less at a time with `select`",
                );
            refusals.endpoint(&first.name(), error);
        }
    }
}
