// SPDX-License-Identifier: Apache-2.0
//! Record batches as Arrow C Data arrays.
//!
//! The structs are our own mirrors of the Arrow C Data interface, so that no plugin is tied to
//! an arrow-rs version. arrow-rs panics on some malformed arrays and silently accepts others;
//! [`FfiArray::import`] therefore checks everything that the structs show before arrow-rs sees
//! them. Buffers carry no lengths: that they are as long as the array claims is taken on trust.

use std::ffi::c_void;

use arrow_array::ffi::FFI_ArrowArray;
use arrow_array::{Array, RecordBatch, RecordBatchOptions, StructArray};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, SchemaRef};

use super::guard::caught;
use super::plain::broken;
use crate::model::{self, keys};
use crate::{Error, Result};

/// Mirror of `struct ArrowArray`.
#[derive(Debug)]
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
    pub unsafe fn import(mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let struct_type = DataType::Struct(schema.fields().clone());
        if self.release.is_none() {
            return Err(broken("a batch that is released already"));
        }
        // SAFETY: release is set, so the struct's pointers are live.
        unsafe { self.check(&Field::new("batch", struct_type.clone(), false), 0)? };
        if self.null_count > 0 {
            return Err(broken("a batch whose rows are null as a whole"));
        }
        // SAFETY: checked; nulls are counted anew by arrow-rs.
        unsafe { self.forget_null_counts(0) };
        // SAFETY: same C struct; ownership moves, `self` must not release it again.
        let array = unsafe { std::mem::transmute::<Self, FFI_ArrowArray>(self) };
        let batch = caught("import of a batch", || {
            // SAFETY: checked above against this very type.
            let data = unsafe { arrow_array::ffi::from_ffi_and_data_type(array, struct_type) }
                .map_err(invalid)?;
            into_batch(data, schema)
        })?;
        model::batch::validate(&batch)?;
        Ok(batch)
    }

    /// Checks one array against its field.
    ///
    /// # Safety
    /// As [`import`](Self::import).
    unsafe fn check(&self, field: &Field, depth: usize) -> Result<()> {
        let bad = |what: String| Err(broken(&format!("column `{}`: {what}", field.name())));
        let (length, offset) = match (u64::try_from(self.length), u64::try_from(self.offset)) {
            (Ok(length), Ok(offset)) => (length, offset),
            _ => {
                return bad(format!(
                    "length {} or offset {} is negative",
                    self.length, self.offset
                ));
            }
        };
        let end = length.saturating_add(offset);
        if end > keys::MAX_BATCH_ELEMENTS {
            return bad(format!("length {length} + offset {offset} pass 2^31-1"));
        }
        if self.null_count < -1 || self.null_count > self.length {
            return bad(format!("null count {} of {length} rows", self.null_count));
        }
        if !self.dictionary.is_null() {
            return bad("dictionaries do not cross the boundary".to_owned());
        }
        let shape = Shape::of(field.data_type());
        if self.n_buffers != shape.buffers || self.n_children != shape.children {
            return bad(format!(
                "{} buffers and {} children, wanted {} and {} for {}",
                self.n_buffers,
                self.n_children,
                shape.buffers,
                shape.children,
                field.data_type()
            ));
        }
        if (shape.buffers > 0 && self.buffers.is_null())
            || (shape.children > 0 && self.children.is_null())
        {
            return bad("buffers or children have no address".to_owned());
        }
        if shape.buffers > 0 && self.null_count > 0 && unsafe { self.buffer(0) }.is_null() {
            return bad(format!(
                "{} nulls without a validity buffer",
                self.null_count
            ));
        }
        // SAFETY: counts and addresses were just checked.
        unsafe { self.check_content(field, end, depth) }
    }

    /// Checks value buffers and children; `end` = offset + length.
    ///
    /// # Safety
    /// As [`import`](Self::import), after the counts were checked.
    unsafe fn check_content(&self, field: &Field, end: u64, depth: usize) -> Result<()> {
        let bad = |what: String| Err(broken(&format!("column `{}`: {what}", field.name())));
        if depth > keys::MAX_DEPTH {
            return bad("nested too deep".to_owned());
        }
        let values_null = || unsafe { self.buffer(1) }.is_null();
        match field.data_type() {
            DataType::Struct(fields) => {
                for (i, child_field) in fields.iter().enumerate() {
                    unsafe { self.check_child(i, child_field, end, depth)? };
                }
            }
            DataType::FixedSizeList(item, size) => {
                let elements = end.saturating_mul(u64::from(size.unsigned_abs()));
                let width = item.data_type().primitive_width().unwrap_or(2) as u64;
                model::batch::check_ceilings(field, elements, elements.saturating_mul(width))?;
                unsafe { self.check_child(0, item, elements, depth)? };
            }
            DataType::List(item) => {
                let elements = unsafe { self.check_offsets(field, end)? };
                unsafe { self.check_child(0, item, elements, depth)? };
            }
            DataType::Utf8 | DataType::Binary => {
                let bytes = unsafe { self.check_offsets(field, end)? };
                if bytes > 0 && unsafe { self.buffer(2) }.is_null() {
                    return bad(format!("{bytes} bytes of text without a buffer"));
                }
            }
            DataType::Null => {}
            DataType::FixedSizeBinary(size) => {
                let bytes = end.saturating_mul(u64::from(size.unsigned_abs()));
                model::batch::check_ceilings(field, end, bytes)?;
                if end > 0 && values_null() {
                    return bad(format!("{end} values without a buffer"));
                }
            }
            other => {
                let width = other.primitive_width().unwrap_or(1) as u64;
                model::batch::check_ceilings(field, end, end.saturating_mul(width))?;
                if end > 0 && values_null() {
                    return bad(format!("{end} values without a buffer"));
                }
            }
        }
        Ok(())
    }

    unsafe fn check_child(&self, i: usize, field: &Field, needed: u64, depth: usize) -> Result<()> {
        // SAFETY: the count of children was checked.
        let child = unsafe { (*self.children.add(i)).as_ref() };
        let Some(child) = child.filter(|c| c.release.is_some()) else {
            return Err(broken(&format!(
                "column `{}` is missing or released",
                field.name()
            )));
        };
        // SAFETY: it is live.
        unsafe { child.check(field, depth + 1)? };
        if (child.length as u64) < needed {
            return Err(broken(&format!(
                "column `{}` has {} elements, its parent needs {needed}",
                field.name(),
                child.length
            )));
        }
        Ok(())
    }

    /// Checks that offsets ascend; gives the last one.
    unsafe fn check_offsets(&self, field: &Field, end: u64) -> Result<u64> {
        // SAFETY: three or two buffers, checked.
        let offsets = unsafe { self.buffer(1) }.cast::<i32>();
        if offsets.is_null() {
            return match self.length {
                0 => Ok(0),
                _ => Err(broken(&format!("column `{}` has no offsets", field.name()))),
            };
        }
        let mut last = 0i32;
        for i in 0..=end as usize {
            // SAFETY: an array of `end` rows has `end` + 1 offsets; they may be misaligned.
            let offset = unsafe { offsets.add(i).read_unaligned() };
            if offset < last {
                return Err(broken(&format!(
                    "column `{}`: offset {offset} at row {i} is below the one before, {last}",
                    field.name()
                )));
            }
            last = offset;
        }
        Ok(last as u64)
    }

    unsafe fn buffer(&self, i: usize) -> *const c_void {
        // SAFETY: the caller checked the count of buffers and their address.
        unsafe { *self.buffers.add(i) }
    }

    /// Has arrow-rs count nulls itself: a lie here would read as valid what is not.
    unsafe fn forget_null_counts(&mut self, depth: usize) {
        self.null_count = -1;
        for i in 0..self.n_children as usize {
            // SAFETY: children were checked; depth is bounded by the check.
            if let Some(child) = unsafe { (*self.children.add(i)).as_mut() } {
                unsafe { child.forget_null_counts(depth + 1) };
            }
        }
    }
}

/// Buffers and children that an array of a type has.
struct Shape {
    buffers: i64,
    children: i64,
}

impl Shape {
    fn of(data_type: &DataType) -> Self {
        let (buffers, children) = match data_type {
            DataType::Null => (0, 0),
            DataType::Struct(fields) => (1, fields.len() as i64),
            DataType::FixedSizeList(..) => (1, 1),
            DataType::List(_) => (2, 1),
            DataType::Utf8 | DataType::Binary => (3, 0),
            _ => (2, 0),
        };
        Self { buffers, children }
    }
}

/// Makes a batch of checked data; misaligned buffers are copied.
fn into_batch(mut data: ArrayData, schema: &SchemaRef) -> Result<RecordBatch> {
    data.align_buffers();
    data.validate_full().map_err(invalid)?;
    let rows = data.len();
    if data.null_count() > 0 {
        return Err(broken("a batch whose rows are null as a whole"));
    }
    let (_, columns, _) = StructArray::from(data).into_parts();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(invalid)
}

fn invalid(cause: arrow_schema::ArrowError) -> Error {
    broken("an invalid batch").caused_by(cause)
}

#[cfg(test)]
#[path = "c_data_tests.rs"]
mod tests;
