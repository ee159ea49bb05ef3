// SPDX-License-Identifier: Apache-2.0
//! SIGINT and SIGTERM: the first asks the run to stop, the second leaves at once, and a plugin
//! that does not come back is named.
//!
//! Leaving early skips the exit handlers of linked-in C libraries: they would finalise files
//! that other threads are still writing.

use std::io;
use std::time::{Duration, Instant};

use milvusdm_plugin_api::{Error, ErrorKind};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use super::session::Session;
use crate::control::{Control, PendingCall};
use crate::failure::{Failure, PLUGIN, of_signal};

/// How long a call into a plugin may go on after the run was asked to stop.
const PATIENCE: Duration = Duration::from_secs(10);
/// A second signal within this time is the first one, sent to the process and to its group as
/// `timeout` does.
const ECHO: Duration = Duration::from_millis(250);
/// How often pending calls are looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// Heeds signals from now on, on a thread of its own.
pub(super) fn heed(session: &Session) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let session = session.clone();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut asked: Option<Instant> = None;
            for signal in signals.forever() {
                match asked {
                    None => {
                        asked = Some(Instant::now());
                        session.control.cancel(signal);
                        tracing::warn!("{}", stopping(signal));
                        watch(session.clone());
                    }
                    Some(asked) if asked.elapsed() < ECHO => {}
                    Some(_) => {
                        session.terminal.clear();
                        low_level::exit(i32::from(of_signal(signal)));
                    }
                }
            }
        })?;
    Ok(())
}

fn stopping(signal: i32) -> String {
    let name = low_level::signal_name(signal).unwrap_or("a signal");
    format!("Stopping on {name}: the run ends within one batch. A second signal leaves at once.")
}

/// Leaves the program if a call into a plugin does not come back.
fn watch(session: Session) {
    let asked = Instant::now();
    let watching = std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(INTERVAL);
                if let Some(call) = overdue(&session.control, asked) {
                    leave(&session, &call);
                }
            }
        });
    if let Err(e) = watching {
        tracing::warn!("Calls into plugins are not watched, no thread can be started: {e}.");
    }
}

/// The oldest call that has ignored the wish to stop for too long.
fn overdue(control: &Control, asked: Instant) -> Option<PendingCall> {
    if asked.elapsed() < PATIENCE {
        return None;
    }
    control.calls_older_than(PATIENCE).into_iter().next()
}

fn leave(session: &Session, call: &PendingCall) -> ! {
    session.terminal.clear();
    let message = format!(
        "the plugin `{}` has not come back from `{}` within {} s after it was asked to stop; the target that was being written is not finalised",
        call.plugin,
        call.entry,
        PATIENCE.as_secs()
    );
    let error = Error::new(ErrorKind::Plugin, message)
        .with("plugin", &call.plugin)
        .with("entry", call.entry);
    let answer = session.answer_failure(&Failure {
        error,
        exit: PLUGIN,
    });
    session.print(answer);
    low_level::exit(i32::from(PLUGIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_overdue_only_if_both_it_and_the_wish_to_stop_are_old() {
        let control = Control::new();
        let long_ago = Instant::now().checked_sub(PATIENCE * 2).unwrap();
        let guard = control.calling("sleepy", "reader_next");
        assert!(overdue(&control, Instant::now()).is_none());
        assert!(overdue(&control, long_ago).is_none());
        drop(guard);
    }

    #[test]
    fn the_signal_is_named() {
        assert!(stopping(SIGTERM).contains("SIGTERM"));
        assert!(stopping(SIGINT).contains("SIGINT"));
    }
}
