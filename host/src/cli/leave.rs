// SPDX-License-Identifier: Apache-2.0
//! The way out of the process: by the end of the command, and no other.
//!
//! A plugin that calls `exit` takes the process along with an exit code of its choice. It is
//! named, and the code is that of a plugin's failure.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use milvusdm_plugin_api::{Error, ErrorKind};
use rustix::process::Pid;
use signal_hook::low_level;

use super::errors;
use super::session::Session;
use crate::failure::{Failure, PLUGIN};
use crate::load;

/// The command, and the process that it runs in: those that a plugin has split off may end as
/// they like.
static GUARDED: OnceLock<(Session, Pid)> = OnceLock::new();
/// Whether the command has come to its end.
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// From now on the process may end only after [`over`].
pub(super) fn guard(session: &Session) {
    let guarded = (session.clone(), rustix::process::getpid());
    if GUARDED.set(guarded).is_ok() {
        load::at_exit(ended);
    }
}

/// The command has come to its end.
pub(super) fn over() {
    IS_OVER.store(true, Ordering::SeqCst);
}

/// Runs where the process is ended, on the thread that ends it: names the plugin and leaves with
/// the code that it has earned.
///
/// That thread has lost its thread-locals, and may hold the system loader's lock: nothing here
/// logs or starts a thread.
fn ended() {
    let Some((session, process)) = GUARDED.get() else {
        return;
    };
    if IS_OVER.load(Ordering::SeqCst) || *process != rustix::process::getpid() {
        return;
    }
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
    let error = session.control.mask_error(error);
    let shown = errors::in_text("", &error, session.terminal.has_color());
    // Nobody can be told that stderr or stdout is gone.
    let _ = rustix::io::write(rustix::stdio::stderr(), format!("\n{shown}").as_bytes());
    if session.output.json {
        let failure = Failure {
            error,
            exit: PLUGIN,
        };
        let _ = load::print(&session.json(&errors::document(&failure)));
    }
    low_level::exit(i32::from(PLUGIN))
}
