// SPDX-License-Identifier: Apache-2.0
//! Tasks: what to move from where to where, as a YAML file or as two command-line arguments.
//!
//! A file goes through `file` (bytes to text), `yaml` (to one JSON value with `places`), `old` (one of
//! MilvusDM 1.0 becomes a task of today), `env`
//! (variables), `defaults` (what it leaves out), `check` (against the envelope's schema), `resolve` (what values mean). Plugin
//! options are checked by [`Task::check_options`] when the plugin is known. Nothing here
//! touches data, opens a plugin, prints or logs. What is wrong with a task is said with its
//! place: context `at` (`task.yaml:3:7`) and `snippet` (the line and a caret).

mod check;
mod defaults;
mod endpoint;
mod env;
mod fault;
mod file;
mod flags;
mod glob;
mod mapping;
mod names;
pub(crate) mod nearest;
mod old;
mod options;
mod origin;
mod place;
mod places;
mod pointer;
mod raw;
mod render;
mod resolve;
mod schema;
mod secrets;
mod select;
mod shape;
mod size;
#[cfg(test)]
mod tests;
mod typed;
mod walk;
mod yaml;

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU64};
use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind, PluginInfo, Result};
use serde_json::{Map, Value};

use crate::dump::Known;

pub use defaults::Defaults;
pub use endpoint::{Endpoint, PluginLookup};
pub(crate) use glob::literal_path;
pub use mapping::{Mapping, TargetName};
pub use milvusdm_plugin_api::Mode;
pub use names::{DEFAULT_PARTITION, DatasetName};
pub use old::{Converted, convert};
pub(crate) use old::{LoadBack, Loadable};
pub use raw::{ColumnConversion, Duplicates, IdConversion, Prefer};
pub use schema::schema;
pub use select::{Selection, Unmatched};

use origin::Origin;
use place::Part;

/// Memory for batches where the task says nothing.
pub const DEFAULT_MEMORY_BYTES: u64 = 256 << 20;
/// Least memory for batches.
pub const MIN_MEMORY_BYTES: u64 = 16 << 20;

/// What to move from where to where, checked but for the plugins' own options.
#[derive(Debug, Clone)]
pub struct Task {
    /// Where the data come from.
    pub source: PluginTask,
    /// Where the data go.
    pub sink: PluginTask,
    /// Which datasets are moved.
    pub selection: Selection,
    /// What they are called at the target.
    pub mapping: Mapping,
    /// Which conversions are allowed.
    pub conversions: Conversions,
    /// What to do where the target exists already.
    pub mode: Mode,
    /// Memory for all batches together.
    pub memory_bytes: u64,
    /// How many splits are read at once; `None` = chosen from the machine.
    pub parallel: Option<NonZeroU16>,
    /// How fast rows are moved at most.
    pub limit: Limit,
    /// Whether rows are hashed on their way.
    pub hashes_rows: bool,
    /// Which plugin is meant where a name has two; `None` if the task does not say.
    pub prefer: Option<Prefer>,
    /// Tasks to write after the run, as M2H of MilvusDM 1.0 left them.
    pub(crate) load_back: Option<LoadBack>,
    /// What a dump says of the datasets.
    pub(crate) known: Known,
    origin: Origin,
}

/// What stands for a secret that is not shown.
const SECRET: &str = "***";

/// A plugin and its options.
#[derive(Clone, PartialEq)]
pub struct PluginTask {
    /// Name of the plugin.
    pub plugin: String,
    /// Its options, variables put in.
    pub options: Map<String, Value>,
}

impl std::fmt::Debug for PluginTask {
    /// Options may be secret, so that only their names are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&String> = self.options.keys().collect();
        f.debug_struct("PluginTask")
            .field("plugin", &self.plugin)
            .field("options", &names)
            .finish()
    }
}

/// How fast rows are moved at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// Rows a second.
    pub rows_per_second: Option<NonZeroU64>,
    /// Bytes of batches a second.
    pub bytes_per_second: Option<NonZeroU64>,
}

/// Conversions that a task allows where the target can't hold the data as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conversions {
    /// What becomes of ids.
    pub ids: Option<IdConversion>,
    /// What becomes of rows with an id that was there before.
    pub duplicates: Option<Duplicates>,
    /// What becomes of columns, by name.
    pub columns: BTreeMap<String, ColumnConversion>,
}

/// One of the two ends of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where the data come from.
    Source,
    /// Where the data go.
    Sink,
}

impl Side {
    /// Its key in a task file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }

    fn pointer(self) -> &'static str {
        match self {
            Self::Source => "/source",
            Self::Sink => "/sink",
        }
    }

    /// What its argument is called on the command line.
    fn argument(self) -> &'static str {
        match self {
            Self::Source => "SRC",
            Self::Sink => "DST",
        }
    }

    fn of_pointer(pointer: &str) -> Option<Self> {
        let first = pointer::segments(pointer).next()?;
        [Self::Source, Self::Sink]
            .into_iter()
            .find(|side| side.name() == first)
    }
}

impl Task {
    /// Reads a task file; `defaults` stand in for what it leaves out.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Io` if it can't be read; else as [`Task::parse`].
    pub fn load(path: &Path, defaults: &Defaults) -> Result<Self> {
        let (text, name) = (file::read(path)?, file::shown_name(path));
        resolve::task(&text, &name, defaults, &env::of_process)
    }

    /// Reads the text of a task file, which is called `name` in messages.
    ///
    /// # Errors
    /// `Config` for whatever is wrong in it; `Unsupported` for a version of Milvus that is not
    /// in this build.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        resolve::task(text, name, &Defaults::default(), &env::of_process)
    }

    /// Makes a task of two arguments of the form `PLUGIN:REST?key=value&key=value`: everything
    /// is moved, under its own name, where `defaults` do not say otherwise. Their options are
    /// checked.
    ///
    /// # Errors
    /// `Config` for whatever is wrong in them; what `lookup` says of a plugin.
    pub fn copy(
        source: &str,
        sink: &str,
        lookup: PluginLookup<'_>,
        defaults: &Defaults,
    ) -> Result<Self> {
        endpoint::task(source, sink, lookup, defaults)
    }

    /// The plugin and options of one side.
    pub fn endpoint(&self, side: Side) -> &PluginTask {
        match side {
            Side::Source => &self.source,
            Side::Sink => &self.sink,
        }
    }

    /// The keys and options that the program's defaults stand in for: `memory`, `sink.path`.
    pub fn defaults(&self) -> Vec<String> {
        self.origin.defaults()
    }

    /// Checks the options of one side against what its plugin takes.
    ///
    /// # Errors
    /// `Config` at the place of the option that is wrong; `Unsupported` if the plugin does not
    /// have that side; `Plugin` if its schema can't be followed.
    pub fn check_options(&self, side: Side, info: &PluginInfo) -> Result<()> {
        let plugin = self.endpoint(side);
        options::check(plugin, side, info, self.origin.written()).map_err(|fault| {
            let schema = options::schema(side, info);
            let hidden = secrets::pointers(schema, &plugin.options, side.pointer());
            self.origin.error(fault, &hidden)
        })
    }

    /// Gives an error of a plugin its place in the task: that of the option in its context
    /// `option`, or of the whole side for a `Config` error without one. Any other error, which
    /// is not about the task, gets the context `side`. An error that has its place stays.
    pub fn locate(&self, side: Side, error: Error) -> Error {
        if let Some(path) = error.context_value("option") {
            let pointer = pointer::from_option_path(side.pointer(), path);
            return self.origin.locate(&pointer, Part::Value, error, &[]);
        }
        if error.kind() == ErrorKind::Config {
            return self.origin.locate(side.pointer(), Part::Key, error, &[]);
        }
        match error.context_value("side") {
            Some(_) => error,
            None => error.with("side", side.name()),
        }
    }

    /// Has an M2H task, which names a new folder for each run, write where an earlier run of it
    /// did: `sink` is that run's, as [`PluginTask::shown`] tells it. Where the task's own folder
    /// changed since, nothing is done.
    pub(crate) fn take_up(&mut self, sink: &Value) {
        let (Some(load_back), Some(path)) = (&self.load_back, sink["path"].as_str()) else {
            return;
        };
        if let Some(folder) = load_back.sibling(path) {
            self.load_back = Some(LoadBack::new(folder));
            self.sink.options.insert("path".to_owned(), folder.into());
        }
    }

    /// Gives an error its place: that of the value at a JSON pointer into the task, such as
    /// [`Unmatched::pointer`] or `/sink/plugin`.
    pub fn locate_pointer(&self, pointer: &str, error: Error) -> Error {
        self.origin.locate(pointer, Part::Value, error, &[])
    }

    /// The texts that must be masked wherever something is shown: options that are marked
    /// secret or named like a secret, and passwords in URIs. None is empty.
    pub fn secrets(&self, source: &PluginInfo, sink: &PluginInfo) -> Vec<String> {
        let mut texts = self.source.secrets(Side::Source, source);
        texts.extend(self.sink.secrets(Side::Sink, sink));
        texts.sort_unstable();
        texts.dedup();
        texts
    }
}

impl PluginTask {
    /// As [`Task::secrets`], of one side.
    pub fn secrets(&self, side: Side, info: &PluginInfo) -> Vec<String> {
        secrets::texts(options::schema(side, info), &self.options)
    }

    /// Plugin and options as they may be kept and shown: secrets are only said to be there.
    pub fn shown(&self, side: Side, info: &PluginInfo) -> Value {
        let mut options = Value::Object(self.options.clone());
        for pointer in secrets::pointers(options::schema(side, info), &self.options, "") {
            if let Some(secret) = options.pointer_mut(&pointer) {
                *secret = SECRET.into();
            }
        }
        if let Some(options) = options.as_object_mut() {
            for value in options.values_mut() {
                if let Value::String(text) = value {
                    for password in render::passwords_in(text) {
                        *text = text.replace(&password, SECRET);
                    }
                }
            }
            options.insert("plugin".to_owned(), self.plugin.as_str().into());
        }
        options
    }
}

/// The bytes a second that `--bytes-per-second` means.
///
/// # Errors
/// `Config` if it is no size, or 0.
pub fn parse_rate(text: &str) -> Result<NonZeroU64> {
    let bytes = size::parse_bytes(text)
        .map_err(|message| format!("found `{}`, {message}", render::shorten(text)))
        .and_then(|bytes| {
            NonZeroU64::new(bytes).ok_or_else(|| "found 0, wanted at least 1".to_owned())
        });
    bytes.map_err(|message| {
        Error::new(ErrorKind::Config, message).with("at", "argument --bytes-per-second")
    })
}

/// The size in bytes that `--memory` means: `256MiB`, `1GB`, `268435456`.
///
/// # Errors
/// `Config` if it is no size, or less than [`MIN_MEMORY_BYTES`].
pub fn parse_memory(text: &str) -> Result<u64> {
    size::parse_bytes(text)
        .map_err(|message| format!("found `{}`, {message}", render::shorten(text)))
        .and_then(resolve::check_memory)
        .map_err(|message| Error::new(ErrorKind::Config, format!("memory: {message}")))
}
