// SPDX-License-Identifier: Apache-2.0
//! The host's side of the table: safe handles that call through it.
//!
//! Everything a plugin gives back is checked here; a null entry is an error, a null handle too.

mod sink;
mod source;

use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::sink::{SinkHandle, WriterHandle};
pub use self::source::{ReaderHandle, SourceHandle};
use super::plain::{Doc, END, HostServices, OK, Str, broken};
use super::table::{Opaque, PluginTable};
use crate::{Error, ErrorKind, PluginInfo, Registration, Result, Services};

/// A plugin's table. An older plugin's is shorter than [`PluginTable`] says, so that it is only
/// looked at entry by entry, never as a whole.
#[derive(Debug, Clone, Copy)]
struct Table(NonNull<PluginTable>);

// SAFETY: a table is never written to, and its entries may be called from any thread.
unsafe impl Send for Table {}
unsafe impl Sync for Table {}

impl Table {
    /// Whether the table reaches as far as this byte.
    fn reaches(self, end: usize) -> bool {
        // SAFETY: every table begins with its size, and lives as long as the process.
        let size = unsafe { (&raw const (*self.0.as_ptr()).size).read() };
        size >= end
    }
}

/// Fetches an entry, or says that the plugin lacks it.
macro_rules! entry {
    ($table:expr, $name:ident) => {{
        let table: $crate::abi::client::Table = $table;
        let end = std::mem::offset_of!($crate::abi::PluginTable, $name) + size_of::<usize>();
        let found = match table.reaches(end) {
            // SAFETY: the table reaches as far, and entries are plain pointers.
            true => unsafe { (&raw const (*table.0.as_ptr()).$name).read() },
            false => None,
        };
        found.ok_or_else(|| $crate::abi::client::lacks(stringify!($name)))
    }};
}
use entry;

const _: () = assert!(offset_of!(PluginTable, size) == 0);

/// A plugin that is part of the process.
#[derive(Debug, Clone, Copy)]
pub struct PluginHandle {
    table: Table,
}

impl PluginHandle {
    /// The handle of a linked-in plugin's table.
    pub(crate) fn of(table: &'static PluginTable) -> Self {
        Self {
            table: Table(NonNull::from(table)),
        }
    }

    /// The handle of a loaded plugin's table.
    ///
    /// # Safety
    /// The table passed the gate, and lives as long as the process.
    pub(super) unsafe fn admitted(table: NonNull<PluginTable>) -> Self {
        Self {
            table: Table(table),
        }
    }

    /// That no side is half there: a plugin that lacks an entry is refused before it is used,
    /// not in the middle of a run.
    pub(super) fn check_sides(&self) -> Result<()> {
        entry!(self.table, info)?;
        if entry!(self.table, source_open).is_ok() {
            entry!(self.table, source_datasets)?;
            entry!(self.table, source_schema)?;
            entry!(self.table, source_splits)?;
            entry!(self.table, source_inspect)?;
            entry!(self.table, source_read)?;
            entry!(self.table, source_close)?;
            entry!(self.table, reader_next)?;
            entry!(self.table, reader_account)?;
            entry!(self.table, reader_close)?;
        }
        if entry!(self.table, sink_open).is_ok() {
            entry!(self.table, sink_capabilities)?;
            entry!(self.table, sink_check)?;
            entry!(self.table, sink_prepare)?;
            entry!(self.table, sink_close)?;
            entry!(self.table, writer_write)?;
            entry!(self.table, writer_flush)?;
            entry!(self.table, writer_finish)?;
            entry!(self.table, writer_abort)?;
            entry!(self.table, writer_close)?;
        }
        Ok(())
    }

    /// Every linked-in plugin.
    pub fn linked() -> Vec<Self> {
        Registration::tables().map(Self::of).collect()
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
        let close = entry!(self.table, source_close)?;
        let services = HostServices::lend(services);
        let options = to_json(options)?;
        // SAFETY: as in `info`; services live for ever, the options for the call.
        let raw = open(|out, error| unsafe { call(services, Str::new(&options), out, error) })?;
        let close = ("source_close", close);
        Ok(SourceHandle(Arc::new(Handle::new(raw, close, self.table))))
    }

    /// Opens the plugin's sink.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn open_sink(&self, options: &Value, services: Services) -> Result<SinkHandle> {
        let call = entry!(self.table, sink_open)?;
        let close = entry!(self.table, sink_close)?;
        let services = HostServices::lend(services);
        let options = to_json(options)?;
        // SAFETY: as in `open_source`.
        let raw = open(|out, error| unsafe { call(services, Str::new(&options), out, error) })?;
        let close = ("sink_close", close);
        Ok(SinkHandle(Arc::new(Handle::new(raw, close, self.table))))
    }
}

/// An object on the plugin's side, closed when the last user is gone.
#[derive(Debug)]
struct Handle {
    raw: *mut Opaque,
    close: Close,
    table: Table,
}

/// The entry that frees an object, and its name.
type Close = (&'static str, unsafe extern "C" fn(*mut Opaque) -> u32);

// SAFETY: the contract of the table: handles may be used from any thread.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

impl Handle {
    fn new(raw: *mut Opaque, close: Close, table: Table) -> Self {
        Self { raw, close, table }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let (entry, close) = self.close;
        // SAFETY: made by the matching entry, closed once.
        let status = unsafe { close(self.raw) };
        if status != OK {
            tracing::warn!(
                entry,
                status,
                "A plugin failed to close what it had opened."
            );
        }
    }
}

fn lacks(entry: &str) -> Error {
    match entry {
        "source_open" => Error::new(ErrorKind::Config, "this plugin does not read"),
        "sink_open" => Error::new(ErrorKind::Config, "this plugin does not write"),
        _ => broken(&format!("the table lacks the entry `{entry}`")),
    }
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Error::new(ErrorKind::Internal, "write a JSON document").caused_by(e))
}

/// Makes a call that may say that there is nothing more: `false` then. A failure becomes the
/// error that its document holds.
fn call_or_end(run: impl FnOnce(*mut Doc) -> u32) -> Result<bool> {
    let mut error = Doc::empty();
    match run(&mut error) {
        OK => Ok(true),
        END => Ok(false),
        // SAFETY: filled in by the callee, or still empty.
        status => match unsafe { error.json::<Error>("the error document") } {
            Ok(error) => Err(error),
            Err(cause) => Err(broken(&format!(
                "a call failed with status {status} without saying why"
            ))
            .caused_by(cause)),
        },
    }
}

/// Makes a call that must do what it should.
fn call(run: impl FnOnce(*mut Doc) -> u32) -> Result<()> {
    match call_or_end(run)? {
        true => Ok(()),
        false => Err(broken("status `end` from an entry that has none")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_beyond_the_tables_size_are_not_there() {
        unsafe extern "C" fn info(_: *mut Doc, _: *mut Doc) -> u32 {
            77
        }
        let mut table = PluginTable {
            info: Some(info),
            ..PluginTable::empty()
        };
        let handle = |table: &PluginTable| PluginHandle {
            table: Table(NonNull::from(table)),
        };
        let error = handle(&table).info().unwrap_err();
        assert!(error.message().contains("status 77"), "{error}");
        table.size = offset_of!(PluginTable, info);
        let error = handle(&table).info().unwrap_err();
        assert!(
            error.message().contains("lacks the entry `info`"),
            "{error}"
        );
    }

    #[test]
    fn a_call_that_ends_or_gives_no_handle_is_refused() {
        assert!(call(|_| END).is_err());
        assert!(open(|_, _| OK).is_err());
        assert!(fetch::<Value>("x", |_, _| OK).is_err());
    }
}
