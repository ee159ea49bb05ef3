// SPDX-License-Identifier: Apache-2.0
//! Arrays as a C plugin would make them, open to any damage.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field, Fields, SchemaRef};

use super::FfiArray;
use crate::model::{Elem, SchemaBuilder, VectorType};

/// An array as a C plugin would make it, open to any damage.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) length: i64,
    pub(super) null_count: i64,
    pub(super) offset: i64,
    pub(super) n_buffers: i64,
    pub(super) n_children: i64,
    pub(super) buffers: Vec<Option<Buffer>>,
    /// Added to the addresses of buffers.
    pub(super) skew: usize,
    pub(super) children: Vec<Option<Raw>>,
    pub(super) is_released: bool,
    pub(super) has_lists: bool,
    pub(super) has_dictionary: bool,
}

/// What keeps a raw array's memory; counts its release.
pub(super) struct Kept {
    _memory: Vec<Option<Buffer>>,
    _addresses: Vec<*const c_void>,
    _children: Vec<Option<Box<FfiArray>>>,
    _pointers: Vec<*mut FfiArray>,
    releases: Arc<AtomicUsize>,
}

unsafe extern "C" fn release(array: *mut FfiArray) {
    // SAFETY: only `Raw::build` sets this function, beside the box that it leaked.
    let kept = unsafe {
        (*array).release = None;
        Box::from_raw((*array).private_data.cast::<Kept>())
    };
    kept.releases.fetch_add(1, Ordering::Relaxed);
}

impl Raw {
    pub(super) fn new(length: i64, buffers: Vec<Option<Buffer>>, children: Vec<Raw>) -> Self {
        Self {
            length,
            null_count: 0,
            offset: 0,
            n_buffers: buffers.len() as i64,
            n_children: children.len() as i64,
            buffers,
            skew: 0,
            children: children.into_iter().map(Some).collect(),
            is_released: false,
            has_lists: true,
            has_dictionary: false,
        }
    }

    /// Makes the C struct; the counter goes up once for each node that is released.
    pub(super) fn build(self, releases: &Arc<AtomicUsize>) -> FfiArray {
        let mut addresses: Vec<*const c_void> = self
            .buffers
            .iter()
            .map(|b| match b {
                Some(buffer) => buffer.as_ptr().wrapping_add(self.skew).cast(),
                None => std::ptr::null(),
            })
            .collect();
        let mut children: Vec<Option<Box<FfiArray>>> = self
            .children
            .into_iter()
            .map(|c| c.map(|c| Box::new(c.build(releases))))
            .collect();
        let mut pointers: Vec<*mut FfiArray> = children
            .iter_mut()
            .map(|c| match c {
                Some(child) => std::ptr::from_mut(child.as_mut()),
                None => std::ptr::null_mut(),
            })
            .collect();
        let mut array = FfiArray {
            length: self.length,
            null_count: self.null_count,
            offset: self.offset,
            n_buffers: self.n_buffers,
            n_children: self.n_children,
            ..FfiArray::empty()
        };
        if self.has_lists {
            array.buffers = addresses.as_mut_ptr();
            array.children = pointers.as_mut_ptr();
        }
        if self.has_dictionary {
            // Never looked at.
            array.dictionary = std::ptr::dangling_mut();
        }
        if !self.is_released {
            array.release = Some(release);
            array.private_data = Box::into_raw(Box::new(Kept {
                _memory: self.buffers,
                _addresses: addresses,
                _children: children,
                _pointers: pointers,
                releases: releases.clone(),
            }))
            .cast();
        }
        array
    }

    pub(super) fn child(&mut self, i: usize) -> &mut Raw {
        self.children[i].as_mut().unwrap()
    }
}

/// id: Int64, v: dense f32 x 4, s: Utf8, tags: List<Int8>, part: Struct{a: Int16}; 3 rows.
pub(super) fn schema() -> SchemaRef {
    let tag = Field::new("item", DataType::Int8, true);
    let part = Fields::from(vec![Field::new("a", DataType::Int16, true)]);
    SchemaBuilder::new()
        .id("id", DataType::Int64)
        .vector("v", &VectorType::dense(Elem::F32, 4))
        .unwrap()
        .field(Field::new("s", DataType::Utf8, true))
        .field(Field::new("tags", DataType::List(Arc::new(tag)), true))
        .field(Field::new("part", DataType::Struct(part), true))
        .finish()
        .unwrap()
}

pub(super) const ID: usize = 0;
pub(super) const V: usize = 1;
pub(super) const S: usize = 2;
pub(super) const TAGS: usize = 3;
pub(super) const PART: usize = 4;

/// Memory of 4 KiB that begins with these values, so that no lie within it reads elsewhere.
pub(super) fn memory<T: Copy + Into<i64>>(values: &[T], width: usize) -> Option<Buffer> {
    let mut bytes = vec![0u8; 4096];
    for (i, value) in values.iter().enumerate() {
        let value: i64 = (*value).into();
        bytes[i * width..(i + 1) * width].copy_from_slice(&value.to_le_bytes()[..width]);
    }
    Some(Buffer::from_slice_ref(&bytes))
}

pub(super) fn good() -> Raw {
    let floats: Vec<u8> = (0..12).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let floats: Vec<u8> = floats.into_iter().chain(vec![0; 4096]).collect();
    let elements = Raw::new(
        12,
        vec![None, Some(Buffer::from_slice_ref(&floats))],
        vec![],
    );
    let mut texts = vec![b'x'; 4096];
    texts[..6].copy_from_slice("aé€".as_bytes());
    let texts = Some(Buffer::from_slice_ref(&texts));
    Raw::new(
        3,
        vec![None],
        vec![
            Raw::new(3, vec![None, memory(&[7i64, 8, 9], 8)], vec![]),
            Raw::new(3, vec![None], vec![elements]),
            Raw::new(3, vec![None, memory(&[0, 1, 3, 6], 4), texts], vec![]),
            Raw::new(
                3,
                vec![memory(&[0b101], 1), memory(&[0, 2, 2, 5], 4)],
                vec![Raw::new(5, vec![None, memory(&[1, 2, 3, 4, 5], 1)], vec![])],
            ),
            Raw::new(
                3,
                vec![None],
                vec![Raw::new(3, vec![None, memory(&[1, 2, 3], 2)], vec![])],
            ),
        ],
    )
}
