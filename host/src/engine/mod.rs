// SPDX-License-Identifier: Apache-2.0
//! Runs a plan: target after target, each with parallel readers, a bounded queue and writers.
//!
//! ```text
//! reader threads ── convert, cut ──► queue ──► writer threads ──► ledger
//! ```
//! Reading begins while the sink makes the target ready.
//! Reading and writing count separately; only a target whose ledger balances is finished, and
//! one that is stopped or fails is taken back.

mod boundary;
mod cut;
mod finish;
mod hashed;
mod job;
mod log;
mod pace;
mod prepare;
mod queue;
mod read;
mod split;
mod take_back;
mod tally;
mod transfer;
mod write;

use std::sync::Arc;
use std::time::Instant;

use milvusdm_plugin_api::{Error, ErrorKind};

use crate::control::Control;
use crate::failure::{self, DONE, ENDPOINT, Failure, INTERNAL, REFUSED, WITH_LOSSES};
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::plan::{Plan, PlannedTarget, Start};
use crate::report::{HashView, RunReport, Status, TargetView};
use log::Log;
use pace::Pace;
pub(crate) use split::SplitReading;
pub use take_back::take_back;
use transfer::{Outcome, Transfer};

/// Runs a plan and reports what became of every row; writes nothing if the plan is refused. How far
/// it comes is kept in the journal, if there is one.
pub fn run(plan: &Plan, control: &Arc<Control>, journal: Option<&Journal>) -> RunReport {
    let started = Instant::now();
    let mut report = plan.report();
    if !plan.refusals().is_empty() {
        return report;
    }
    report.bytes = 0;
    if let Some(Err(error)) = journal.map(|journal| journal.hold(&plan.record)) {
        report.exit = Failure::endpoint(error.clone()).exit;
        report.error = Some(error);
        return report;
    }
    let (rows, bytes) = plan.totals();
    control.progress().set_total(rows, bytes);
    let pace = Pace::new(plan.limit);
    let mut first_dataset = 0;
    let mut logged = 0..;
    for (number, target) in plan.targets.iter().enumerate() {
        let datasets = first_dataset..first_dataset + target.parts.len();
        first_dataset = datasets.end;
        // The journal has the targets that are written, in the same order.
        let position = target.is_written().then(|| logged.next()).flatten();
        let log = journal
            .zip(position)
            .map(|(journal, at)| Log::new(journal, at, target));
        let views = report.datasets.get_mut(datasets).unwrap_or_default();
        if !target.is_written() || report.error.is_some() {
            for (dataset, part) in views.iter_mut().zip(&target.parts) {
                dataset.ledger = Some(target.expected_of(part));
            }
            continue;
        }
        let transfer = Transfer::new(plan, target, control, &pace, log);
        let outcome = match &target.start {
            Start::Finished(_, finish) => transfer.finished_before(finish.ack.clone()),
            Start::Anew | Start::Behind(_) => transfer.run(),
        };
        for (dataset, ledger) in views.iter_mut().zip(&outcome.ledgers) {
            dataset.ledger = Some(*ledger);
        }
        if let Some(view) = report.targets.get_mut(number) {
            take_outcome(view, &outcome);
        }
        take_counts(&mut report, target, outcome);
    }
    forget(journal, plan, &report);
    report.ledger = report.targets.iter().map(|view| view.ledger).sum();
    report.seconds = started.elapsed().as_secs_f64();
    report.error = report.error.map(|error| control.mask_error(error));
    report.exit = exit_code(&report, control);
    report
}

/// What an earlier process told of rows that did not arrive is not told again.
fn told_before(target: &PlannedTarget) -> Option<String> {
    let rejected = target.start.rejected();
    (rejected > 0).then(|| {
        format!(
            "{}: {rejected} rows were rejected before this process went on; which ones, and why, is in the log of the earlier one",
            target.name()
        )
    })
}

/// Where nothing of a failed run is left there is nothing to go on with; targets that it did not come
/// to may have rows of an earlier process.
fn forget(journal: Option<&Journal>, plan: &Plan, report: &RunReport) {
    let Some(journal) = journal else { return };
    let mut targets = plan.targets.iter().zip(&report.targets);
    let is_empty = |(target, view): (&PlannedTarget, &TargetView)| {
        let is_reached = view.status != Status::Planned;
        !view.holds_rows() && (is_reached || target.start == Start::Anew)
    };
    if report.error.is_some()
        && targets.all(is_empty)
        && let Err(error) = journal.clear()
    {
        tracing::warn!("{error}.");
    }
}

fn take_counts(report: &mut RunReport, target: &PlannedTarget, outcome: Outcome) {
    let written: u64 = outcome.ledgers.iter().map(|ledger| ledger.written).sum();
    let moved = written.saturating_sub(target.start.written());
    report.rows = report.rows.saturating_add(moved);
    report.bytes = report.bytes.saturating_add(outcome.bytes);
    report.rejected_rows.extend(outcome.rejected);
    report.notices.extend(outcome.notices);
    report.notices.extend(told_before(target));
    report.error = outcome.error;
}

fn take_outcome(view: &mut TargetView, outcome: &Outcome) {
    view.ledger = outcome.ledgers.iter().copied().sum();
    view.status = match outcome.error {
        Some(_) => outcome.status,
        None => Status::Done,
    };
    view.hash = outcome.sums.clone().map(HashView::of);
    if let Some(ack) = &outcome.finished {
        view.rows_added = ack.rows_added;
        view.rows_total = ack.rows_total;
        view.bytes = ack.bytes;
        if !ack.location.is_empty() {
            view.location.clone_from(&ack.location);
        }
    }
}

/// What the run comes to; no success without a balanced ledger.
fn exit_code(report: &RunReport, control: &Control) -> u8 {
    match &report.error {
        Some(error) if error.kind() == ErrorKind::Cancelled => {
            control.signal().map_or(INTERNAL, failure::of_signal)
        }
        Some(error) => match Failure::endpoint(error.clone()).exit {
            // That code says that nothing was written.
            REFUSED if report.targets.iter().any(TargetView::holds_rows) => ENDPOINT,
            exit => exit,
        },
        None if !report.targets.iter().all(|view| view.ledger.is_balanced()) => INTERNAL,
        None if report.ledger.has_losses() => WITH_LOSSES,
        None => DONE,
    }
}

/// The error of a ledger that does not add up.
fn unbalanced(what: &str, ledger: &Ledger) -> Error {
    let found = ledger
        .found
        .map_or_else(|| "unknown".to_owned(), |found| found.to_string());
    Error::new(
        ErrorKind::Internal,
        format!(
            "the ledger of {what} does not balance: {found} rows found, {} accounted for ({} written, {} deleted, {} skipped, {} collapsed, {} rejected, {} lost)",
            ledger.accounted(),
            ledger.written,
            ledger.deleted,
            ledger.skipped,
            ledger.collapsed,
            ledger.rejected,
            ledger.lost
        ),
    )
}
