// SPDX-License-Identifier: Apache-2.0
//! Has the sink make a target ready; the journal knows of it before and after.

use milvusdm_plugin_api::{Result, TargetRequest};

use super::boundary;
use super::transfer::Transfer;
use crate::calls::Writer;
use crate::journal::Stage;

impl Transfer<'_> {
    /// What the sink is asked for; where a run goes on, with the ids around the last row written.
    ///
    /// # Errors
    /// What the source answers.
    pub(super) fn request(&self) -> Result<TargetRequest> {
        let mut request = self.target.request.clone();
        // Where rows have places, nobody else's can be taken for the run's own.
        if self.log.is_some() && request.spec.resumed.is_some() && !self.is_addressed {
            boundary::name_ids(self.plan, self.target, &self.jobs, &mut request)?;
        }
        Ok(request)
    }

    /// Has the sink make the target ready for rows.
    ///
    /// # Errors
    /// What the sink answers; `Io` if the journal can't be written.
    pub(super) fn prepare(&self, request: &TargetRequest) -> Result<Writer> {
        let Some(log) = &self.log else {
            return self.plan.sink.prepare(request);
        };
        let was_prepared = request.spec.resumed.as_ref().map(|run| run.is_prepared);
        if was_prepared.is_none() {
            // Before anything is made: what a killed process made is looked for.
            log.stage(&Stage::Preparing)?;
        }
        let is_hidden = self.is_addressed && self.plan.capabilities.transactional_publish;
        match self.plan.sink.prepare(request) {
            Ok(writer) if was_prepared == Some(true) => Ok(writer),
            Ok(writer) => match log.prepared(is_hidden) {
                Ok(()) => Ok(writer),
                Err(error) => {
                    // Nothing is in it yet; left there, it would be in the way.
                    if let Err(left) = writer.abort() {
                        tracing::warn!(into = %self.target.name(), "Taking back the empty target failed: {left}.");
                    }
                    Err(error)
                }
            },
            Err(error) if was_prepared.is_some() => Err(error),
            Err(error) => log.stage(&Stage::Planned).and(Err(error)),
        }
    }
}
