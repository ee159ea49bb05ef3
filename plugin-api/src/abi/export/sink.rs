// SPDX-License-Identifier: Apache-2.0
//! Trampolines around [`Sink`] and [`TargetWriter`].
//!
//! SAFETY, for every function below: a handle was made by the `open`, `read` or `prepare` entry
//! of the same table and not closed since; `Str`s live for the call; out pointers are null or
//! the caller's own.
#![allow(clippy::missing_safety_doc)]

use arrow_schema::SchemaRef;

use super::{borrow, options, put, put_box};
use crate::abi::c_data::FfiArray;
use crate::abi::c_schema::FfiSchema;
use crate::abi::guard::entry;
use crate::abi::plain::{Doc, LentServices, OK, ServicesHead, Str, broken};
use crate::abi::table::Opaque;
use crate::forward;
use crate::{Sink, TargetRequest, TargetSpec, TargetWriter, WriteAt};

/// A writer, and the schema of its batches.
pub(super) struct WriterBox {
    writer: Box<dyn TargetWriter>,
    schema: SchemaRef,
}

pub(super) unsafe extern "C" fn sink_open<S: Sink>(
    services: *const ServicesHead,
    options: Str,
    out: *mut *mut Opaque,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let services = unsafe { LentServices::take(services)? };
        forward::start(&services);
        let options = options::read::<S::Options>(unsafe { options.bytes()? })?;
        unsafe { put_box(out, S::open(options, services)?) }
    };
    unsafe { entry("sink_open", error, run) }
}

pub(super) unsafe extern "C" fn sink_capabilities<S: Sink>(
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

pub(super) unsafe extern "C" fn sink_check<S: Sink>(
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

pub(super) unsafe extern "C" fn sink_prepare<S: Sink>(
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

pub(super) unsafe extern "C" fn writer_write(
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

pub(super) unsafe extern "C" fn writer_flush(writer: *mut Opaque, error: *mut Doc) -> u32 {
    let run = || {
        unsafe { borrow::<WriterBox>(writer)? }
            .writer
            .flush()
            .map(|()| OK)
    };
    unsafe { entry("writer_flush", error, run) }
}

pub(super) unsafe extern "C" fn writer_finish(
    writer: *mut Opaque,
    out: *mut Doc,
    error: *mut Doc,
) -> u32 {
    let run = || {
        let ack = unsafe { borrow::<WriterBox>(writer)? }.writer.finish()?;
        unsafe { put(out, Doc::of(&ack)?) }
    };
    unsafe { entry("writer_finish", error, run) }
}

pub(super) unsafe extern "C" fn writer_abort(writer: *mut Opaque, error: *mut Doc) -> u32 {
    let run = || {
        unsafe { borrow::<WriterBox>(writer)? }
            .writer
            .abort()
            .map(|()| OK)
    };
    unsafe { entry("writer_abort", error, run) }
}
