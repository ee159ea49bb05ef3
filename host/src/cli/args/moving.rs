// SPDX-License-Identifier: Apache-2.0
//! Arguments of the commands that move data: `run`, `copy`, `dump`, `restore`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use milvusdm_plugin_api::{Error, Mode};

use super::ProgressStyle;
use crate::task::Task;

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    /// The task file
    #[arg(value_name = "TASK.yaml")]
    pub task: PathBuf,

    #[command(flatten)]
    pub run: RunOptions,
}

/// Options of everything that moves data.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct RunOptions {
    /// Write what was done as JSON into this file, replacing it as a whole
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,

    /// How to show progress on stderr
    ///
    /// `auto` draws a bar on a terminal and prints a line every few seconds otherwise.
    #[arg(long, value_name = "HOW", value_enum)]
    pub progress: Option<ProgressStyle>,

    /// Compare both sides when all rows are there, as `verify` does
    #[arg(long)]
    pub verify: bool,

    /// Move no more rows a second than this; wins over the task's `limit`
    #[arg(long, value_name = "N")]
    pub rows_per_second: Option<NonZeroU64>,

    /// Move no more bytes a second than this: `50MB`; wins over the task's `limit`
    #[arg(long, value_name = "SIZE")]
    pub bytes_per_second: Option<String>,

    /// Keep the journal, by which a stopped run goes on, in this folder [default: state in
    /// MILVUSDM_PATH]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Begin anew: take back what an unfinished run of this task left, and forget it
    #[arg(long)]
    pub restart: bool,

    /// Do not hash the rows: `verify` then has to read the source again
    #[arg(long)]
    pub no_hash: bool,

    /// Keep no journal: a run that is stopped takes back what it wrote
    #[arg(long, conflicts_with_all = ["state", "restart"])]
    pub no_journal: bool,
}

/// What is taken of a source.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct Chosen {
    /// Take only these: a glob as COLLECTION or COLLECTION/PARTITION; may be given repeatedly
    #[arg(long, value_name = "GLOB")]
    pub select: Vec<String>,

    /// Leave these out, of what is selected; may be given repeatedly
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DumpArgs {
    /// Where the data come from: PLUGIN:PATH?key=value&key=value
    #[arg(value_name = "SRC")]
    pub source: String,

    /// The folder of the dump: empty, or one with a dump, which is brought up to date
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,

    #[command(flatten)]
    pub chosen: Chosen,

    /// Compress the files: gzip, gzip:1 to gzip:9, lzf
    #[arg(long, value_name = "HOW")]
    pub compression: Option<String>,

    /// Bring a dump up to date that was made of another source: what this one lacks goes from it
    #[arg(long)]
    pub replace: bool,

    #[command(flatten)]
    pub run: RunOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RestoreArgs {
    /// The folder of the dump
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,

    /// Where the data go: PLUGIN:PATH?key=value&key=value
    #[arg(value_name = "DST")]
    pub sink: String,

    #[command(flatten)]
    pub chosen: Chosen,

    /// Name at the target: COLLECTION or COLLECTION/PARTITION, or a rule FROM=TO, as for `copy`
    #[arg(long, value_name = "[FROM=]TO")]
    pub map: Vec<String>,

    /// What to do where a target exists
    #[arg(long, value_name = "MODE", value_enum)]
    pub mode: Option<ModeArg>,

    #[command(flatten)]
    pub run: RunOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CopyArgs {
    /// Where the data come from: PLUGIN:PATH?key=value&key=value
    #[arg(value_name = "SRC")]
    pub source: String,

    /// Where the data go: PLUGIN:PATH?key=value&key=value
    #[arg(value_name = "DST")]
    pub sink: String,

    #[command(flatten)]
    pub chosen: Chosen,

    /// Name at the target: COLLECTION or COLLECTION/PARTITION, or a rule FROM=TO
    ///
    /// In TO, `{collection}` and `{partition}` stand for the source's names. Rules may be given
    /// repeatedly; the first that matches wins.
    #[arg(long, value_name = "[FROM=]TO")]
    pub map: Vec<String>,

    /// What to do where the target exists already [default: fail]
    #[arg(long, value_name = "MODE", value_enum)]
    pub mode: Option<ModeArg>,

    /// Memory for all batches together, 16MiB or more [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,

    /// How many splits are read at once [default: chosen from the machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub parallel: Option<u16>,

    #[command(flatten)]
    pub run: RunOptions,
}

impl Chosen {
    /// Has a task take only this.
    pub fn apply(&self, task: &mut Task) -> Result<(), Error> {
        if self.select.is_empty() && self.exclude.is_empty() {
            return Ok(());
        }
        task.select(&self.select, &self.exclude)
    }

    /// What tells a command with it from one with another.
    pub fn words(&self) -> Vec<String> {
        [("--select", &self.select), ("--exclude", &self.exclude)]
            .into_iter()
            .flat_map(|(flag, globs)| globs.iter().map(move |glob| format!("{flag} {glob}")))
            .collect()
    }
}

/// The task file's `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ModeArg {
    /// Refuse before anything is written
    Fail,
    /// Leave out what exists, move the rest
    Skip,
    /// Add the rows to what is there
    Append,
    /// Replace what is there
    Overwrite,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Fail => Self::Fail,
            ModeArg::Skip => Self::Skip,
            ModeArg::Append => Self::Append,
            ModeArg::Overwrite => Self::Overwrite,
        }
    }
}

impl RunOptions {
    pub(super) fn is_given(&self) -> bool {
        let is_limited = self.rows_per_second.is_some() || self.bytes_per_second.is_some();
        let is_limited = is_limited || self.verify;
        let is_kept = self.state.is_some() || self.restart || self.no_journal || self.no_hash;
        self.receipt.is_some() || self.progress.is_some() || is_limited || is_kept
    }
}
