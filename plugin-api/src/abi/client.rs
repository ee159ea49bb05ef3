// SPDX-License-Identifier: Apache-2.0
//! The host's side of the table: safe handles that call through it.
//!
//! Everything a plugin gives back is checked here; a null entry is an error, a null handle too.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::c_data::FfiArray;
use super::c_schema::FfiSchema;
use super::export::DatasetDoc;
use super::plain::{Doc, END, HostServices, OK, Str, broken};
use super::table::{Opaque, PluginTable};
use crate::model::Capabilities;
use crate::{
    Dataset, Error, ErrorKind, FinishAck, Inspection, PluginInfo, ReadAccount, ReadRequest,
    Registration, Result, Services, Split, TargetRequest, TargetSpec, TargetState, WriteAck,
    WriteAt,
};

/// A plugin that is part of the process.
#[derive(Debug, Clone, Copy)]
pub struct PluginHandle {
    table: &'static PluginTable,
}

/// Fetches an entry, or says that the plugin lacks it.
macro_rules! entry {
    ($table:expr, $name:ident) => {
        $table.$name.ok_or_else(|| lacks(stringify!($name)))
    };
}

impl PluginHandle {
    /// Every linked-in plugin.
    pub fn linked() -> Vec<Self> {
        Registration::tables().map(|table| Self { table }).collect()
    }

    /// What the plugin says of itself.
    ///
    /// # Errors
    /// `Plugin` or `Panic`.
    pub fn info(&self) -> Result<PluginInfo> {
        let call = entry!(self.table, info)?;
        // SAFETY: an entry of a table that passed its door; documents are our own.
        fetch("plugin info", |out, error| unsafe { call(out, error) })
    }

    /// Opens the plugin's source.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn open_source(&self, options: &Value, services: Services) -> Result<SourceHandle> {
        let call = entry!(self.table, source_open)?;
        let services = HostServices::lend(services);
        let options = to_json(options)?;
        // SAFETY: as in `info`; services live for ever, the options for the call.
        let raw = open(|out, error| unsafe { call(services, Str::new(&options), out, error) })?;
        Ok(SourceHandle(Arc::new(Handle {
            raw,
            close: self.table.source_close,
            table: self.table,
        })))
    }

    /// Opens the plugin's sink.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn open_sink(&self, options: &Value, services: Services) -> Result<SinkHandle> {
        let call = entry!(self.table, sink_open)?;
        let services = HostServices::lend(services);
        let options = to_json(options)?;
        // SAFETY: as in `open_source`.
        let raw = open(|out, error| unsafe { call(services, Str::new(&options), out, error) })?;
        Ok(SinkHandle(Arc::new(Handle {
            raw,
            close: self.table.sink_close,
            table: self.table,
        })))
    }
}

/// An object on the plugin's side, closed when the last user is gone.
#[derive(Debug)]
struct Handle {
    raw: *mut Opaque,
    close: Option<unsafe extern "C" fn(*mut Opaque) -> u32>,
    table: &'static PluginTable,
}

// SAFETY: the contract of the table: handles may be used from any thread.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(close) = self.close {
            // SAFETY: made by the matching entry, closed once.
            unsafe { close(self.raw) };
        }
    }
}

/// An open source.
#[derive(Debug, Clone)]
pub struct SourceHandle(Arc<Handle>);

impl SourceHandle {
    /// The source's datasets with their schemas.
    ///
    /// # Errors
    /// Whatever the plugin answers; `Plugin` where two datasets have one key.
    pub fn datasets(&self) -> Result<Vec<Dataset>> {
        let (list, schema) = (
            entry!(self.0.table, source_datasets)?,
            entry!(self.0.table, source_schema)?,
        );
        // SAFETY: a live handle and our own documents.
        let docs: Vec<DatasetDoc> = fetch("datasets", |out, error| unsafe {
            list(self.0.raw, out, error)
        })?;
        let mut datasets: Vec<Dataset> = Vec::with_capacity(docs.len());
        let mut keys = std::collections::HashSet::new();
        for doc in docs {
            if !keys.insert(doc.key.clone()) {
                return Err(broken(&format!("two datasets with the key `{}`", doc.key)));
            }
            let mut out = FfiSchema::empty();
            // SAFETY: as above.
            call(|error| unsafe { schema(self.0.raw, Str::new(&doc.key), &mut out, error) })?;
            // SAFETY: filled in by the plugin, checked by `import`.
            let schema = unsafe { out.import() }.map_err(|e| e.with("dataset", &doc.key))?;
            datasets.push(Dataset {
                key: doc.key,
                schema,
                descriptor: doc.descriptor,
            });
        }
        Ok(datasets)
    }

    /// A dataset's splits.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn splits(&self, key: &str) -> Result<Vec<Split>> {
        let call = entry!(self.0.table, source_splits)?;
        // SAFETY: a live handle and our own documents.
        fetch("splits", |out, error| unsafe {
            call(self.0.raw, Str::new(key), out, error)
        })
    }

    /// What `milvusdm inspect` shows beside the datasets.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn inspect(&self) -> Result<Inspection> {
        let call = entry!(self.0.table, source_inspect)?;
        // SAFETY: a live handle and our own documents.
        fetch("inspection", |out, error| unsafe {
            call(self.0.raw, Str::new("{}"), out, error)
        })
    }

    /// Opens a split of a dataset for reading.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn read(
        &self,
        dataset: &Dataset,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<ReaderHandle> {
        let call = entry!(self.0.table, source_read)?;
        let (split, request) = (to_json(split)?, to_json(request)?);
        let raw = open(|out, error| {
            let (key, split, request) =
                (Str::new(&dataset.key), Str::new(&split), Str::new(&request));
            // SAFETY: a live handle; texts live for the call.
            unsafe { call(self.0.raw, key, split, request, out, error) }
        })?;
        let handle = Handle {
            raw,
            close: self.0.table.reader_close,
            table: self.0.table,
        };
        Ok(ReaderHandle {
            handle,
            schema: dataset.schema.clone(),
            _source: self.clone(),
        })
    }
}

/// A reader of one split.
#[derive(Debug)]
pub struct ReaderHandle {
    handle: Handle,
    schema: SchemaRef,
    /// A reader is closed before its source.
    _source: SourceHandle,
}

impl ReaderHandle {
    /// The next batch, checked; `None` at the end.
    ///
    /// # Errors
    /// Whatever the plugin answers; `Plugin` or `Format` for a batch that breaks the contract.
    pub fn next(&mut self) -> Result<Option<RecordBatch>> {
        let next = entry!(self.handle.table, reader_next)?;
        let mut array = FfiArray::empty();
        // SAFETY: a live handle that `&mut self` keeps to one thread.
        let status = call(|error| unsafe { next(self.handle.raw, &mut array, error) })?;
        if status == END {
            return Ok(None);
        }
        // SAFETY: filled in by the plugin, checked by `import`.
        unsafe { array.import(&self.schema) }.map(Some)
    }

    /// What the reader did not give out; asked after the end.
    ///
    /// # Errors
    /// `Plugin` or `Panic`.
    pub fn account(&self) -> Result<ReadAccount> {
        let call = entry!(self.handle.table, reader_account)?;
        // SAFETY: a live handle and our own documents.
        fetch("read account", |out, error| unsafe {
            call(self.handle.raw, out, error)
        })
    }
}

/// An open sink.
#[derive(Debug, Clone)]
pub struct SinkHandle(Arc<Handle>);

impl SinkHandle {
    /// What the sink can take.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn capabilities(&self) -> Result<Capabilities> {
        let call = entry!(self.0.table, sink_capabilities)?;
        // SAFETY: a live handle and our own documents.
        fetch("capabilities", |out, error| unsafe {
            call(self.0.raw, out, error)
        })
    }

    /// Looks at all targets; writes nothing.
    ///
    /// # Errors
    /// Whatever the plugin answers; `Plugin` where it gives not one state a target.
    pub fn check(&self, targets: &[TargetRequest]) -> Result<Vec<TargetState>> {
        let call = entry!(self.0.table, sink_check)?;
        let specs: Vec<&TargetSpec> = targets.iter().map(|t| &t.spec).collect();
        let specs = to_json(&specs)?;
        let schemas = targets
            .iter()
            .map(|t| FfiSchema::export(&t.schema))
            .collect::<Result<Vec<_>>>()?;
        let states: Vec<TargetState> = fetch("target states", |out, error| {
            // SAFETY: a live handle; as many schemas as specs, alive for the call.
            unsafe { call(self.0.raw, Str::new(&specs), schemas.as_ptr(), out, error) }
        })?;
        if states.len() != targets.len() {
            return Err(broken(&format!(
                "{} states for {} targets",
                states.len(),
                targets.len()
            )));
        }
        Ok(states)
    }

    /// Makes a target ready for rows.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn prepare(&self, target: &TargetRequest) -> Result<WriterHandle> {
        let call = entry!(self.0.table, sink_prepare)?;
        let spec = to_json(&target.spec)?;
        let schema = FfiSchema::export(&target.schema)?;
        // SAFETY: a live handle; spec and schema live for the call.
        let raw =
            open(|out, error| unsafe { call(self.0.raw, Str::new(&spec), &schema, out, error) })?;
        let handle = Handle {
            raw,
            close: self.0.table.writer_close,
            table: self.0.table,
        };
        Ok(WriterHandle {
            handle,
            _sink: self.clone(),
        })
    }
}

/// A writer of one target.
#[derive(Debug)]
pub struct WriterHandle {
    handle: Handle,
    /// A writer is closed before its sink.
    _sink: SinkHandle,
}

impl WriterHandle {
    /// Writes a batch; every row must be acknowledged as written or rejected.
    ///
    /// # Errors
    /// Whatever the plugin answers; `Plugin` where it does not account for every row.
    pub fn write(&self, at: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        let call = entry!(self.handle.table, writer_write)?;
        let rows = batch.num_rows() as u64;
        let mut array = FfiArray::export(batch);
        let ack: WriteAck = fetch("write acknowledgement", |out, error| {
            // SAFETY: a live handle; the callee takes the batch over and leaves an empty one.
            unsafe { call(self.handle.raw, at, &mut array, out, error) }
        })?;
        let rejected = ack.rejected.len() as u64;
        if ack.written.checked_add(rejected) != Some(rows) {
            return Err(broken(&format!(
                "of {rows} rows, {} are said to be written and {rejected} rejected",
                ack.written
            )));
        }
        Ok(ack)
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn flush(&self) -> Result<()> {
        let flush = entry!(self.handle.table, writer_flush)?;
        // SAFETY: a live handle.
        call(|error| unsafe { flush(self.handle.raw, error) }).map(|_| ())
    }

    /// Publishes the target.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn finish(&self) -> Result<FinishAck> {
        let call = entry!(self.handle.table, writer_finish)?;
        // SAFETY: a live handle and our own documents.
        fetch("finish acknowledgement", |out, error| unsafe {
            call(self.handle.raw, out, error)
        })
    }

    /// Takes back what can be taken back.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn abort(&self) -> Result<()> {
        let abort = entry!(self.handle.table, writer_abort)?;
        // SAFETY: a live handle.
        call(|error| unsafe { abort(self.handle.raw, error) }).map(|_| ())
    }
}

fn lacks(entry: &str) -> Error {
    let side = entry.split('_').next().unwrap_or(entry);
    match side {
        "source" => Error::new(ErrorKind::Config, "this plugin does not read"),
        "sink" => Error::new(ErrorKind::Config, "this plugin does not write"),
        _ => broken(&format!("the table lacks the entry `{entry}`")),
    }
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Error::new(ErrorKind::Internal, "write a JSON document").caused_by(e))
}

/// Makes a call and turns a failure into the error that its document holds.
fn call(run: impl FnOnce(*mut Doc) -> u32) -> Result<u32> {
    let mut error = Doc::empty();
    let status = run(&mut error);
    if status == OK || status == END {
        return Ok(status);
    }
    // SAFETY: filled in by the callee, or still empty.
    match unsafe { error.json::<Error>("the error document") } {
        Ok(error) => Err(error),
        Err(cause) => Err(broken("a call failed without saying why").caused_by(cause)),
    }
}

/// Makes a call that gives back a document.
fn fetch<T: DeserializeOwned>(
    what: &str,
    run: impl FnOnce(*mut Doc, *mut Doc) -> u32,
) -> Result<T> {
    let mut out = Doc::empty();
    call(|error| run(&mut out, error))?;
    // SAFETY: filled in by the callee, or still empty, which is no JSON.
    unsafe { out.json(what) }
}

/// Makes a call that gives back a handle.
fn open(run: impl FnOnce(*mut *mut Opaque, *mut Doc) -> u32) -> Result<*mut Opaque> {
    let mut out = std::ptr::null_mut();
    call(|error| run(&mut out, error))?;
    if out.is_null() {
        return Err(broken("a call succeeded without giving a handle"));
    }
    Ok(out)
}
