// SPDX-License-Identifier: Apache-2.0
//! The host's calls into plugins: each is noted while it lasts, and a fault of the plugin's own
//! is reported under its name.
//!
//! Nothing else of the host talks to a plugin, so that a call that hangs can always be named.

use std::ops::{Deref, DerefMut};
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
use crate::load;
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
        let outcome = run();
        if self.control.is_first_return(&self.plugin, entry) {
            // A library behind the plugin may have set up an exit handler of its own by now.
            load::heed_exit_first();
        }
        outcome.map_err(|error| {
            // What is the plugin's own fault, and what was found wrong in its answer.
            let is_its_own = matches!(
                error.kind(),
                ErrorKind::Plugin | ErrorKind::Panic | ErrorKind::Internal
            );
            let has_entry = error.context_value("entry").is_some();
            if !(is_its_own || has_entry) || error.context_value("plugin").is_some() {
                return error;
            }
            let error = error.with("plugin", &self.plugin);
            match has_entry {
                true => error,
                false => error.with("entry", entry),
            }
        })
    }
}

/// A handle whose closing is a call like any other: one that hangs can be named.
#[derive(Debug, Clone)]
struct Closing<T> {
    /// Gone only while it is closed.
    handle: Option<T>,
    callee: Callee,
    entry: &'static str,
}

impl<T> Closing<T> {
    fn new(handle: T, callee: &Callee, entry: &'static str) -> Self {
        Self {
            handle: Some(handle),
            callee: callee.clone(),
            entry,
        }
    }
}

/// Why there always is a handle.
const OPEN: &str = "it is closed only when it is dropped";

impl<T> Deref for Closing<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.handle.as_ref().expect(OPEN)
    }
}

impl<T> DerefMut for Closing<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.handle.as_mut().expect(OPEN)
    }
}

impl<T> Drop for Closing<T> {
    fn drop(&mut self) {
        let _pending = self.callee.control.calling(&self.callee.plugin, self.entry);
        self.handle = None;
    }
}

/// An open source.
#[derive(Debug, Clone)]
pub struct Source {
    callee: Callee,
    handle: Closing<SourceHandle>,
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
        let handle = Closing::new(handle, &callee, "source_close");
        Ok(Self { callee, handle })
    }

    /// The plugin's name.
    pub fn plugin(&self) -> &str {
        &self.callee.plugin
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
            handle: Closing::new(handle, &self.callee, "reader_close"),
        })
    }
}

/// A reader of one split.
#[derive(Debug)]
pub struct Reader {
    callee: Callee,
    handle: Closing<ReaderHandle>,
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
    handle: Closing<SinkHandle>,
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
        let handle = Closing::new(handle, &callee, "sink_close");
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
            handle: Closing::new(handle, &self.callee, "writer_close"),
        })
    }
}

/// A writer of one target.
#[derive(Debug)]
pub struct Writer {
    callee: Callee,
    handle: Closing<WriterHandle>,
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
    pub fn flush(&self) -> Result<()> {
        self.callee.call("writer_flush", || self.handle.flush())
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
