// SPDX-License-Identifier: Apache-2.0
//! The journal of the task that is run: found again by the task, gone on with, or given up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind};

use super::args::RunOptions;
use super::session::Session;
use crate::failure::Failure;
use crate::journal::{self, Journal, RunRecord, Stage, Subject, TargetRecord, Unfinished};
use crate::plan::{Plan, Run};
use crate::registry::Registry;
use crate::task::Task;
use crate::{dump, engine};

/// A task's journal, and what it says of an earlier process.
#[derive(Default)]
pub(super) struct Kept {
    journal: Option<Journal>,
    earlier: Option<Unfinished>,
}

impl Kept {
    /// Opens the journal of a task.
    ///
    /// # Errors
    /// What [`Journal::open`] answers; a folder that was not asked for may be missing.
    pub fn open(subject: &Subject, options: &RunOptions) -> Result<Self, Failure> {
        if options.no_journal {
            return Ok(Self::default());
        }
        let place = subject.journal(options.state.as_deref());
        // One that is there may tell of rows that must not be moved twice.
        let is_there = place.as_ref().is_ok_and(|path| path.exists());
        let may_do_without = options.state.is_none() && !is_there;
        let opened = place.and_then(|path| open(&path, options.restart));
        let opened = opened.and_then(|journal| Ok((journal.unfinished()?, journal)));
        if let Ok((None, journal)) = &opened {
            forget_begun(journal).map_err(Failure::task)?;
        }
        match opened {
            Ok((earlier, journal)) => Ok(Self {
                journal: Some(journal),
                earlier,
            }),
            Err(error) if may_do_without && is_about_the_folder(&error) => {
                tracing::warn!("Without a journal, a run that is stopped can't go on: {error}.");
                Ok(Self::default())
            }
            Err(error) => Err(Failure::task(error)),
        }
    }

    /// Has a task go on where the earlier process was: in the folder that it made for itself, and
    /// with all datasets that it moved, though they may seem to need no moving any more.
    pub fn take_up(&self, task: &mut Task) {
        if let Some(earlier) = &self.earlier {
            task.take_up(&earlier.run.sink);
            let targets = &earlier.run.targets;
            task.known.unchanged.retain(|name, _| {
                let name = dump::full_name(name);
                !targets.iter().any(|target| target.name == name)
            });
        }
    }

    /// Begins anew where nothing is owed of the earlier run but its report, and what it moved can't
    /// stand for the task as it is now.
    pub fn give_up_report(&mut self, plan: &Plan) -> bool {
        let is_finished = |target: &TargetRecord| matches!(target.stage, Stage::Finished(_));
        let is_owed = self.earlier.take_if(|earlier| {
            !plan.refusals().is_empty() && earlier.run.targets.iter().all(is_finished)
        });
        if is_owed.is_some() {
            tracing::warn!(
                "The last run of this task moved all its rows, and ended before its report was written. It can't be written any more, because the task, its source or its targets changed since: this run begins anew."
            );
        }
        is_owed.is_some()
    }

    /// The journal to write to.
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Gives the journal back, once the report was handed out if the run `is_done`. That of a command
    /// goes when nothing is left to go on with: what `status` and `verify` ask for is that of a task
    /// file.
    pub fn end(self, subject: &Subject, is_done: bool) {
        let Some(journal) = self.journal else { return };
        let ended = match (is_done, subject.is_file()) {
            (true, true) => journal.reported(),
            (true, false) => journal.end(),
            (false, true) => Ok(()),
            (false, false) => journal.last().and_then(|last| match last {
                Some(_) => Ok(()),
                None => journal.end(),
            }),
        };
        if let Err(error) = ended {
            tracing::warn!("Noting that the run is done failed: {error}.");
        }
    }

    /// How the task is planned.
    pub fn run(&self) -> Run<'_> {
        match (&self.journal, &self.earlier) {
            (None, _) => Run::Unkept,
            (Some(_), None) => Run::New,
            (Some(_), Some(earlier)) => Run::Resumed(earlier),
        }
    }

    /// Takes back what the unfinished run left, and forgets it.
    ///
    /// # Errors
    /// What source and sink answer; then nothing is forgotten.
    pub fn restart(
        &mut self,
        session: &Session,
        subject: &Subject,
        task: &Task,
        registry: &Registry,
    ) -> Result<(), Failure> {
        let (Some(journal), Some(earlier)) = (&self.journal, &self.earlier) else {
            return Ok(());
        };
        let anew = task;
        let mut task = task.clone();
        self.take_up(&mut task);
        let control = Arc::clone(&session.control);
        let plan = Plan::make(&task, registry, &control, Run::TakenBack(earlier))?;
        // One that begins anew may do so in a folder of its own.
        if anew.sink == task.sink
            && let Some(error) = plan.in_the_way(&earlier.run, subject)
        {
            return Err(Failure::task(error));
        }
        // Should this be interrupted, the result of a target that is taken back must not be looked
        // for in its place; of one that is there already, it is.
        let is_half = |then: &TargetRecord| {
            let mut targets = plan.targets.iter();
            targets.any(|now| now.is_half_written() && now.name() == then.name)
        };
        for (position, target) in earlier.run.targets.iter().enumerate() {
            if target.stage == Stage::Finishing && is_half(target) {
                journal
                    .stage(position, &Stage::Prepared, true)
                    .map_err(Failure::endpoint)?;
            }
        }
        let is_unchanged = journal::refusal(&earlier.run, &plan.record).is_none();
        engine::take_back(&plan, is_unchanged).map_err(Failure::endpoint)?;
        warn_of_left(&earlier.run, &plan.record);
        journal.clear().map_err(Failure::endpoint)?;
        self.earlier = None;
        Ok(())
    }
}

/// Forgets a run of which nothing was done, as long as it is known that nothing was.
fn forget_begun(journal: &Journal) -> Result<(), Error> {
    match journal.last()? {
        Some(last) if last.run.says_nothing() => journal.clear(),
        _ => Ok(()),
    }
}

/// Says what a run that is begun anew does not take back.
fn warn_of_left(earlier: &RunRecord, now: &RunRecord) {
    let behind: Vec<&TargetRecord> = earlier.left_behind(now).collect();
    let elsewhere = earlier.left_elsewhere(now);
    for left in elsewhere.filter(|left| !behind.contains(left)) {
        let place = &left.location;
        tracing::warn!(
            "{place}: what the earlier run left stays, because the task does not name it any more."
        );
    }
    for left in behind {
        let place = Path::new(&earlier.folder).join(&left.location);
        tracing::warn!(
            "{}: what the earlier run left stays, because that one was begun in another folder.",
            place.display()
        );
    }
}

/// What is kept of a task file, seen without taking part in it.
pub(super) struct Seen {
    pub journal: PathBuf,
    /// Its last run, finished or not.
    pub last: Option<Unfinished>,
    /// Whether a process is at it.
    pub is_running: bool,
}

impl Seen {
    /// Looks at the journal of a task file.
    ///
    /// # Errors
    /// What [`Journal::look`] answers.
    pub fn of(task: &Path, state: Option<&Path>) -> Result<Self, Error> {
        let subject = Subject::File(task.to_owned());
        let journal = subject.journal(state)?;
        // One that can't be looked at is not one that is not there.
        let (last, is_running) = match journal.try_exists() {
            Ok(false) => (None, false),
            _ => Journal::look(&journal)?,
        };
        Ok(Self {
            journal,
            last,
            is_running,
        })
    }

    /// The same for commands that can do without.
    pub fn or_none(task: &Path, state: Option<&Path>) -> Option<Self> {
        let warn = |error: &Error| {
            tracing::warn!("What is kept of this task is passed over: {error}.");
        };
        Self::of(task, state).inspect_err(warn).ok()
    }
}

fn is_about_the_folder(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Config | ErrorKind::Denied | ErrorKind::Io | ErrorKind::NotFound
    )
}

/// Who begins anew does not need to know what a damaged journal said.
fn open(path: &Path, is_anew: bool) -> Result<Journal, Error> {
    match Journal::open(path) {
        Err(error) if is_anew && error.kind() == ErrorKind::Format => {
            let reason = error.message();
            tracing::warn!(
                "{}: {reason}, so that what the earlier run left is not taken back.",
                path.display()
            );
            Journal::remove(path)?;
            Journal::open(path)
        }
        opened => opened,
    }
}
