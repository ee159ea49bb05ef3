// SPDX-License-Identifier: Apache-2.0
//! What readers and writers of one target have counted so far, split by split.

use std::sync::{Mutex, MutexGuard, PoisonError};

use milvusdm_plugin_api::{Error, ErrorKind, ReadAccount, Rejected};

use crate::hash::Sums;
use crate::journal::Mark;
use crate::ledger::Ledger;
use crate::report::RejectedRow;

/// Rejected rows that are kept as examples; all are counted.
const MAX_EXAMPLES: usize = 100;

/// The counts of a transfer, shared by its threads.
#[derive(Debug)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug)]
pub(super) struct Counts {
    /// One account a split.
    pub splits: Vec<Ledger>,
    /// Rows that reading each split gave.
    given: Vec<u64>,
    /// The first rows that were rejected.
    pub rejected: Vec<RejectedRow>,
    /// What readers say of rows that they left out.
    pub notices: Vec<String>,
    /// Bytes that were written.
    pub bytes: u64,
    /// Hashes of the rows that were written; `None` where some were not hashed.
    pub sums: Option<Sums>,
    /// What stopped the transfer.
    pub error: Option<Error>,
}

/// Where a batch stands, for naming its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The split's position in the target's plan.
    pub position: usize,
    /// The dataset's name.
    pub dataset: &'a str,
    /// The split's id.
    pub split: &'a str,
    /// The batch's first row among those that reading the split gives.
    pub first_row: u64,
}

impl Counts {
    /// The accounts as they have to add up: where the source does not tell what it has, all that
    /// was given must have been written, or have a reason not to be.
    pub(super) fn accounts(&self) -> impl Iterator<Item = Ledger> {
        self.splits.iter().zip(&self.given).map(|(ledger, given)| {
            let left_out = [ledger.deleted, ledger.skipped, ledger.lost];
            let all = left_out.into_iter().fold(*given, u64::saturating_add);
            Ledger {
                found: Some(ledger.found.unwrap_or(all)),
                ..*ledger
            }
        })
    }
}

impl Tally {
    /// Counts of splits, each with the rows that it has and how far an earlier process came.
    pub(super) fn new<'a>(
        splits: impl Iterator<Item = (Option<u64>, &'a Mark)>,
        is_hashed: bool,
    ) -> Self {
        let mut sums = is_hashed.then(Sums::default);
        let (splits, given) = splits
            .map(|(found, mark)| {
                let mut ledger = Ledger {
                    written: mark.written,
                    rejected: mark.rejected,
                    ..Ledger::of(found)
                };
                mark.account
                    .iter()
                    .for_each(|account| ledger.take_account(account));
                match (&mut sums, &mark.sums) {
                    (Some(sums), Some(before)) => *sums += before,
                    (sums, None) if mark.through > 0 => *sums = None,
                    _ => {}
                }
                (ledger, mark.through)
            })
            .unzip();
        Self(Mutex::new(Counts {
            given,
            splits,
            rejected: Vec::new(),
            notices: Vec::new(),
            bytes: 0,
            sums,
            error: None,
        }))
    }

    /// Rows of a split that the sink took.
    pub(super) fn written(&self, position: usize, rows: u64, bytes: u64, sums: Option<&Sums>) {
        let mut counts = self.lock();
        match (&mut counts.sums, sums) {
            (Some(all), Some(sums)) => *all += sums,
            (all, None) => *all = None,
            (None, Some(_)) => {}
        }
        counts.bytes = counts.bytes.saturating_add(bytes);
        if let Some(ledger) = counts.splits.get_mut(position) {
            ledger.written = ledger.written.saturating_add(rows);
        }
    }

    /// Rows of a batch that did not go through.
    pub(super) fn rejected(&self, origin: Origin<'_>, rows: Vec<Rejected>) {
        let mut counts = self.lock();
        if let Some(ledger) = counts.splits.get_mut(origin.position) {
            ledger.rejected = ledger.rejected.saturating_add(rows.len() as u64);
        }
        let room = MAX_EXAMPLES.saturating_sub(counts.rejected.len());
        counts
            .rejected
            .extend(rows.into_iter().take(room).map(|row| RejectedRow {
                dataset: origin.dataset.to_owned(),
                split: origin.split.to_owned(),
                row: origin.first_row.saturating_add(row.row),
                id: row.id,
                reason: row.reason,
            }));
    }

    /// What a reader gave, and what it says at the end of its split.
    pub(super) fn account(&self, position: usize, given: u64, account: &ReadAccount) {
        let mut counts = self.lock();
        if let Some(count) = counts.given.get_mut(position) {
            *count = given;
        }
        if let Some(ledger) = counts.splits.get_mut(position) {
            ledger.take_account(account);
        }
        for note in &account.notes {
            if counts.notices.len() < MAX_EXAMPLES && !counts.notices.contains(note) {
                counts.notices.push(note.clone());
            }
        }
    }

    /// Keeps the first failure; a wish to stop gives way to a failure of substance.
    pub(super) fn failed(&self, error: Error) {
        let mut counts = self.lock();
        let is_first = match &counts.error {
            None => true,
            Some(known) => {
                known.kind() == ErrorKind::Cancelled && error.kind() != ErrorKind::Cancelled
            }
        };
        if is_first {
            counts.error = Some(error);
        }
    }

    /// Adds something that a person should know.
    pub(super) fn notice(&self, notice: String) {
        self.lock().notices.push(notice);
    }

    /// Looks at the counts.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Counts) -> T) -> T {
        look(&self.lock())
    }

    pub(super) fn into_inner(self) -> Counts {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
