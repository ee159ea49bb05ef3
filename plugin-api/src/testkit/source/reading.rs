// SPDX-License-Identifier: Apache-2.0
//! Cases for what reading gives: every row once, the same whatever way it is asked for.

use crate::model::batch::bytes_of;
use arrow_array::RecordBatch;

use super::{Asked, Checked};
use crate::abi::SourceHandle;
use crate::testkit::report::{Why, ensure};
use crate::testkit::rows;
use crate::{Dataset, ReadAccount, ReadRequest, Split};

pub(super) const CASES: [super::Case; 5] = [
    ("rows add up to what was found", rows_add_up),
    ("batches keep to the ceilings", keeps_ceilings),
    (
        "rows are the same whatever the batches",
        same_whatever_the_batches,
    ),
    ("reading resumes at any row", resumes),
    ("readers work side by side", side_by_side),
];

/// Large batches, from the first row on.
pub(super) fn request() -> ReadRequest {
    ReadRequest {
        first_row: 0,
        max_batch_bytes: 4 << 20,
        max_batch_rows: None,
    }
}

/// The ways to ask for the same rows.
fn requests() -> [ReadRequest; 5] {
    let request = request();
    [
        ReadRequest {
            max_batch_bytes: 1,
            max_batch_rows: Some(50),
            ..request
        },
        ReadRequest {
            max_batch_bytes: 1000,
            ..request
        },
        ReadRequest {
            max_batch_bytes: 64 << 10,
            ..request
        },
        ReadRequest {
            max_batch_rows: Some(1),
            ..request
        },
        ReadRequest {
            max_batch_rows: Some(7),
            ..request
        },
    ]
}

/// A split's batches, all held at once: memory that is reused too early shows.
pub(super) fn read(
    source: &SourceHandle,
    dataset: &Dataset,
    split: &Split,
    request: &ReadRequest,
) -> Checked<(Vec<RecordBatch>, ReadAccount)> {
    let mut reader = source.read(dataset, split, request)?;
    let mut batches = Vec::new();
    while let Some(batch) = reader.next()? {
        ensure!(batch.num_rows() > 0, "batch {} has no rows", batches.len());
        batches.push(batch);
    }
    ensure!(reader.next()?.is_none(), "a batch after the end");
    Ok((batches, reader.account()?))
}

fn rows_add_up(asked: &Asked) -> Checked {
    let source = asked.open()?;
    let mut total = 0;
    for dataset in source.datasets()? {
        let mut given = 0;
        let mut deleted = 0;
        for split in source.splits(&dataset.key)? {
            let (batches, account) = read(&source, &dataset, &split, &request())?;
            let rows = rows::count(&batches);
            balances(&split, rows, &account)
                .map_err(|w| w.at(format_args!("`{}` split `{}`", dataset.key, split.id)))?;
            given += rows;
            deleted += account.deleted;
        }
        let (key, about) = (&dataset.key, &dataset.descriptor);
        if let Some(rows) = about.rows.filter(|r| r.exact) {
            ensure!(
                rows.value == given,
                "`{key}`: {given} rows were read, the descriptor says exactly {}",
                rows.value
            );
        }
        if let Some(said) = about.deleted {
            ensure!(
                said == deleted,
                "`{key}`: {deleted} rows were deleted, the descriptor says {said}"
            );
        }
        total += given;
    }
    if let Some(wanted) = asked.suite.rows {
        ensure!(
            total == wanted,
            "{total} rows were read in all, wanted {wanted}"
        );
    }
    Ok(())
}

/// Every row that was found is given, or accounted for.
fn balances(split: &Split, given: u64, account: &ReadAccount) -> Checked {
    let ReadAccount {
        deleted,
        skipped,
        lost,
        notes,
    } = account;
    let sum = given + deleted + skipped + lost;
    if let Some(found) = split.found {
        ensure!(
            found == sum,
            "{found} rows were found, but {given} given + {deleted} deleted + {skipped} skipped + {lost} lost = {sum}"
        );
    }
    if let Some(live) = split.live {
        ensure!(live == given, "{live} rows were promised, {given} given");
    }
    ensure!(
        skipped + lost == 0 || !notes.is_empty(),
        "{skipped} rows skipped and {lost} lost, without a note that says why"
    );
    Ok(())
}

fn keeps_ceilings(asked: &Asked) -> Checked {
    let source = asked.open()?;
    asked.each_split(&source, |dataset, split| {
        for request in requests() {
            let mut reader = source.read(dataset, split, &request)?;
            let (most_rows, most_bytes) = (request.max_batch_rows, request.max_batch_bytes);
            while let Some(batch) = reader.next()? {
                let rows = batch.num_rows() as u64;
                ensure!(
                    most_rows.is_none_or(|most| rows <= most),
                    "a batch of {rows} rows, at most {most_rows:?} were asked for"
                );
                let bytes = bytes_of(&batch);
                ensure!(
                    rows <= 1 || bytes <= most_bytes,
                    "a batch of {bytes} bytes in {rows} rows, at most {most_bytes} were asked for"
                );
            }
        }
        Ok(())
    })
}

fn same_whatever_the_batches(asked: &Asked) -> Checked {
    let source = asked.open()?;
    asked.each_split(&source, |dataset, split| {
        let (wanted, account) = read(&source, dataset, split, &request())?;
        for request in requests() {
            let asking = |why: Why| {
                let (bytes, rows) = (request.max_batch_bytes, request.max_batch_rows);
                why.at(format_args!("in batches of {bytes} bytes, {rows:?} rows"))
            };
            let (found, again) = read(&source, dataset, split, &request).map_err(asking)?;
            rows::same(&wanted, 0, &found).map_err(asking)?;
            ensure!(
                account == again,
                "the account was {account:?}, now it is {again:?}"
            );
        }
        Ok(())
    })
}

fn resumes(asked: &Asked) -> Checked {
    let source = asked.open()?;
    asked.each_split(&source, |dataset, split| {
        let (wanted, account) = read(&source, dataset, split, &request())?;
        let total = rows::count(&wanted);
        let mut starts = vec![1, total / 3, total / 2, total.saturating_sub(1), total];
        starts.retain(|start| (1..=total).contains(start));
        starts.dedup();
        for first_row in starts {
            let request = ReadRequest {
                first_row,
                max_batch_rows: Some(total.div_ceil(4).max(1)),
                ..request()
            };
            let resuming = |w: Why| w.at(format_args!("resumed at row {first_row} of {total}"));
            let (found, again) = read(&source, dataset, split, &request).map_err(resuming)?;
            rows::same(&wanted, first_row, &found).map_err(resuming)?;
            ensure!(
                account == again,
                "resumed at row {first_row}, the account is {again:?}; it is the whole split's, {account:?}"
            );
        }
        Ok(())
    })
}

fn side_by_side(asked: &Asked) -> Checked {
    let source = asked.open()?;
    let mut jobs = Vec::new();
    for dataset in source.datasets()? {
        for split in source.splits(&dataset.key)?.into_iter().take(4) {
            let (wanted, _) = read(&source, &dataset, &split, &request())?;
            jobs.push((dataset.clone(), split, wanted));
        }
        if jobs.len() >= 8 {
            break;
        }
    }
    let small = ReadRequest {
        max_batch_rows: Some(5),
        ..request()
    };
    std::thread::scope(|scope| {
        // Each split twice at once.
        let threads: Vec<_> = jobs
            .iter()
            .chain(&jobs)
            .map(|(dataset, split, wanted)| {
                let (source, small) = (&source, &small);
                scope.spawn(move || {
                    let (found, _) = read(source, dataset, split, small)?;
                    rows::same(wanted, 0, &found)
                        .map_err(|w| w.at(format_args!("`{}` split `{}`", dataset.key, split.id)))
                })
            })
            .collect();
        let outcomes = threads.into_iter().map(|t| {
            t.join()
                .unwrap_or_else(|_| Err(Why::Failed("a reader's thread panicked".to_owned())))
        });
        outcomes.collect::<Checked<()>>()
    })
}
