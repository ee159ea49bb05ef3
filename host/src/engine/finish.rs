// SPDX-License-Identifier: Apache-2.0
//! The end of a target: the account is checked, then it is finished, or else kept for the run to go
//! on with, or taken back; the journal knows of each before it is done.

use milvusdm_plugin_api::{Error, ErrorKind, FinishAck, Result};

use super::log::Log;
use super::transfer::Transfer;
use super::unbalanced;
use crate::calls::Writer;
use crate::journal::{Finish, Stage};
use crate::report::Status;

impl Transfer<'_> {
    /// Why the target may not be finished.
    pub(super) fn closing_error(&self) -> Option<Error> {
        self.tally.with(|counts| {
            if counts.error.is_some() {
                return counts.error.clone();
            }
            let mut accounts = self.jobs.iter().zip(counts.accounts());
            let (job, ledger) = accounts.find(|(_, ledger)| !ledger.is_balanced())?;
            Some(
                unbalanced(&format!("`{}`", job.dataset_name), &ledger)
                    .with("split", &job.split.id)
                    .help("the reader or the writer miscounts: nothing was finished"),
            )
        })
    }

    /// Publishes the target and holds the sink's own count against what it acknowledged.
    pub(super) fn finish(&self, writer: &Writer) -> Option<FinishAck> {
        let ack = match self.publish(writer) {
            Ok(ack) => ack,
            Err(error) => {
                self.tally.failed(error);
                return None;
            }
        };
        let written = self
            .tally
            .with(|counts| counts.splits.iter().map(|l| l.written).sum::<u64>());
        if let Some(counted) = ack.rows_added.filter(|counted| *counted != written) {
            self.tally.failed(
                Error::new(
                    ErrorKind::Internal,
                    format!("the sink acknowledged {written} rows, but counts {counted} of them at the target"),
                )
                .with("target", &ack.location)
                .help("don't rely on this target; delete it and run the task again"),
            );
        } else if let Some(log) = &self.log
            && let Err(error) = log.stage(&Stage::Finished(self.finished(&ack)))
        {
            self.tally.failed(error);
        }
        Some(ack)
    }

    fn finished(&self, ack: &FinishAck) -> Finish {
        let location = match ack.location.as_str() {
            "" => &self.target.state.location,
            location => location,
        };
        Finish::of(ack.clone(), location)
    }

    fn publish(&self, writer: &Writer) -> Result<FinishAck> {
        let Some(log) = &self.log else {
            return writer.finish();
        };
        // The target first: the disk may hold back the journal's few bytes until it has all that
        // was written before them, and then the target would be waited for twice.
        self.settle(log, writer)?;
        // That may have taken long, and the target can still be left as it is.
        self.control.check()?;
        log.stage(&Stage::Finishing)?;
        writer.finish().inspect_err(|_| {
            // What stands in the target's place is then not what this run made of it.
            if let Err(error) = log.stage(&Stage::Prepared) {
                tracing::warn!(into = %self.target.name(), "Noting that it is not finished failed: {error}.");
            }
        })
    }

    /// Writes down how far the splits came; what can be gone on with at its place is durable then.
    fn settle(&self, log: &Log<'_>, writer: &Writer) -> Result<()> {
        log.settle()?;
        match self.goes_on_in_place() {
            true => log.flush(writer),
            false => Ok(()),
        }
    }

    /// Whether a run that is stopped goes on with the rows that are in their places.
    pub(super) fn goes_on_in_place(&self) -> bool {
        self.is_addressed && self.target.state.resumable
    }

    /// Leaves a target that was not finished: what was written is kept for the run to go on where
    /// the failure may go away by itself, and taken back otherwise.
    pub(super) fn leave(&self, writer: &Writer) -> Status {
        if let Some(log) = self.log.as_ref().filter(|log| self.is_worth_keeping(log)) {
            if let Err(error) = self.settle(log, writer) {
                // What is known is less than what is there; the target itself tells.
                tracing::warn!(into = %self.target.name(), "Noting how far it came failed: {error}.");
            }
            // That may have shown that it is lost.
            if self.is_worth_keeping(log) {
                return Status::Kept;
            }
        }
        if let Err(error) = writer.abort() {
            let message = format!("taking back what was written failed: {error}");
            tracing::warn!(into = %self.target.name(), "{message}.");
            self.tally.notice(message);
            return Status::Left;
        }
        if let Some(log) = &self.log
            && let Err(error) = log.stage(&Stage::Planned)
        {
            tracing::warn!("{error}.");
        }
        Status::Aborted
    }

    fn is_worth_keeping(&self, log: &Log<'_>) -> bool {
        self.target.state.resumable
            && log.is_sound()
            && self.tally.with(|counts| {
                let passes = counts.error.as_ref().is_some_and(|error| {
                    matches!(
                        error.kind(),
                        ErrorKind::Cancelled
                            | ErrorKind::Denied
                            | ErrorKind::Io
                            | ErrorKind::Remote
                    )
                });
                passes && counts.splits.iter().any(|ledger| ledger.written > 0)
            })
    }
}
