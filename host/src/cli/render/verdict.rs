// SPDX-License-Identifier: Apache-2.0
//! The last line of a run and its exit code: the one place that may say that all went well.
//!
//! It trusts nobody: a report that calls itself done with a ledger that does not balance, or a
//! target that is not finished, is an internal error.

use super::ledger::equation;
use crate::cli::text;
use crate::failure::{DONE, INTERNAL, WITH_LOSSES};
use crate::report::{RunReport, Status, TargetView};

/// Corrects the exit code of a report that looks better than it is.
pub(in crate::cli) fn settle(report: &mut RunReport) {
    if report.exit != DONE {
        return;
    }
    let is_unfinished = report
        .targets
        .iter()
        .any(|target| !matches!(target.status, Status::Done | Status::Skipped));
    if report.error.is_some() || is_unfinished || !unbalanced(report).is_empty() {
        report.exit = INTERNAL;
    } else if report.ledger.has_losses() {
        report.exit = WITH_LOSSES;
    }
}

/// Everything whose ledger does not balance, or is missing.
fn unbalanced(report: &RunReport) -> Vec<String> {
    let mut names = Vec::new();
    for dataset in &report.datasets {
        match &dataset.ledger {
            Some(ledger) if ledger.is_balanced() => {}
            Some(ledger) => names.push(format!("{}: {}", dataset.name(), equation(ledger))),
            None => names.push(format!("{}: there is no account of it", dataset.name())),
        }
    }
    for target in report
        .targets
        .iter()
        .filter(|target| !target.ledger.is_balanced())
    {
        names.push(format!(
            "target {}: {}",
            target.name,
            equation(&target.ledger)
        ));
    }
    if names.is_empty() && !report.ledger.is_balanced() {
        names.push(format!("in all: {}", equation(&report.ledger)));
    }
    names
}

/// What became of the rows of a run that an error ended.
fn stopped(report: &RunReport) -> String {
    let moved = text::counted(report.ledger.written, "row was", "rows were");
    let has = |status| report.targets.iter().any(|t| t.status == status);
    let is_over = |t: &TargetView| matches!(t.status, Status::Done | Status::Skipped);
    if !report.run.is_empty() && has(Status::Done) && report.targets.iter().all(is_over) {
        return format!(
            "All rows are there, {moved} written, but the run did not come to its end. The same command brings it there, without moving them again."
        );
    }
    if has(Status::Kept) {
        return format!(
            "Not finished: {moved} written before the run stopped, and are kept. The same command goes on where it stopped, once nothing is in its way; with `--restart` it begins anew."
        );
    }
    let left = has(Status::Left);
    let rest = match left {
        true => {
            "what was written to the target that is `left` may still be there, the others were taken back"
        }
        false => "targets that are not `done` were taken back",
    };
    let on = match !report.run.is_empty() && has(Status::Done) {
        true => {
            " The same command leaves those that are `done` as they are, and writes the others."
        }
        false => "",
    };
    format!("Not finished: {moved} written before the run stopped; {rest}.{on}")
}

/// Why a run whose ledger is balanced is no success.
fn shortfall(report: &RunReport) -> &'static str {
    match (report.ledger.lost, report.ledger.rejected) {
        (1.., _) => "Finished WITH LOSSES",
        (0, 1..) => "Finished WITH REJECTED ROWS",
        (0, 0) => "Finished, but both sides DIFFER",
    }
}

/// The last line, of a report that was settled.
pub(in crate::cli) fn verdict(report: &RunReport) -> String {
    if !report.refusals.is_empty() {
        let reasons = text::counted(report.refusals.len() as u64, "reason", "reasons");
        return format!("Nothing was written: the task is refused for {reasons}.");
    }
    if report.error.is_some() {
        return stopped(report);
    }
    let unbalanced = unbalanced(report);
    if let Some(first) = unbalanced.first() {
        let more = match unbalanced.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        return format!("NOT BALANCED: {}{more}.", text::line(first));
    }
    match report.exit {
        DONE if report.ledger.found.is_none() => format!(
            "Done: {} written; the source does not tell how many it has, so there is nothing to compare that with.",
            text::counted(report.ledger.written, "row", "rows")
        ),
        DONE => format!(
            "Done, the ledger is balanced: {}.",
            equation(&report.ledger)
        ),
        WITH_LOSSES => format!(
            "{}, the ledger is balanced: {}.",
            shortfall(report),
            equation(&report.ledger)
        ),
        exit => format!("Not done (exit code {exit}): {}.", equation(&report.ledger)),
    }
}
