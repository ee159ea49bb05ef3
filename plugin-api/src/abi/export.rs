// SPDX-License-Identifier: Apache-2.0
//! The plugin's side of the table: trampolines around the safe traits.
//!
//! Each runs its code in the guard, reads and writes documents, and keeps objects behind boxed
//! handles. SAFETY, for every function below: a handle was made by the `open`, `read` or
//! `prepare` entry of the same table and not closed since; `Str`s live for the call; out
//! pointers are null or the caller's own.
#![allow(clippy::missing_safety_doc)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use serde::{Deserialize, Serialize};

use super::c_data::FfiArray;
use super::c_schema::FfiSchema;
use super::guard::{entry, quiet};
use super::plain::{Doc, END, LentServices, OK, ServicesHead, Str, broken};
use super::table::{Opaque, PluginTable};
use crate::model::Descriptor;
use crate::{
    BatchReader, Dataset, Error, ErrorKind, Plugin, PluginInfo, ReadRequest, Result, Sink, Source,
    Split, TargetRequest, TargetSpec, TargetWriter, WriteAt,
};

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
        source_open: Some(source_open::<S>),
        source_datasets: Some(source_datasets::<S>),
        source_schema: Some(source_schema::<S>),
        source_splits: Some(source_splits::<S>),
        source_inspect: Some(source_inspect::<S>),
        source_read: Some(source_read::<S>),
        source_close: Some(close::<SourceBox<S>>),
        reader_next: Some(reader_next),
        reader_account: Some(reader_account),
        reader_close: Some(close::<ReaderBox>),
        ..table
    }
}

/// The same with a sink's entries.
pub(crate) const fn with_sink<S: Sink>(table: PluginTable) -> PluginTable {
    PluginTable {
        sink_open: Some(sink_open::<S>),
        sink_capabilities: Some(sink_capabilities::<S>),
        sink_check: Some(sink_check::<S>),
        sink_prepare: Some(sink_prepare::<S>),
        sink_close: Some(close::<S>),
        writer_write: Some(writer_write),
        writer_flush: Some(writer_flush),
        writer_finish: Some(writer_finish),
        writer_abort: Some(writer_abort),
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

struct SourceBox<S> {
    source: S,
    schemas: Mutex<HashMap<String, SchemaRef>>,
}

struct ReaderBox {
    reader: Box<dyn BatchReader>,
    schema: SchemaRef,
}

struct WriterBox {
    writer: Box<dyn TargetWriter>,
    schema: SchemaRef,
}

impl<S: Source> SourceBox<S> {
    fn datasets(&self) -> Result<Vec<Dataset>> {
        let datasets = self.source.datasets()?;
        let schemas = datasets
            .iter()
            .map(|d| (d.key.clone(), d.schema.clone()))
            .collect();
        *self.schemas.lock().unwrap_or_else(PoisonError::into_inner) = schemas;
        Ok(datasets)
    }

    fn schema(&self, key: &str) -> Result<SchemaRef> {
        let known = self
            .schemas
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned();
        match known {
            Some(schema) => Ok(schema),
            None => self
                .datasets()?
                .into_iter()
                .find(|d| d.key == key)
                .map(|d| d.schema)
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::NotFound,
                        format!("the source has no dataset `{key}`"),
                    )
                }),
        }
    }
}

unsafe extern "C" fn info<P: Plugin>(out: *mut Doc, error: *mut Doc) -> u32 {
    let run = || {
        let reads =
            std::any::TypeId::of::<P::Source>() != std::any::TypeId::of::<crate::NoSource>();
        let writes = std::any::TypeId::of::<P::Sink>() != std::any::TypeId::of::<crate::NoSink>();
        let info = PluginInfo {
            name: P::NAME.to_owned(),
            version: P::VERSION.to_owned(),
            summary: P::SUMMARY.to_owned(),
            docs: P::DOCS.to_owned(),
            source_options: reads.then(options_schema::<<P::Source as Source>::Options>),
            sink_options: writes.then(options_schema::<<P::Sink as Sink>::Options>),
        };
        unsafe { put(out, Doc::of(&info)?) }
    };
    unsafe { entry("info", error, run) }
}

fn options_schema<O: schemars::JsonSchema>() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<O>()
        .into()
}

unsafe extern "C" fn source_open<S: Source>(
    services: *const ServicesHead,
    options: Str,
    out: *mut *mut Opaque,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let services = unsafe { LentServices::take(services)? };
        let options = read_options::<S::Options>(unsafe { options.bytes()? })?;
        let source = S::open(options, services)?;
        unsafe {
            put_box(
                out,
                SourceBox {
                    source,
                    schemas: Mutex::default(),
                },
            )
        }
    };
    unsafe { entry("source_open", error, run) }
}

unsafe extern "C" fn source_datasets<S: Source>(
    source: *mut Opaque,
    out: *mut Doc,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let datasets = unsafe { borrow::<SourceBox<S>>(source)? }.datasets()?;
        let docs: Vec<_> = datasets
            .into_iter()
            .map(|d| DatasetDoc {
                key: d.key,
                descriptor: d.descriptor,
            })
            .collect();
        unsafe { put(out, Doc::of(&docs)?) }
    };
    unsafe { entry("source_datasets", error, run) }
}

unsafe extern "C" fn source_schema<S: Source>(
    source: *mut Opaque,
    key: Str,
    out: *mut FfiSchema,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let source = unsafe { borrow::<SourceBox<S>>(source)? };
        let schema = source.schema(&unsafe { key.text()? })?;
        unsafe { put(out, FfiSchema::export(&schema)?) }
    };
    unsafe { entry("source_schema", error, run) }
}

unsafe extern "C" fn source_splits<S: Source>(
    source: *mut Opaque,
    key: Str,
    out: *mut Doc,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let source = unsafe { borrow::<SourceBox<S>>(source)? };
        let splits = source.source.splits(&unsafe { key.text()? })?;
        unsafe { put(out, Doc::of(&splits)?) }
    };
    unsafe { entry("source_splits", error, run) }
}

unsafe extern "C" fn source_inspect<S: Source>(
    source: *mut Opaque,
    _request: Str,
    out: *mut Doc,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let inspection = unsafe { borrow::<SourceBox<S>>(source)? }
            .source
            .inspect()?;
        unsafe { put(out, Doc::of(&inspection)?) }
    };
    unsafe { entry("source_inspect", error, run) }
}

unsafe extern "C" fn source_read<S: Source>(
    source: *mut Opaque,
    key: Str,
    split: Str,
    request: Str,
    out: *mut *mut Opaque,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let source = unsafe { borrow::<SourceBox<S>>(source)? };
        let key = unsafe { key.text()? };
        let split: Split = unsafe { split.json("split")? };
        let request: ReadRequest = unsafe { request.json("read request")? };
        let schema = source.schema(&key)?;
        let reader = source.source.read(&key, &split, &request)?;
        unsafe { put_box(out, ReaderBox { reader, schema }) }
    };
    unsafe { entry("source_read", error, run) }
}

unsafe extern "C" fn reader_next(reader: *mut Opaque, out: *mut FfiArray, error: *mut Doc) -> u32 {
    let run = || {
        let reader = unsafe { borrow_mut::<ReaderBox>(reader)? };
        match reader.reader.next()? {
            None => Ok(END),
            Some(batch) => {
                check_layout(&batch, &reader.schema)?;
                unsafe { put(out, FfiArray::export(batch)) }
            }
        }
    };
    unsafe { entry("reader_next", error, run) }
}

unsafe extern "C" fn reader_account(reader: *mut Opaque, out: *mut Doc, error: *mut Doc) -> u32 {
    let run = || {
        let account = unsafe { borrow::<ReaderBox>(reader)? }.reader.account();
        unsafe { put(out, Doc::of(&account)?) }
    };
    unsafe { entry("reader_account", error, run) }
}

unsafe extern "C" fn sink_open<S: Sink>(
    services: *const ServicesHead,
    options: Str,
    out: *mut *mut Opaque,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let services = unsafe { LentServices::take(services)? };
        let options = read_options::<S::Options>(unsafe { options.bytes()? })?;
        unsafe { put_box(out, S::open(options, services)?) }
    };
    unsafe { entry("sink_open", error, run) }
}

unsafe extern "C" fn sink_capabilities<S: Sink>(
    sink: *mut Opaque,
    out: *mut Doc,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let capabilities = unsafe { borrow::<S>(sink)? }.capabilities()?;
        unsafe { put(out, Doc::of(&capabilities)?) }
    };
    unsafe { entry("sink_capabilities", error, run) }
}

unsafe extern "C" fn sink_check<S: Sink>(
    sink: *mut Opaque,
    specs: Str,
    schemas: *const FfiSchema,
    out: *mut Doc,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let specs: Vec<TargetSpec> = unsafe { specs.json("target specs")? };
        let mut targets = Vec::with_capacity(specs.len());
        for (i, spec) in specs.into_iter().enumerate() {
            // SAFETY: the caller gave as many schemas as specs.
            let schema = unsafe { (*schemas.add(i)).import()? };
            targets.push(TargetRequest { schema, spec });
        }
        let states = unsafe { borrow::<S>(sink)? }.check(&targets)?;
        unsafe { put(out, Doc::of(&states)?) }
    };
    unsafe { entry("sink_check", error, run) }
}

unsafe extern "C" fn sink_prepare<S: Sink>(
    sink: *mut Opaque,
    spec: Str,
    schema: *const FfiSchema,
    out: *mut *mut Opaque,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let spec: TargetSpec = unsafe { spec.json("target spec")? };
        let schema = unsafe { schema.as_ref() }.ok_or_else(|| broken("no schema"))?;
        let schema = unsafe { schema.import()? };
        let request = TargetRequest {
            schema: schema.clone(),
            spec,
        };
        let writer = unsafe { borrow::<S>(sink)? }.prepare(&request)?;
        unsafe { put_box(out, WriterBox { writer, schema }) }
    };
    unsafe { entry("sink_prepare", error, run) }
}

unsafe extern "C" fn writer_write(
    writer: *mut Opaque,
    at: WriteAt,
    batch: *mut FfiArray,
    out: *mut Doc,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let writer = unsafe { borrow::<WriterBox>(writer)? };
        let slot = unsafe { batch.as_mut() }.ok_or_else(|| broken("no batch"))?;
        let array = std::mem::replace(slot, FfiArray::empty());
        let batch = unsafe { array.import(&writer.schema)? };
        let ack = writer.writer.write(at, batch)?;
        unsafe { put(out, Doc::of(&ack)?) }
    };
    unsafe { entry("writer_write", error, run) }
}

unsafe extern "C" fn writer_flush(writer: *mut Opaque, error: *mut Doc) -> u32 {
    let run = || {
        unsafe { borrow::<WriterBox>(writer)? }
            .writer
            .flush()
            .map(|()| OK)
    };
    unsafe { entry("writer_flush", error, run) }
}

unsafe extern "C" fn writer_finish(writer: *mut Opaque, out: *mut Doc, error: *mut Doc) -> u32 {
    let run = || {
        let ack = unsafe { borrow::<WriterBox>(writer)? }.writer.finish()?;
        unsafe { put(out, Doc::of(&ack)?) }
    };
    unsafe { entry("writer_finish", error, run) }
}

unsafe extern "C" fn writer_abort(writer: *mut Opaque, error: *mut Doc) -> u32 {
    let run = || {
        unsafe { borrow::<WriterBox>(writer)? }
            .writer
            .abort()
            .map(|()| OK)
    };
    unsafe { entry("writer_abort", error, run) }
}

unsafe extern "C" fn close<T>(handle: *mut Opaque) -> u32 {
    if !handle.is_null() {
        // SAFETY: made by `put_box::<T>`, closed once.
        quiet(|| drop(unsafe { Box::from_raw(handle.cast::<T>()) }));
    }
    OK
}

/// Reads a plugin's options; the error's context `option` is the path to the one at fault.
fn read_options<O: serde::de::DeserializeOwned>(json: &[u8]) -> Result<O> {
    let mut json = serde_json::Deserializer::from_slice(if json.is_empty() { b"{}" } else { json });
    serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        let error = Error::new(
            ErrorKind::Config,
            strip_position(&e.into_inner().to_string()),
        );
        if path == "." {
            error
        } else {
            error.with("option", path)
        }
    })
}

/// serde_json ends messages with a position in a document that the user never saw.
fn strip_position(message: &str) -> String {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(head, _)| head)
        .to_owned()
}

/// Refuses a batch whose columns are not laid out as the dataset's schema says: C Data carries
/// no types, so a difference would be read as garbage on the other side.
fn check_layout(batch: &RecordBatch, schema: &SchemaRef) -> Result<()> {
    let found = batch.schema_ref();
    if Arc::ptr_eq(found, schema) {
        return Ok(());
    }
    let same = found.fields().len() == schema.fields().len()
        && found
            .fields()
            .iter()
            .zip(schema.fields())
            .all(|(f, s)| f.name() == s.name() && same_layout(f.data_type(), s.data_type()));
    if same {
        return Ok(());
    }
    let list = |schema: &SchemaRef| {
        let columns = schema
            .fields()
            .iter()
            .map(|f| format!("{}: {}", f.name(), f.data_type()));
        columns.collect::<Vec<_>>().join(", ")
    };
    Err(broken(&format!(
        "a batch with columns [{}], the dataset's schema says [{}]",
        list(found),
        list(schema)
    )))
}

fn same_layout(found: &DataType, wanted: &DataType) -> bool {
    use DataType as T;
    match (found, wanted) {
        (T::List(f), T::List(w)) => same_layout(f.data_type(), w.data_type()),
        (T::FixedSizeList(f, n), T::FixedSizeList(w, m)) => {
            n == m && same_layout(f.data_type(), w.data_type())
        }
        (T::Struct(f), T::Struct(w)) => {
            f.len() == w.len()
                && f.iter()
                    .zip(w)
                    .all(|(f, w)| same_layout(f.data_type(), w.data_type()))
        }
        (f, w) => f == w,
    }
}

unsafe fn put<T>(out: *mut T, value: T) -> Result<u32> {
    // SAFETY: null or the caller's own, which it made empty.
    *unsafe { out.as_mut() }.ok_or_else(|| broken("no place for the result"))? = value;
    Ok(OK)
}

unsafe fn put_box<T>(out: *mut *mut Opaque, value: T) -> Result<u32> {
    unsafe { put(out, Box::into_raw(Box::new(value)).cast()) }
}

unsafe fn borrow<'a, T>(handle: *mut Opaque) -> Result<&'a T> {
    // SAFETY: made by `put_box::<T>` and not closed.
    unsafe { handle.cast::<T>().as_ref() }.ok_or_else(|| broken("a null handle"))
}

unsafe fn borrow_mut<'a, T>(handle: *mut Opaque) -> Result<&'a mut T> {
    // SAFETY: as above; a reader is used from one thread at a time.
    unsafe { handle.cast::<T>().as_mut() }.ok_or_else(|| broken("a null handle"))
}
