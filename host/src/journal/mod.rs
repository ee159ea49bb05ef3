// SPDX-License-Identifier: Apache-2.0
//! The journal of a task: what a run planned, and how far it came, so that it can be stopped at any
//! moment, by a signal, a power cut or a failure, and simply be started again.
//!
//! ```text
//! plan ──► record ──► journal file ◄── marks: rows that the sink acknowledged, split by split
//!                          │
//! the next process: is the plan still the same? what does the sink find? ──► goes on there
//! ```
//! What a sink finds at the target decides, not the journal: a journal may be behind, never ahead.

mod changes;
mod database;
mod errors;
mod finish;
mod lock;
mod moved;
mod place;
mod record;
mod store;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use milvusdm_plugin_api::Result;

pub use changes::{differences, refusal};
pub use finish::Finish;
pub use place::Subject;
pub use record::{Mark, RunRecord, SplitRecord, Stage, TargetRecord};
use store::Store;

/// Tells one boot of the machine from the next.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The journal of one task, held by this process alone.
#[derive(Debug)]
pub struct Journal {
    store: Mutex<Store>,
    boot: String,
}

/// A run that was begun and is not finished.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfinished {
    /// What is known of it.
    pub run: RunRecord,
    /// Whether the machine ran without a break since: then what the system took is still there,
    /// though it may not be on the disk.
    pub is_same_boot: bool,
}

impl Unfinished {
    fn of(run: RunRecord, then: &str, now: &str) -> Self {
        Self {
            run,
            // Without the system's word nothing is known.
            is_same_boot: !then.is_empty() && then == now,
        }
    }
}

/// Names the time since the machine was started; empty where the system does not tell.
fn boot() -> String {
    let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    boot.trim().to_owned()
}

impl Journal {
    /// Opens a task's journal, or makes it.
    ///
    /// # Errors
    /// `Exists` while another process runs the task, `Format` if the journal is damaged,
    /// `Unsupported` if a later version wrote it; `Denied`, `Io`.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            store: Mutex::new(Store::open(path)?),
            boot: boot(),
        })
    }

    /// Removes a journal that can't be opened.
    ///
    /// # Errors
    /// `Denied`, `Io`.
    pub fn remove(path: &Path) -> Result<()> {
        Store::remove(path)
    }

    /// What a journal says now, and whether a process has it open; takes part in nothing.
    ///
    /// # Errors
    /// `Format` if the journal is damaged, `Unsupported`, `Denied`, `Io`.
    pub fn look(path: &Path) -> Result<(Option<Unfinished>, bool)> {
        let (found, is_running) = Store::look(path)?;
        let boot = boot();
        Ok((
            found.map(|(run, then)| Unfinished::of(run, &then, &boot)),
            is_running,
        ))
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last run, finished or not.
    ///
    /// # Errors
    /// `Format` if the journal is damaged, `Io`.
    pub fn last(&self) -> Result<Option<Unfinished>> {
        let found = self.store().load()?;
        Ok(found.map(|(run, then)| Unfinished::of(run, &then, &self.boot)))
    }

    /// The run to go on with, if there is one.
    ///
    /// # Errors
    /// As [`last`](Self::last).
    pub fn unfinished(&self) -> Result<Option<Unfinished>> {
        Ok(self.last()?.filter(|last| last.run.is_unfinished()))
    }

    /// Holds this run from now on, with the marks that it has; on the disk with its first
    /// durable stage.
    ///
    /// # Errors
    /// `Io`.
    pub fn hold(&self, run: &RunRecord) -> Result<()> {
        self.store().replace(run, &self.boot)
    }

    /// Notes that the run's report was handed out: only then nothing is left to do.
    ///
    /// # Errors
    /// `Io`.
    pub fn reported(&self) -> Result<()> {
        self.store().reported()
    }

    /// Takes the journal away.
    ///
    /// # Errors
    /// `Denied`, `Io`.
    pub fn end(self) -> Result<()> {
        let store = self.store.into_inner();
        store.unwrap_or_else(PoisonError::into_inner).end()
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// `Io`.
    pub fn clear(&self) -> Result<()> {
        self.store().clear()
    }

    /// Notes how far a target came, before anything further is done to it; `is_durable` if that
    /// must survive a power cut.
    ///
    /// # Errors
    /// `Io`.
    pub fn stage(&self, target: usize, stage: &Stage, is_durable: bool) -> Result<()> {
        self.store().stage(target, stage, is_durable)
    }

    /// Notes how far splits came; `is_durable` if that would survive a power cut.
    ///
    /// # Errors
    /// `Io`.
    pub fn marks(&self, target: usize, marks: &[(usize, Mark)], is_durable: bool) -> Result<()> {
        self.store().marks(target, marks, is_durable)
    }
}
