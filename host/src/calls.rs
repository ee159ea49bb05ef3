// SPDX-License-Identifier: Apache-2.0
//! The host's calls into plugins: each is noted while it lasts, and a fault of the plugin's own
//! is reported under its name.
//!
//! Nothing else of the host talks to a plugin, so that a call that hangs can always be named.

use std::sync::Arc;

use arrow_array::RecordBatch;
use milvusdm_plugin_api::abi::{ReaderHandle, SinkHandle, SourceHandle, WriterHandle};
use milvusdm_plugin_api::model::Capabilities;
use milvusdm_plugin_api::{
    Dataset, Error, ErrorKind, FinishAck, Inspection, ReadAccount, ReadRequest, Result, Split,
    TargetRequest, TargetState, WriteAck, WriteAt,
};
use serde_json::Value;

use crate::control::Control;
use crate::registry::Entry;

/// Who is called, and on whose behalf.
#[derive(Debug, Clone)]
struct Callee {
    plugin: Arc<str>,
    control: Arc<Control>,
}

impl Callee {
    fn new(entry: &Entry, control: &Arc<Control>) -> Self {
        Self {
            plugin: entry.info.name.as_str().into(),
            control: Arc::clone(control),
        }
    }

    fn call<T>(&self, entry: &'static str, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let _pending = self.control.calling(&self.plugin, entry);
        run().map_err(|error| match error.kind() {
            ErrorKind::Plugin | ErrorKind::Panic if error.context_value("plugin").is_none() => {
                error.with("plugin", &self.plugin).with("entry", entry)
            }
            _ => error,
        })
    }
}

/// An open source.
#[derive(Debug, Clone)]
pub struct Source {
    callee: Callee,
    handle: SourceHandle,
}

impl Source {
    /// Opens a plugin's source.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn open(entry: &Entry, options: &Value, control: &Arc<Control>) -> Result<Self> {
        let callee = Callee::new(entry, control);
        let services = control.services(&entry.info.name);
        let handle = callee.call("source_open", || {
            entry.handle.open_source(options, services)
        })?;
        Ok(Self { callee, handle })
    }

    /// # Errors
    /// Whatever the plugin answers.
    pub fn datasets(&self) -> Result<Vec<Dataset>> {
        self.callee
            .call("source_datasets", || self.handle.datasets())
    }

    /// A dataset's splits; each with an id of its own.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn splits(&self, dataset: &Dataset) -> Result<Vec<Split>> {
        let splits = self
            .callee
            .call("source_splits", || self.handle.splits(&dataset.key))?;
        let mut ids = std::collections::HashSet::new();
        match splits.iter().find(|split| !ids.insert(split.id.as_str())) {
            None => Ok(splits),
            Some(split) => Err(Error::new(
                ErrorKind::Plugin,
                format!("two splits of `{}` have the id `{}`", dataset.key, split.id),
            )
            .with("plugin", &self.callee.plugin)),
        }
    }

    /// # Errors
    /// Whatever the plugin answers.
    pub fn inspect(&self) -> Result<Inspection> {
        self.callee.call("source_inspect", || self.handle.inspect())
    }

    /// # Errors
    /// Whatever the plugin answers.
    pub fn read(&self, dataset: &Dataset, split: &Split, request: &ReadRequest) -> Result<Reader> {
        let handle = self
            .callee
            .call("source_read", || self.handle.read(dataset, split, request))?;
        Ok(Reader {
            callee: self.callee.clone(),
            handle,
        })
    }
}

/// A reader of one split.
#[derive(Debug)]
pub struct Reader {
    callee: Callee,
    handle: ReaderHandle,
}

impl Reader {
    /// # Errors
    /// Whatever the plugin answers.
    pub fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.callee.call("reader_next", || self.handle.next())
    }

    /// # Errors
    /// Whatever the plugin answers.
    pub fn account(&self) -> Result<ReadAccount> {
        self.callee.call("reader_account", || self.handle.account())
    }
}

/// An open sink.
#[derive(Debug, Clone)]
pub struct Sink {
    callee: Callee,
    handle: SinkHandle,
}

impl Sink {
    /// Opens a plugin's sink.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn open(entry: &Entry, options: &Value, control: &Arc<Control>) -> Result<Self> {
        let callee = Callee::new(entry, control);
        let services = control.services(&entry.info.name);
        let handle = callee.call("sink_open", || entry.handle.open_sink(options, services))?;
        Ok(Self { callee, handle })
    }

    /// # Errors
    /// Whatever the plugin answers.
    pub fn capabilities(&self) -> Result<Capabilities> {
        self.callee
            .call("sink_capabilities", || self.handle.capabilities())
    }

    /// # Errors
    /// Whatever the plugin answers.
    pub fn check(&self, targets: &[TargetRequest]) -> Result<Vec<TargetState>> {
        self.callee
            .call("sink_check", || self.handle.check(targets))
    }

    /// # Errors
    /// Whatever the plugin answers.
    pub fn prepare(&self, target: &TargetRequest) -> Result<Writer> {
        let handle = self
            .callee
            .call("sink_prepare", || self.handle.prepare(target))?;
        Ok(Writer {
            callee: self.callee.clone(),
            handle,
        })
    }
}

/// A writer of one target.
#[derive(Debug)]
pub struct Writer {
    callee: Callee,
    handle: WriterHandle,
}

impl Writer {
    /// # Errors
    /// Whatever the plugin answers.
    pub fn write(&self, at: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        self.callee
            .call("writer_write", || self.handle.write(at, batch))
    }

    /// # Errors
    /// Whatever the plugin answers.
    pub fn finish(&self) -> Result<FinishAck> {
        self.callee.call("writer_finish", || self.handle.finish())
    }

    /// # Errors
    /// Whatever the plugin answers.
    pub fn abort(&self) -> Result<()> {
        self.callee.call("writer_abort", || self.handle.abort())
    }
}
