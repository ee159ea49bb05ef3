// SPDX-License-Identifier: Apache-2.0
//! Where log lines go: stderr, and for runs a file a day under `$MILVUSDM_PATH/logs`.
//!
//! Secrets are masked where a finished line is written, so that no field and no layer can let
//! one through.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::LogFormat;
use super::errors::OUTCOME;
use super::progress::PROGRESS;
use super::session::Session;
use super::terminal::Terminal;
use super::text;
use crate::control::Control;
use crate::program::Program;

/// Targets of our own lines: the host's modules, and what plugins log through the host.
const OWN: [&str; 2] = ["milvusdm", "plugin"];

/// Starts logging; `has_file` for commands that move data.
pub(super) fn start(session: &Session, has_file: bool) {
    let mut warnings = Vec::new();
    let appender = match has_file.then(|| {
        open(
            &Settings::of_environment(),
            Program::current().name,
            &mut warnings,
        )
    }) {
        None => None,
        Some(Ok(appender)) => Some(appender),
        Some(Err(why)) => {
            warnings.push(format!("No log file is kept: {why}."));
            None
        }
    };
    let file = appender.map(|appender| {
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(MaskedFile {
                appender,
                control: Arc::clone(&session.control),
            })
            .with_filter(own(LevelFilter::DEBUG))
    });
    // Only a second call in one process can fail here, and then logging is set up already.
    let _ = tracing_subscriber::registry()
        .with(on_stderr(session))
        .with(file)
        .try_init();
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

fn own(level: LevelFilter) -> Targets {
    let others = level.min(LevelFilter::WARN);
    Targets::new()
        .with_default(others)
        .with_targets(OWN.map(|target| (target, level)))
}

fn on_stderr<S>(session: &Session) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let level = session.output.level();
    let writer = MaskedTerminal {
        terminal: Arc::clone(&session.terminal),
        control: Arc::clone(&session.control),
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match session.output.log_format {
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_filter(own(level).with_target(PROGRESS, level))
            .boxed(),
        // An outcome is laid out over lines by `errors`; here it would be shown twice.
        LogFormat::Text => layer
            .without_time()
            .with_target(false)
            .with_ansi(session.terminal.has_color())
            .with_filter(own(level).with_target(OUTCOME, LevelFilter::OFF))
            .boxed(),
    }
}

/// What the environment says about log files.
#[derive(Debug, PartialEq, Eq)]
struct Settings {
    /// The folder above `logs`; `None` if there is no home either.
    base: Option<PathBuf>,
    /// As written.
    kept: Option<String>,
}

impl Settings {
    fn of_environment() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = || set("HOME").map(|home| Path::new(&home).join("milvusdm"));
        // MilvusDM 1.0 read the second name.
        let kept = set("LOGS_NUM").or_else(|| set("logs_num"));
        Self {
            base: set("MILVUSDM_PATH").map(PathBuf::from).or_else(home),
            kept: kept.map(|kept| kept.to_string_lossy().into_owned()),
        }
    }

    /// How many files to keep; `None` = all.
    fn kept(&self, warnings: &mut Vec<String>) -> Option<usize> {
        let kept = self.kept.as_deref()?;
        match kept.trim().parse() {
            Ok(0) => None,
            Ok(number) => Some(number),
            Err(_) => {
                warnings.push(format!(
                    "All log files are kept: LOGS_NUM is `{kept}`, wanted a number of files or 0 for all."
                ));
                None
            }
        }
    }
}

/// Opens today's file, and removes those of this program that are too old.
fn open(
    settings: &Settings,
    program: &str,
    warnings: &mut Vec<String>,
) -> Result<RollingFileAppender, String> {
    let base = settings
        .base
        .as_deref()
        .ok_or("neither MILVUSDM_PATH nor HOME is set")?;
    let folder = base.join("logs");
    let cant = |error: InitError| {
        // The library's text says only that it failed; the reason stands underneath.
        let reason = std::error::Error::source(&error).map(ToString::to_string);
        format!(
            "can't write in {}: {}",
            folder.display(),
            reason.unwrap_or_else(|| error.to_string())
        )
    };
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(program)
        .filename_suffix("log")
        .build(&folder)
        .map_err(cant)?;
    if let Some(kept) = settings.kept(warnings)
        && let Err(error) = remove_old(&folder, program, kept)
    {
        let shown = folder.display();
        warnings.push(format!("Old log files in {shown} stay: {error}."));
    }
    Ok(appender)
}

/// Removes all but the newest files of a program. The library would go by the start of the name,
/// and take the files of `milvusdm-acme` for those of `milvusdm`.
fn remove_old(folder: &Path, program: &str, kept: usize) -> io::Result<()> {
    let mut dated = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(date) = name.to_str().and_then(|name| date_of(name, program)) {
            dated.push((date.to_owned(), entry.path()));
        }
    }
    dated.sort_unstable();
    let too_many = dated.len().saturating_sub(kept);
    for (_, path) in dated.into_iter().take(too_many) {
        match std::fs::remove_file(path) {
            // Another run was faster.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// `2026-01-31`, if `name` is that of a log file of the program.
fn date_of<'a>(name: &'a str, program: &str) -> Option<&'a str> {
    let date = name
        .strip_prefix(program)?
        .strip_prefix('.')?
        .strip_suffix(".log")?;
    let is_date = date.len() == 10
        && date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_date.then_some(date)
}

/// A line as it is shown: without secrets, and without what would steer a terminal.
fn finished(line: &[u8], control: &Control, has_color: bool) -> String {
    text::log_line(&control.mask(&String::from_utf8_lossy(line)), has_color)
}

/// Writes finished lines to stderr, above the bar.
struct MaskedTerminal {
    terminal: Arc<Terminal>,
    control: Arc<Control>,
}

impl<'a> MakeWriter<'a> for MaskedTerminal {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &MaskedTerminal {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let has_color = self.terminal.has_color();
        self.terminal
            .write(&finished(line, &self.control, has_color));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes finished lines to today's file.
struct MaskedFile<M> {
    appender: M,
    control: Arc<Control>,
}

/// One line on its way to the file.
struct MaskedLine<'a, W> {
    file: W,
    control: &'a Control,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for MaskedFile<M> {
    type Writer = MaskedLine<'a, M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        MaskedLine {
            file: self.appender.make_writer(),
            control: &self.control,
        }
    }
}

impl<W: Write> Write for MaskedLine<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.file
            .write_all(finished(line, self.control, false).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests;
