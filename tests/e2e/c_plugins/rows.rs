// SPDX-License-Identifier: Apache-2.0
//! Files of records, and what reading them has to give, by Rust's own means.

use std::sync::Arc;

use milvusdm_plugin_api::arrow::array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use milvusdm_plugin_api::arrow::schema::{DataType, Field};
use serde_json::{Value, json};

/// Bytes of a record: three of an id, a vector, one of each type, and a gap.
pub const STRIDE: usize = 73;
/// Bytes before the first one.
pub const HEADER: usize = 7;
/// Elements of the vector.
const DIM: usize = 3;

/// The order of bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    Little,
    Big,
}

impl Endian {
    fn name(self) -> &'static str {
        match self {
            Self::Little => "little",
            Self::Big => "big",
        }
    }
}

/// The options for such a file, but for its path.
pub fn options(endian: Endian) -> Value {
    json!({
        "magic_hex": "4d 41 47 00",
        "header": HEADER,
        "endian": endian.name(),
        "stride": STRIDE,
        "id": {"offset": 0, "type": "i32", "name": "key"},
        "vector": {"offset": 5, "type": "f32", "dim": DIM, "metric": "ip", "name": "embedding"},
        "fields": [
            {"name": "i8", "type": "i8", "offset": 17},
            {"name": "u8", "type": "u8", "offset": 18},
            {"name": "i16", "type": "i16", "offset": 19},
            {"name": "u16", "type": "u16", "offset": 21},
            {"name": "i32", "type": "i32", "offset": 23},
            {"name": "u32", "type": "u32", "offset": 27, "role": "partition_key"},
            {"name": "i64", "type": "i64", "offset": 31},
            {"name": "u64", "type": "u64", "offset": 39},
            {"name": "f32", "type": "f32", "offset": 47},
            {"name": "f64", "type": "f64", "offset": 51},
            {"name": "bool", "type": "bool", "offset": 59, "role": "scalar"},
            {"name": "again", "type": "i64", "offset": 31},
        ],
    })
}

/// A number that differs from row to row, over all 64 bits, both signs.
fn number(row: usize) -> u64 {
    (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn id(row: usize) -> i32 {
    5 - row as i32 * 1001
}

/// NaN, infinity and -0 among them: they have to come as they are.
fn element(row: usize, i: usize) -> f32 {
    match (row % 7, i) {
        (3, 0) => f32::from_bits(0x7FC0_1234),
        (4, 1) => f32::NEG_INFINITY,
        (5, 2) => -0.0,
        _ => row as f32 * 0.25 - i as f32,
    }
}

/// A file of that many records.
pub fn file(endian: Endian, rows: usize) -> Vec<u8> {
    let mut bytes = b"MAG\0...".to_vec();
    for row in 0..rows {
        let mut record = vec![0xEE; STRIDE];
        let mut put = |at: usize, little: &[u8]| {
            let place = &mut record[at..at + little.len()];
            place.copy_from_slice(little);
            if endian == Endian::Big {
                place.reverse();
            }
        };
        let all = number(row);
        put(0, &id(row).to_le_bytes());
        for i in 0..DIM {
            put(5 + 4 * i, &element(row, i).to_le_bytes());
        }
        put(17, &(all as u8).to_le_bytes());
        put(18, &(all as u8).to_le_bytes());
        put(19, &(all as u16).to_le_bytes());
        put(21, &(all as u16).to_le_bytes());
        put(23, &(all as u32).to_le_bytes());
        put(27, &(all as u32).to_le_bytes());
        put(31, &all.to_le_bytes());
        put(39, &all.to_le_bytes());
        put(47, &(all as f32).to_le_bytes());
        put(51, &(all as f64).to_le_bytes());
        put(59, &[u8::from(row % 3 == 1)]);
        bytes.extend(record);
    }
    bytes
}

/// The columns that reading it gives.
pub fn columns(rows: usize) -> Vec<(&'static str, ArrayRef)> {
    let all = || (0..rows).map(number);
    let elements = (0..rows * DIM).map(|i| element(i / DIM, i % DIM));
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let elements = Arc::new(Float32Array::from_iter_values(elements));
    let vectors = FixedSizeListArray::new(item, DIM as i32, elements, None);
    let bools: BooleanArray = (0..rows).map(|row| Some(row % 3 == 1)).collect();
    vec![
        (
            "key",
            Arc::new(Int64Array::from_iter_values(
                (0..rows).map(|row| i64::from(id(row))),
            )),
        ),
        ("embedding", Arc::new(vectors)),
        (
            "i8",
            Arc::new(Int8Array::from_iter_values(all().map(|n| n as i8))),
        ),
        (
            "u8",
            Arc::new(UInt8Array::from_iter_values(all().map(|n| n as u8))),
        ),
        (
            "i16",
            Arc::new(Int16Array::from_iter_values(all().map(|n| n as i16))),
        ),
        (
            "u16",
            Arc::new(UInt16Array::from_iter_values(all().map(|n| n as u16))),
        ),
        (
            "i32",
            Arc::new(Int32Array::from_iter_values(all().map(|n| n as i32))),
        ),
        (
            "u32",
            Arc::new(UInt32Array::from_iter_values(all().map(|n| n as u32))),
        ),
        (
            "i64",
            Arc::new(Int64Array::from_iter_values(all().map(|n| n as i64))),
        ),
        ("u64", Arc::new(UInt64Array::from_iter_values(all()))),
        (
            "f32",
            Arc::new(Float32Array::from_iter_values(all().map(|n| n as f32))),
        ),
        (
            "f64",
            Arc::new(Float64Array::from_iter_values(all().map(|n| n as f64))),
        ),
        ("bool", Arc::new(bools)),
        (
            "again",
            Arc::new(Int64Array::from_iter_values(all().map(|n| n as i64))),
        ),
    ]
}
