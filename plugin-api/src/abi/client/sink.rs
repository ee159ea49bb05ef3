// SPDX-License-Identifier: Apache-2.0
//! Safe handles on a plugin's sink and its writers.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::{Handle, call, entry, fetch, open, to_json};
use crate::abi::c_data::FfiArray;
use crate::abi::c_schema::FfiSchema;
use crate::abi::layout::check_layout;
use crate::abi::plain::{Str, broken};
use crate::model::Capabilities;
use crate::{FinishAck, Result, TargetRequest, TargetSpec, TargetState, WriteAck, WriteAt};

/// An open sink.
#[derive(Debug, Clone)]
pub struct SinkHandle(pub(super) Arc<Handle>);

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
        let close = entry!(self.0.table, writer_close)?;
        let spec = to_json(&target.spec)?;
        let schema = FfiSchema::export(&target.schema)?;
        // SAFETY: a live handle; spec and schema live for the call.
        let raw =
            open(|out, error| unsafe { call(self.0.raw, Str::new(&spec), &schema, out, error) })?;
        Ok(WriterHandle {
            handle: Handle::new(raw, ("writer_close", close), self.0.table),
            schema: target.schema.clone(),
            _sink: self.clone(),
        })
    }
}

/// A writer of one target.
#[derive(Debug)]
pub struct WriterHandle {
    handle: Handle,
    schema: SchemaRef,
    /// A writer is closed before its sink.
    _sink: SinkHandle,
}

impl WriterHandle {
    /// Writes a batch; every row must be acknowledged as written or rejected.
    ///
    /// # Errors
    /// Whatever the plugin answers; `Plugin` where it does not account for every row, or where
    /// the batch's columns are not those that the target was prepared for.
    pub fn write(&self, at: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        let call = entry!(self.handle.table, writer_write)?;
        check_layout(&batch, &self.schema)?;
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
        call(|error| unsafe { flush(self.handle.raw, error) })
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
        call(|error| unsafe { abort(self.handle.raw, error) })
    }
}
