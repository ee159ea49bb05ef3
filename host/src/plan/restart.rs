// SPDX-License-Identifier: Apache-2.0
//! Giving an unfinished run up: what would be in the way of beginning anew.

use milvusdm_plugin_api::{Error, ErrorKind, Mode};

use super::{Plan, PlannedTarget, Start};
use crate::journal::{self, RunRecord, Subject};

impl Plan {
    /// What a run that begins anew would be refused for, or do twice: a target that the run it gives
    /// up has finished. Told before anything is taken back.
    pub fn in_the_way(&self, earlier: &RunRecord, subject: &Subject) -> Option<Error> {
        let is_elsewhere = |target: &PlannedTarget| {
            let name = target.name();
            earlier
                .left_behind(&self.record)
                .any(|left| left.name == name)
        };
        let is_finished = |target: &&PlannedTarget| {
            let mode = target.request.spec.mode;
            matches!(target.start, Start::Finished(..)) && matches!(mode, Mode::Fail | Mode::Append)
        };
        let mut finished = self.targets.iter().filter(is_finished);
        let target = finished.find(|target| !is_elsewhere(target))?;
        let mode = target.request.spec.mode;
        let consequence = match mode {
            Mode::Append => "has its rows, which would be there twice",
            _ => "is there, and `mode: fail` keeps it",
        };
        let message = format!(
            "the run can't begin anew: {} was finished by it and {consequence}",
            target.name()
        );
        let mut ways = Vec::new();
        if journal::refusal(earlier, &self.record).is_none() {
            ways.push("go on without `--restart`, unless that was refused too");
        }
        if mode == Mode::Fail {
            ways.push("take that target away first");
        }
        // Other arguments would be another run.
        if subject.is_file() {
            ways.push("leave it out with `select`");
        }
        if ways.is_empty() {
            ways.push("put task and source back as they were, and go on without `--restart`");
        }
        let error = Error::new(ErrorKind::Exists, message).with("target", &target.state.location);
        Some(error.help(ways.join("; or ")))
    }
}
