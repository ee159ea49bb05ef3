// SPDX-License-Identifier: Apache-2.0
//! The command line: the only part that prints, and that knows of exit codes and terminals.
//!
//! Results go to stdout, everything else to stderr. A command gives an [`Answer`] or a
//! [`Failure`]; both are shown in one place, here. Nothing of it ends in a panic: one that is
//! not the engine's or a plugin's is reported as the internal error it is.

mod args;
mod check;
mod errors;
mod help;
mod logs;
mod look;
mod new;
mod options;
mod plugins;
mod progress;
mod rate;
mod receipt;
mod render;
mod run;
mod session;
mod signals;
mod table;
mod terminal;
mod text;

use std::io::Write;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;

use milvusdm_plugin_api::{Error, ErrorKind};

use crate::failure::{DONE, Failure, INTERNAL, REFUSED};
use crate::plugin_options::PluginOptions;
use args::{Command, OutputOptions, PluginsCommand, Taken};
use session::{Answer, Session};

/// Runs the program on the arguments of the process.
pub fn main() -> ExitCode {
    let Taken {
        command,
        plugins,
        output,
    } = match args::take(std::env::args_os()) {
        Ok(taken) => taken,
        Err(error) => return ExitCode::from(usage(&error)),
    };
    let session = Session::new(output, plugins);
    logs::start(
        &session,
        matches!(command, Command::Run(_) | Command::Copy(_)),
    );
    // A panic in a plugin comes back as an error; its place is of use to the plugin's author.
    std::panic::set_hook(Box::new(log_panic));
    let outcome = catch_unwind(AssertUnwindSafe(|| execute(&session, &command)));
    session.terminal.clear();
    let answer = match outcome.unwrap_or_else(|payload| Err(panicked(payload.as_ref()))) {
        Ok(answer) => answer,
        Err(failure) => session.answer_failure(&failure),
    };
    ExitCode::from(session.print(&answer))
}

fn execute(session: &Session, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::Run(args) => run::run(session, args),
        Command::Copy(args) => run::copy(session, args),
        Command::Plan(args) => look::plan(session, &args.task),
        Command::Inspect(args) => look::inspect(session, &args.source),
        Command::Plugins(args) => match &args.command {
            PluginsCommand::List => plugins::list(session),
            PluginsCommand::Show { name } => plugins::show(session, name),
            PluginsCommand::Check(args) => check::check(session, args),
            PluginsCommand::Trust { file, remove } => plugins::trust(session, file, *remove),
            PluginsCommand::New(args) => new::new(session, args),
        },
        Command::Schema => plugins::schema(session),
        Command::Completions(args) => Ok(completions(args.shell)),
    }
}

fn completions(shell: clap_complete::Shell) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::definition(), "milvusdm", &mut script);
    Answer {
        body: String::from_utf8_lossy(&script).into_owned(),
        exit: DONE,
    }
}

/// Shows help, version or what is wrong with the command line.
fn usage(error: &clap::Error) -> u8 {
    // Nobody can be told that the stream is gone.
    let _ = error.print();
    if !error.use_stderr() {
        return DONE;
    }
    // The arguments could not be parsed, but whoever asked for JSON waits for a document.
    if std::env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let first = text.split("\n\n").next().unwrap_or_default();
        let words: Vec<&str> = first.split_whitespace().collect();
        let message = words.join(" ");
        let message = message.trim_start_matches("error: ");
        let error = Error::new(ErrorKind::Config, format!("the command line: {message}"))
            .help("`milvusdm --help` shows what can be typed");
        let session = Session::new(OutputOptions::default(), PluginOptions::default());
        let document = errors::document(&Failure {
            error,
            exit: REFUSED,
        });
        let _ = std::io::stdout()
            .lock()
            .write_all(session.json(&document).as_bytes());
    }
    REFUSED
}

fn panicked(payload: &(dyn std::any::Any + Send)) -> Failure {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let error = Error::new(
        ErrorKind::Internal,
        format!("milvusdm itself failed: {message}"),
    )
    .help("this is a fault of milvusdm; please report it, with the log file");
    Failure {
        error,
        exit: INTERNAL,
    }
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message");
    let location = info.location().map(ToString::to_string);
    let backtrace = std::backtrace::Backtrace::capture();
    tracing::debug!(location, %backtrace, "A panic: {message}.");
}
