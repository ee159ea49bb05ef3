// SPDX-License-Identifier: Apache-2.0
//! Errors with the exit code that they lead to.

use milvusdm_plugin_api::{Error, ErrorKind};

/// Everything moved, every ledger balanced.
pub const DONE: u8 = 0;
/// Finished, but rows were rejected or lost.
pub const WITH_LOSSES: u8 = 1;
/// The command line, the task or the state of the target is refused.
pub const REFUSED: u8 = 2;
/// A plugin broke its contract, panicked, or did not come back.
pub const PLUGIN: u8 = 3;
/// The source or the sink failed.
pub const ENDPOINT: u8 = 4;
/// A fault of ours, or a ledger that does not balance.
pub const INTERNAL: u8 = 5;

/// An error and where it leads.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// The exit code.
    pub exit: u8,
}

impl Failure {
    /// Something about the command line or the task.
    pub fn task(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::Plugin | ErrorKind::Panic => PLUGIN,
            ErrorKind::Internal => INTERNAL,
            _ => REFUSED,
        };
        Self { error, exit }
    }

    /// Something that a source or sink answered.
    pub fn endpoint(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::Config | ErrorKind::Exists => REFUSED,
            ErrorKind::Plugin | ErrorKind::Panic => PLUGIN,
            ErrorKind::Internal => INTERNAL,
            _ => ENDPOINT,
        };
        Self { error, exit }
    }
}

/// The exit code of a run that a signal stopped: 130 for SIGINT, 143 for SIGTERM.
pub fn of_signal(signal: i32) -> u8 {
    u8::try_from(signal.saturating_add(128)).unwrap_or(INTERNAL)
}
