// SPDX-License-Identifier: Apache-2.0
//! `status`: how far a task came, from its journal alone.

use std::fmt::Write as _;

use milvusdm_plugin_api::Error;
use serde::Serialize;

use super::args::TaskArgs;
use super::kept::Seen;
use super::session::{Answer, Session};
use super::table::{Align, table};
use super::text;
use crate::failure::{DONE, Failure};
use crate::journal::{RunRecord, Stage, TargetRecord};
use crate::program;
use crate::report::VERSION;

/// What is known of a task's last run.
#[derive(Debug, Serialize)]
struct StatusReport {
    version: u32,
    state: State,
    /// The run's own name.
    run: Option<String>,
    /// Seconds since 1970.
    began: Option<u64>,
    journal: String,
    targets: Vec<TargetStatus>,
    exit: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It was never run here, or nothing of it is left.
    None,
    /// A process is at it.
    Running,
    /// It can be gone on with.
    Unfinished,
    Finished,
}

#[derive(Debug, Serialize)]
struct TargetStatus {
    name: String,
    stage: &'static str,
    written: u64,
    rejected: u64,
    splits: u64,
    splits_done: u64,
    location: String,
}

/// Shows how far a task came.
pub(super) fn status(session: &Session, args: &TaskArgs) -> Result<Answer, Failure> {
    // A name that is mistyped would look like a task that was never run.
    std::fs::metadata(&args.task).map_err(|e| {
        Failure::task(Error::io("look at the task file", &e).with("file", args.task.display()))
    })?;
    let seen = Seen::of(&args.task, args.state.as_deref()).map_err(Failure::task)?;
    let run = seen.last.map(|last| last.run);
    let report = StatusReport {
        version: VERSION,
        state: match &run {
            _ if seen.is_running => State::Running,
            None => State::None,
            Some(run) if run.is_unfinished() => State::Unfinished,
            Some(run) if run.is_reported => State::Finished,
            Some(_) => State::None,
        },
        journal: seen.journal.display().to_string(),
        run: run.as_ref().map(|run| run.run.clone()),
        began: run.as_ref().map(|run| run.began),
        targets: run.as_ref().map(targets).unwrap_or_default(),
        exit: DONE,
    };
    session.answer(&report, DONE, render)
}

fn targets(run: &RunRecord) -> Vec<TargetStatus> {
    run.targets.iter().map(target).collect()
}

fn target(target: &TargetRecord) -> TargetStatus {
    let marks = || target.splits.iter().map(|split| &split.acknowledged);
    TargetStatus {
        name: target.name.clone(),
        stage: match &target.stage {
            Stage::Planned => "planned",
            Stage::Preparing | Stage::Prepared => "writing",
            Stage::Finishing => "finishing",
            Stage::Finished(_) => "done",
        },
        written: target.written(),
        rejected: marks()
            .map(|mark| mark.rejected)
            .fold(0, u64::saturating_add),
        splits: target.splits.len() as u64,
        splits_done: marks().filter(|mark| mark.account.is_some()).count() as u64,
        location: target.location.clone(),
    }
}

fn render(report: &StatusReport) -> String {
    let header = [
        ("TARGET", Align::Left),
        ("STAGE", Align::Left),
        ("WRITTEN", Align::Right),
        ("REJECTED", Align::Right),
        ("SPLITS DONE", Align::Right),
        ("LOCATION", Align::Left),
    ];
    let rows: Vec<Vec<String>> = report
        .targets
        .iter()
        .map(|target| {
            vec![
                target.name.clone(),
                target.stage.to_owned(),
                text::count(target.written),
                text::count(target.rejected),
                format!(
                    "{} of {}",
                    text::count(target.splits_done),
                    text::count(target.splits)
                ),
                target.location.clone(),
            ]
        })
        .collect();
    let mut shown = String::new();
    if !rows.is_empty() {
        let _ = writeln!(shown, "{}", table(&header, &rows));
    }
    let line = match report.state {
        State::None => "There is nothing to go on with: the next run begins anew.".to_owned(),
        State::Running => "A process is running this task now.".to_owned(),
        State::Finished => "Finished: the next run begins anew.".to_owned(),
        State::Unfinished => format!(
            "Unfinished: {} goes on where it stopped, as long as task and source are what they were; with `--restart` it begins anew.",
            program::typed("run")
        ),
    };
    let _ = writeln!(shown, "{line}");
    shown
}
