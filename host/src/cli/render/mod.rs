// SPDX-License-Identifier: Apache-2.0
//! Reports as people read them: what came of it, in aligned columns, with the verdict last.
//!
//! Everything that is not shown here is in the JSON of the same report.

mod inspect;
mod ledger;
mod plan;
mod plugins;
mod run;
mod verdict;
mod verify;

pub(super) use inspect::inspect;
pub(super) use plan::plan;
pub(super) use plugins::{list, show, trust};
pub(super) use run::run;
pub(super) use verdict::{settle, verdict};
pub(super) use verify::verify;

use std::fmt::Write as _;

use super::table::{Align, table};
use super::text;
use crate::report::{Action, RunReport, Status, TargetView};

/// What stands where nothing is known.
const UNKNOWN: &str = "unknown";

fn known(number: Option<u64>, shown: impl Fn(u64) -> String) -> String {
    number.map_or_else(|| UNKNOWN.to_owned(), shown)
}

/// A heading and what stands under it; nothing where there is nothing.
fn section(shown: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(shown, "\n{heading}");
    for line in lines {
        let _ = writeln!(shown, "  {}", text::line(line));
    }
}

/// What every report ends with before its verdict.
fn notices(shown: &mut String, notices: &[String]) {
    if !notices.is_empty() {
        shown.push('\n');
    }
    for notice in notices {
        let _ = writeln!(shown, "note: {}", text::line(notice));
    }
}

/// What conversions do to columns, a line each.
fn conversions(report: &RunReport) -> Vec<String> {
    let lines = report.targets.iter().flat_map(|target| {
        target.conversions.iter().map(|conversion| {
            let class = word(&conversion.class);
            let becomes = match &conversion.to {
                Some(to) => format!("{} -> {to}", conversion.from),
                None => format!("{} is left out", conversion.from),
            };
            format!(
                "{}: column `{}`: {becomes} ({class})",
                target.name, conversion.column
            )
        })
    });
    lines.collect()
}

/// An enum's value as it stands in JSON.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => UNKNOWN.to_owned(),
    }
}

/// The targets of a plan or a run.
fn targets(targets: &[TargetView]) -> String {
    let has_run = targets
        .iter()
        .any(|target| target.status != Status::Planned);
    let mut header = vec![("TARGET", Align::Left), ("ACTION", Align::Left)];
    if has_run {
        header.extend([
            ("STATUS", Align::Left),
            ("ADDED", Align::Right),
            ("ROWS", Align::Right),
            ("SIZE", Align::Right),
        ]);
    } else {
        header.extend([
            ("ROWS NOW", Align::Right),
            ("NEEDS", Align::Right),
            ("FREE", Align::Right),
        ]);
    }
    header.push(("LOCATION", Align::Left));
    let rows: Vec<Vec<String>> = targets
        .iter()
        .map(|target| target_row(target, has_run))
        .collect();
    table(&header, &rows)
}

fn target_row(target: &TargetView, has_run: bool) -> Vec<String> {
    let or_dash = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), text::size);
    let mut row = vec![target.name.clone(), word(&target.action)];
    if has_run {
        let is_written = target.status == Status::Done;
        let rows = |number: Option<u64>| match number {
            None if !is_written => "-".to_owned(),
            number => known(number, text::count),
        };
        row.extend([
            word(&target.status),
            rows(target.rows_added),
            rows(target.rows_total),
            or_dash(target.bytes),
        ]);
    } else {
        row.push(match target.action {
            Action::Create => "-".to_owned(),
            _ => known(target.rows_before, text::count),
        });
        row.extend([or_dash(target.needs_bytes), or_dash(target.free_bytes)]);
    }
    row.push(target.location.clone());
    row
}

#[cfg(test)]
mod tests;
