// SPDX-License-Identifier: Apache-2.0
//! What a verification found, as data.

use serde::Serialize;

use crate::hash::Sums;
use crate::report::Refusal;

/// Rows that are named; all are counted.
pub const MAX_EXAMPLES: usize = 100;

/// What was found at all targets of a task.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// [`crate::report::VERSION`].
    pub version: u32,
    /// The hash that rows were compared by.
    pub hash: &'static str,
    /// Rows that were looked at, of each target, where not all of them were to be.
    pub sample: Option<u64>,
    /// Targets in plan order.
    pub targets: Vec<TargetVerdict>,
    /// What a person should know of the task as a whole.
    pub notices: Vec<String>,
    /// Why the task can't be verified.
    pub refusals: Vec<Refusal>,
    /// How long it took.
    pub seconds: f64,
    /// The exit code.
    pub exit: u8,
}

/// What was found at a target.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TargetVerdict {
    /// `collection` or `collection/partition`.
    pub name: String,
    /// Where it is.
    pub location: String,
    /// Whether there is a target at all.
    pub exists: bool,
    /// Rows that the source gives for it.
    pub rows_source: Option<u64>,
    /// Rows that are there.
    pub rows_target: Option<u64>,
    /// Rows of them that can't be read back, so that nothing is proven of them.
    pub unreadable: u64,
    /// Whether both sides are equal; `None` where only a sample was looked at, and nothing in it
    /// differs.
    pub equal: Option<bool>,
    /// What rows are told apart by.
    pub compared_by: ComparedBy,
    /// Rows that were looked up, where only a sample was.
    pub sampled: Option<u64>,
    /// Whose reading of the source the target was held against.
    pub source_read_by: ReadBy,
    /// The sums over the source's rows.
    pub sums_source: Option<Sums>,
    /// The sums over the target's rows.
    pub sums_target: Option<Sums>,
    /// Columns whose sums differ.
    pub differing_columns: Vec<String>,
    /// Rows that are not at the target.
    pub missing: u64,
    /// Rows that are only at the target.
    pub extra: u64,
    /// Rows that are there with other values.
    pub changed: u64,
    /// Rows that are there more often than at the source, each further time.
    pub doubled: u64,
    /// The first rows that differ, of each kind.
    pub examples: Vec<Example>,
    /// What a person should know.
    pub notices: Vec<String>,
}

/// What rows are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparedBy {
    /// Their ids, and the values under each.
    #[default]
    Id,
    /// Their values: there are no ids, or the target made its own.
    Values,
}

/// Who read the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadBy {
    /// The verification.
    #[default]
    Verify,
    /// The run, which hashed the rows as it handed them to the sink.
    Run,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// How it differs.
    pub what: Difference,
    /// Its id, or where it has none, its place: a split and a row of it.
    pub row: String,
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// It is not at the target.
    Missing,
    /// It is only at the target.
    Extra,
    /// It is there with other values.
    Changed,
    /// It is there more often than at the source.
    Doubled,
}

impl TargetVerdict {
    /// Counts a row that differs, and names it if it is among the first of its kind.
    pub(super) fn note(&mut self, what: Difference, row: &str) {
        let count = match what {
            Difference::Missing => &mut self.missing,
            Difference::Extra => &mut self.extra,
            Difference::Changed => &mut self.changed,
            Difference::Doubled => &mut self.doubled,
        };
        *count = count.saturating_add(1);
        if *count <= MAX_EXAMPLES as u64 {
            self.examples.push(Example {
                what,
                row: row.to_owned(),
            });
        }
    }

    /// Takes as many further rows as there were before the run for what they are.
    pub(super) fn set_aside(&mut self, before: u64) {
        let beside = self.extra.saturating_add(self.doubled);
        if self.unreadable > 0 {
            // Which of the rows that share an id was read is chance.
            (self.extra, self.doubled, self.changed, self.missing) = (0, 0, 0, 0);
            self.examples.clear();
            self.differing_columns.clear();
            self.notices.push(format!(
                "{before} rows were there before the run: where they share ids with its own, nothing is proven of either"
            ));
            return;
        }
        if beside != before {
            self.notices.push(format!(
                "before the run there were {before} others, beside its rows there are now {beside}"
            ));
            return;
        }
        (self.extra, self.doubled) = (0, 0);
        let is_of_run =
            |row: &Example| matches!(row.what, Difference::Missing | Difference::Changed);
        self.examples.retain(is_of_run);
        if self.differences() == 0 {
            self.equal = Some(self.unreadable == 0);
            self.differing_columns.clear();
        }
        self.notices.push(format!(
            "the target has as many further rows as there were before the run: {before}"
        ));
    }

    /// Whether something differs, or nothing is there.
    pub fn differs(&self) -> bool {
        self.equal == Some(false)
    }

    /// All rows that differ.
    pub fn differences(&self) -> u64 {
        [self.missing, self.extra, self.changed, self.doubled]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}
