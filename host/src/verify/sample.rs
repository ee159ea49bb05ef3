// SPDX-License-Identifier: Apache-2.0
//! A quick look: some rows of the source, at even distances, are looked up at the target.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde_json::Value;

use super::report::{ComparedBy, Difference, TargetVerdict};
use super::side::{self, Job, Rows, Side};
use super::{Opened, Verification};
use crate::convert::id_text;
use crate::hash::RowHash;
use crate::plan::PlannedTarget;

/// Option of a source that gives only the rows of these ids.
const IDS: &str = "ids";

/// A row of the source that is looked up.
struct Wanted {
    /// Its place among all rows of the target.
    place: u64,
    name: String,
    id: Option<i64>,
    hash: RowHash,
}

impl Verification<'_> {
    /// Looks some rows up at the target.
    pub(super) fn look_up(
        &self,
        (rows, before): (u64, u64),
        (here, there): (&Side<'_>, &Side<'_>),
        options: &Value,
        target: &PlannedTarget,
        verdict: &mut TargetVerdict,
    ) -> Result<()> {
        let takes_ids = self.sink.info.source_options.as_ref();
        let takes_ids = takes_ids.is_some_and(|schema| !schema["properties"][IDS].is_null());
        let can = &self.plan.capabilities;
        let by_id = verdict.compared_by == ComparedBy::Id;
        let count_there = count(&there.jobs).or(verdict.rows_target);
        verdict.rows_target = count_there;
        if verdict.rows_source.is_none() {
            verdict.rows_source = count(&here.jobs);
        }
        let has_same_count = match (verdict.rows_source, verdict.rows_target) {
            (Some(here), Some(there)) => here.checked_add(before) == Some(there),
            _ => true,
        };
        let differing = if can.read_back.by_id && takes_ids && by_id {
            let wanted = pick(here, rows)?;
            verdict.sampled = Some(wanted.len() as u64);
            self.by_ids(&wanted, there, options, target)?
        } else if !has_same_count {
            verdict.sampled = Some(0);
            verdict.notices.push(
                "the sides have different numbers of rows, so that no row can be looked up by its place; without `--sample` the rows that differ are named".to_owned(),
            );
            Vec::new()
        } else if can.ordered_append && count(&there.jobs).is_some() {
            let wanted = pick(here, rows)?;
            verdict.sampled = Some(wanted.len() as u64);
            by_places(&wanted, there, (by_id, before), verdict)?
        } else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "rows of this target can be looked up neither by id nor by place",
            )
            .help("leave out `--sample`: then all rows are compared"));
        };
        for (what, name) in &differing {
            verdict.note(*what, name);
        }
        // Of all other rows, nothing is known.
        verdict.equal = (!has_same_count || !differing.is_empty()).then_some(false);
        Ok(())
    }

    /// Asks the target for the rows of these ids.
    fn by_ids(
        &self,
        wanted: &[Wanted],
        there: &Side<'_>,
        options: &Value,
        target: &PlannedTarget,
    ) -> Result<Vec<(Difference, String)>> {
        let mut options = options.clone();
        let ids: Vec<i64> = wanted.iter().filter_map(|row| row.id).collect();
        if let Value::Object(options) = &mut options {
            options.insert(IDS.to_owned(), ids.into());
        }
        let Opened {
            source,
            dataset,
            splits,
        } = self.open(target, &options)?;
        let side = Side {
            source: &source,
            jobs: splits
                .iter()
                .map(|split| Job {
                    dataset: &dataset,
                    split,
                    recipe: None,
                })
                .collect(),
            hasher: there.hasher.clone(),
            ..*there
        };
        let (found, _) = side.read(HashMap::<u128, Vec<u128>>::new, |found, rows: &Rows<'_>| {
            side.hasher.rows(rows.batch, |row| {
                found.entry(row.id).or_default().push(row.hash);
            })?;
            Ok(())
        })?;
        let differing = wanted.iter().filter_map(|row| {
            let mut hashes = found
                .iter()
                .filter_map(|part| part.get(&row.hash.id))
                .flatten();
            let what = match hashes.next() {
                None => Difference::Missing,
                Some(first) if *first == row.hash.hash => return None,
                Some(_) if hashes.any(|hash| *hash == row.hash.hash) => return None,
                Some(_) => Difference::Changed,
            };
            Some((what, row.name.clone()))
        });
        Ok(differing.collect())
    }
}

/// Reads the target's rows at the same places.
fn by_places(
    wanted: &[Wanted],
    there: &Side<'_>,
    (by_id, before): (bool, u64),
    verdict: &mut TargetVerdict,
) -> Result<Vec<(Difference, String)>> {
    let mut differing = Vec::new();
    for row in wanted {
        // Rows that were there before the run stand in front of its own.
        let found = match place(&there.jobs, row.place.saturating_add(before)) {
            Some((job, place)) => there.row_at(job, place)?,
            None => None,
        };
        let found = found.map(|batch| hash_of(there, &batch)).transpose()?;
        let wanted = side::key(&row.hash, by_id);
        let what = match found.flatten().map(|found| side::key(&found, by_id)) {
            Some(found) if found == wanted => continue,
            Some((key, _)) if by_id && key == wanted.0 => Difference::Changed,
            _ => Difference::Missing,
        };
        differing.push((what, row.name.clone()));
    }
    let mut found = differing.iter();
    if found.any(|(what, _)| *what == Difference::Missing) {
        verdict.notices.push(
            "a row that is not at its place counts as missing here, wherever else it may be; without `--sample` it is looked for everywhere".to_owned(),
        );
    }
    Ok(differing)
}

/// Rows of the source at even distances.
fn pick(here: &Side<'_>, rows: u64) -> Result<Vec<Wanted>> {
    let Some(all) = count(&here.jobs) else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the source does not say how many rows it has, so that none can be picked",
        )
        .help("leave out `--sample`: then all rows are compared"));
    };
    let rows = rows.min(all);
    let mut wanted = Vec::new();
    for number in 0..rows {
        // In the middle of its part, so that neither end is looked at more than the rest.
        let middle = (2 * u128::from(number) + 1) * u128::from(all) / (2 * u128::from(rows));
        let at = u64::try_from(middle).unwrap_or(u64::MAX);
        let Some((job, row)) = place(&here.jobs, at) else {
            continue;
        };
        let Some(batch) = here.row_at(job, row)? else {
            continue;
        };
        let id = id_text(&batch, 0);
        let Some(hash) = hash_of(here, &batch)? else {
            continue;
        };
        let dataset = job.dataset.descriptor.full_name();
        wanted.push(Wanted {
            place: at,
            id: id.as_ref().and_then(|id| id.parse().ok()),
            name: id.unwrap_or_else(|| format!("row {row} of {dataset}, split {}", job.split.id)),
            hash,
        });
    }
    Ok(wanted)
}

fn hash_of(side: &Side<'_>, batch: &RecordBatch) -> Result<Option<RowHash>> {
    let mut first = None;
    side.hasher
        .rows(&batch.slice(0, 1), |row| first = Some(row))?;
    Ok(first)
}

/// Rows of these splits, where all of them say so.
fn count(jobs: &[Job<'_>]) -> Option<u64> {
    jobs.iter()
        .try_fold(0u64, |sum, job| sum.checked_add(job.split.live?))
}

/// The split with the row at a place, and the row's place in it.
fn place<'a, 'b>(jobs: &'a [Job<'b>], mut place: u64) -> Option<(&'a Job<'b>, u64)> {
    for job in jobs {
        let rows = job.split.live?;
        if place < rows {
            return Some((job, place));
        }
        place -= rows;
    }
    None
}
