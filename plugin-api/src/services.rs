// SPDX-License-Identifier: Apache-2.0
//! What the host lends a plugin: log, progress, cancellation, masking of secrets.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum LogLevel {
    /// Data was lost, or the operator is needed.
    Error = 1,
    /// Something went wrong and was mended.
    Warn = 2,
    /// A stage of the task.
    Info = 3,
    /// A file, a request.
    Debug = 4,
}

impl LogLevel {
    /// The level of that number; unknown ones count as debug.
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Error,
            2 => Self::Warn,
            3 => Self::Info,
            _ => Self::Debug,
        }
    }
}

/// The host's side of [`Services`].
pub trait HostCalls: Send + Sync {
    /// Takes a log line.
    fn log(&self, level: LogLevel, message: &str);
    /// Takes note that a plugin is at work inside a long call: `what` it does, `done` of `total`
    /// (0 = unknown).
    fn progress(&self, what: &str, done: u64, total: u64);
    /// Whether the run is to stop.
    fn is_cancelled(&self) -> bool;
    /// Masks this text wherever the host would show it.
    fn mask_secret(&self, secret: &str);
}

/// What the host lends a plugin; cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Services(Arc<dyn HostCalls>);

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Services")
    }
}

impl Services {
    /// Wraps the host's side.
    pub fn new(host: Arc<dyn HostCalls>) -> Self {
        Self(host)
    }

    /// Services for tests and tools: logs go nowhere, nothing is ever cancelled.
    pub fn detached() -> Self {
        struct Detached;
        impl HostCalls for Detached {
            fn log(&self, _: LogLevel, _: &str) {}
            fn progress(&self, _: &str, _: u64, _: u64) {}
            fn is_cancelled(&self) -> bool {
                false
            }
            fn mask_secret(&self, _: &str) {}
        }
        Self(Arc::new(Detached))
    }

    /// Writes a log line, a sentence.
    pub fn log(&self, level: LogLevel, message: &str) {
        self.0.log(level, message);
    }

    /// Tells how far a long call is; `total` 0 = unknown. It is shown until `done` reaches `total`
    /// or another call is told of: one whose total is not known ends with 1 of 1.
    pub fn progress(&self, what: &str, done: u64, total: u64) {
        self.0.progress(what, done, total);
    }

    /// Whether the run is to stop; a long call asks at least once a second.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// The same as an error, for `?`.
    ///
    /// # Errors
    /// `Cancelled` if the run is to stop.
    pub fn check_cancelled(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "stopped on request"));
        }
        Ok(())
    }

    /// Has the host mask a text (a password taken from a URI) wherever it would show it.
    pub fn mask_secret(&self, secret: &str) {
        self.0.mask_secret(secret);
    }
}
