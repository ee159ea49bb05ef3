// SPDX-License-Identifier: Apache-2.0
//! What a file passed on its way to being loaded.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A check that was passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was looked at: `access`, `content`, `format`, `trust`, `dlopen`, `door`, `info`.
    pub step: String,
    /// What was found.
    pub found: String,
}

/// The checks that a file passed, in their order.
#[derive(Debug)]
pub struct Trace {
    path: PathBuf,
    steps: Vec<Step>,
}

impl Trace {
    /// The trace of a file that has passed nothing yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            steps: Vec::new(),
        }
    }

    /// Notes that a check was passed.
    pub(super) fn pass(&mut self, step: &str, found: String) {
        tracing::debug!(file = %self.path.display(), step, found, "Checked a plugin file.");
        self.steps.push(Step {
            step: step.to_owned(),
            found,
        });
    }

    /// What was passed.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
