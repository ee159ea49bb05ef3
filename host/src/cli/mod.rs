// SPDX-License-Identifier: Apache-2.0
//! The command line: the only part that prints, and that knows of exit codes and terminals.
//!
//! Results go to stdout, everything else to stderr. A command gives an [`Answer`] or a
//! [`Failure`]; both are shown in one place, here. Nothing of it ends in a panic: one that is
//! not the engine's or a plugin's is reported as the internal error it is.

mod args;
mod check;
mod convert;
mod dump;
mod errors;
mod help;
mod kept;
mod leave;
mod load_back;
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
mod status;
mod table;
mod terminal;
mod text;
mod usage;
mod verify;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use milvusdm_plugin_api::{Error, ErrorKind};

use crate::failure::{DONE, Failure, INTERNAL};
use crate::program::Program;
use crate::task::Defaults;
use args::{Command, PluginsCommand, Taken};
use session::{Answer, Session};

/// Runs a program on its arguments, the name in front; gives the exit code.
pub(crate) fn run(program: Program, defaults: &str, arguments: Vec<OsString>) -> u8 {
    program.make_current();
    if let Err(error) = program.check() {
        let session = usage::session(&arguments);
        logs::start(&session, false);
        return session.print(session.answer_failure(&Failure::task(error)));
    }
    let Taken {
        command,
        mut plugins,
        output,
    } = match args::take(program, &arguments) {
        Ok(taken) => taken,
        Err(error) => return usage::show(&error, &arguments),
    };
    let defaults = match Defaults::parse(defaults, program.name) {
        Ok(defaults) => defaults,
        Err(error) => {
            let session = Session::new(output, plugins);
            logs::start(&session, false);
            return session.print(session.answer_failure(&Failure::task(error)));
        }
    };
    plugins.usual = defaults.prefer();
    let session = Session::new(output, plugins).with_defaults(defaults);
    logs::start(
        &session,
        matches!(command, Command::Run(_) | Command::Copy(_)),
    );
    // A panic in a plugin comes back as an error; its place is of use to the plugin's author.
    std::panic::set_hook(Box::new(log_panic));
    leave::guard(&session);
    let outcome = catch_unwind(AssertUnwindSafe(|| execute(&session, &command)));
    session.terminal.clear();
    let answer = match outcome.unwrap_or_else(|payload| Err(panicked(payload.as_ref()))) {
        Ok(answer) => answer,
        Err(failure) => session.answer_failure(&failure),
    };
    let exit = session.print(answer);
    leave::over();
    exit
}

fn execute(session: &Session, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::Run(args) => run::run(session, args),
        Command::Copy(args) => run::copy(session, args),
        Command::Dump(args) => dump::dump(session, args),
        Command::Restore(args) => dump::restore(session, args),
        Command::Convert(args) => convert::convert(session, &args.task),
        Command::Verify(args) => verify::verify(session, args),
        Command::Plan(args) => look::plan(session, args),
        Command::Receipt(args) => receipt::show(session, &args.file),
        Command::Status(args) => status::status(session, args),
        Command::Inspect(args) => look::inspect(session, &args.source, args.id),
        Command::Plugins(args) => match &args.command {
            PluginsCommand::List => plugins::list(session),
            PluginsCommand::Show { name } => plugins::show(session, name),
            PluginsCommand::Check(args) => check::check(session, args),
            PluginsCommand::Trust(args) => plugins::trust(session, args),
            PluginsCommand::New(args) => new::new(session, args),
        },
        Command::Schema => plugins::schema(session),
        Command::Completions(args) => Ok(completions(args.shell)),
    }
}

fn completions(shell: clap_complete::Shell) -> Answer {
    let mut script = Vec::new();
    let program = Program::current();
    let mut definition = args::definition(program);
    clap_complete::generate(shell, &mut definition, program.name, &mut script);
    Answer::new(String::from_utf8_lossy(&script).into_owned(), DONE)
}

fn panicked(payload: &(dyn std::any::Any + Send)) -> Failure {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let name = Program::current().name;
    let error = Error::new(
        ErrorKind::Internal,
        format!("{name} itself failed: {message}"),
    )
    .help(format!(
        "this is a fault of {name}; please report it, with the log file"
    ));
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
