// SPDX-License-Identifier: Apache-2.0
//! Where every row went: `found = written + deleted + skipped + collapsed + rejected + lost`.
//!
//! `found` comes from the source's structure, the rest from what readers and writers did: two
//! counts that know nothing of each other.

use milvusdm_plugin_api::ReadAccount;
use serde::{Deserialize, Serialize};

/// The account of a split, a dataset or a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Rows in the source, counted from its structure; `None` if only reading tells.
    pub found: Option<u64>,
    /// Rows that the sink acknowledged as written.
    pub written: u64,
    /// Rows that are deleted in the source.
    pub deleted: u64,
    /// Rows passed over because the task says so.
    pub skipped: u64,
    /// Rows left out because their id was there before.
    pub collapsed: u64,
    /// Rows that the target can't hold.
    pub rejected: u64,
    /// Rows that are in the source but could not be read.
    pub lost: u64,
}

impl Ledger {
    /// An account that is still to be filled, of a known number of rows.
    pub fn of(found: Option<u64>) -> Self {
        Self {
            found,
            ..Self::default()
        }
    }

    /// Rows whose fate is known.
    pub fn accounted(&self) -> u64 {
        [
            self.written,
            self.deleted,
            self.skipped,
            self.collapsed,
            self.rejected,
            self.lost,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Whether every row that was found is accounted for, and no other; a count that nobody knew
    /// beforehand can't be contradicted.
    pub fn is_balanced(&self) -> bool {
        self.found.is_none_or(|found| found == self.accounted())
    }

    /// Whether rows did not arrive that should have.
    pub fn has_losses(&self) -> bool {
        self.rejected > 0 || self.lost > 0
    }

    /// Takes over what a reader says of rows that it did not give out.
    pub fn take_account(&mut self, account: &ReadAccount) {
        self.deleted = self.deleted.saturating_add(account.deleted);
        self.skipped = self.skipped.saturating_add(account.skipped);
        self.lost = self.lost.saturating_add(account.lost);
    }
}

impl std::ops::AddAssign for Ledger {
    /// The sum; one unknown `found` makes the sum's unknown.
    fn add_assign(&mut self, other: Self) {
        self.found = match (self.found, other.found) {
            (Some(a), Some(b)) => a.checked_add(b),
            _ => None,
        };
        self.written = self.written.saturating_add(other.written);
        self.deleted = self.deleted.saturating_add(other.deleted);
        self.skipped = self.skipped.saturating_add(other.skipped);
        self.collapsed = self.collapsed.saturating_add(other.collapsed);
        self.rejected = self.rejected.saturating_add(other.rejected);
        self.lost = self.lost.saturating_add(other.lost);
    }
}

impl std::iter::Sum for Ledger {
    fn sum<I: Iterator<Item = Self>>(ledgers: I) -> Self {
        ledgers.fold(Self::of(Some(0)), |mut sum, ledger| {
            sum += ledger;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_more_or_less_unbalances_it() {
        let mut ledger = Ledger {
            written: 7,
            deleted: 2,
            rejected: 1,
            ..Ledger::of(Some(10))
        };
        assert!(ledger.is_balanced() && ledger.has_losses());
        ledger.written = 6;
        assert!(!ledger.is_balanced());
        ledger.written = 8;
        assert!(!ledger.is_balanced());
    }

    #[test]
    fn an_unknown_count_stays_unknown_in_the_sum() {
        let known = Ledger {
            written: 3,
            ..Ledger::of(Some(3))
        };
        let unknown = Ledger {
            written: 5,
            ..Ledger::of(None)
        };
        let sum: Ledger = [known, unknown].into_iter().sum();
        assert_eq!((sum.found, sum.written), (None, 8));
        assert_eq!([known, known].into_iter().sum::<Ledger>().found, Some(6));
    }
}
