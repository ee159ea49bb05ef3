// SPDX-License-Identifier: Apache-2.0
//! One target: prepare it, move its rows, finish it or take it back, and say what became of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{Scope, ScopedJoinHandle};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use milvusdm_plugin_api::{Error, ErrorKind, FinishAck, Rejected, Result};

use super::job::{Job, jobs};
use super::log::Log;
use super::pace::Pace;
use super::queue::{Queue, Share};
use super::tally::{Counts, Tally};
use super::{read, write};
use crate::calls::Writer;
use crate::control::Control;
use crate::hash::{Hasher, Sums};
use crate::ledger::Ledger;
use crate::plan::{Plan, PlannedTarget, Start};
use crate::report::{RejectedRow, Status};

/// A target on its way.
pub(super) struct Transfer<'a> {
    pub(super) plan: &'a Plan,
    pub(super) target: &'a PlannedTarget,
    pub(super) control: &'a Arc<Control>,
    pub(super) jobs: Vec<Job<'a>>,
    pub(super) queue: Queue,
    pub(super) tally: Tally,
    /// Rows have their places in the target, so that they can be written in any order.
    pub(super) is_addressed: bool,
    /// Of a run with a journal.
    pub(super) log: Option<Log<'a>>,
    pub(super) pace: &'a Pace,
    /// Hashes the rows as the sink gets them; `None` where their columns can't be hashed.
    pub(super) hasher: Option<Hasher>,
    writers: usize,
    next_job: AtomicUsize,
}

/// What became of a target.
pub(super) struct Outcome {
    /// One account a dataset.
    pub(super) ledgers: Vec<Ledger>,
    pub(super) rejected: Vec<RejectedRow>,
    pub(super) notices: Vec<String>,
    pub(super) bytes: u64,
    /// Hashes of all rows of the run that are there.
    pub(super) sums: Option<Sums>,
    /// What the sink says at the end.
    pub(super) finished: Option<FinishAck>,
    /// Of a target that failed: what became of it.
    pub(super) status: Status,
    pub(super) error: Option<Error>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        target: &'a PlannedTarget,
        control: &'a Arc<Control>,
        pace: &'a Pace,
        log: Option<Log<'a>>,
    ) -> Self {
        let jobs = jobs(target);
        let sink = &plan.capabilities;
        let is_addressed = target.has_places(sink);
        let readers = plan.limits.readers as usize;
        let writers = match sink.parallel_writers {
            None | Some(1) => 1,
            // Rows keep the order in which they are written.
            _ if sink.ordered_append && !is_addressed => 1,
            Some(0) => readers,
            Some(n) => readers.min(n as usize),
        };
        let is_ordered = writers == 1 && !is_addressed;
        let hasher = plan
            .hashes_rows
            .then(|| Hasher::new(&target.request.schema));
        let hasher = hasher.and_then(|hasher| {
            let why = |error: &Error| {
                tracing::warn!(into = %target.name(), "Its rows are not hashed, so that only counts prove them: {error}.");
            };
            hasher.inspect_err(why).ok()
        });
        Self {
            plan,
            target,
            control,
            queue: Queue::new(jobs.len(), is_ordered),
            tally: tally(&jobs, target, hasher.is_some()),
            hasher,
            jobs,
            is_addressed,
            log,
            pace,
            writers,
            next_job: AtomicUsize::new(0),
        }
    }

    /// The hashes of a batch, without the rows that the sink rejected.
    ///
    /// # Errors
    /// `Internal`.
    pub(super) fn sums_of(
        &self,
        batch: &RecordBatch,
        rejected: &[Rejected],
    ) -> Result<Option<Sums>> {
        let Some(hasher) = &self.hasher else {
            return Ok(None);
        };
        let gone: BTreeSet<u64> = rejected.iter().map(|rejected| rejected.row).collect();
        let kept = (0..batch.num_rows() as u64).map(|row| Some(!gone.contains(&row)));
        let kept: BooleanArray = kept.collect();
        let kept = filter_record_batch(batch, &kept)
            .map_err(|e| Error::new(ErrorKind::Internal, "leave out rejected rows").caused_by(e))?;
        hasher.sums(&kept).map(Some)
    }

    /// Moves everything that goes into the target.
    pub(super) fn run(self) -> Outcome {
        let name = self.target.name();
        tracing::info!(into = %name, splits = self.jobs.len(), "Writing {}.", self.target.state.location);
        let prepared = OnceLock::new();
        std::thread::scope(|scope| self.move_rows(scope, &prepared));
        let Some(writer) = prepared.into_inner() else {
            // What was read meanwhile does not count.
            let tally = tally(&self.jobs, self.target, self.hasher.is_some());
            let error = self.tally.with(|counts| counts.error.clone());
            error.into_iter().for_each(|error| tally.failed(error));
            let status = match self.target.start {
                Start::Behind(_) => Status::Kept,
                _ => Status::Aborted,
            };
            return Self { tally, ..self }.outcome(None, status);
        };
        let finished = match self.closing_error() {
            Some(error) => {
                self.tally.failed(error);
                None
            }
            None => self.finish(&writer),
        };
        let status = match finished.is_some() {
            true => Status::Left,
            false => self.leave(&writer),
        };
        drop(writer);
        self.outcome(finished, status)
    }

    /// The outcome of a target that an earlier process of the run finished.
    pub(super) fn finished_before(self, ack: FinishAck) -> Outcome {
        self.outcome(Some(ack), Status::Done)
    }

    /// Reads while the sink makes the target ready, and writes as soon as it is.
    fn move_rows<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        prepared: &'scope OnceLock<Writer>,
    ) {
        let mut request = None;
        // Reads itself, with the memory that is the readers' later.
        self.guard(|| {
            request = Some(self.request()?);
            Ok(())
        });
        let Some(request) = request else { return };
        let mut threads = Vec::new();
        let limits = &self.plan.limits;
        let readers = self.jobs.len().min(limits.readers as usize);
        let bytes = limits.share(self.writers, self.queue.is_ordered());
        for number in 0..readers {
            let share = Share::new(bytes);
            let work = move || read::read_splits(self, &share);
            threads.push(self.spawn(scope, format!("reader-{number}"), work));
        }
        self.guard(|| {
            // A reader may have failed already: then nothing has to be made, or dropped.
            if !self.queue.is_closed() {
                let writer = self.prepare(&request)?;
                prepared.get_or_init(|| writer);
            }
            Ok(())
        });
        if let Some(writer) = prepared.get() {
            for number in 0..self.writers {
                let work = move || write::write_batches(self, writer);
                threads.push(self.spawn(scope, format!("writer-{number}"), work));
            }
        } else {
            tracing::info!("It can't be made ready; waiting for what is being read.");
        }
        for thread in threads.into_iter().flatten() {
            if thread.join().is_err() {
                self.stop(Error::new(
                    ErrorKind::Internal,
                    "a thread of the engine panicked",
                ));
            }
        }
    }

    /// Starts a thread whose failure stops all others.
    fn spawn<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        name: String,
        work: impl FnOnce() -> Result<()> + Send + 'scope,
    ) -> Option<ScopedJoinHandle<'scope, ()>> {
        match std::thread::Builder::new()
            .name(name)
            .spawn_scoped(scope, move || self.guard(work))
        {
            Ok(thread) => Some(thread),
            Err(cause) => {
                self.stop(Error::io("start a thread", &cause));
                None
            }
        }
    }

    /// Does some work, whose failure stops all other.
    fn guard(&self, work: impl FnOnce() -> Result<()>) {
        // A panic must not leave the others waiting for batches that never come.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.stop(error),
            Err(_) => self.stop(Error::new(
                ErrorKind::Internal,
                "a thread of the engine panicked",
            )),
        }
    }

    fn stop(&self, error: Error) {
        self.tally.failed(error);
        self.queue.close();
    }

    /// The next split that nobody reads yet.
    pub(super) fn next_job(&self) -> Option<(usize, &Job<'a>)> {
        let position = self.next_job.fetch_add(1, Ordering::Relaxed);
        self.jobs.get(position).map(|job| (position, job))
    }

    fn outcome(self, finished: Option<FinishAck>, status: Status) -> Outcome {
        let Counts {
            splits,
            rejected,
            notices,
            bytes,
            sums,
            error,
            ..
        } = self.tally.into_inner();
        let mut ledgers = vec![Ledger::of(Some(0)); self.target.parts.len()];
        for (job, mut ledger) in self.jobs.iter().zip(splits) {
            if status == Status::Aborted {
                ledger.written = 0;
            }
            if let Some(sum) = ledgers.get_mut(job.part_position) {
                *sum += ledger;
            }
        }
        Outcome {
            ledgers,
            rejected,
            notices,
            bytes,
            sums,
            finished,
            status,
            error,
        }
    }
}

/// The counts before any row is moved by this process.
fn tally(jobs: &[Job<'_>], target: &PlannedTarget, is_hashed: bool) -> Tally {
    let splits = jobs.iter().enumerate();
    let splits = splits.map(|(position, job)| (job.split.found, target.start.mark(position)));
    Tally::new(splits, is_hashed)
}
