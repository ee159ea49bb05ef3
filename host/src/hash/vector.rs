// SPDX-License-Identifier: Apache-2.0
//! Feeds of vectors. Dense floats have a way of their own, because they are most of all bytes.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int8Type, UInt8Type, UInt32Type};
use arrow_array::{Array, ArrowPrimitiveType, FixedSizeBinaryArray, FixedSizeListArray};
use milvusdm_plugin_api::model::{BitOrder, Elem, Kind, VectorType};
use multiversion::multiversion;

/// The bits of every NaN, as single and as double.
const NAN_SINGLE: u32 = 0x7FC0_0000;
const NAN_DOUBLE: u64 = 0x7FF8_0000_0000_0000;
/// Bytes before the elements of a dense vector of singles: letter, dimension, width.
const PREFIX_BYTES: usize = 6;

/// How a vector column is fed.
#[derive(Debug, Clone)]
pub(super) struct Vector {
    kind: Kind,
    elem: Elem,
    dim: u32,
    /// The first bit of a byte is its lowest.
    is_reversed: bool,
}

impl Vector {
    pub(super) fn new(vector: &VectorType) -> Self {
        Self {
            kind: vector.kind,
            elem: vector.elem,
            dim: vector.dim,
            is_reversed: vector.bit_order == Some(BitOrder::Lsb),
        }
    }

    /// The digests of dense vectors of singles; `false`, and nothing done, for any other.
    ///
    /// Their bytes are the feed, but for those that have several forms.
    pub(super) fn single_digests(
        &self,
        values: &dyn Array,
        digest: impl Fn(&[u8]) -> u128,
        into: &mut Vec<Option<u128>>,
    ) -> bool {
        if self.kind != Kind::Dense || self.elem != Elem::F32 {
            return false;
        }
        let list = values.as_fixed_size_list();
        let elements = list.values().as_primitive::<Float32Type>().values();
        let dim = (self.dim as usize).max(1);
        let mut feed = vec![0; PREFIX_BYTES + 4 * dim];
        write_prefix(self.dim, &mut feed);
        for (row, vector) in elements.chunks_exact(dim).enumerate() {
            if list.is_null(row) {
                into.push(None);
                continue;
            }
            if let Some(lane) = feed.get_mut(PREFIX_BYTES..) {
                fill_singles(vector, lane);
            }
            into.push(Some(digest(&feed)));
        }
        true
    }

    /// Writes the feed of a vector that is not null.
    pub(super) fn write(&self, values: &dyn Array, row: usize, out: &mut Vec<u8>) {
        match self.kind {
            Kind::Dense => self.write_dense(values.as_fixed_size_list(), row, out),
            Kind::Binary => self.write_bits(values.as_fixed_size_binary(), row, out),
            Kind::Sparse => self.write_sparse(values, row, out),
            // The set of kinds grows, and a schema with an unknown one has no vector type.
            _ => self.write_multi(values, row, out),
        }
    }

    fn write_dense(&self, list: &FixedSizeListArray, row: usize, out: &mut Vec<u8>) {
        out.push(b'V');
        out.extend_from_slice(&self.dim.to_le_bytes());
        let dim = list.value_length() as usize;
        let range = row * dim..(row + 1) * dim;
        self.write_lane(list.values().as_ref(), range, |_| true, out);
    }

    fn write_bits(&self, vectors: &FixedSizeBinaryArray, row: usize, out: &mut Vec<u8>) {
        out.push(b'X');
        out.extend_from_slice(&self.dim.to_le_bytes());
        let bytes = vectors.value(row);
        if self.is_reversed {
            out.extend(bytes.iter().map(|byte| byte.reverse_bits()));
        } else {
            out.extend_from_slice(bytes);
        }
    }

    fn write_multi(&self, values: &dyn Array, row: usize, out: &mut Vec<u8>) {
        let vectors = values.as_list::<i32>().value(row);
        out.push(b'W');
        out.extend_from_slice(&(vectors.len() as u32).to_le_bytes());
        for vector in 0..vectors.len() {
            match self.elem {
                Elem::Bit => self.write_bits(vectors.as_fixed_size_binary(), vector, out),
                _ => self.write_dense(vectors.as_fixed_size_list(), vector, out),
            }
        }
    }

    /// Entries whose value is zero say nothing, so they are left out.
    fn write_sparse(&self, values: &dyn Array, row: usize, out: &mut Vec<u8>) {
        let parts = values.as_struct();
        let indices = parts.column(0).as_list::<i32>().value(row);
        let elements = parts.column(1).as_list::<i32>().value(row);
        let indices = indices.as_primitive::<UInt32Type>().values();
        let mut is_kept = vec![true; elements.len()];
        self.each_double(elements.as_ref(), 0..elements.len(), |at, value| {
            if let Some(kept) = is_kept.get_mut(at) {
                *kept = value != 0.0;
            }
        });
        let kept = |at: usize| is_kept.get(at).copied().unwrap_or_default();
        out.push(b'P');
        let count = is_kept.iter().filter(|kept| **kept).count() as u32;
        out.extend_from_slice(&count.to_le_bytes());
        for (_, index) in indices.iter().enumerate().filter(|(at, _)| kept(*at)) {
            out.extend_from_slice(&index.to_le_bytes());
        }
        self.write_lane(elements.as_ref(), 0..elements.len(), kept, out);
    }

    /// Writes elements as singles if all of them are exactly that, else as doubles.
    fn write_lane(
        &self,
        elements: &dyn Array,
        range: Range<usize>,
        kept: impl Fn(usize) -> bool,
        out: &mut Vec<u8>,
    ) {
        let start = range.start;
        // The common types of whole numbers, in a form that takes no step for each element.
        match self.elem {
            Elem::I8 if self.kind != Kind::Sparse => {
                let all = elements.as_primitive::<Int8Type>().values();
                return put_singles(all.get(range).unwrap_or_default(), out);
            }
            Elem::U8 if self.kind != Kind::Sparse => {
                let all = elements.as_primitive::<UInt8Type>().values();
                return put_singles(all.get(range).unwrap_or_default(), out);
            }
            _ => {}
        }
        let mut are_singles = true;
        if self.elem == Elem::F64 {
            self.each_double(elements, range.clone(), |at, value| {
                let is_single = value.is_nan() || f64::from(value as f32) == value;
                are_singles &= is_single || !kept(at - start);
            });
        }
        out.push(if are_singles { 4 } else { 8 });
        out.reserve(range.len() * if are_singles { 4 } else { 8 });
        self.each_double(elements, range, |at, value| {
            if !kept(at - start) {
                return;
            }
            if are_singles {
                out.extend_from_slice(&single(value as f32).to_le_bytes());
            } else {
                out.extend_from_slice(&double(value).to_le_bytes());
            }
        });
    }

    /// Visits elements as doubles, which hold every type of them without loss.
    fn each_double(
        &self,
        elements: &dyn Array,
        range: Range<usize>,
        mut visit: impl FnMut(usize, f64),
    ) {
        macro_rules! visit {
            ($type:ty, $widen:expr) => {{
                let all = elements.as_primitive::<$type>().values();
                let some = all.get(range.clone()).unwrap_or_default();
                for (at, value) in range.zip(some) {
                    visit(at, $widen(*value));
                }
            }};
        }
        match self.elem {
            Elem::F64 => visit!(Float64Type, |x: f64| x),
            Elem::F16 => {
                visit!(
                    Float16Type,
                    |x: <Float16Type as ArrowPrimitiveType>::Native| x.to_f64()
                )
            }
            Elem::I8 => visit!(Int8Type, f64::from),
            Elem::U8 => visit!(UInt8Type, f64::from),
            Elem::Bf16 => {
                let all = elements.as_fixed_size_binary();
                for at in range {
                    let mut bytes = [0; 2];
                    bytes.copy_from_slice(all.value(at));
                    let bits = u32::from(u16::from_le_bytes(bytes)) << 16;
                    visit(at, f32::from_bits(bits).into());
                }
            }
            _ => visit!(Float32Type, f64::from),
        }
    }
}

/// Begins the feed of a dense vector of singles.
fn write_prefix(dim: u32, feed: &mut [u8]) {
    let [a, b, c, d] = dim.to_le_bytes();
    for (place, byte) in feed.iter_mut().zip([b'V', a, b, c, d, 4]) {
        *place = byte;
    }
}

/// Writes whole numbers as the singles that they are.
fn put_singles<T: Copy + Into<f32>>(values: &[T], out: &mut Vec<u8>) {
    out.push(4);
    let start = out.len();
    out.resize(start + 4 * values.len(), 0);
    let places = out.get_mut(start..).unwrap_or_default().chunks_exact_mut(4);
    for (place, value) in places.zip(values) {
        place.copy_from_slice(&Into::<f32>::into(*value).to_le_bytes());
    }
}

/// Writes singles as they are fed.
///
/// In a form that compilers turn into vector instructions; those of AVX2 where there are such.
#[multiversion(targets("x86_64+avx2"))]
fn fill_singles(vector: &[f32], lane: &mut [u8]) {
    for (x, place) in vector.iter().zip(lane.as_chunks_mut().0) {
        *place = single(*x).to_le_bytes();
    }
}

/// The bits that a single is fed as.
fn single(x: f32) -> u32 {
    match x {
        _ if x.is_nan() => NAN_SINGLE,
        // Both zeros.
        0.0 => 0,
        _ => x.to_bits(),
    }
}

/// The bits that a double is fed as.
fn double(x: f64) -> u64 {
    match x {
        _ if x.is_nan() => NAN_DOUBLE,
        0.0 => 0,
        _ => x.to_bits(),
    }
}
