// SPDX-License-Identifier: Apache-2.0
//! Trampolines around [`Source`] and [`BatchReader`].
//!
//! SAFETY, for every function below: a handle was made by the `open`, `read` or `prepare` entry
//! of the same table and not closed since; `Str`s live for the call; out pointers are null or
//! the caller's own.
#![allow(clippy::missing_safety_doc)]

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use arrow_schema::SchemaRef;

use super::{DatasetDoc, borrow, borrow_mut, options, put, put_box};
use crate::abi::c_data::FfiArray;
use crate::abi::c_schema::FfiSchema;
use crate::abi::guard::entry;
use crate::abi::layout::check_layout;
use crate::abi::plain::{Doc, END, LentServices, ServicesHead, Str};
use crate::abi::table::Opaque;
use crate::forward;
use crate::{BatchReader, Dataset, Error, ErrorKind, ReadRequest, Result, Source, Split};

/// A source, and the schemas that it gave.
pub(super) struct SourceBox<S> {
    source: S,
    schemas: Mutex<HashMap<String, SchemaRef>>,
}

/// A reader, and the schema of its batches.
pub(super) struct ReaderBox {
    reader: Box<dyn BatchReader>,
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

pub(super) unsafe extern "C" fn source_open<S: Source>(
    services: *const ServicesHead,
    options: Str,
    out: *mut *mut Opaque,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let services = unsafe { LentServices::take(services)? };
        forward::start(&services);
        let options = options::read::<S::Options>(unsafe { options.bytes()? })?;
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

pub(super) unsafe extern "C" fn source_datasets<S: Source>(
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

pub(super) unsafe extern "C" fn source_schema<S: Source>(
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

pub(super) unsafe extern "C" fn source_splits<S: Source>(
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

pub(super) unsafe extern "C" fn source_inspect<S: Source>(
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

pub(super) unsafe extern "C" fn source_read<S: Source>(
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

pub(super) unsafe extern "C" fn reader_next(
    reader: *mut Opaque,
    out: *mut FfiArray,
    error: *mut Doc,
) -> u32 {
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

pub(super) unsafe extern "C" fn reader_account(
    reader: *mut Opaque,
    out: *mut Doc,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let account = unsafe { borrow::<ReaderBox>(reader)? }.reader.account();
        unsafe { put(out, Doc::of(&account)?) }
    };
    unsafe { entry("reader_account", error, run) }
}
