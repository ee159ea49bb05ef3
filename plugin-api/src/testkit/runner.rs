// SPDX-License-Identifier: Apache-2.0
//! Runs cases one after the other, each on a thread of its own: a plugin that hangs or panics
//! fails its case, not the suite.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::report::{Case, Checked, Outcome, Report, Why, fail};
use crate::{ErrorKind, HostCalls, LogLevel, Result, Services};

/// How long a case may take, if the suite is not told otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a call may go on after the run was cancelled; the host gives up then.
const CANCEL_LIMIT: Duration = Duration::from_secs(10);

/// A case that is still to be run.
pub(super) struct Plan<C> {
    pub(super) name: &'static str,
    pub(super) run: fn(&C) -> Checked,
}

/// Runs the cases.
pub(super) fn run<C: Send + Sync + 'static>(
    subject: String,
    context: &Arc<C>,
    patience: Duration,
    plans: impl IntoIterator<Item = Plan<C>>,
) -> Report {
    let mut cases = Vec::new();
    let mut hanging: Option<&'static str> = None;
    for Plan { name, run } in plans {
        let outcome = match hanging {
            Some(other) => Outcome::Skipped(format!("`{other}` still hangs")),
            None => {
                let (outcome, hangs) = run_one(context, patience, run);
                hanging = hangs.then_some(name);
                outcome
            }
        };
        cases.push(Case { name, outcome });
    }
    Report { subject, cases }
}

/// Runs one case; whether it still hangs comes beside its outcome.
fn run_one<C: Send + Sync + 'static>(
    context: &Arc<C>,
    patience: Duration,
    run: fn(&C) -> Checked,
) -> (Outcome, bool) {
    let (sender, receiver) = channel();
    let context = Arc::clone(context);
    let thread = std::thread::spawn(move || {
        let checked = run(&context);
        drop(context);
        // The other side may have lost patience.
        let _ = sender.send(checked);
    });
    let outcome = match receiver.recv_timeout(patience) {
        Ok(Ok(())) => Outcome::Passed,
        Ok(Err(Why::Skipped(why))) => Outcome::Skipped(why),
        Ok(Err(Why::Failed(why))) => Outcome::Failed(why),
        Err(RecvTimeoutError::Timeout) => {
            return (
                Outcome::Failed(format!("no answer within {patience:?}")),
                true,
            );
        }
        Err(RecvTimeoutError::Disconnected) => {
            let payload = thread.join().err();
            let text = payload.as_ref().and_then(|p| {
                let text = p.downcast_ref::<&str>().map(|s| (*s).to_owned());
                text.or_else(|| p.downcast_ref::<String>().cloned())
            });
            let text = text.unwrap_or_else(|| "no message".to_owned());
            return (Outcome::Failed(format!("the case panicked: {text}")), false);
        }
    };
    (outcome, false)
}

/// The host's side of the services: a switch that stops the run.
#[derive(Debug, Default)]
pub(super) struct Switch(AtomicBool);

impl Switch {
    pub(super) fn services(self: &Arc<Self>) -> Services {
        Services::new(self.clone())
    }

    pub(super) fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl HostCalls for Switch {
    fn log(&self, _: LogLevel, _: &str) {}
    fn progress(&self, _: &str, _: u64, _: u64) {}
    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
    fn mask_secret(&self, _: &str) {}
}

/// Makes a call after the run was cancelled: it comes back in time, with what was asked for or
/// with `Cancelled` (`None` then).
pub(super) fn after_cancel<T>(
    what: &str,
    patience: Duration,
    call: impl FnOnce() -> Result<T>,
) -> Checked<Option<T>> {
    let limit = CANCEL_LIMIT.min(patience / 2);
    let start = Instant::now();
    let outcome = call();
    let took = start.elapsed();
    if took > limit {
        return fail(format!(
            "`{what}` went on for {took:?} after the run was cancelled"
        ));
    }
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::Cancelled => Ok(None),
        Err(error) => fail(format!(
            "`{what}`, after the run was cancelled, gave {error:?}; wanted kind Cancelled, or success"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::report::skip;

    #[test]
    fn a_case_that_hangs_or_panics_fails_alone() {
        let report = run(
            "x".to_owned(),
            &Arc::new(()),
            Duration::from_millis(50),
            [
                Plan {
                    name: "good",
                    run: |_: &()| Ok(()),
                },
                Plan {
                    name: "skips",
                    run: |_: &()| skip("nothing to do"),
                },
                Plan {
                    name: "panics",
                    run: |_: &()| panic!("at row {}", 7),
                },
                Plan {
                    name: "hangs",
                    run: |_: &()| loop {
                        std::thread::park();
                    },
                },
                Plan {
                    name: "after",
                    run: |_: &()| Ok(()),
                },
            ],
        );
        let failed: Vec<_> = report.failures().collect();
        assert_eq!(failed.len(), 2, "{report}");
        assert!(failed[0].1.contains("at row 7"), "{report}");
        assert!(failed[1].1.contains("no answer within"), "{report}");
        let skipped: Vec<_> = report.skipped().map(|(name, _)| name).collect();
        assert_eq!(skipped, ["skips", "after"]);
    }
}
