// SPDX-License-Identifier: Apache-2.0
//! Failures as people and programs read them.
//!
//! An error is shown once, here, on its way out. In text it is laid out over lines; with
//! `--log-format json` it is a log line like any other; the log file gets it in either case.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};
use milvusdm_plugin_api::{Error, ErrorKind};
use serde::Serialize;
use serde_json::Value;

use super::args::LogFormat;
use super::session::Session;
use super::text;
use crate::failure::Failure;
use crate::report::VERSION;

/// Target of the log lines that repeat what is shown as an error.
pub(super) const OUTCOME: &str = "milvusdm::outcome";

/// Context that is laid out apart from the rest: file, line and column in the task.
const AT: &str = "at";
/// Context that is laid out apart from the rest: the line of the task, marked.
const SNIPPET: &str = "snippet";

/// What `--json` prints where there is nothing else to print.
#[derive(Debug, Serialize)]
struct FailureDocument<'a> {
    version: u32,
    error: &'a Error,
    exit: u8,
}

/// The JSON document of a failure.
pub(super) fn document(failure: &Failure) -> Value {
    let document = FailureDocument {
        version: VERSION,
        error: &failure.error,
        exit: failure.exit,
    };
    // An error is made of strings, which always have a JSON form.
    serde_json::to_value(document).unwrap_or_default()
}

/// Shows an error on stderr and in the log file; `about` is the dataset or target it concerns.
pub(super) fn show(session: &Session, about: &str, error: &Error, exit: u8) {
    let error = session.control.mask_error(error.clone());
    if session.output.log_format == LogFormat::Text {
        session
            .terminal
            .write(&in_text(about, &error, session.terminal.has_color()));
    }
    let (kind, at) = (kind_name(error.kind()), error.context_value(AT));
    let about = Some(about).filter(|about| !about.is_empty());
    tracing::error!(target: OUTCOME, kind, exit, about, at, "{}", in_one_line(&error));
}

/// `not_found`, as in JSON.
fn kind_name(kind: ErrorKind) -> String {
    match serde_json::to_value(kind) {
        Ok(Value::String(name)) => name,
        _ => "internal".to_owned(),
    }
}

/// The error laid out for people, ending in a line break.
pub(super) fn in_text(about: &str, error: &Error, has_color: bool) -> String {
    let red = if has_color {
        AnsiColor::Red.on_default().bold()
    } else {
        Style::new()
    };
    let bold = if has_color {
        Style::new().bold()
    } else {
        Style::new()
    };
    let mut shown = format!("{red}error:{red:#} ");
    if let Some(at) = error.context_value(AT) {
        let _ = write!(shown, "{bold}{}:{bold:#} ", text::line(at));
    }
    if !about.is_empty() {
        let _ = write!(shown, "{}: ", text::line(about));
    }
    shown.push_str(&message(error, text::lines));
    shown.push('\n');
    if let Some(snippet) = error.context_value(SNIPPET) {
        shown.push_str(&text::lines(snippet));
        shown.push('\n');
    }
    if let Some(help) = error.help_text() {
        let _ = writeln!(shown, "{bold}help:{bold:#} {}", text::lines(help));
    }
    shown
}

/// The error in one line, for a log or a list.
pub(super) fn in_one_line(error: &Error) -> String {
    let mut shown = message(error, text::line);
    if let Some(help) = error.help_text() {
        let _ = write!(shown, "; {}", text::line(help));
    }
    shown
}

/// Message, context and cause.
fn message(error: &Error, clean: fn(&str) -> String) -> String {
    let mut shown = clean(error.message());
    let context = error
        .context()
        .filter(|(key, _)| ![AT, SNIPPET].contains(key));
    let mut separator = " (";
    for (key, value) in context {
        let _ = write!(
            shown,
            "{separator}{}: {}",
            text::line(key),
            text::line(value)
        );
        separator = ", ";
    }
    if separator != " (" {
        shown.push(')');
    }
    if let Some(cause) = error.cause_text() {
        let _ = write!(shown, ": {}", clean(cause));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_task_file_shows_its_line() {
        let error = Error::new(ErrorKind::Config, "unknown key `sorce`")
            .with(AT, "task.yaml:3:7")
            .with(SNIPPET, "  3 | sorce: 1\n    | ^^^^^")
            .help("did you mean `source`?");
        let wanted = "\
error: task.yaml:3:7: unknown key `sorce`
  3 | sorce: 1
    | ^^^^^
help: did you mean `source`?
";
        assert_eq!(in_text("", &error, false), wanted);
        assert_eq!(
            in_one_line(&error),
            "unknown key `sorce`; did you mean `source`?"
        );
    }

    #[test]
    fn context_and_cause_follow_the_message() {
        let error = Error::new(ErrorKind::Io, "read 8 bytes")
            .with("file", "a.index")
            .with("offset", 33)
            .caused_by("input/output error");
        let wanted = "error: faces: read 8 bytes (file: a.index, offset: 33): input/output error\n";
        assert_eq!(in_text("faces", &error, false), wanted);
    }

    #[test]
    fn an_error_can_not_steer_the_terminal() {
        let error = Error::new(ErrorKind::Format, "found `\u{1b}[2J`").with("file", "a\nb");
        assert_eq!(
            in_text("", &error, false),
            "error: found `\u{FFFD}[2J` (file: a\u{FFFD}b)\n"
        );
        let colored = in_text("", &error, true);
        assert!(
            colored.starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m "),
            "{colored:?}"
        );
    }

    #[test]
    fn the_document_of_a_failure_has_version_error_and_exit() {
        let failure = Failure::task(Error::new(ErrorKind::NotFound, "m").with("file", "a"));
        let wanted = serde_json::json!({
            "version": 1,
            "error": {"kind": "not_found", "message": "m", "context": [["file", "a"]]},
            "exit": 2,
        });
        assert_eq!(document(&failure), wanted);
    }
}
