// SPDX-License-Identifier: Apache-2.0
//! Turns stored values into those of a column, where Arrow has no type for them as they are.

use arrow_buffer::Buffer;
use milvusdm_plugin_api::model::BitOrder;

use crate::h5::Number;

/// Up to this size, 64-bit floats hold every whole number.
const EXACT: u64 = 1 << 53;

/// 64-bit integers as floats, or the position of the first that none holds exactly.
pub fn exact_floats(number: Number, integers: &[u8]) -> Result<Buffer, usize> {
    let mut floats = Vec::with_capacity(integers.len() / 8);
    for (i, word) in integers.chunks_exact(8).enumerate() {
        let word = <[u8; 8]>::try_from(word).unwrap_or_default();
        let (size, float) = match number {
            Number::U64 => (u64::from_le_bytes(word), u64::from_le_bytes(word) as f64),
            _ => {
                let integer = i64::from_le_bytes(word);
                (integer.unsigned_abs(), integer as f64)
            }
        };
        if size > EXACT {
            return Err(i);
        }
        floats.push(float);
    }
    Ok(Buffer::from_vec(floats))
}

/// The first row with a bit beyond the dimension, as far as it is known which bits these are.
pub fn bits_beyond(bytes: &[u8], row_bytes: usize, dim: u32, order: BitOrder) -> Option<usize> {
    let used = dim % 8;
    let mask = match order {
        _ if used == 0 => return None,
        BitOrder::Msb => 0xFFu8 >> used,
        BitOrder::Lsb => 0xFFu8 << used,
        _ => return None,
    };
    let is_bad = |row: &[u8]| row.last().is_some_and(|last| last & mask != 0);
    bytes.chunks_exact(row_bytes.max(1)).position(is_bad)
}

/// Packs bytes 0 and 1 into bits, most significant first, each row filled up with zeros.
pub fn pack(bytes: &[u8], width: usize, rows: usize) -> Buffer {
    let mut packed = Vec::with_capacity(rows.saturating_mul(width.div_ceil(8)));
    for row in bytes.chunks_exact(width.max(1)) {
        packed.extend(row.chunks(8).map(|bits| {
            let bits = bits.iter().enumerate();
            bits.fold(0u8, |byte, (i, bit)| byte | (bit & 1) << (7 - i))
        }));
    }
    Buffer::from_vec(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bools_are_packed_most_significant_first() {
        let bools = [1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0];
        assert_eq!(pack(&bools, 9, 2).as_slice(), [0x81, 0x80, 0x7F, 0]);
    }

    #[test]
    fn only_integers_that_floats_hold_become_floats() {
        let bytes =
            |values: &[i64]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
        let edge = 1i64 << 53;
        let floats = exact_floats(Number::I64, &bytes(&[-edge, -1, edge])).unwrap();
        assert_eq!(
            floats.typed_data::<f64>(),
            [-(edge as f64), -1.0, edge as f64]
        );
        assert_eq!(exact_floats(Number::I64, &bytes(&[0, i64::MIN])), Err(1));
        assert_eq!(exact_floats(Number::U64, &bytes(&[-1])), Err(0));
    }

    #[test]
    fn a_bit_beyond_the_dimension_is_found_in_either_order() {
        let rows = [0xFF, 0b1111_0000, 0xFF, 0b0000_1111];
        assert_eq!(bits_beyond(&rows, 2, 12, BitOrder::Msb), Some(1));
        assert_eq!(bits_beyond(&rows, 2, 12, BitOrder::Lsb), Some(0));
        assert_eq!(bits_beyond(&rows, 2, 12, BitOrder::Unknown), None);
        assert_eq!(bits_beyond(&rows, 2, 16, BitOrder::Msb), None);
    }
}
