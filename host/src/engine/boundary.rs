// SPDX-License-Identifier: Apache-2.0
//! Names the rows on both sides of the place where a run goes on, by their ids, so that a sink
//! that only counts can make sure that its rows are those of this run.

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use milvusdm_plugin_api::model::schema::{Column, classify};
use milvusdm_plugin_api::{Error, ErrorKind, ReadRequest, Result, TargetRequest};

use super::job::Job;
use crate::plan::{Plan, PlannedTarget};

/// Fills in the ids of the last row that is there and of the first that is to come.
///
/// # Errors
/// What the source answers.
pub(super) fn name_ids(
    plan: &Plan,
    target: &PlannedTarget,
    jobs: &[Job<'_>],
    request: &mut TargetRequest,
) -> Result<()> {
    let Some(resumed) = &mut request.spec.resumed else {
        return Ok(());
    };
    let fields = target.request.schema.fields();
    let Some(column) = fields
        .iter()
        .position(|field| classify(field) == Column::Id)
    else {
        return Ok(());
    };
    let marks: Vec<_> = (0..jobs.len())
        .map(|split| target.start.mark(split))
        .collect();
    let id = |(split, row): (usize, u64)| match jobs.get(split) {
        // Rows that conversions take out have no place of their own.
        Some(job) if !job.part.recipe.can_reject() => id_of(plan, job, row, column),
        _ => Ok(None),
    };
    let has_rows = |split: &usize| marks.get(*split).is_some_and(|mark| mark.through > 0);
    if let Some(split) = (0..jobs.len()).rev().find(has_rows)
        && let Some(mark) = marks.get(split)
    {
        resumed.last_id = id((split, mark.through.saturating_sub(1)))?;
    }
    if let Some(split) = marks.iter().position(|mark| mark.account.is_none())
        && let Some(mark) = marks.get(split)
    {
        resumed.next_id = id((split, mark.through))?;
    }
    Ok(())
}

/// The id of one row of a split, as text.
fn id_of(plan: &Plan, job: &Job<'_>, row: u64, column: usize) -> Result<Option<String>> {
    let request = ReadRequest {
        first_row: row,
        max_batch_bytes: 1,
        max_batch_rows: Some(1),
    };
    let mut reader = plan.source.read(&job.part.dataset, job.split, &request)?;
    let Some(batch) = reader.next()? else {
        return Ok(None);
    };
    let recipe = &job.part.recipe;
    let batch = match recipe.keeps_all() {
        true => batch,
        false => recipe.apply(&batch)?.batch,
    };
    text_of(&batch, column)
}

fn text_of(batch: &RecordBatch, column: usize) -> Result<Option<String>> {
    let Some(ids) = batch.columns().get(column).filter(|ids| !ids.is_empty()) else {
        return Ok(None);
    };
    let options = FormatOptions::default();
    let shown = ArrayFormatter::try_new(ids, &options);
    let shown = shown.map_err(|e| Error::new(ErrorKind::Internal, "show an id").caused_by(e))?;
    Ok(Some(shown.value(0).to_string()))
}
