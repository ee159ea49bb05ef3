// SPDX-License-Identifier: Apache-2.0
//! Proves that targets hold what their sources give: reads both sides anew, and compares.
//!
//! Both sides are summed up by the row hash of the data model. Where the sums are equal, so are
//! the rows; where they are not, both sides are read once more, and the rows of those groups whose
//! sums differ are compared one by one. Nothing is written, neither at the source nor at the
//! target.

mod refusals;
mod report;
mod sample;
mod side;
mod spill;

use std::sync::Arc;
use std::time::Instant;

use milvusdm_plugin_api::{Dataset, Error, ErrorKind, Result, Split};
use serde_json::Value;

pub use refusals::refusals;
pub use report::{
    ComparedBy, Difference, Example, MAX_EXAMPLES, ReadBy, TargetVerdict, VerifyReport,
};

use crate::calls::Source;
use crate::control::Control;
use crate::failure::{DONE, Failure, WITH_LOSSES};
use crate::hash::{self, Hasher, Sums};
use crate::plan::{Limits, Plan, PlannedTarget};
use crate::registry::Entry;
use crate::report::{Refusal, VERSION};
use refusals::{note_metrics, refusal};
use side::{BUCKETS, Job, LeftOut, Side, Summed};
use spill::Spill;

/// What is verified, and how.
#[derive(Debug)]
pub struct Verification<'a> {
    /// The task, planned so that targets which exist are no refusal.
    pub plan: &'a Plan,
    /// The plugin of the sink, whose source reads the targets back.
    pub sink: &'a Entry,
    /// Rows of each target to look at; all of them if absent.
    pub sample: Option<u64>,
    /// What is known of the run that wrote the targets, for each in plan order.
    pub last: Vec<Written>,
    /// Lets it be stopped.
    pub control: &'a Arc<Control>,
}

/// What is known of the run that wrote a target.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The sums over what was handed to the sink, where they were kept: the source is then read only
    /// if the target differs.
    pub sums: Option<Sums>,
    /// Rows that were there before, and are to be there beside those of the run.
    pub before: u64,
}

/// A target that is there, opened for reading.
struct Opened {
    source: Source,
    dataset: Dataset,
    splits: Vec<Split>,
}

impl Verification<'_> {
    /// Compares all targets of the task.
    ///
    /// # Errors
    /// Where one of the sides can't be read; what differs stands in the report.
    pub fn run(&self) -> Result<VerifyReport, Failure> {
        let started = Instant::now();
        let mut report = VerifyReport {
            version: VERSION,
            hash: hash::NAME,
            sample: self.sample,
            targets: Vec::new(),
            notices: Vec::new(),
            refusals: self.plan.refusals().to_vec(),
            seconds: 0.0,
            exit: DONE,
        };
        if report.refusals.is_empty() {
            report.refusals = refusals(self.plan, self.sink);
        }
        if report.refusals.is_empty() {
            report.refusals = self.refuse_targets();
        }
        report.exit = report.refusals.iter().map(|r| r.exit).max().unwrap_or(DONE);
        if !report.refusals.is_empty() {
            return Ok(report);
        }
        self.announce();
        for (number, target) in self.plan.targets.iter().enumerate() {
            let last = self.last.get(number).cloned().unwrap_or_default();
            let verdict = self.target(target, &last).map_err(|error| {
                let error = error.with("target", &target.state.location);
                Failure::endpoint(self.control.mask_error(error))
            })?;
            if verdict.differs() {
                report.exit = WITH_LOSSES;
            }
            report.targets.push(verdict);
        }
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Why targets that are there can't be compared.
    fn refuse_targets(&self) -> Vec<Refusal> {
        let name = &self.sink.info.name;
        let is_closed =
            |target: &&PlannedTarget| target.state.exists && target.state.read_back.is_none();
        let targets = self.plan.targets.iter().filter(is_closed);
        let refused = targets.map(|target| {
            let message = format!("the sink `{name}` does not say how this target is read back");
            let error = Error::new(ErrorKind::Unsupported, message);
            refusal(&target.name(), error.with("target", &target.state.location))
        });
        refused.collect()
    }

    /// Says how much there is to read.
    fn announce(&self) {
        let splits = self.plan.targets.iter().flat_map(|target| &target.parts);
        let (rows, bytes) =
            splits
                .flat_map(|part| &part.splits)
                .fold((0u64, 0u64), |(rows, bytes), split| {
                    let live = split.live.or(split.found).unwrap_or(0);
                    (rows.saturating_add(live), bytes.saturating_add(split.bytes))
                });
        if self.sample.is_none() {
            let progress = self.control.progress();
            progress.set_total(rows.saturating_mul(2), bytes.saturating_mul(2));
        }
    }

    fn target(&self, target: &PlannedTarget, last: &Written) -> Result<TargetVerdict> {
        let live = target
            .parts
            .iter()
            .flat_map(|part| &part.splits)
            .try_fold(0u64, |sum, split| sum.checked_add(split.live?));
        let mut verdict = TargetVerdict {
            name: target.name(),
            location: target.state.location.clone(),
            exists: target.state.exists,
            equal: Some(false),
            rows_source: live,
            rows_target: target.state.rows,
            ..TargetVerdict::default()
        };
        let Some(options) = target.state.read_back.as_ref().filter(|_| verdict.exists) else {
            verdict.rows_target = None;
            return Ok(verdict);
        };
        tracing::info!(target = %verdict.name, "Comparing {}.", verdict.location);
        let opened = self.open(target, options)?;
        let there = self.target_side(target, &opened)?;
        let here = self.source_side(target)?;
        let by_id = here.hasher.has_ids() && there.hasher.has_ids();
        if !by_id {
            verdict.compared_by = ComparedBy::Values;
        }
        match self.sample {
            Some(rows) => {
                let before = last.before;
                let sides = (&here, &there);
                self.look_up((rows, before), sides, options, target, &mut verdict)?;
            }
            None => compare(&here, &there, last, &mut verdict)?,
        }
        note_metrics(target, &opened.dataset, &mut verdict);
        Ok(verdict)
    }

    /// Opens a target as a source, and finds it among what is there.
    fn open(&self, target: &PlannedTarget, options: &Value) -> Result<Opened> {
        let source = Source::open(self.sink, options, self.control)?;
        let spec = &target.request.spec;
        let mut datasets = source.datasets()?;
        let is_it = |dataset: &Dataset| {
            let found = &dataset.descriptor;
            let is_partition = match (&spec.partition, &found.partition) {
                (None, None) => true,
                (None, Some(_)) => found.partition_default,
                (wanted, found) => wanted == found,
            };
            found.collection == spec.collection && is_partition
        };
        let position = match datasets.len() {
            1 => Some(0),
            _ => datasets.iter().position(is_it),
        };
        let Some(position) = position else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "`{}` is gone since the target was looked at",
                    spec.full_name()
                ),
            ));
        };
        let dataset = datasets.swap_remove(position);
        let splits = source.splits(&dataset)?;
        Ok(Opened {
            source,
            dataset,
            splits,
        })
    }

    fn source_side<'a>(&'a self, target: &'a PlannedTarget) -> Result<Side<'a>> {
        let jobs = target.parts.iter().flat_map(|part| {
            part.splits.iter().map(|split| Job {
                dataset: &part.dataset,
                split,
                recipe: Some(&part.recipe),
            })
        });
        let jobs: Vec<Job<'_>> = jobs.collect();
        Ok(Side {
            source: &self.plan.source,
            hasher: Hasher::new(&target.request.schema)?,
            limits: limits(&self.plan.limits, &jobs),
            jobs,
            control: self.control,
        })
    }

    fn target_side<'a>(&'a self, target: &PlannedTarget, opened: &'a Opened) -> Result<Side<'a>> {
        let jobs = opened.splits.iter().map(|split| Job {
            dataset: &opened.dataset,
            split,
            recipe: None,
        });
        let jobs: Vec<Job<'_>> = jobs.collect();
        let schema = side::with_bit_orders(&opened.dataset.schema, &target.request.schema);
        Ok(Side {
            source: &opened.source,
            hasher: Hasher::new(&schema)?,
            limits: limits(&self.plan.limits, &jobs),
            jobs,
            control: self.control,
        })
    }
}

/// The task's limits with what reading these splits holds beside batches; one reader at the least.
fn limits(plan: &Limits, jobs: &[Job<'_>]) -> Limits {
    let held = jobs.iter().map(|job| job.split.held_bytes).max();
    let one = Limits {
        readers: 1,
        ..*plan
    };
    plan.with_held(held.unwrap_or(0), 0).unwrap_or(one)
}

fn is_equal(source: &Sums, target: &Sums, by_id: bool) -> bool {
    let is_same = match by_id {
        true => source.row == target.row,
        false => source.row_without_id == target.row_without_id,
    };
    source.rows == target.rows && is_same
}

/// Notes what was summed up over both sides.
fn note(
    verdict: &mut TargetVerdict,
    (source, left_out): (&Sums, Option<&LeftOut>),
    (target, lost): (&Sums, &LeftOut),
) {
    verdict.rows_source = Some(source.rows);
    verdict.sums_source = Some(source.clone());
    verdict.rows_target = Some(target.rows.saturating_add(lost.lost));
    verdict.unreadable = lost.lost;
    verdict.sums_target = Some(target.clone());
    note_left_out("source", left_out, verdict);
    note_left_out("target", Some(lost), verdict);
}

/// Sums both sides up, and finds the rows that differ where the sums do.
fn compare(
    here: &Side<'_>,
    there: &Side<'_>,
    last: &Written,
    verdict: &mut TargetVerdict,
) -> Result<()> {
    let by_id = verdict.compared_by == ComparedBy::Id;
    if let Some(known) = &last.sums {
        let (sums, left_out) = there.sums()?;
        if last.before == 0 && is_equal(known, &sums, by_id) {
            note(verdict, (known, None), (&sums, &left_out));
            verdict.source_read_by = ReadBy::Run;
            verdict.equal = Some(verdict.unreadable == 0);
            return Ok(());
        }
        // One that differs is read again, to be looked into.
    }
    let source = here.sum(by_id)?;
    let target = there.sum(by_id)?;
    let (own, left_out) = (&source.sums, Some(&source.left_out));
    note(verdict, (own, left_out), (&target.sums, &target.left_out));
    if last.before == 0 && is_equal(own, &target.sums, by_id) {
        // Of rows that can't be read, nothing is proven.
        verdict.equal = Some(verdict.unreadable == 0);
        return Ok(());
    }
    verdict.differing_columns = source.sums.differing_columns(&target.sums);
    find_differences((here, &source), (there, &target), verdict)?;
    if last.before > 0 {
        verdict.set_aside(last.before);
    } else if verdict.differences() == 0 {
        verdict.notices.push(
            "the sums differ, but no row does when both sides are read again: one of them changed meanwhile".to_owned(),
        );
    }
    Ok(())
}

/// Says which rows of a side could not be compared.
fn note_left_out(side: &str, left_out: Option<&LeftOut>, verdict: &mut TargetVerdict) {
    let Some(left_out) = left_out.filter(|left_out| left_out.lost > 0) else {
        return;
    };
    let notes = match left_out.notes.join("; ") {
        notes if notes.is_empty() => notes,
        notes => format!(": {notes}"),
    };
    verdict.notices.push(format!(
        "at the {side}, {} rows can't be read, so that nothing is proven of them{notes}",
        left_out.lost
    ));
}

/// Reads both sides again, and compares the rows of those groups whose sums differ.
fn find_differences(
    (here, source): (&Side<'_>, &Summed),
    (there, target): (&Side<'_>, &Summed),
    verdict: &mut TargetVerdict,
) -> Result<()> {
    let by_id = verdict.compared_by == ComparedBy::Id;
    let pairs = source.buckets.iter().zip(&target.buckets);
    let differs: Vec<bool> = pairs.map(|(a, b)| a != b).collect();
    debug_assert_eq!(differs.len(), BUCKETS);
    let keep = |side: &Side<'_>| {
        let spill = Spill::create()?;
        side.read(
            || (),
            |(), rows| {
                let mut outcome = Ok(());
                side.hasher.rows(rows.batch, |row| {
                    let key = side::key(&row, by_id);
                    let is_kept = differs.get(side::bucket(key.0)) == Some(&true);
                    if is_kept && outcome.is_ok() {
                        outcome = spill.add(key, &rows.name(row.row));
                    }
                })?;
                outcome
            },
        )?;
        Ok::<_, Error>(spill)
    };
    spill::compare(keep(here)?, keep(there)?, verdict)
}
