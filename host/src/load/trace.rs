// SPDX-License-Identifier: Apache-2.0
//! What a file passes on its way to being loaded.

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

/// Hears of each step as it is passed.
type Listener<'a> = Box<dyn FnMut(&Step) + 'a>;

/// The checks that a file passes, in their order.
pub struct Trace<'a> {
    path: PathBuf,
    listener: Option<Listener<'a>>,
}

impl<'a> Trace<'a> {
    /// The trace of a file that has passed nothing yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            listener: None,
        }
    }

    /// The same, with somebody who hears of each step at once: the file may end the process.
    pub fn told_to(path: &Path, listener: impl FnMut(&Step) + 'a) -> Self {
        Self {
            path: path.to_owned(),
            listener: Some(Box::new(listener)),
        }
    }

    /// Notes that a check was passed.
    pub(super) fn pass(&mut self, step: &str, found: String) {
        tracing::debug!(file = %self.path.display(), step, found, "Checked a plugin file.");
        if let Some(listener) = &mut self.listener {
            listener(&Step {
                step: step.to_owned(),
                found,
            });
        }
    }
}
