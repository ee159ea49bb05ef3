// SPDX-License-Identifier: Apache-2.0
//! What a run did.

use std::fmt::Write as _;

use super::verdict::verdict;
use super::{conversions, ledger, notices, section, targets};
use crate::cli::text;
use crate::report::{RejectedRow, RunReport};

/// The report of a run, its ledger and its verdict.
pub(in crate::cli) fn run(report: &RunReport) -> String {
    let mut shown = String::new();
    if report.refusals.is_empty() {
        let _ = writeln!(shown, "{} -> {}\n", report.source.name, report.sink.name);
        shown.push_str(&ledger::ledger(report));
        if !report.targets.is_empty() {
            let _ = write!(shown, "\n{}", targets(&report.targets));
        }
        section(&mut shown, "Converted", &conversions(report));
        section(&mut shown, &rejected_heading(report), &rejected(report));
        notices(&mut shown, &report.notices);
        shown.push('\n');
        // What was taken back has no speed.
        if report.error.is_none() {
            let _ = writeln!(shown, "{}", speed(report));
        }
    }
    let _ = writeln!(shown, "{}", verdict(report));
    shown
}

fn rejected_heading(report: &RunReport) -> String {
    let shown = report.rejected_rows.len() as u64;
    match report.ledger.rejected {
        all if all > shown => {
            format!(
                "Rejected rows (the first {} of {})",
                text::count(shown),
                text::count(all)
            )
        }
        _ => "Rejected rows".to_owned(),
    }
}

fn rejected(report: &RunReport) -> Vec<String> {
    let line = |row: &RejectedRow| {
        let id = row
            .id
            .as_ref()
            .map(|id| format!(" (id {id})"))
            .unwrap_or_default();
        format!(
            "{} {} row {}{id}: {}",
            row.dataset,
            row.split,
            text::count(row.row),
            row.reason
        )
    };
    report.rejected_rows.iter().map(line).collect()
}

/// Rows, bytes, time and rates.
fn speed(report: &RunReport) -> String {
    let rows = report.rows;
    let before = match report.ledger.written.saturating_sub(rows) {
        0 => "",
        _ => " by this process",
    };
    let mut shown = format!(
        "{}, {}{before} in {}",
        text::counted(rows, "row", "rows"),
        text::size(report.bytes),
        text::duration(report.seconds)
    );
    let rates = (
        text::per_second(rows, report.seconds),
        text::per_second(report.bytes, report.seconds),
    );
    if let (Some(rows), Some(bytes)) = rates {
        let _ = write!(
            shown,
            " ({} rows/s, {}/s)",
            text::count(rows),
            text::size(bytes)
        );
    }
    shown
}
