// SPDX-License-Identifier: Apache-2.0
//! Takes foreign arrays over, node by node, without copying a value.
//!
//! Everything that the structs show is checked before it is used: counts, lengths, offsets,
//! addresses, ceilings. What is left for arrow-rs to check (UTF-8, nulls where none may be) is
//! checked by building each node through its safe builder. Misaligned buffers are copied. A null
//! count is never believed: a lie there would read as valid what is not.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_buffer::{Buffer, MutableBuffer};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, Field, Fields};

use super::c_data::FfiArray;
use super::plain::broken;
use crate::model::{batch::check_ceilings, keys};
use crate::{Error, Result};

/// Keeps the foreign array alive until the last of its buffers is gone.
struct Owner(FfiArray);

// SAFETY: the Arrow C Data interface has arrays be read and released from any thread.
unsafe impl Send for Owner {}
unsafe impl Sync for Owner {}
impl std::panic::RefUnwindSafe for Owner {}

/// Takes over the rows of a batch: a struct of these columns.
///
/// # Safety
/// `array` is not released, and filled in as the Arrow C Data interface says, apart from what is
/// checked here.
pub(super) unsafe fn rows(array: FfiArray, columns: &Fields) -> Result<ArrayData> {
    let owner = Arc::new(Owner(array));
    let field = Field::new("batch", DataType::Struct(columns.clone()), false);
    let node = Node {
        array: &owner.0,
        owner: &owner,
        field: &field,
        column: "",
        depth: 0,
    };
    // SAFETY: passed on.
    unsafe { node.take() }
}

/// The error for what arrow-rs refused.
pub(super) fn invalid(cause: ArrowError) -> Error {
    broken("an invalid batch").caused_by(cause)
}

/// One array of the tree, beside the field that says what it must be.
#[derive(Clone, Copy)]
struct Node<'a> {
    array: &'a FfiArray,
    owner: &'a Arc<Owner>,
    field: &'a Field,
    /// The column that the node belongs to; empty for the batch itself.
    column: &'a str,
    depth: usize,
}

/// The part of a node's buffers that is in use.
#[derive(Clone, Copy)]
struct Extent {
    offset: usize,
    length: usize,
}

impl Extent {
    fn end(self) -> usize {
        self.offset + self.length
    }
}

impl Node<'_> {
    fn bad<T>(&self, what: impl std::fmt::Display) -> Result<T> {
        Err(broken(&format!("{}: {what}", self.place())))
    }

    /// Where the node is, for messages.
    fn place(&self) -> String {
        match self.depth {
            0 => "batch".to_owned(),
            1 => format!("column `{}`", self.column),
            _ => format!("column `{}`: its `{}`", self.column, self.field.name()),
        }
    }

    /// Checks the node and makes arrow data of it.
    ///
    /// # Safety
    /// As [`rows`].
    unsafe fn take(self) -> Result<ArrayData> {
        let extent = self.extent()?;
        self.check_shape(extent)?;
        let builder = ArrayData::builder(self.field.data_type().clone())
            .offset(extent.offset)
            .len(extent.length)
            // SAFETY: counts and addresses were just checked.
            .null_bit_buffer(unsafe { self.validity(extent)? })
            .align_buffers(true);
        // SAFETY: as above.
        let (buffers, children) = unsafe { self.content(extent)? };
        builder
            .buffers(buffers)
            .child_data(children)
            .build()
            .map_err(|e| broken(&format!("{} is invalid", self.place())).caused_by(e))
    }

    /// Length and offset, in range; those of an empty array are 0, so that its buffers, which
    /// may have no address, are never looked at.
    fn extent(&self) -> Result<Extent> {
        let (length, offset) = (self.array.length, self.array.offset);
        if length < 0 || offset < 0 {
            return self.bad(format!("length {length} or offset {offset} is negative"));
        }
        if length.saturating_add(offset) as u64 > keys::MAX_BATCH_ELEMENTS {
            return self.bad(format!("length {length} + offset {offset} pass 2^31-1"));
        }
        if self.array.null_count < -1 || self.array.null_count > length {
            let nulls = self.array.null_count;
            return self.bad(format!("null count {nulls} of {length} rows"));
        }
        Ok(match length {
            0 => Extent {
                offset: 0,
                length: 0,
            },
            _ => Extent {
                offset: offset as usize,
                length: length as usize,
            },
        })
    }

    /// Counts and addresses of buffers and children.
    fn check_shape(&self, extent: Extent) -> Result<()> {
        if self.depth > keys::MAX_DEPTH + 1 {
            return self.bad("nested too deep");
        }
        if !self.array.dictionary.is_null() {
            return self.bad("dictionaries do not cross the boundary");
        }
        let (buffers, children) = shape(self.field.data_type());
        let (has_buffers, has_children) = (self.array.n_buffers, self.array.n_children);
        if has_buffers != buffers || has_children != children {
            let wanted = match self.depth {
                0 => "a row of the schema".to_owned(),
                _ => self.field.data_type().to_string(),
            };
            return self.bad(format!(
                "{has_buffers} buffers and {has_children} children, wanted {buffers} and {children} for {wanted}"
            ));
        }
        let usable = |list: *const c_void| !list.is_null() && list.addr().is_multiple_of(8);
        if (buffers > 0 && !usable(self.array.buffers.cast_const().cast()))
            || (children > 0 && !usable(self.array.children.cast_const().cast()))
        {
            return self.bad("the list of buffers or children has no usable address");
        }
        // SAFETY: the list has an address and at least one buffer.
        if extent.length > 0
            && buffers > 0
            && self.array.null_count > 0
            && unsafe { self.address(0) }.is_null()
        {
            let nulls = self.array.null_count;
            return self.bad(format!("{nulls} nulls without a validity buffer"));
        }
        Ok(())
    }

    /// The node's validity, if it has any.
    ///
    /// # Safety
    /// As [`rows`], after the shape was checked.
    unsafe fn validity(&self, extent: Extent) -> Result<Option<Buffer>> {
        // SAFETY: only looked at where the shape has a first buffer.
        if *self.field.data_type() == DataType::Null || unsafe { self.address(0) }.is_null() {
            return Ok(None);
        }
        // SAFETY: passed on.
        unsafe { self.buffer(0, extent.end().div_ceil(8) as u64) }.map(Some)
    }

    /// Value buffers and children.
    ///
    /// # Safety
    /// As [`rows`], after the shape was checked.
    unsafe fn content(&self, extent: Extent) -> Result<(Vec<Buffer>, Vec<ArrayData>)> {
        let end = extent.end() as u64;
        // SAFETY (all of the match): passed on.
        match self.field.data_type() {
            DataType::Null => Ok((vec![], vec![])),
            DataType::Struct(fields) => {
                let children = fields
                    .iter()
                    .enumerate()
                    .map(|(i, field)| unsafe { self.child(i, field, end) });
                Ok((vec![], children.collect::<Result<_>>()?))
            }
            DataType::FixedSizeList(item, size) => {
                let elements = end.saturating_mul(u64::from(size.unsigned_abs()));
                check_ceilings(self.field, elements, 0)?;
                Ok((vec![], vec![unsafe { self.child(0, item, elements)? }]))
            }
            DataType::List(item) => {
                let (offsets, elements) = unsafe { self.offsets(extent)? };
                let child = unsafe { self.child(0, item, elements)? };
                Ok((vec![offsets], vec![child]))
            }
            DataType::Utf8 | DataType::Binary => {
                let (offsets, bytes) = unsafe { self.offsets(extent)? };
                let values = unsafe { self.buffer(2, bytes)? };
                Ok((vec![offsets, values], vec![]))
            }
            DataType::Boolean => Ok((vec![unsafe { self.buffer(1, end.div_ceil(8))? }], vec![])),
            other => {
                let width = match other {
                    DataType::FixedSizeBinary(bytes) => u64::from(bytes.unsigned_abs()),
                    _ => match other.primitive_width() {
                        Some(width) => width as u64,
                        None => return self.bad(format!("type {other} does not cross")),
                    },
                };
                let bytes = end.saturating_mul(width);
                Ok((vec![unsafe { self.buffer(1, bytes)? }], vec![]))
            }
        }
    }

    /// A child of at least `needed` elements.
    ///
    /// # Safety
    /// As [`rows`], after the shape was checked.
    unsafe fn child<'f>(&'f self, i: usize, field: &'f Field, needed: u64) -> Result<ArrayData> {
        let missing = || {
            let (place, name) = (self.place(), field.name());
            broken(&format!("{place}: child `{name}` is missing or released"))
        };
        // SAFETY: the count of children was checked.
        let child = unsafe { *self.array.children.add(i) };
        if !child.addr().is_multiple_of(align_of::<FfiArray>()) {
            return Err(missing());
        }
        // SAFETY: null, or a child of a live array.
        let child = unsafe { child.as_ref() }
            .filter(|c| c.release.is_some())
            .ok_or_else(missing)?;
        let node = Node {
            array: child,
            field,
            column: if self.depth == 0 {
                field.name()
            } else {
                self.column
            },
            depth: self.depth + 1,
            ..*self
        };
        if u64::try_from(child.length).is_ok_and(|found| found < needed) {
            let found = child.length;
            return node.bad(format!("{found} elements, its parent needs {needed}"));
        }
        // SAFETY: it is live.
        let data = unsafe { node.take()? };
        match data.nulls().filter(|n| n.null_count() > 0) {
            // Deeper down, arrow-rs knows which nulls a parent explains.
            Some(nulls) if node.depth == 1 && !field.is_nullable() => {
                let row = (0..nulls.len()).find(|row| nulls.is_null(*row));
                node.bad(format!(
                    "row {} of the batch is null, but the column is declared non-null",
                    row.unwrap_or(0)
                ))
            }
            _ => Ok(data),
        }
    }

    /// The offsets, which must ascend from 0 or more; and the last one.
    ///
    /// # Safety
    /// As [`rows`], after the shape was checked; the node has offsets.
    unsafe fn offsets(&self, extent: Extent) -> Result<(Buffer, u64)> {
        if extent.length == 0 {
            return Ok((Buffer::from_slice_ref([0i32]), 0));
        }
        // SAFETY: an array of `end` rows has `end` + 1 offsets.
        let buffer = unsafe { self.buffer(1, (extent.end() as u64 + 1) * 4)? };
        let mut last = 0;
        let used = buffer.as_slice().get(extent.offset * 4..).unwrap_or(&[]);
        for (row, bytes) in used.as_chunks::<4>().0.iter().enumerate() {
            let offset = i32::from_le_bytes(*bytes);
            if offset < last {
                return self.bad(format!(
                    "offset {offset} of row {row} is below the one before, {last}"
                ));
            }
            last = offset;
        }
        Ok((buffer, last as u64))
    }

    /// One buffer of so many bytes.
    ///
    /// # Safety
    /// As [`rows`], after the shape was checked; the node has that buffer.
    unsafe fn buffer(&self, i: usize, bytes: u64) -> Result<Buffer> {
        check_ceilings(self.field, 0, bytes)?;
        if bytes == 0 {
            return Ok(MutableBuffer::new(0).into());
        }
        // SAFETY: the count of buffers was checked.
        let Some(start) = NonNull::new(unsafe { self.address(i) }.cast_mut().cast::<u8>()) else {
            return self.bad(format!("{bytes} bytes of buffer {i} without an address"));
        };
        // SAFETY: the maker vouches for the length; `owner` keeps the bytes alive.
        Ok(unsafe { Buffer::from_custom_allocation(start, bytes as usize, self.owner.clone()) })
    }

    /// # Safety
    /// The count of buffers and the list's address were checked.
    unsafe fn address(&self, i: usize) -> *const c_void {
        // SAFETY: see above.
        unsafe { *self.array.buffers.add(i) }
    }
}

/// Buffers and children that an array of a type has.
fn shape(data_type: &DataType) -> (i64, i64) {
    match data_type {
        DataType::Null => (0, 0),
        DataType::Struct(fields) => (1, fields.len() as i64),
        DataType::FixedSizeList(..) => (1, 1),
        DataType::List(_) => (2, 1),
        DataType::Utf8 | DataType::Binary => (3, 0),
        _ => (2, 0),
    }
}
