// SPDX-License-Identifier: Apache-2.0
//! Everything that goes to stderr, so that log lines and a progress bar do not overwrite each
//! other.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::ProgressBar;

/// Standard error, and the bar that is drawn on it at the moment.
#[derive(Debug)]
pub(super) struct Terminal {
    bar: Mutex<Option<ProgressBar>>,
    is_terminal: bool,
    has_color: bool,
}

impl Terminal {
    /// Looks at what stderr is, and at `NO_COLOR` and `TERM`.
    pub fn new() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_terminal = std::io::stderr().is_terminal() && !is_dumb;
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            bar: Mutex::new(None),
            is_terminal,
            has_color: is_terminal && !no_color,
        }
    }

    /// Whether a bar can be drawn.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Whether colours are wanted.
    pub fn has_color(&self) -> bool {
        self.has_color
    }

    /// Writes whole lines above the bar. Nobody can be told that stderr is gone, so a failure is
    /// not one.
    pub fn write(&self, lines: &str) {
        let write = || {
            let mut stderr = std::io::stderr().lock();
            let _ = stderr
                .write_all(lines.as_bytes())
                .and_then(|()| stderr.flush());
        };
        // Cloned, so that the lock is not held while drawing.
        let bar = self.bar().clone();
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// From now on, lines go above this bar.
    pub fn show(&self, bar: ProgressBar) {
        *self.bar() = Some(bar);
    }

    /// Takes the bar away, leaving nothing of it.
    pub fn clear(&self) {
        let bar = self.bar().take();
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }

    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
