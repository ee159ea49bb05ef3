// SPDX-License-Identifier: Apache-2.0
//! What is known of a run between its processes: the plan that it follows, and how far it came.

use milvusdm_plugin_api::ReadAccount;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::finish::Finish;
use crate::hash::Sums;

/// A run that was begun.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its name: letters and digits.
    pub run: String,
    /// When it began, seconds since 1970.
    pub began: u64,
    /// The source, its options without secrets.
    pub source: Value,
    /// The sink, likewise.
    pub sink: Value,
    /// What to do where a target exists.
    pub mode: String,
    /// The folder that it was begun in: relative paths start there.
    pub folder: String,
    /// Whether its report was handed out, so that nothing is left to do.
    #[serde(skip)]
    pub is_reported: bool,
    /// The targets that are written, in plan order.
    pub targets: Vec<TargetRecord>,
}

/// A target of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// `collection` or `collection/partition`.
    pub name: String,
    /// Where it is.
    pub location: String,
    /// Its columns: name, type, metadata.
    pub columns: Vec<Value>,
    /// What conversions do to them.
    pub conversions: Vec<Value>,
    /// Whether it existed before the run.
    pub existed: bool,
    /// Rows that were there before the run.
    pub rows_before: Option<u64>,
    /// How far it came.
    #[serde(skip)]
    pub stage: Stage,
    /// What goes into it, in plan order.
    pub splits: Vec<SplitRecord>,
}

/// A split that goes into a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// The dataset.
    pub dataset: String,
    /// The split's own id.
    pub id: String,
    /// Changes when the source's content does.
    pub fingerprint: String,
    /// Rows that reading it gives, where that is known before.
    pub live: Option<u64>,
    /// How far the sink acknowledged its rows.
    #[serde(skip)]
    pub acknowledged: Mark,
    /// How far they would survive a power cut.
    #[serde(skip)]
    pub durable: Mark,
}

/// How far a target came.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing of the run is there.
    #[default]
    Planned,
    /// The sink was told to make it ready for rows.
    Preparing,
    /// It is ready for rows, and may have some.
    Prepared,
    /// All rows are there; the sink was told to finish.
    Finishing,
    /// The sink has finished it.
    Finished(Finish),
}

/// How far a split came.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Mark {
    /// Rows that reading it gave, all of which are accounted for: reading goes on behind them.
    pub through: u64,
    /// Rows of these that the sink took.
    pub written: u64,
    /// Rows of these that were rejected.
    pub rejected: u64,
    /// Bytes of those that were written.
    pub bytes: u64,
    /// What the reader said at the end of the split; `None` if it did not come so far.
    pub account: Option<ReadAccount>,
    /// Hashes of the rows that were written; `None` where some of these were not hashed.
    pub sums: Option<Sums>,
}

impl Mark {
    /// That of a split that was not begun.
    pub const NONE: Self = Self {
        through: 0,
        written: 0,
        rejected: 0,
        bytes: 0,
        account: None,
        sums: None,
    };
}

impl RunRecord {
    /// Targets that may be there half-written.
    pub fn begun(&self) -> impl Iterator<Item = &TargetRecord> {
        let is_begun =
            |target: &&TargetRecord| !matches!(target.stage, Stage::Planned | Stage::Finished(_));
        self.targets.iter().filter(is_begun)
    }

    /// Those of them in places where another plan has none.
    pub fn left_elsewhere(&self, now: &Self) -> impl Iterator<Item = &TargetRecord> {
        let places: Vec<&str> = now
            .targets
            .iter()
            .map(|new| new.location.as_str())
            .collect();
        self.begun()
            .filter(move |old| !places.contains(&old.location.as_str()))
    }

    /// Whether it was begun, and nothing is said of how far it came.
    pub fn says_nothing(&self) -> bool {
        let is_planned = |target: &TargetRecord| target.stage == Stage::Planned;
        !self.is_reported && !self.targets.is_empty() && self.targets.iter().all(is_planned)
    }

    /// Whether there is something to go on with: a target that has or may have rows, or at the
    /// least a report that nobody got.
    pub fn is_unfinished(&self) -> bool {
        let is_planned = |target: &TargetRecord| target.stage == Stage::Planned;
        !self.is_reported && !self.targets.iter().all(is_planned)
    }
}

impl TargetRecord {
    /// Rows that the sink acknowledged.
    pub fn written(&self) -> u64 {
        let written = self.splits.iter().map(|split| split.acknowledged.written);
        written.fold(0, u64::saturating_add)
    }

    /// How far each split came if just the first `rows` rows are at the target.
    ///
    /// `None` where that can't be told: rows were rejected among those that are missing.
    pub fn marks_of(&self, rows: u64) -> Option<Vec<Mark>> {
        let mut left = rows;
        let mut is_over = false;
        let mark = |split: &SplitRecord| {
            let known = &split.acknowledged;
            if is_over {
                return Some(Mark::default());
            }
            if known.account.is_some() && known.written <= left {
                left -= known.written;
                return Some(known.clone());
            }
            let Some(more) = left.checked_sub(known.written) else {
                is_over = true;
                let there = std::mem::take(&mut left);
                let is_plain = known.rejected == 0 && known.through == known.written;
                return is_plain.then(|| Mark {
                    through: there,
                    written: there,
                    ..Mark::default()
                });
            };
            // Rows that arrived without an answer may reach into the next split.
            let room = split.live.map(|live| live.saturating_sub(known.through));
            let arrived = more.min(room.unwrap_or(more));
            is_over = room.is_none_or(|room| arrived < room);
            left = more - arrived;
            Some(Mark {
                through: known.through.saturating_add(arrived),
                written: known.written.saturating_add(arrived),
                account: None,
                sums: known.sums.clone().filter(|_| arrived == 0),
                ..known.clone()
            })
        };
        let marks: Option<Vec<Mark>> = self.splits.iter().map(mark).collect();
        // More rows than all splits have.
        marks.filter(|_| left == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(splits: &[(u64, u64, bool)]) -> TargetRecord {
        let splits = splits
            .iter()
            .map(|(written, rejected, is_done)| SplitRecord {
                dataset: "a".to_owned(),
                id: "s".to_owned(),
                fingerprint: String::new(),
                live: Some(20),
                acknowledged: Mark {
                    through: written + rejected,
                    written: *written,
                    rejected: *rejected,
                    bytes: 0,
                    account: is_done.then(ReadAccount::default),
                    sums: None,
                },
                durable: Mark::default(),
            });
        TargetRecord {
            name: "a".to_owned(),
            location: String::new(),
            columns: Vec::new(),
            conversions: Vec::new(),
            existed: false,
            rows_before: None,
            stage: Stage::Prepared,
            splits: splits.collect(),
        }
    }

    fn places(target: &TargetRecord, rows: u64) -> Option<Vec<(u64, bool)>> {
        let marks = target.marks_of(rows)?;
        Some(
            marks
                .iter()
                .map(|m| (m.through, m.account.is_some()))
                .collect(),
        )
    }

    #[test]
    fn a_count_of_rows_becomes_places_in_splits() {
        let known = target(&[(10, 0, true), (4, 0, false), (0, 0, false)]);
        assert_eq!(
            places(&known, 14),
            Some(vec![(10, true), (4, false), (0, false)])
        );
        // Rows that were not acknowledged, but arrived.
        assert_eq!(
            places(&known, 17),
            Some(vec![(10, true), (7, false), (0, false)])
        );
        // Of the next split, too.
        assert_eq!(
            places(&known, 33),
            Some(vec![(10, true), (20, false), (3, false)])
        );
        assert_eq!(
            places(&known, 30),
            Some(vec![(10, true), (20, false), (0, false)])
        );
        // Acknowledged rows that a server lost.
        assert_eq!(
            places(&known, 11),
            Some(vec![(10, true), (1, false), (0, false)])
        );
        assert_eq!(
            places(&known, 10),
            Some(vec![(10, true), (0, false), (0, false)])
        );
        assert_eq!(
            places(&known, 3),
            Some(vec![(3, false), (0, false), (0, false)])
        );
        assert_eq!(places(&known, 0), Some(vec![(0, false); 3]));
    }

    #[test]
    fn rejected_rows_are_passed_over_once_and_never_guessed() {
        let known = target(&[(10, 2, true), (4, 1, false)]);
        assert_eq!(places(&known, 14), Some(vec![(12, true), (5, false)]));
        assert_eq!(places(&known, 15), Some(vec![(12, true), (6, false)]));
        assert_eq!(places(&known, 12), None);
        assert_eq!(places(&known, 9), None);
        let all = target(&[(10, 0, true)]);
        assert_eq!(places(&all, 11), None, "rows that are not ours");
    }
}
