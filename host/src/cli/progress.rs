// SPDX-License-Identifier: Apache-2.0
//! Progress on stderr: a bar on a terminal, a line every few seconds otherwise.
//!
//! It only looks at the counters that the run keeps anyway; a run never waits for it.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};

use super::args::{LogFormat, OutputOptions, ProgressStyle};
use super::rate::{Estimate, Meter};
use super::session::Session;
use super::terminal::Terminal;
use super::text;
use crate::control::{Activity, Control};

/// Target of progress as log lines.
pub(super) const PROGRESS: &str = "progress";

/// How often the bar is drawn.
const BAR_INTERVAL: Duration = Duration::from_millis(100);
/// How often a line is printed.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// Steps of the bar: more than any terminal has columns for.
const BAR_STEPS: u64 = 1000;

/// Shows progress until it is dropped.
#[derive(Debug)]
pub(super) struct ProgressView {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ProgressView {
    /// Starts showing progress, if it is wanted.
    pub fn start(session: &Session, wanted: Option<ProgressStyle>) -> Self {
        let how = choose(wanted, &session.output, session.terminal.is_terminal());
        let (control, terminal) = (Arc::clone(&session.control), Arc::clone(&session.terminal));
        let (stop, stopped) = channel::<()>();
        let is_json = session.output.log_format == LogFormat::Json;
        let run = move || {
            let mut display = match how {
                ProgressStyle::Bar => Display::bar(terminal),
                _ => Display::Lines { terminal, is_json },
            };
            let mut meter = Meter::default();
            // The first sample is what the first rate is measured from.
            let _ = Snapshot::take(&control, &mut meter);
            let interval = display.interval();
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                display.show(&Snapshot::take(&control, &mut meter));
            }
            display.end();
        };
        if how == ProgressStyle::Off {
            return Self {
                stop: None,
                thread: None,
            };
        }
        match std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(run)
        {
            Ok(thread) => Self {
                stop: Some(stop),
                thread: Some(thread),
            },
            Err(e) => {
                tracing::warn!("No progress is shown, no thread can be started: {e}.");
                Self {
                    stop: None,
                    thread: None,
                }
            }
        }
    }
}

impl Drop for ProgressView {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // If it has panicked, the only harm is that nothing was shown.
            let _ = thread.join();
        }
    }
}

/// What `auto` means here.
fn choose(
    wanted: Option<ProgressStyle>,
    output: &OutputOptions,
    is_terminal: bool,
) -> ProgressStyle {
    match wanted.unwrap_or_default() {
        ProgressStyle::Auto if output.quiet => ProgressStyle::Off,
        // Lines of JSON and a bar can't share a terminal.
        ProgressStyle::Auto if is_terminal && output.log_format == LogFormat::Text => {
            ProgressStyle::Bar
        }
        ProgressStyle::Auto => ProgressStyle::Plain,
        chosen => chosen,
    }
}

/// How far the run is, at one moment.
#[derive(Debug, Clone)]
struct Snapshot {
    rows: (u64, u64),
    bytes: (u64, u64),
    estimate: Estimate,
    activity: Option<Activity>,
}

impl Snapshot {
    fn take(control: &Control, meter: &mut Meter) -> Self {
        let (rows, bytes) = (control.progress().rows(), control.progress().bytes());
        let estimate = meter.measure(Instant::now(), rows, bytes);
        Self {
            rows,
            bytes,
            estimate,
            activity: control.activity(),
        }
    }

    /// What is known, the most wanted first: a narrow terminal cuts the end off.
    fn in_text(&self) -> String {
        let mut parts = Vec::new();
        // While a plugin is at it, no rows come: the rest stands still.
        parts.extend(self.activity.as_ref().map(doing));
        if let Some(fraction) = self.estimate.fraction {
            parts.push(format!("{:.0} %", (fraction * 100.0).floor()));
        }
        if let Some(seconds) = self.estimate.seconds_left {
            parts.push(format!("{} left", text::duration(seconds)));
        }
        if let Some(bytes) = self.estimate.bytes_per_second {
            parts.push(format!("{}/s", text::size(bytes)));
        }
        match self.rows {
            (0, 0) => {}
            (done, 0) => parts.push(text::counted(done, "row", "rows")),
            (done, total) => {
                parts.push(format!(
                    "{} of {}",
                    text::count(done),
                    text::counted(total, "row", "rows")
                ));
            }
        }
        if self.bytes.0 > 0 {
            parts.push(text::size(self.bytes.0));
        }
        if parts.is_empty() {
            "planning".to_owned()
        } else {
            parts.join(", ")
        }
    }
}

/// `faiss: reading id map 12 of 40`.
fn doing(activity: &Activity) -> String {
    let Activity {
        plugin,
        what,
        done,
        total,
    } = activity;
    let what = text::line(what);
    match total {
        0 => format!("{plugin}: {what}"),
        total => format!(
            "{plugin}: {what} {} of {}",
            text::count(*done),
            text::count(*total)
        ),
    }
}

/// Where progress is shown.
enum Display {
    Bar {
        bar: ProgressBar,
        terminal: Arc<Terminal>,
    },
    Lines {
        terminal: Arc<Terminal>,
        is_json: bool,
    },
}

impl Display {
    fn bar(terminal: Arc<Terminal>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = BarStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        terminal.show(bar.clone());
        Self::Bar { bar, terminal }
    }

    fn interval(&self) -> Duration {
        match self {
            Self::Bar { .. } => BAR_INTERVAL,
            Self::Lines { .. } => LINE_INTERVAL,
        }
    }

    fn show(&mut self, now: &Snapshot) {
        match self {
            Self::Bar { bar, .. } => {
                if let Some(fraction) = now.estimate.fraction {
                    lengthen(bar);
                    bar.set_position((fraction * BAR_STEPS as f64) as u64);
                }
                bar.set_message(now.in_text());
                bar.tick();
            }
            Self::Lines {
                terminal,
                is_json: false,
            } => {
                terminal.write(&format!("progress: {}\n", now.in_text()));
            }
            Self::Lines { is_json: true, .. } => log(now),
        }
    }

    fn end(self) {
        if let Self::Bar { terminal, .. } = self {
            terminal.clear();
        }
    }
}

/// Makes a bar of a spinner, once it is known how much there is to do.
fn lengthen(bar: &ProgressBar) {
    if bar.length().is_some() {
        return;
    }
    bar.set_length(BAR_STEPS);
    if let Ok(style) = BarStyle::with_template("[{bar:16}] {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
}

/// A log line that programs can read; it stays out of the log file.
fn log(now: &Snapshot) {
    let known = |total: u64| Some(total).filter(|total| *total > 0);
    tracing::info!(
        target: PROGRESS,
        rows = now.rows.0,
        rows_total = known(now.rows.1),
        bytes = now.bytes.0,
        bytes_total = known(now.bytes.1),
        bytes_per_second = now.estimate.bytes_per_second,
        seconds_left = now.estimate.seconds_left.map(f64::round),
        "{}",
        now.in_text()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        Snapshot {
            rows: (1_234_567, 3_000_000),
            bytes: (256 << 20, 622 << 20),
            estimate: Estimate {
                fraction: Some(0.4116),
                bytes_per_second: Some(100 << 20),
                seconds_left: Some(3.66),
            },
            activity: None,
        }
    }

    #[test]
    fn shows_share_time_left_rows_bytes_and_rate() {
        let wanted = "41 %, 3.7 s left, 100.0 MiB/s, 1,234,567 of 3,000,000 rows, 256.0 MiB";
        assert_eq!(snapshot().in_text(), wanted);
    }

    #[test]
    fn shows_only_what_is_known() {
        let unknown = Snapshot {
            rows: (5, 0),
            bytes: (0, 0),
            estimate: Estimate::default(),
            ..snapshot()
        };
        assert_eq!(unknown.in_text(), "5 rows");
        let activity = Activity {
            plugin: "faiss".into(),
            what: "reading ids".into(),
            done: 1,
            total: 1000,
        };
        let planning = Snapshot {
            rows: (0, 0),
            activity: None,
            ..unknown.clone()
        };
        assert_eq!(planning.in_text(), "planning");
        let busy = Snapshot {
            rows: (0, 0),
            activity: Some(activity),
            ..unknown
        };
        assert_eq!(busy.in_text(), "faiss: reading ids 1 of 1,000");
        let halfway = Snapshot {
            activity: busy.activity,
            ..snapshot()
        };
        assert!(
            halfway
                .in_text()
                .starts_with("faiss: reading ids 1 of 1,000, 41 %")
        );
    }

    #[test]
    fn a_bar_is_for_terminals_and_people() {
        let text = OutputOptions::default();
        let json = OutputOptions {
            log_format: LogFormat::Json,
            ..OutputOptions::default()
        };
        let quiet = OutputOptions {
            quiet: true,
            ..OutputOptions::default()
        };
        assert_eq!(choose(None, &text, true), ProgressStyle::Bar);
        assert_eq!(choose(None, &text, false), ProgressStyle::Plain);
        assert_eq!(choose(None, &json, true), ProgressStyle::Plain);
        assert_eq!(choose(None, &quiet, true), ProgressStyle::Off);
        assert_eq!(
            choose(Some(ProgressStyle::Off), &text, true),
            ProgressStyle::Off
        );
        assert_eq!(
            choose(Some(ProgressStyle::Plain), &text, true),
            ProgressStyle::Plain
        );
    }
}
