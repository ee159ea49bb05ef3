// SPDX-License-Identifier: Apache-2.0
//! What a run would do.

use std::fmt::Write as _;

use super::{conversions, known, notices, section, targets};
use crate::cli::errors::in_one_line;
use crate::cli::table::{Align, table};
use crate::cli::text;
use crate::report::{DatasetView, Refusal, RunReport};

/// The plan, and whether it can be run.
pub(in crate::cli) fn plan(report: &RunReport) -> String {
    let mut shown = format!("{} -> {}\n\n", report.source.name, report.sink.name);
    shown.push_str(&datasets(&report.datasets));
    if !report.targets.is_empty() {
        let _ = write!(shown, "\n{}", targets(&report.targets));
    }
    section(&mut shown, "Converted", &conversions(report));
    section(&mut shown, "Refused", &refusals(&report.refusals));
    notices(&mut shown, &report.notices);
    let _ = writeln!(shown, "\n{}", verdict(report));
    shown
}

fn datasets(datasets: &[DatasetView]) -> String {
    let header = [
        ("DATASET", Align::Left),
        ("ROWS", Align::Right),
        ("SPLITS", Align::Right),
        ("SIZE", Align::Right),
        ("VECTOR", Align::Left),
        ("METRIC", Align::Left),
        ("IDS", Align::Left),
        ("TARGET", Align::Left),
    ];
    let rows: Vec<Vec<String>> = datasets.iter().map(row).collect();
    table(&header, &rows)
}

fn row(dataset: &DatasetView) -> Vec<String> {
    vec![
        dataset.name(),
        super::inspect::rows(dataset),
        known(dataset.splits, text::count),
        known(dataset.bytes, text::size),
        super::inspect::vector(dataset),
        super::inspect::metric(dataset),
        super::inspect::ids(dataset),
        dataset.target.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

fn refusals(refusals: &[Refusal]) -> Vec<String> {
    let line = |refusal: &Refusal| {
        let at = refusal
            .error
            .context_value("at")
            .map(|at| format!("{at}: "))
            .unwrap_or_default();
        let about = match refusal.about.as_str() {
            "" => String::new(),
            about => format!("{about}: "),
        };
        format!("{at}{about}{}", in_one_line(&refusal.error))
    };
    refusals.iter().map(line).collect()
}

fn verdict(report: &RunReport) -> String {
    if !report.refusals.is_empty() {
        let reasons = text::counted(report.refusals.len() as u64, "reason", "reasons");
        return format!("This task can't run as it stands, for {reasons}. Nothing was written.");
    }
    let rows = match report.ledger.found {
        Some(found) => text::counted(found, "row", "rows"),
        None => "an unknown number of rows".to_owned(),
    };
    let datasets = text::counted(report.datasets.len() as u64, "dataset", "datasets");
    format!(
        "This task can run: {rows} in {datasets}, {}. Nothing was written.",
        text::size(report.bytes)
    )
}
