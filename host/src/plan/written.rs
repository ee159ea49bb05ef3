// SPDX-License-Identifier: Apache-2.0
//! What the run that finished the targets of a plan knows of them, for those who compare.

use milvusdm_plugin_api::Mode;

use super::resume::{mode, record_of, target_record};
use super::{Plan, PlannedTarget};
use crate::hash::Sums;
use crate::journal::{RunRecord, SplitRecord, Stage, TargetRecord};
use crate::verify::Written;

impl Plan {
    /// What the last run knows of what it wrote, for each target: the hashes where it ran to its
    /// end with the plan as it is now, and hashed all rows.
    pub(crate) fn written(&self, last: &RunRecord) -> Vec<Written> {
        let is_same_source = self.record.source == last.source;
        let written = |target| {
            let written = of_target(target, last);
            Written {
                sums: written.sums.filter(|_| is_same_source),
                ..written
            }
        };
        self.targets.iter().map(written).collect()
    }
}

/// What the run that finished a target knows of it.
fn of_target(target: &PlannedTarget, last: &RunRecord) -> Written {
    let then = record_of(last, target).filter(|then| matches!(then.stage, Stage::Finished(_)));
    let is_appended = last.mode == mode(Mode::Append);
    Written {
        sums: then.and_then(|then| known_sums(target, then)),
        before: then
            .filter(|_| is_appended)
            .and_then(|then| then.rows_before)
            .unwrap_or(0),
    }
}

/// Hashes of all rows that went into a target, if the source is what it was.
fn known_sums(target: &PlannedTarget, then: &TargetRecord) -> Option<Sums> {
    let now = target_record(target, None);
    let is_same = |(then, now): (&SplitRecord, &SplitRecord)| {
        (&then.dataset, &then.id, &then.fingerprint) == (&now.dataset, &now.id, &now.fingerprint)
    };
    let is_like = (&then.columns, &then.conversions) == (&now.columns, &now.conversions)
        && then.splits.len() == now.splits.len();
    if !is_like || !then.splits.iter().zip(&now.splits).all(is_same) {
        return None;
    }
    let mut sums = Sums::default();
    for split in &then.splits {
        sums += split.acknowledged.sums.as_ref()?;
    }
    Some(sums)
}
