// SPDX-License-Identifier: Apache-2.0
//! Plugins that live in memory: good ones, and the same with one sin each.

pub mod read_back;
pub mod sink;
pub mod sloppy;
pub mod source;

use milvusdm_plugin_api::testkit::{Outcome, Report};

/// Fails unless the report has a failure under that name.
#[track_caller]
pub fn assert_fails(report: &Report, sin: &str, case: &str) {
    let found = report.cases.iter().find(|c| c.name == case);
    let found = found.unwrap_or_else(|| panic!("there is no case `{case}`"));
    assert!(
        matches!(found.outcome, Outcome::Failed(_)),
        "the sin `{sin}` went unnoticed by `{case}`:\n{report}"
    );
}

/// Fails unless each case of the suite is shown to fail for some sin.
#[track_caller]
pub fn assert_every_case_is_shown(report: &Report, shown: &[&str]) {
    for case in &report.cases {
        assert!(
            shown.contains(&case.name),
            "no sin shows that `{}` can fail",
            case.name
        );
    }
}
