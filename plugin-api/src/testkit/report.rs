// SPDX-License-Identifier: Apache-2.0
//! What the suite found: one named outcome a case.

use std::fmt;

use serde::Serialize;

use crate::Error;

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "why")]
pub enum Outcome {
    /// The plugin keeps this part of the contract.
    Passed,
    /// The case does not apply, or was given nothing to work with.
    Skipped(String),
    /// The plugin breaks the contract.
    Failed(String),
}

/// One case of the suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Case {
    /// What is asked of the plugin, as a sentence.
    pub name: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of every case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use = "look at the failures, or call `assert_passed`"]
pub struct Report {
    /// The plugin and the side of it: `faiss source`.
    pub subject: String,
    /// The cases, in the order they were run.
    pub cases: Vec<Case>,
}

impl Report {
    /// Whether no case failed.
    pub fn is_passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The cases that failed, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.cases.iter().filter_map(|case| match &case.outcome {
            Outcome::Failed(why) => Some((case.name, why.as_str())),
            _ => None,
        })
    }

    /// The cases that were skipped, and why.
    pub fn skipped(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.cases.iter().filter_map(|case| match &case.outcome {
            Outcome::Skipped(why) => Some((case.name, why.as_str())),
            _ => None,
        })
    }

    /// For tests: panics with the whole report if a case failed.
    ///
    /// # Panics
    /// If a case failed.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.is_passed(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        for Case { name, outcome } in &self.cases {
            match outcome {
                Outcome::Passed => writeln!(f, "  passed   {name}")?,
                Outcome::Skipped(why) => writeln!(f, "  skipped  {name}: {why}")?,
                Outcome::Failed(why) => writeln!(f, "  FAILED   {name}: {why}")?,
            }
        }
        let failed = self.failures().count();
        write!(f, "  {failed} of {} failed", self.cases.len())
    }
}

/// Why a case did not pass.
#[derive(Debug)]
pub(super) enum Why {
    Skipped(String),
    Failed(String),
}

impl From<Error> for Why {
    fn from(error: Error) -> Self {
        Self::Failed(format!("{error:?}"))
    }
}

impl Why {
    /// The same failure, with where it happened in front.
    pub(super) fn at(self, place: impl fmt::Display) -> Self {
        match self {
            Self::Failed(why) => Self::Failed(format!("{place}: {why}")),
            skipped => skipped,
        }
    }
}

/// What a case gives back.
pub(super) type Checked<T = ()> = Result<T, Why>;

/// Fails the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            return Err($crate::testkit::report::Why::Failed(format!($($why)+)));
        }
    };
}
pub(super) use ensure;

/// Leaves the case out.
pub(super) fn skip<T>(why: impl Into<String>) -> Checked<T> {
    Err(Why::Skipped(why.into()))
}

/// Fails the case.
pub(super) fn fail<T>(why: impl Into<String>) -> Checked<T> {
    Err(Why::Failed(why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            subject: "x source".to_owned(),
            cases: vec![
                Case {
                    name: "a",
                    outcome: Outcome::Passed,
                },
                Case {
                    name: "b",
                    outcome: Outcome::Failed("row 3".to_owned()),
                },
                Case {
                    name: "c",
                    outcome: Outcome::Skipped("no hook".to_owned()),
                },
            ],
        }
    }

    #[test]
    fn failures_are_named() {
        assert_eq!(report().failures().collect::<Vec<_>>(), [("b", "row 3")]);
        assert!(!report().is_passed());
        let text = report().to_string();
        assert!(
            text.contains("FAILED   b: row 3") && text.contains("1 of 3"),
            "{text}"
        );
    }

    #[test]
    #[should_panic(expected = "row 3")]
    fn asserting_panics_with_the_report() {
        report().assert_passed();
    }

    #[test]
    fn a_report_is_json_too() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["cases"][1]["outcome"], "failed");
        assert_eq!(json["cases"][1]["why"], "row 3");
    }
}
