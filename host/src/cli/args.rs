// SPDX-License-Identifier: Apache-2.0
//! The command line: what can be typed, and the help that explains it.
//!
//! Nothing here touches files or plugins, so that all of it can be tested by parsing alone.
//! What clap can't express (`--yaml` beside a command) is refused in `definition`.

mod definition;
mod moving;
mod new;
mod plugin_flags;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

use super::help;
pub(super) use definition::{Taken, definition, take};
pub(super) use moving::{CopyArgs, DumpArgs, RestoreArgs, RunArgs, RunOptions};
pub(super) use new::{NewArgs, PluginLanguage};
use plugin_flags::PluginFlags;

/// Moves vector data between systems and files, and proves that it arrived.
#[derive(Debug, Parser)]
#[command(
    name = "milvusdm",
    version,
    about,
    long_about = help::TOP_ABOUT,
    after_long_help = help::TOP,
    after_help = "Try `milvusdm --help` for examples, `milvusdm help COMMAND` for one command.",
    arg_required_else_help = true,
    disable_help_subcommand = false,
    max_term_width = 100
)]
pub(super) struct Cli {
    /// Run a task file, as MilvusDM 1.0 users type it; the same as `milvusdm run TASK.yaml`
    #[arg(long, value_name = "TASK.yaml")]
    pub yaml: Option<PathBuf>,

    #[command(flatten, next_help_heading = "Options of --yaml")]
    pub yaml_run: RunOptions,

    #[command(flatten)]
    pub plugins: PluginFlags,

    #[command(flatten)]
    pub output: OutputOptions,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Everything that milvusdm can do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a task
    #[command(long_about = help::RUN_ABOUT, after_long_help = help::RUN)]
    Run(RunArgs),
    /// Move data once, without a task file
    #[command(long_about = help::COPY_ABOUT, after_long_help = help::COPY)]
    Copy(CopyArgs),
    /// Copy collections into a folder, with all that is needed to put them back
    #[command(long_about = help::DUMP_ABOUT, after_long_help = help::DUMP)]
    Dump(DumpArgs),
    /// Put a dump back
    #[command(long_about = help::RESTORE_ABOUT, after_long_help = help::RESTORE)]
    Restore(RestoreArgs),
    /// Show what a task would do; writes nothing
    #[command(long_about = help::PLAN_ABOUT, after_long_help = help::PLAN)]
    Plan(TaskArgs),
    /// Show how far a task came that was stopped
    #[command(long_about = help::STATUS_ABOUT, after_long_help = help::STATUS)]
    Status(TaskArgs),
    /// Check a receipt, and show what it tells
    #[command(long_about = help::RECEIPT_ABOUT, after_long_help = help::RECEIPT)]
    Receipt(ReceiptArgs),
    /// Compare a task's targets with their sources, row by row; writes nothing
    #[command(long_about = help::VERIFY_ABOUT, after_long_help = help::VERIFY)]
    Verify(VerifyArgs),
    /// Print a task file of MilvusDM 1.0 as a task of today
    #[command(long_about = help::CONVERT_ABOUT, after_long_help = help::CONVERT)]
    Convert(ConvertArgs),
    /// Show what is in a source
    #[command(long_about = help::INSPECT_ABOUT, after_long_help = help::INSPECT)]
    Inspect(InspectArgs),
    /// List the plugins, or show one with its options
    #[command(long_about = help::PLUGINS_ABOUT, after_long_help = help::PLUGINS)]
    Plugins(PluginsArgs),
    /// Print the JSON Schema of task files
    #[command(long_about = help::SCHEMA_ABOUT, after_long_help = help::SCHEMA)]
    Schema,
    /// Print a completion script for a shell
    #[command(long_about = help::COMPLETIONS_ABOUT, after_long_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
pub(super) struct TaskArgs {
    /// The task file
    #[arg(value_name = "TASK.yaml")]
    pub task: PathBuf,

    /// The folder of the journal, where the run was given one
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The task file, or the folder of a dump
    #[arg(value_name = "TASK.yaml|DIR")]
    pub what: PathBuf,

    /// The folder of the journal, where the run was given one
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Read the source even where the task's last run hashed its rows
    #[arg(long, conflicts_with = "sample")]
    pub read_source: bool,

    /// Look only at about N rows of each target, at even distances
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub sample: Option<u64>,

    /// How to show progress on stderr
    #[arg(long, value_name = "HOW", value_enum)]
    pub progress: Option<ProgressStyle>,
}

#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    /// The task file of MilvusDM 1.0
    #[arg(value_name = "OLD.yaml")]
    pub task: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ReceiptArgs {
    /// The receipt, as `--receipt` left it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// What to look into: PLUGIN:PATH?key=value&key=value
    #[arg(value_name = "SRC")]
    pub source: String,

    /// Also say where the rows with this id are, where the format has such places
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    pub id: Option<i64>,
}

#[derive(Debug, Args)]
pub(super) struct PluginsArgs {
    #[command(subcommand)]
    pub command: PluginsCommand,
}

/// What can be asked about plugins.
#[derive(Debug, Subcommand)]
pub(super) enum PluginsCommand {
    /// List the plugins: name, version, whether they read or write
    #[command(after_long_help = help::PLUGINS_LIST)]
    List,
    /// Show a plugin's page and options
    #[command(after_long_help = help::PLUGINS_SHOW)]
    Show {
        /// The plugin's name
        name: String,
    },
    /// Try a plugin file, in a process of its own: does it load, does it keep its contract
    #[command(long_about = help::PLUGINS_CHECK_ABOUT, after_long_help = help::PLUGINS_CHECK)]
    Check(CheckArgs),
    /// Trust a plugin file from now on, as it is now; runs none of it
    #[command(long_about = help::PLUGINS_TRUST_ABOUT, after_long_help = help::PLUGINS_TRUST)]
    Trust(TrustArgs),
    /// Write the project of a new plugin, which builds and passes its tests at once
    #[command(long_about = help::PLUGINS_NEW_ABOUT, after_long_help = help::PLUGINS_NEW)]
    New(NewArgs),
}

/// What `plugins trust` trusts.
#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    /// The file
    #[arg(value_name = "FILE.so")]
    pub file: PathBuf,

    /// Refuse unless this is the SHA-256 of its content, as `plugins check` shows it
    #[arg(long, value_name = "HEX")]
    pub sha256: Option<String>,

    /// Trust it no longer
    #[arg(long, conflicts_with = "sha256")]
    pub remove: bool,
}

/// What `plugins check` tries.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The file
    #[arg(value_name = "FILE.so")]
    pub file: PathBuf,

    /// Try its source on this sample: NAME:PATH?key=value
    #[arg(long, value_name = "SRC")]
    pub source: Option<String>,

    /// How many rows the sample has, all datasets together
    #[arg(long, value_name = "N", requires = "source")]
    pub rows: Option<u64>,

    /// A source that is not there, and must be refused; may be given repeatedly
    #[arg(long, value_name = "SRC", requires = "source")]
    pub missing: Vec<String>,

    /// A source that is damaged, and must be refused; may be given repeatedly
    #[arg(long, value_name = "SRC", requires = "source")]
    pub damaged: Vec<String>,

    /// Try its sink: NAME:PATH?key=value, with `{folder}` where a new folder is to stand
    #[arg(long, value_name = "DST")]
    pub sink: Option<String>,

    /// How to read what the sink wrote: PLUGIN:PATH?key=value, with `{folder}`, `{collection}`,
    /// `{partition}`
    #[arg(long, value_name = "SRC", requires = "sink")]
    pub read_back: Option<String>,

    /// The sink keeps nothing, so that no target is ever there
    #[arg(long, requires = "sink", conflicts_with = "read_back")]
    pub keeps_nothing: bool,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// How results and logs are shown, for every command.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(super) struct OutputOptions {
    /// Print the result as one JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,

    /// How log lines and errors are written to stderr
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    pub log_format: LogFormat,

    /// Least level of log lines on stderr [default: info]
    #[arg(long, global = true, value_name = "LEVEL", value_enum)]
    pub log_level: Option<LogLevel>,

    /// Show debug lines too; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "log_level")]
    pub verbose: u8,

    /// Show warnings and errors only, and no progress
    #[arg(short, long, global = true, conflicts_with_all = ["log_level", "verbose"])]
    pub quiet: bool,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// How much a log line must matter to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum ProgressStyle {
    /// A bar on a terminal, lines otherwise
    #[default]
    Auto,
    /// A bar that is redrawn in place
    Bar,
    /// A line every few seconds
    Plain,
    /// Nothing
    Off,
}

impl OutputOptions {
    /// The least level of log lines that are shown.
    pub fn level(&self) -> LevelFilter {
        match (self.log_level, self.quiet, self.verbose) {
            (Some(LogLevel::Error), ..) => LevelFilter::ERROR,
            (Some(LogLevel::Warn), ..) | (None, true, _) => LevelFilter::WARN,
            (Some(LogLevel::Info), ..) | (None, false, 0) => LevelFilter::INFO,
            (Some(LogLevel::Debug), ..) | (None, false, 1) => LevelFilter::DEBUG,
            (Some(LogLevel::Trace), ..) | (None, false, _) => LevelFilter::TRACE,
        }
    }
}

#[cfg(test)]
mod tests;
