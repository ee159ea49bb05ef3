// SPDX-License-Identifier: Apache-2.0
//! The work that a target is: its splits, with the places of their rows.

use milvusdm_plugin_api::Split;

use crate::plan::{Part, PlannedTarget};

/// A split to be read.
pub(super) struct Job<'a> {
    pub(super) part: &'a Part,
    /// The dataset's position in the target.
    pub(super) part_position: usize,
    pub(super) split: &'a Split,
    /// Rows of the splits before it, where all of them are known exactly.
    pub(super) row_before: u64,
    pub(super) dataset_name: String,
}

/// All splits of a target in plan order, with the places of their rows.
pub(super) fn jobs(target: &PlannedTarget) -> Vec<Job<'_>> {
    let mut jobs = Vec::new();
    let mut row_before = 0u64;
    for (part_position, part) in target.parts.iter().enumerate() {
        for split in &part.splits {
            let dataset_name = part.dataset.descriptor.full_name();
            jobs.push(Job {
                part,
                part_position,
                split,
                row_before,
                dataset_name,
            });
            row_before = row_before.saturating_add(split.live.unwrap_or(0));
        }
    }
    jobs
}
