// SPDX-License-Identifier: Apache-2.0
//! Record batches as Arrow C Data arrays.
//!
//! The struct is our own mirror of the Arrow C Data interface, so that no plugin is tied to an
//! arrow-rs version. arrow-rs' own import panics on some malformed arrays and silently accepts
//! others; [`FfiArray::import`] therefore walks the structs itself (see `c_import`). Buffers
//! carry no lengths: that they are as long as the array claims is taken on trust.

#![allow(non_local_definitions)] // As in `table`.

use std::ffi::c_void;

use abi_stable::StableAbi;
use arrow_array::ffi::FFI_ArrowArray;
use arrow_array::{Array, RecordBatch, RecordBatchOptions, StructArray};
use arrow_schema::SchemaRef;

use super::c_import;
use super::guard::caught;
use super::plain::broken;
use crate::{Result, model};

/// Mirror of `struct ArrowArray`.
#[derive(Debug, StableAbi)]
#[repr(C)]
pub struct FfiArray {
    /// Logical rows.
    pub length: i64,
    /// Null rows, -1 if not counted.
    pub null_count: i64,
    /// Rows to pass over at the start of the buffers.
    pub offset: i64,
    /// Number of buffers.
    pub n_buffers: i64,
    /// Number of children.
    pub n_children: i64,
    /// The buffers.
    pub buffers: *mut *const c_void,
    /// The children.
    pub children: *mut *mut FfiArray,
    /// Unused here: no dictionaries cross.
    pub dictionary: *mut FfiArray,
    /// Frees the array; null once that was done.
    pub release: Option<unsafe extern "C" fn(*mut FfiArray)>,
    /// For the maker's own use.
    pub private_data: *mut c_void,
}

const _: () = assert!(size_of::<FfiArray>() == 80 && size_of::<FFI_ArrowArray>() == 80);
const _: () = assert!(align_of::<FfiArray>() == align_of::<FFI_ArrowArray>());
const _: () = assert!(std::mem::offset_of!(FfiArray, release) == 64);

impl Drop for FfiArray {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the maker's own function, which sets `release` to null.
            unsafe { release(self) }
        }
    }
}

impl FfiArray {
    /// No array, for a callee to fill in.
    pub const fn empty() -> Self {
        Self {
            length: 0,
            null_count: 0,
            offset: 0,
            n_buffers: 0,
            n_children: 0,
            buffers: std::ptr::null_mut(),
            children: std::ptr::null_mut(),
            dictionary: std::ptr::null_mut(),
            release: None,
            private_data: std::ptr::null_mut(),
        }
    }

    /// Hands a batch over; no value is copied.
    pub fn export(batch: RecordBatch) -> Self {
        let data = StructArray::from(batch).into_data();
        // SAFETY: both are the C struct `ArrowArray` (sizes and alignment asserted above).
        unsafe { std::mem::transmute::<FFI_ArrowArray, Self>(FFI_ArrowArray::new(&data)) }
    }

    /// Takes a batch over, after checking it against the schema that was agreed on.
    ///
    /// # Errors
    /// `Plugin` where the structs contradict the schema or themselves; `Format` where the
    /// content breaks the data model.
    ///
    /// # Safety
    /// A callee filled the struct in as the Arrow C Data interface says, apart from what is
    /// checked here.
    pub unsafe fn import(self, schema: &SchemaRef) -> Result<RecordBatch> {
        if self.release.is_none() {
            return Err(broken("a batch that is released already"));
        }
        let batch = caught("import of a batch", || {
            // SAFETY: `release` is set, so the struct's pointers are live; the rest is passed on.
            let data = unsafe { c_import::rows(self, schema.fields())? };
            let rows = data.len();
            if data.null_count() > 0 {
                return Err(broken("a batch whose rows are null as a whole"));
            }
            let (_, columns, _) = StructArray::from(data).into_parts();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            RecordBatch::try_new_with_options(schema.clone(), columns, &options)
                .map_err(c_import::invalid)
        })?;
        model::batch::validate(&batch)?;
        Ok(batch)
    }
}

#[cfg(test)]
#[path = "c_data_tests/mod.rs"]
mod tests;
