// SPDX-License-Identifier: Apache-2.0
//! What a verification found.

use std::fmt::Write as _;

use super::word;
use crate::cli::text;
use crate::verify::{ComparedBy, Difference, ReadBy, TargetVerdict, VerifyReport};

/// Rows that are named for each kind of difference; the JSON has more.
const MAX_SHOWN: usize = 20;

/// A line a target, the rows that differ, and the verdict.
pub(in crate::cli) fn verify(report: &VerifyReport) -> String {
    let mut shown = String::new();
    for target in &report.targets {
        let _ = writeln!(shown, "{}", line(target));
        for what in [
            Difference::Missing,
            Difference::Extra,
            Difference::Changed,
            Difference::Doubled,
        ] {
            shown.push_str(&examples(target, what));
        }
        for notice in &target.notices {
            let _ = writeln!(shown, "  note: {}", text::line(notice));
        }
    }
    for notice in &report.notices {
        let _ = writeln!(shown, "note: {}", text::line(notice));
    }
    if !shown.is_empty() {
        shown.push('\n');
    }
    let _ = writeln!(shown, "{}", verdict(report));
    shown
}

fn line(target: &TargetVerdict) -> String {
    let (name, location) = (&target.name, text::line(&target.location));
    if !target.exists {
        return format!("{name}: MISSING: there is no target at {location}");
    }
    let rows = |rows: Option<u64>| {
        rows.map_or_else(
            || "an unknown number of rows".to_owned(),
            |rows| text::counted(rows, "row", "rows"),
        )
    };
    match (target.differs(), target.sampled) {
        (false, None) => {
            let what = match target.compared_by {
                ComparedBy::Id => "ids and values",
                ComparedBy::Values => "values, without their ids",
            };
            let rows = rows(target.rows_target);
            format!("{name}: equal: {rows}, {what} ({location})")
        }
        (false, Some(sampled)) => format!(
            "{name}: no difference in a sample of {} of {} ({location})",
            text::count(sampled),
            rows(target.rows_source)
        ),
        (true, sampled) => {
            let counts = match target.rows_source == target.rows_target {
                true => rows(target.rows_source),
                false => format!(
                    "{} at the source, {} at the target",
                    rows(target.rows_source),
                    rows(target.rows_target)
                ),
            };
            let sampled = sampled.filter(|sampled| *sampled > 0);
            let sample = sampled.map_or_else(String::new, |sampled| {
                format!(
                    ", of which a sample of {} was looked up",
                    text::count(sampled)
                )
            });
            format!("{name}: DIFFERENT: {counts}{sample} ({location})")
        }
    }
}

/// The rows that differ in one way.
fn examples(target: &TargetVerdict, what: Difference) -> String {
    let all = match what {
        Difference::Missing => target.missing,
        Difference::Extra => target.extra,
        Difference::Changed => target.changed,
        Difference::Doubled => target.doubled,
    };
    if all == 0 {
        return String::new();
    }
    let rows = target.examples.iter().filter(|row| row.what == what);
    let named: Vec<String> = rows
        .take(MAX_SHOWN)
        .map(|row| text::line(&row.row))
        .collect();
    let more = all.saturating_sub(named.len() as u64);
    let more = match more {
        0 => String::new(),
        more => format!(" and {} more", text::count(more)),
    };
    let columns = match (&what, &target.differing_columns[..]) {
        (Difference::Changed, [_, ..]) => {
            format!(" (column {})", target.differing_columns.join(", "))
        }
        _ => String::new(),
    };
    let has_ids = target.compared_by == ComparedBy::Id;
    let kind = if has_ids { "id " } else { "" };
    format!(
        "  {} {}{columns}: {kind}{}{more}\n",
        text::count(all),
        word(&what),
        named.join(if has_ids { ", " } else { "; " })
    )
}

fn verdict(report: &VerifyReport) -> String {
    if !report.refusals.is_empty() {
        return "This task can't be verified. Nothing was compared.".to_owned();
    }
    let differing = report
        .targets
        .iter()
        .filter(|target| target.differs())
        .count() as u64;
    let all = text::counted(report.targets.len() as u64, "target", "targets");
    let took = text::duration(report.seconds);
    match (report.sample, differing) {
        (_, 1..) => format!(
            "{} of {all} {} from the source. Took {took}.",
            text::count(differing),
            if differing == 1 { "differs" } else { "differ" }
        ),
        (Some(_), 0) => format!(
            "No difference found in a sample of {all}; rows outside it were not looked at. Took {took}."
        ),
        (None, 0) => {
            let is_by_run = |target: &&TargetVerdict| target.source_read_by == ReadBy::Run;
            let by_run = match report.targets.iter().filter(is_by_run).count() {
                0 => "",
                all if all == report.targets.len() => ", as the run hashed them",
                _ => ", in part as the run hashed them",
            };
            format!("Verified: {all} held against every row of the source{by_run}. Took {took}.")
        }
    }
}
