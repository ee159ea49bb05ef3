// SPDX-License-Identifier: Apache-2.0
//! Going on with a run that was stopped: what its plan was, and where each target goes on.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_schema::Field;
use milvusdm_plugin_api::model::Capabilities;
use milvusdm_plugin_api::{Error, ErrorKind, FinishAck, Found, Mode, Resumed};
use serde_json::{Value, json};

use super::PlannedTarget;
use super::refusals::Refusals;
use super::target::changed_since;
use crate::journal::{Finish, Mark, RunRecord, SplitRecord, Stage, TargetRecord, Unfinished};
use crate::report::Action;
use crate::task::{Side, Task};

/// Whether a plan is made for a run with a journal.
#[derive(Debug, Clone, Copy)]
pub enum Run<'a> {
    /// It is not: what is stopped can't go on.
    Unkept,
    /// It is, and begins anew.
    New,
    /// It goes on where an earlier process stopped.
    Resumed(&'a Unfinished),
    /// The same, though only to take back what that one left: whatever changed since.
    TakenBack(&'a Unfinished),
}

impl Run<'_> {
    pub(super) fn earlier(&self) -> Option<&Unfinished> {
        match self {
            Self::Unkept | Self::New => None,
            Self::Resumed(earlier) | Self::TakenBack(earlier) => Some(earlier),
        }
    }

    /// The run's name, which it keeps.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Unkept => String::new(),
            Self::New => new_run(),
            Self::Resumed(earlier) | Self::TakenBack(earlier) => earlier.run.run.clone(),
        }
    }
}

/// Where a target begins.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Start {
    /// With its first row.
    #[default]
    Anew,
    /// Behind the rows that an earlier process of the run wrote: how far each split came.
    Behind(Vec<Mark>),
    /// Nowhere: an earlier process finished it.
    Finished(Vec<Mark>, Finish),
}

impl Start {
    /// How far a split came before.
    pub(crate) fn mark(&self, split: usize) -> &Mark {
        match self {
            Self::Anew => &Mark::NONE,
            Self::Behind(marks) | Self::Finished(marks, _) => {
                marks.get(split).unwrap_or(&Mark::NONE)
            }
        }
    }

    /// Rows that were written before.
    pub(crate) fn written(&self) -> u64 {
        self.sum(|mark| mark.written)
    }

    /// Rows that were rejected before.
    pub(crate) fn rejected(&self) -> u64 {
        self.sum(|mark| mark.rejected)
    }

    fn sum(&self, of: fn(&Mark) -> u64) -> u64 {
        match self {
            Self::Anew => 0,
            Self::Behind(marks) | Self::Finished(marks, _) => {
                marks.iter().map(of).fold(0, u64::saturating_add)
            }
        }
    }
}

/// A name for a new run.
fn new_run() -> String {
    // Seeded by the system for each process.
    format!(
        "{:08x}",
        RandomState::new().hash_one(std::process::id()) as u32
    )
}

pub(super) fn record_of<'a>(
    run: &'a RunRecord,
    target: &PlannedTarget,
) -> Option<&'a TargetRecord> {
    let name = target.name();
    run.targets.iter().find(|record| record.name == name)
}

/// Tells targets what an earlier process did there.
pub(super) fn announce(targets: &mut [PlannedTarget], run: &RunRecord) {
    for target in targets {
        let Some(record) = record_of(run, target) else {
            continue;
        };
        if record.stage == Stage::Planned {
            continue;
        }
        target.request.spec.resumed = Some(Resumed {
            existed: record.existed,
            rows_before: record.rows_before,
            is_prepared: record.stage != Stage::Preparing,
            written: record.written(),
            is_finishing: record.stage == Stage::Finishing,
            is_finished: matches!(record.stage, Stage::Finished(_)),
            last_id: None,
            next_id: None,
        });
        if let Stage::Finished(finish) = &record.stage {
            target.state.location.clone_from(&record.location);
            let marks = record.splits.iter().map(|split| split.acknowledged.clone());
            target.start = Start::Finished(marks.collect(), finish.clone());
        }
    }
}

/// Decides where each target goes on, now that the sink has looked.
pub(super) fn settle(
    targets: &mut [PlannedTarget],
    earlier: &Unfinished,
    sink: &Capabilities,
    task: &Task,
    refusals: &mut Refusals,
) {
    for target in targets.iter_mut() {
        let Some(record) = record_of(&earlier.run, target) else {
            continue;
        };
        if let Start::Finished(_, finish) = &target.start {
            if let Some(error) = is_not_what_it_was(finish, target) {
                let error = error.with("target", &record.location);
                refusals.target(&target.name(), task.locate(Side::Sink, error));
            }
            target.action = Action::Resume;
            target.state.rows = record.rows_before;
            continue;
        }
        let Some(found) = target.state.found else {
            // Nothing of the run is there, so that it has no part in this one.
            target.request.spec.resumed = None;
            continue;
        };
        target.state.rows = record.rows_before;
        target.action = Action::Resume;
        let has_places = target.has_places(sink);
        match marks(record, found, has_places, earlier.is_same_boot) {
            Ok(marks) => {
                target.start = match found {
                    Found::Complete(rows) => {
                        let ack = complete(target, rows);
                        Start::Finished(marks, Finish::of(ack, &target.state.location))
                    }
                    Found::Acknowledged | Found::Rows(_) => Start::Behind(marks),
                };
                if let Some(resumed) = &mut target.request.spec.resumed {
                    resumed.written = target.start.written();
                }
            }
            Err(error) => {
                let error = error.with("target", &target.state.location);
                refusals.target(&target.name(), task.locate(Side::Sink, error));
            }
        }
    }
}

/// Why a target that an earlier process finished is not taken for done. Rows that others add at a
/// server are no concern of this run.
fn is_not_what_it_was(finish: &Finish, target: &PlannedTarget) -> Option<Error> {
    let what = match (finish.ack.rows_total, target.state.rows) {
        (Some(then), Some(now)) if now < then => {
            format!("with {then} rows, of which {now} are there now")
        }
        _ if finish.is_changed(&target.state.location) => {
            "and its file is another one now, or was written to".to_owned()
        }
        _ => return None,
    };
    let message = format!("this run finished it {what}: it was changed or replaced since");
    let help = changed_since(target.request.spec.mode);
    Some(Error::new(ErrorKind::Exists, message).help(help))
}

/// What the sink would have said, had the process lived to hear it.
fn complete(target: &PlannedTarget, rows: u64) -> FinishAck {
    let before = match target.request.spec.mode {
        Mode::Append => target.state.rows.unwrap_or(0),
        _ => 0,
    };
    FinishAck {
        rows_added: Some(rows),
        rows_total: Some(before.saturating_add(rows)),
        location: target.state.location.clone(),
        bytes: None,
    }
}

fn marks(
    record: &TargetRecord,
    found: Found,
    has_places: bool,
    is_same_boot: bool,
) -> Result<Vec<Mark>, Error> {
    match found {
        // They may have been written in any order, so that a count does not tell which are there.
        Found::Rows(rows) if has_places => Err(Error::new(
            ErrorKind::Plugin,
            format!(
                "the sink says that {rows} rows are there; which ones can't be told, because it takes rows in any order"
            ),
        )
        .help("begin anew with `--restart`, and tell whoever maintains the plugin")),
        Found::Acknowledged => Ok(record
            .splits
            .iter()
            .map(|split| match is_same_boot {
                true => split.acknowledged.clone(),
                false => split.durable.clone(),
            })
            .collect()),
        Found::Complete(rows) if rows == record.written() => {
            Ok(record.splits.iter().map(|split| split.acknowledged.clone()).collect())
        }
        Found::Rows(rows) | Found::Complete(rows) => record.marks_of(rows).ok_or_else(|| {
            let written = record.written();
            Error::new(
                ErrorKind::Exists,
                format!(
                    "{rows} rows are there where {written} were acknowledged, and which of them are missing or come from another writer can't be told"
                ),
            )
            .help("look at what is there, and take away what is not wanted; then begin anew with `--restart`")
        }),
    }
}

/// When the run began, in seconds since 1970.
pub(super) fn began(earlier: Option<&Unfinished>) -> u64 {
    match earlier {
        Some(earlier) => earlier.run.began,
        None => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.map_or(0, |now| now.as_secs())
        }
    }
}

/// What the journal keeps of the targets; those that are left alone are no part of it.
pub(super) fn records(
    targets: &[PlannedTarget],
    earlier: Option<&Unfinished>,
) -> Vec<TargetRecord> {
    let then = |target| earlier.and_then(|earlier| record_of(&earlier.run, target));
    let written = targets.iter().filter(|target| target.is_written());
    written
        .map(|target| target_record(target, then(target)))
        .collect()
}

/// The name of a mode.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Fail => "fail",
        Mode::Skip => "skip",
        Mode::Append => "append",
        Mode::Overwrite => "overwrite",
    }
}

pub(super) fn target_record(
    target: &PlannedTarget,
    earlier: Option<&TargetRecord>,
) -> TargetRecord {
    let fields = target.request.schema.fields().iter();
    let mut position = 0;
    let mut splits = Vec::new();
    for part in &target.parts {
        for split in &part.splits {
            let mark = target.start.mark(position).clone();
            // What was not flushed then is not durable now.
            let durable = earlier
                .filter(|_| target.start != Start::Anew)
                .and_then(|earlier| earlier.splits.get(position))
                .map(|split| split.durable.clone())
                .unwrap_or_default();
            splits.push(SplitRecord {
                dataset: part.dataset.descriptor.full_name(),
                id: split.id.clone(),
                fingerprint: part.digest.as_ref().unwrap_or(&split.fingerprint).clone(),
                live: split.live.filter(|_| !part.recipe.can_reject()),
                acknowledged: mark,
                durable,
            });
            position += 1;
        }
    }
    let resumed = target.request.spec.resumed.as_ref();
    TargetRecord {
        name: target.name(),
        location: target.state.location.clone(),
        columns: fields.map(|field| column(field)).collect(),
        conversions: target.conversions().iter().map(|c| json!(c)).collect(),
        existed: resumed.map_or(target.state.exists, |resumed| resumed.existed),
        rows_before: target.state.rows,
        stage: match &target.start {
            Start::Anew => Stage::Planned,
            Start::Behind(_) => Stage::Prepared,
            Start::Finished(_, finish) => Stage::Finished(finish.clone()),
        },
        splits,
    }
}

fn column(field: &Field) -> Value {
    let metadata: std::collections::BTreeMap<_, _> = field.metadata().iter().collect();
    json!([field.name(), field.data_type().to_string(), metadata])
}

#[cfg(test)]
mod tests {
    use milvusdm_plugin_api::ReadAccount;

    use super::*;

    fn mark(rows: u64) -> Mark {
        Mark {
            through: rows,
            written: rows,
            ..Mark::default()
        }
    }

    /// Two splits that were read to their ends, 40 and 20 rows; 30 and none are durable.
    fn record() -> TargetRecord {
        let split = |acknowledged, durable| SplitRecord {
            dataset: "a".to_owned(),
            id: "0".to_owned(),
            fingerprint: "f".to_owned(),
            live: None,
            acknowledged: Mark {
                account: Some(ReadAccount::default()),
                ..mark(acknowledged)
            },
            durable: mark(durable),
        };
        TargetRecord {
            name: "a".to_owned(),
            location: "l".to_owned(),
            columns: Vec::new(),
            conversions: Vec::new(),
            existed: false,
            rows_before: None,
            stage: Stage::Prepared,
            splits: vec![split(40, 30), split(20, 0)],
        }
    }

    fn written(marks: &[Mark]) -> Vec<u64> {
        marks.iter().map(|mark| mark.written).collect()
    }

    #[test]
    fn rows_that_have_places_count_as_far_as_they_are_durable_once_the_machine_was_restarted() {
        let same = marks(&record(), Found::Acknowledged, true, true).unwrap();
        assert_eq!(written(&same), [40, 20]);
        let restarted = marks(&record(), Found::Acknowledged, true, false).unwrap();
        assert_eq!(written(&restarted), [30, 0]);
    }

    #[test]
    fn a_count_of_rows_that_have_places_is_refused() {
        let counted = marks(&record(), Found::Rows(50), false, true).unwrap();
        assert_eq!(written(&counted), [40, 10]);
        let error = marks(&record(), Found::Rows(50), true, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Plugin);
        assert!(error.to_string().contains("50 rows are there"), "{error}");
    }
}
