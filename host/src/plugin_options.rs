// SPDX-License-Identifier: Apache-2.0
//! What the command line says about where plugins come from.
//!
//! Apart from the command line that fills it and the loading that heeds it, so that neither
//! knows the other.

use std::path::PathBuf;

use crate::task::Prefer;

/// Where plugins are looked for, which of them are trusted, and which of two is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginOptions {
    /// Folders to look in before all others (`--plugin-dir`).
    pub dirs: Vec<PathBuf>,
    /// Files that are trusted for this run (`--allow-plugin`).
    pub allowed: Vec<PathBuf>,
    /// Which plugin is meant where a name has two (`--prefer`).
    pub prefer: Option<Prefer>,
    /// Which one is meant where neither that nor the task says (a program's defaults).
    pub usual: Option<Prefer>,
}

impl PluginOptions {
    /// Which plugin is meant where a name has two, by the command line, else by the task, else
    /// by what is usual.
    pub fn prefer_over(&self, task: Option<Prefer>) -> Prefer {
        self.prefer.or(task).or(self.usual).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins_over_the_task_and_the_task_over_the_usual() {
        let said = |prefer| PluginOptions {
            prefer,
            ..PluginOptions::default()
        };
        let (linked, loaded) = (Some(Prefer::Linked), Some(Prefer::Loaded));
        assert_eq!(said(linked).prefer_over(loaded), Prefer::Linked);
        assert_eq!(said(None).prefer_over(loaded), Prefer::Loaded);
        assert_eq!(said(None).prefer_over(None), Prefer::Linked);
        let usual = PluginOptions {
            usual: loaded,
            ..PluginOptions::default()
        };
        assert_eq!(usual.prefer_over(None), Prefer::Loaded);
        assert_eq!(usual.prefer_over(linked), Prefer::Linked);
    }
}
