// SPDX-License-Identifier: Apache-2.0
//! `plugins check`: tries a plugin in a process of its own, so that one that crashes takes
//! nothing along.
//!
//! This process starts the [`child`], reads what it [`told`](lines) until its end, and makes a
//! [`verdict`] of it.

mod child;
mod lines;
mod verdict;

use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use milvusdm_plugin_api::{Error, ErrorKind};

use super::args::CheckArgs;
use super::session::{Answer, Session};
use crate::failure::{ENDPOINT, Failure};
use lines::Told;
use verdict::{End, Verdict};

/// How long nothing may be told; a suite has a limit of its own for each case.
const QUIET: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(20);
/// Names the file to report to, and makes this process the one that runs the plugin. No option:
/// a vendor's program may give us other arguments than it was started with.
const REPORT: &str = "MILVUSDM_CHECK_REPORT";

/// Tries a plugin file.
pub(super) fn check(session: &Session, args: &CheckArgs) -> Result<Answer, Failure> {
    if let Some(report) = std::env::var_os(REPORT) {
        return child::run(session, args, Path::new(&report));
    }
    let unread = |e: std::io::Error| failed("read the report on the plugin", &e);
    let report =
        tempfile::NamedTempFile::new().map_err(|e| failed("make a file for the report", &e))?;
    let mut child = command(report.path())
        .and_then(|mut command| command.spawn())
        .map_err(|e| failed("start a process for the plugin", &e))?;
    let mut heard = (0, Instant::now());
    let end = loop {
        if let Some(status) = child
            .try_wait()
            .map_err(|e| failed("wait for the plugin", &e))?
        {
            break End::Status(status);
        }
        let told = Told::read(report.path()).map_err(unread)?;
        if told.lines != heard.0 || told.under_way.is_some() {
            heard = (told.lines, Instant::now());
        }
        if heard.1.elapsed() > QUIET {
            // It may have ended just now; either way it is gone afterwards.
            let _ = child.kill();
            let _ = child.wait();
            break End::Hangs(QUIET);
        }
        std::thread::sleep(INTERVAL);
    };
    let verdict = Verdict::of(&args.file, Told::read(report.path()).map_err(unread)?, &end);
    if let Some(error) = &verdict.error {
        super::errors::show(session, "", error, verdict.exit);
    }
    session.answer(&verdict, verdict.exit, Verdict::in_text)
}

/// This program again, with the same arguments. What the plugin prints goes to stderr: stdout
/// is the verdict's.
fn command(report: &Path) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(std::env::args_os().skip(1))
        .env(REPORT, report)
        .stdin(Stdio::null())
        .stdout(Stdio::from(std::io::stderr().as_fd().try_clone_to_owned()?));
    Ok(command)
}

fn failed(doing: &str, cause: &std::io::Error) -> Failure {
    Failure {
        error: Error::io(doing, cause),
        exit: ENDPOINT,
    }
}

/// How a process ended, in words.
fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal() {
        Some(signal) => signal_hook::low_level::signal_name(signal)
            .map_or_else(|| format!("signal {signal}"), str::to_owned),
        None => status.to_string(),
    }
}

/// The error of a plugin that is not fit for use.
fn unfit(message: String, file: &Path) -> Error {
    Error::new(ErrorKind::Plugin, message).with("file", file.display())
}
