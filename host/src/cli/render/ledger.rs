// SPDX-License-Identifier: Apache-2.0
//! The ledger as a table: every row that was found, and where it went.

use super::UNKNOWN;
use crate::cli::table::{Align, table};
use crate::cli::text;
use crate::ledger::Ledger;
use crate::report::RunReport;

/// A row a dataset and, of several, their sum.
pub(super) fn ledger(report: &RunReport) -> String {
    let header = [
        ("DATASET", Align::Left),
        ("FOUND", Align::Right),
        ("WRITTEN", Align::Right),
        ("DELETED", Align::Right),
        ("SKIPPED", Align::Right),
        ("COLLAPSED", Align::Right),
        ("REJECTED", Align::Right),
        ("LOST", Align::Right),
    ];
    let of_dataset = |dataset: &crate::report::DatasetView| match &dataset.ledger {
        Some(ledger) => numbers(dataset.name(), ledger),
        // A dataset without an account never looks like one with nothing to account for.
        None => {
            let mut row = vec![dataset.name()];
            row.resize(header.len(), "-".to_owned());
            row
        }
    };
    let mut rows: Vec<Vec<String>> = report.datasets.iter().map(of_dataset).collect();
    if rows.len() != 1 {
        rows.push(numbers("total".to_owned(), &report.ledger));
    }
    table(&header, &rows)
}

fn numbers(name: String, ledger: &Ledger) -> Vec<String> {
    let found = ledger.found.map_or_else(|| UNKNOWN.to_owned(), text::count);
    let rest = [
        ledger.written,
        ledger.deleted,
        ledger.skipped,
        ledger.collapsed,
        ledger.rejected,
        ledger.lost,
    ];
    [name, found]
        .into_iter()
        .chain(rest.map(text::count))
        .collect()
}

/// `400,000 found = 399,998 written + 2 rejected`, the parts that are 0 left out.
pub(super) fn equation(ledger: &Ledger) -> String {
    let parts = [
        (ledger.written, "written"),
        (ledger.deleted, "deleted"),
        (ledger.skipped, "skipped"),
        (ledger.collapsed, "collapsed"),
        (ledger.rejected, "rejected"),
        (ledger.lost, "lost"),
    ];
    let mut sum: Vec<String> = parts
        .into_iter()
        .filter(|(number, name)| *number > 0 || *name == "written")
        .map(|(number, name)| format!("{} {name}", text::count(number)))
        .collect();
    if let (Some(found), false) = (ledger.found, ledger.is_balanced()) {
        let (missing, extra) = (
            found.saturating_sub(ledger.accounted()),
            ledger.accounted().saturating_sub(found),
        );
        sum.push(match missing {
            0 => format!("{} too many", text::count(extra)),
            missing => format!("{} missing", text::count(missing)),
        });
    }
    let found = ledger.found.map_or_else(|| UNKNOWN.to_owned(), text::count);
    let sign = if ledger.is_balanced() { "=" } else { "≠" };
    format!("{found} found {sign} {}", sum.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_equation_shows_what_is_missing() {
        let balanced = Ledger {
            written: 1998,
            rejected: 2,
            ..Ledger::of(Some(2000))
        };
        assert_eq!(
            equation(&balanced),
            "2,000 found = 1,998 written + 2 rejected"
        );
        let short = Ledger {
            written: 1999,
            ..Ledger::of(Some(2000))
        };
        assert_eq!(equation(&short), "2,000 found ≠ 1,999 written + 1 missing");
        let long = Ledger {
            written: 2001,
            ..Ledger::of(Some(2000))
        };
        assert_eq!(equation(&long), "2,000 found ≠ 2,001 written + 1 too many");
        assert_eq!(equation(&Ledger::of(None)), "unknown found = 0 written");
    }
}
