// SPDX-License-Identifier: Apache-2.0
//! The command line as a whole, under the name of the program.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, Args, Command, CommandFactory, FromArgMatches};

use super::plugin_flags::PluginFlags;
use super::{Cli, Command as Chosen, OutputOptions, RunArgs};
use crate::cli::help::under_name;
use crate::plugin_options::PluginOptions;
use crate::program::{HOST_VERSION, NAME, Program};

/// A command line that was taken.
#[derive(Debug)]
pub(in crate::cli) struct Taken {
    pub command: Chosen,
    pub plugins: PluginOptions,
    pub output: OutputOptions,
}

/// Everything that can be typed.
pub(in crate::cli) fn definition(program: Program) -> Command {
    fn with_plugin_flags(command: Command) -> Command {
        PluginFlags::augment_args(command).mut_subcommands(with_plugin_flags)
    }
    let command = Cli::command().mut_subcommands(with_plugin_flags);
    let command = named(command, program.name)
        .name(program.name)
        .bin_name(program.name)
        .version(program.version);
    if program.is_host() {
        return command;
    }
    // Whoever is asked for help wants to know both.
    let version: &'static str = program.version;
    command.long_version(format!("{version} ({NAME} {HOST_VERSION})"))
}

/// Takes a command line, the program's name in front.
///
/// # Errors
/// Clap's own; help and version are among them.
pub(in crate::cli) fn take<T>(
    program: Program,
    words: impl IntoIterator<Item = T>,
) -> Result<Taken, clap::Error>
where
    T: Into<OsString> + Clone,
{
    let matches = definition(program).try_get_matches_from(words)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    cli.plugins = PluginFlags::of(&matches)?;
    cli.checked(program)
}

impl Cli {
    /// The command, with `--yaml` taken for `run`.
    ///
    /// # Errors
    /// Clap's own, for what its rules can't express.
    fn checked(self, program: Program) -> Result<Taken, clap::Error> {
        let Self {
            yaml,
            yaml_run,
            plugins,
            output,
            command,
        } = self;
        let refuse =
            |kind, text| Err(definition(program).error(kind, under_name(text, program.name)));
        let command = match (yaml, command) {
            (Some(task), None) => Chosen::Run(RunArgs {
                task,
                run: yaml_run,
            }),
            (Some(_), Some(_)) => {
                return refuse(
                    ErrorKind::ArgumentConflict,
                    "`--yaml TASK.yaml` runs a task by itself and can't stand beside a command",
                );
            }
            (None, Some(_)) if yaml_run.is_given() => {
                return refuse(
                    ErrorKind::ArgumentConflict,
                    "`--receipt`, `--progress` and other options of a run stand after the command: `milvusdm run TASK.yaml --receipt FILE`",
                );
            }
            (None, Some(Chosen::Completions(_))) if output.json => {
                return refuse(
                    ErrorKind::ArgumentConflict,
                    "`completions` prints a script, there is no JSON form of it",
                );
            }
            (None, Some(command)) => command,
            (None, None) => {
                return refuse(
                    ErrorKind::MissingSubcommand,
                    "wanted a command, for example `milvusdm run TASK.yaml`",
                );
            }
        };
        Ok(Taken {
            command,
            plugins: plugins.into(),
            output,
        })
    }
}

/// The command with all its texts under a name.
fn named(mut command: Command, name: &str) -> Command {
    let own = |text: &clap::builder::StyledStr| under_name(&text.to_string(), name);
    if let Some(text) = command.get_about().map(own) {
        command = command.about(text);
    }
    if let Some(text) = command.get_long_about().map(own) {
        command = command.long_about(text);
    }
    if let Some(text) = command.get_after_help().map(own) {
        command = command.after_help(text);
    }
    if let Some(text) = command.get_after_long_help().map(own) {
        command = command.after_long_help(text);
    }
    command
        .mut_args(|arg| named_arg(arg, name))
        .mut_subcommands(|inner| named(inner, name))
}

fn named_arg(mut arg: Arg, name: &str) -> Arg {
    let own = |text: &clap::builder::StyledStr| under_name(&text.to_string(), name);
    if let Some(text) = arg.get_help().map(own) {
        arg = arg.help(text);
    }
    if let Some(text) = arg.get_long_help().map(own) {
        arg = arg.long_help(text);
    }
    arg
}
