// SPDX-License-Identifier: Apache-2.0
//! Cases for what may go wrong: readers dropped, runs cancelled, input missing or damaged.

use std::sync::Arc;

use serde_json::Value;

use super::reading::{read, request};
use super::{Asked, Checked};
use crate::testkit::report::{ensure, fail, skip};
use crate::testkit::rows;
use crate::testkit::runner::{Switch, after_cancel};
use crate::{Dataset, Error, ErrorKind, ReadRequest, Result, Services, Split};

pub(super) const CASES: [super::Case; 4] = [
    ("a reader may be dropped midway", dropped_midway),
    ("cancelling stops it within one batch", cancels),
    ("a missing source is not found", missing),
    ("damaged input is an error", damaged),
];

fn small() -> ReadRequest {
    ReadRequest {
        max_batch_rows: Some(3),
        ..request()
    }
}

fn dropped_midway(asked: &Asked) -> Checked {
    let source = asked.open()?;
    asked.each_split(&source, |dataset, split| {
        let (wanted, _) = read(&source, dataset, split, &request())?;
        let held = {
            let mut reader = source.read(dataset, split, &small())?;
            drop(source.read(dataset, split, &small())?);
            reader.next()?
        };
        let (found, _) = read(&source, dataset, split, &small())?;
        rows::same(&wanted, 0, &found)?;
        // A batch outlives its reader.
        match held {
            Some(batch) => {
                let rows = batch.num_rows();
                let Some(first) = wanted.first() else {
                    return fail("rows where there were none before");
                };
                let length = rows.min(first.num_rows());
                ensure!(
                    batch.slice(0, length) == first.slice(0, length),
                    "a batch changed after its reader was dropped"
                );
                Ok(())
            }
            None => Ok(()),
        }
    })?;
    // And a source that is dropped while a reader lives.
    let mut reader = None;
    for dataset in source.datasets()? {
        if let Some(split) = source.splits(&dataset.key)?.first() {
            reader = Some(source.read(&dataset, split, &small())?);
            break;
        }
    }
    drop(source);
    if let Some(mut reader) = reader {
        reader.next()?;
    }
    Ok(())
}

fn cancels(asked: &Asked) -> Checked {
    let source = asked.open()?;
    let patience = asked.suite.patience;
    for dataset in source.datasets()? {
        let Some(split) = source.splits(&dataset.key)?.into_iter().next() else {
            continue;
        };
        cancels_reader(asked, &dataset, &split)?;
    }
    // Cancelled before anything was asked.
    let switch = Arc::new(Switch::default());
    switch.cancel();
    let open = || asked.open_with(&asked.suite.options, switch.services());
    let Some(source) = after_cancel("open", patience, open)? else {
        return Ok(());
    };
    let datasets = after_cancel("datasets", patience, || source.datasets())?;
    for dataset in datasets.into_iter().flatten() {
        after_cancel("splits", patience, || source.splits(&dataset.key))?;
    }
    after_cancel("inspect", patience, || source.inspect())?;
    Ok(())
}

/// Reads a batch, cancels, and goes on: all rows come, or `Cancelled` does.
fn cancels_reader(asked: &Asked, dataset: &Dataset, split: &Split) -> Checked {
    let patience = asked.suite.patience;
    let (wanted, _) = read(&asked.open()?, dataset, split, &request())?;
    let switch = Arc::new(Switch::default());
    let source = asked.open_with(&asked.suite.options, switch.services())?;
    let mut reader = source.read(dataset, split, &small())?;
    let mut found: Vec<_> = reader.next()?.into_iter().collect();
    switch.cancel();
    loop {
        match after_cancel("next", patience, || reader.next())? {
            // `Cancelled`.
            None => return Ok(()),
            Some(Some(batch)) => found.push(batch),
            Some(None) => break,
        }
    }
    let (got, total) = (rows::count(&found), rows::count(&wanted));
    ensure!(
        got == total,
        "`{}` split `{}`: cancelled, it ended after {got} of {total} rows as if it were whole",
        dataset.key,
        split.id
    );
    Ok(())
}

/// Does with a source all that a run does.
fn read_everything(asked: &Asked, options: &Value) -> Result<()> {
    let source = asked.open_with(options, Services::detached())?;
    for dataset in source.datasets()? {
        for split in source.splits(&dataset.key)? {
            let mut reader = source.read(&dataset, &split, &request())?;
            while reader.next()?.is_some() {}
            if reader.account()?.lost > 0 {
                // Damage that is accounted for, row by row.
                return Err(Error::new(ErrorKind::Format, "rows were lost"));
            }
        }
    }
    source.inspect().map(|_| ())
}

fn missing(asked: &Asked) -> Checked {
    if asked.suite.missing.is_empty() {
        return skip("`missing` was given no options");
    }
    for options in &asked.suite.missing {
        match read_everything(asked, options) {
            Ok(()) => return fail(format!("{options} was read as if it were there")),
            Err(error) => ensure!(
                error.kind() == ErrorKind::NotFound,
                "{options} gave {error:?}, wanted kind NotFound"
            ),
        }
    }
    Ok(())
}

fn damaged(asked: &Asked) -> Checked {
    if asked.suite.damaged.is_empty() {
        return skip("`damaged` was given no options");
    }
    for options in &asked.suite.damaged {
        match read_everything(asked, options) {
            Ok(()) => return fail(format!("{options} was read as if it were whole")),
            Err(error) => ensure!(
                matches!(error.kind(), ErrorKind::Format | ErrorKind::Unsupported),
                "{options} gave {error:?}, wanted kind Format or Unsupported"
            ),
        }
    }
    Ok(())
}
