// SPDX-License-Identifier: Apache-2.0
//! The way out of the process: by the end of the command, and no other.
//!
//! A plugin that calls `exit` takes the process along with an exit code of its choice. It is
//! named, and the code is that of a plugin's failure.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

use milvusdm_plugin_api::{Error, ErrorKind};
use rustix::process::Pid;
use signal_hook::low_level;

use super::session::Session;
use crate::failure::{Failure, PLUGIN};
use crate::load;

/// Who waits for an end that comes too early: the one that ends has lost its thread-locals, and
/// with them logging.
static WATCH: OnceLock<Watch> = OnceLock::new();
/// Whether the command has come to its end.
static IS_OVER: AtomicBool = AtomicBool::new(false);
/// Whether somebody has called `exit` before.
static IS_LEFT: AtomicBool = AtomicBool::new(false);

struct Watch {
    thread: Thread,
    /// Processes that a plugin has split off may end as they like.
    process: Pid,
}

/// From now on the process may end only after [`over`].
pub(super) fn guard(session: &Session) {
    let session = session.clone();
    let wait = move || {
        while !IS_LEFT.load(Ordering::SeqCst) {
            std::thread::park();
        }
        leave(&session);
    };
    match std::thread::Builder::new()
        .name("leave".to_owned())
        .spawn(wait)
    {
        Err(e) => tracing::debug!("The end of the process is not watched: {e}."),
        Ok(watching) => {
            let watch = Watch {
                thread: watching.thread().clone(),
                process: rustix::process::getpid(),
            };
            if WATCH.set(watch).is_ok() {
                load::at_exit(ended);
            }
        }
    }
}

/// The command has come to its end.
pub(super) fn over() {
    IS_OVER.store(true, Ordering::SeqCst);
}

/// Runs where the process is ended, on the thread that ends it.
fn ended() {
    let Some(watch) = WATCH.get() else { return };
    if IS_OVER.load(Ordering::SeqCst) || watch.process != rustix::process::getpid() {
        return;
    }
    IS_LEFT.store(true, Ordering::SeqCst);
    watch.thread.unpark();
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Names the plugin and ends the process with the code that it has earned.
fn leave(session: &Session) -> ! {
    session.terminal.clear();
    let calls = session.control.calls_older_than(Duration::ZERO);
    let calls: Vec<String> = calls
        .iter()
        .map(|call| format!("`{}` in `{}`", call.plugin, call.entry))
        .collect();
    let message = match calls.as_slice() {
        [] => "the code of a plugin has ended the process before the command was done".to_owned(),
        [call] => format!("the plugin {call} has ended the process"),
        calls => format!(
            "a plugin has ended the process; at work were {}",
            calls.join(", ")
        ),
    };
    let error = Error::new(ErrorKind::Plugin, message)
        .help("a plugin must never call `exit`; what was being written is not finalised");
    let answer = session.answer_failure(&Failure {
        error,
        exit: PLUGIN,
    });
    session.print(&answer);
    low_level::exit(i32::from(PLUGIN))
}
