// SPDX-License-Identifier: Apache-2.0
//! What is to be thought of a plugin, by what was told of it and how its process ended.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use milvusdm_plugin_api::{Error, ErrorKind};
use serde::Serialize;

use super::lines::{Suite, Told};
use super::{in_words, unfit};
use crate::cli::text;
use crate::failure::{DONE, Failure, PLUGIN, REFUSED};
use crate::load::{Pins, Step};
use crate::program::typed;
use crate::report::VERSION;

/// How the process of a plugin ended.
pub(super) enum End {
    /// By itself or by a signal.
    Status(ExitStatus),
    /// It was stopped after that time.
    Hangs(Duration),
}

/// `plugins check`, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    version: u32,
    file: String,
    /// `good`, `refused`, `untried`, `crashes`, `hangs`, `misbehaves`.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<Named>,
    sha256: Option<String>,
    /// Whether `plugins trust` was said of this content.
    trusted: bool,
    steps: Vec<Step>,
    suites: Vec<Suite>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    pub exit: u8,
}

#[derive(Debug, Serialize)]
struct Named {
    name: String,
    version: String,
    summary: String,
    reads: bool,
    writes: bool,
}

impl Verdict {
    pub fn of(file: &Path, told: Told, end: &End) -> Self {
        let doing = told.doing();
        let failed = || {
            told.suites
                .iter()
                .flat_map(|suite| &suite.cases)
                .filter(|case| case.outcome == "failed")
                .count()
        };
        let (verdict, error) = match end {
            End::Hangs(limit) => {
                let message = format!(
                    "the plugin hangs: nothing came back within {} s while {doing}",
                    limit.as_secs()
                );
                ("hangs", Some(unfit(message, file)))
            }
            // It is there and loads: what is wrong is the sample that it was to be tried on.
            _ if told.refused.is_some() && told.info.is_some() => ("untried", told.refused.clone()),
            _ if told.refused.is_some() => ("refused", told.refused.clone()),
            End::Status(status) if !status.success() => {
                let message = format!(
                    "the plugin crashes: its process ended with {} while {doing}",
                    in_words(*status)
                );
                ("crashes", Some(unfit(message, file)))
            }
            End::Status(status) if !told.is_done => {
                let message = format!(
                    "the plugin ends the process that it runs in ({}) while {doing}",
                    in_words(*status)
                );
                ("crashes", Some(unfit(message, file)))
            }
            End::Status(_) if failed() > 0 => {
                let message = format!(
                    "the plugin breaks its contract; cases that failed: {}",
                    failed()
                );
                ("misbehaves", Some(unfit(message, file)))
            }
            End::Status(_) => ("good", None),
        };
        let exit = match (&error, verdict) {
            (None, _) => DONE,
            (Some(error), "untried") => exit_of_sample(error),
            (Some(error), _) => exit_of(error),
        };
        let trusted = told
            .sha256
            .as_deref()
            .is_some_and(|sha256| Pins::read().is_ok_and(|pins| pins.of(sha256).is_some()));
        Self {
            version: VERSION,
            file: file.display().to_string(),
            verdict,
            plugin: told.info.map(|info| Named {
                reads: info.source_options.is_some(),
                writes: info.sink_options.is_some(),
                name: info.name,
                version: info.version,
                summary: info.summary,
            }),
            sha256: told.sha256,
            trusted,
            steps: told.steps,
            suites: told.suites,
            error,
            exit,
        }
    }

    /// For people.
    pub fn in_text(&self) -> String {
        let mut shown = format!("{}: {}\n", text::line(&self.file), self.headline());
        for step in &self.steps {
            let _ = writeln!(shown, "  {:<8} {}", step.step, text::line(&step.found));
        }
        for suite in &self.suites {
            shown.push_str(&in_lines(suite));
        }
        if self.verdict == "good" {
            shown.push_str(&self.next());
        }
        shown
    }

    fn headline(&self) -> String {
        let does = self
            .plugin
            .as_ref()
            .map(|plugin| match (plugin.reads, plugin.writes) {
                (true, true) => "reads and writes",
                (true, false) => "reads",
                (false, true) => "writes",
                (false, false) => "neither reads nor writes",
            });
        match (&self.plugin, self.verdict) {
            (Some(plugin), "good") => format!(
                "good; `{}` {} {}: {}",
                text::line(&plugin.name),
                text::line(&plugin.version),
                does.unwrap_or_default(),
                text::line(&plugin.summary)
            ),
            (_, "untried") => "it loads, but its behaviour could not be tried".to_owned(),
            (_, verdict) => verdict.to_owned(),
        }
    }

    /// What to do with a plugin that is good.
    fn next(&self) -> String {
        let mut next = String::new();
        if self.suites.is_empty() {
            next.push_str("Its behaviour was not tried: name a sample with --source or --sink.\n");
        }
        if !self.trusted {
            let _ = writeln!(
                next,
                "It is not trusted yet: {}.",
                typed(&format!(
                    "plugins trust {} --sha256 {}",
                    text::line(&shell_words::quote(&self.file)),
                    self.sha256.as_deref().unwrap_or_default()
                ))
            );
        }
        next
    }
}

fn in_lines(suite: &Suite) -> String {
    let mut shown = format!("  {}\n", text::line(&suite.subject));
    for case in &suite.cases {
        let why = case
            .why
            .as_deref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        let outcome = match case.outcome.as_str() {
            "failed" => "FAILED",
            other => other,
        };
        let _ = writeln!(
            shown,
            "    {outcome:<8} {}{}",
            text::line(&case.name),
            text::line(&why)
        );
    }
    shown
}

/// A plugin is right to refuse a sample, whatever is wrong with that, unless it breaks over it.
fn exit_of_sample(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Plugin | ErrorKind::Panic => PLUGIN,
        _ => REFUSED,
    }
}

/// What is wrong with the file's access or the command line is refused, all else is the plugin's.
fn exit_of(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Config => {
            Failure::task(error.clone()).exit
        }
        _ => PLUGIN,
    }
}
