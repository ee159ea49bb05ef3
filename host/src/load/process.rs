// SPDX-License-Identifier: Apache-2.0
//! What code from outside must not do to the process: end it as if all were well, or write
//! between the results on stdout.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::OnceLock;

/// The process's stdout, once it is ours alone.
static RESULTS: OnceLock<File> = OnceLock::new();
/// What is done where the process ends and it is not we who end it.
static AT_EXIT: OnceLock<fn()> = OnceLock::new();

/// Keeps stdout for results: what else is printed there from now on goes to stderr. Called
/// before code from outside runs for the first time.
pub(super) fn keep_stdout() {
    if RESULTS.get().is_some() {
        return;
    }
    // Where stdout is closed there is nothing to keep, and nobody who reads it.
    let Ok(own) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3) else {
        return;
    };
    if RESULTS.set(File::from(own)).is_ok()
        && let Err(e) = rustix::stdio::dup2_stdout(rustix::stdio::stderr())
    {
        tracing::debug!("What plugins print on stdout is not kept apart: {e}.");
    }
}

/// Prints a result on stdout.
///
/// # Errors
/// As writing to stdout.
pub fn print(text: &str) -> io::Result<()> {
    if let Some(mut results) = RESULTS.get() {
        return results.write_all(text.as_bytes());
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Has this done where the process is ended by `exit`, ours included; the first one counts.
///
/// A plugin that calls `exit(0)` would otherwise make an unfinished run look like one that is
/// done.
pub fn at_exit(run: fn()) {
    if AT_EXIT.set(run).is_ok() {
        heed_exit_first();
    }
}

/// Has it done before what other exit handlers do that were set up until now: some wait for what
/// other threads of ours are doing, others finalise files that are half written.
pub fn heed_exit_first() {
    unsafe extern "C" {
        safe fn atexit(run: extern "C" fn()) -> c_int;
    }
    extern "C" fn heed() {
        if let Some(run) = AT_EXIT.get() {
            // Unwinding out of here would end the process in another way.
            let _ = std::panic::catch_unwind(run);
        }
    }
    if AT_EXIT.get().is_some() && atexit(heed) != 0 {
        tracing::debug!("There is no room for an exit handler.");
    }
}
