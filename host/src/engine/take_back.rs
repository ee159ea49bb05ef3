// SPDX-License-Identifier: Apache-2.0
//! Takes back what an earlier process of a run left half-written, and nothing of anybody else's.

use milvusdm_plugin_api::{Error, ErrorKind, Found, Result};

use super::boundary;
use super::job::jobs;
use crate::plan::{Plan, PlannedTarget, Start};

/// Takes back what an earlier process of the run left half-written. Where the source `is_unchanged`,
/// the ids at the end of what is there tell whether it is the run's.
///
/// # Errors
/// `Exists` where rows of another writer are there, what source and sink answer; what comes before
/// in the plan is then taken back.
pub fn take_back(plan: &Plan, is_unchanged: bool) -> Result<()> {
    for target in plan
        .targets
        .iter()
        .filter(|target| target.is_half_written())
    {
        expect_ours(plan, target)?;
        let mut request = target.request.clone();
        if is_unchanged && !target.has_places(&plan.capabilities) {
            boundary::name_ids(plan, target, &jobs(target), &mut request)?;
        }
        let taken_back = plan
            .sink
            .prepare(&request)
            .and_then(|writer| writer.abort());
        taken_back.map_err(|error| match error.help_text() {
            Some(_) => error,
            None => error.help(
                "nothing is forgotten: without `--restart` the run goes on; or take away yourself what it wrote there",
            ),
        })?;
    }
    Ok(())
}

/// That a count is not beyond what the run can have written.
fn expect_ours(plan: &Plan, target: &PlannedTarget) -> Result<()> {
    let resumed = target.request.spec.resumed.as_ref();
    let written = resumed.map_or(0, |resumed| resumed.written);
    match target.state.found {
        Some(Found::Rows(rows))
            if !target.has_places(&plan.capabilities)
                && target.start == Start::Anew
                && rows > written =>
        {
            let message = format!(
                "{rows} rows are there where {written} were acknowledged: another writer's may be among them, so that nothing is taken back"
            );
            let error = Error::new(ErrorKind::Exists, message);
            Err(error.with("target", &target.state.location).help(
                "look at what is there, and take away what is not wanted; then `--restart` begins anew",
            ))
        }
        _ => Ok(()),
    }
}
