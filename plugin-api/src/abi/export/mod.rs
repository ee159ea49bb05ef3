// SPDX-License-Identifier: Apache-2.0
//! The plugin's side of the table: trampolines around the safe traits.
//!
//! Each runs its code in the guard, reads and writes documents, and keeps objects behind boxed
//! handles.

mod options;
mod sink;
mod source;

use std::any::TypeId;

use serde::{Deserialize, Serialize};

use self::sink::WriterBox;
use self::source::{ReaderBox, SourceBox};
use super::guard::{entry, quiet};
use super::plain::{Doc, OK, broken};
use super::table::{Opaque, PluginTable};
use crate::model::Descriptor;
use crate::{NoSink, NoSource, PanicStrategy, Plugin, PluginInfo, Result, Sink, Source};

/// A table with the entries that every plugin has.
pub(crate) const fn common<P: Plugin>() -> PluginTable {
    PluginTable {
        info: Some(info::<P>),
        ..PluginTable::empty()
    }
}

/// The same with a source's entries.
pub(crate) const fn with_source<S: Source>(table: PluginTable) -> PluginTable {
    PluginTable {
        source_open: Some(source::source_open::<S>),
        source_datasets: Some(source::source_datasets::<S>),
        source_schema: Some(source::source_schema::<S>),
        source_splits: Some(source::source_splits::<S>),
        source_inspect: Some(source::source_inspect::<S>),
        source_read: Some(source::source_read::<S>),
        source_close: Some(close::<SourceBox<S>>),
        reader_next: Some(source::reader_next),
        reader_account: Some(source::reader_account),
        reader_close: Some(close::<ReaderBox>),
        ..table
    }
}

/// The same with a sink's entries.
pub(crate) const fn with_sink<S: Sink>(table: PluginTable) -> PluginTable {
    PluginTable {
        sink_open: Some(sink::sink_open::<S>),
        sink_capabilities: Some(sink::sink_capabilities::<S>),
        sink_check: Some(sink::sink_check::<S>),
        sink_prepare: Some(sink::sink_prepare::<S>),
        sink_close: Some(close::<S>),
        writer_write: Some(sink::writer_write),
        writer_flush: Some(sink::writer_flush),
        writer_finish: Some(sink::writer_finish),
        writer_abort: Some(sink::writer_abort),
        writer_close: Some(close::<WriterBox>),
        ..table
    }
}

/// A dataset without its schema, which crosses as Arrow C Data.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DatasetDoc {
    pub(super) key: String,
    pub(super) descriptor: Descriptor,
}

/// SAFETY: out pointers are null or the caller's own.
unsafe extern "C" fn info<P: Plugin>(out: *mut Doc, error: *mut Doc) -> u32 {
    let run = || {
        let reads = TypeId::of::<P::Source>() != TypeId::of::<NoSource>();
        let writes = TypeId::of::<P::Sink>() != TypeId::of::<NoSink>();
        let info = PluginInfo {
            name: P::NAME.to_owned(),
            version: P::VERSION.to_owned(),
            summary: P::SUMMARY.to_owned(),
            docs: P::DOCS.to_owned(),
            source_options: reads.then(options::schema::<<P::Source as Source>::Options>),
            sink_options: writes.then(options::schema::<<P::Sink as Sink>::Options>),
            panic: PanicStrategy::OF_THIS_BUILD,
        };
        unsafe { put(out, Doc::of(&info)?) }
    };
    unsafe { entry("info", error, run) }
}

/// SAFETY: null, or a handle that `put_box::<T>` made and that is not closed yet.
unsafe extern "C" fn close<T>(handle: *mut Opaque) -> u32 {
    if !handle.is_null() {
        // SAFETY: made by `put_box::<T>`, closed once.
        quiet(|| drop(unsafe { Box::from_raw(handle.cast::<T>()) }));
    }
    OK
}

unsafe fn put<T>(out: *mut T, value: T) -> Result<u32> {
    // SAFETY: null or the caller's own, which it made empty.
    *unsafe { out.as_mut() }.ok_or_else(|| broken("no place for the result"))? = value;
    Ok(OK)
}

unsafe fn put_box<T>(out: *mut *mut Opaque, value: T) -> Result<u32> {
    // SAFETY: as in `put`.
    let place = unsafe { out.as_mut() }.ok_or_else(|| broken("no place for the handle"))?;
    *place = Box::into_raw(Box::new(value)).cast();
    Ok(OK)
}

unsafe fn borrow<'a, T>(handle: *mut Opaque) -> Result<&'a T> {
    // SAFETY: made by `put_box::<T>` and not closed.
    unsafe { handle.cast::<T>().as_ref() }.ok_or_else(|| broken("a null handle"))
}

unsafe fn borrow_mut<'a, T>(handle: *mut Opaque) -> Result<&'a mut T> {
    // SAFETY: as above; a reader is used from one thread at a time.
    unsafe { handle.cast::<T>().as_mut() }.ok_or_else(|| broken("a null handle"))
}
