// SPDX-License-Identifier: Apache-2.0
//! Feeds of plain values: numbers, text, bytes, times.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_schema::{DataType, TimeUnit};

use super::decimal;

/// Stands for a null inside a list, and for the id of a row that has none.
pub(super) const NULL: u8 = b'N';
/// Begins a list.
pub(super) const LIST: u8 = b'[';
/// The bits of every NaN.
const NAN: u64 = 0x7FF8_0000_0000_0000;
/// 2^64: integral floats below it are integers to the hash.
const INTEGRAL_END: f64 = 18_446_744_073_709_551_616.0;

/// Writes the feed of a value that is not null and whose type says all.
pub(super) fn write(values: &dyn Array, row: usize, out: &mut Vec<u8>) {
    macro_rules! number {
        ($type:ty) => {
            values.as_primitive::<$type>().value(row)
        };
    }
    match values.data_type() {
        DataType::Boolean => boolean(values.as_boolean().value(row), out),
        DataType::Int8 => integer(number!(Int8Type).into(), out),
        DataType::Int16 => integer(number!(Int16Type).into(), out),
        DataType::Int32 => integer(number!(Int32Type).into(), out),
        DataType::Int64 => integer(number!(Int64Type).into(), out),
        DataType::UInt8 => integer(number!(UInt8Type).into(), out),
        DataType::UInt16 => integer(number!(UInt16Type).into(), out),
        DataType::UInt32 => integer(number!(UInt32Type).into(), out),
        DataType::UInt64 => integer(number!(UInt64Type).into(), out),
        DataType::Float16 => float(number!(Float16Type).to_f64(), out),
        DataType::Float32 => float(number!(Float32Type).into(), out),
        DataType::Float64 => float(number!(Float64Type), out),
        DataType::Decimal128(_, scale) => {
            decimal::write(number!(Decimal128Type), i32::from(*scale), out);
        }
        DataType::Utf8 => text(values.as_string::<i32>().value(row), out),
        DataType::Binary => bytes(values.as_binary::<i32>().value(row), out),
        DataType::FixedSizeBinary(_) => bytes(values.as_fixed_size_binary().value(row), out),
        DataType::Date32 => {
            out.push(b'A');
            out.extend_from_slice(&number!(Date32Type).to_le_bytes());
        }
        DataType::Time32(_) | DataType::Time64(_) => time(values, row, out),
        DataType::Timestamp(unit, zone) => {
            let ticks = match unit {
                TimeUnit::Second => number!(TimestampSecondType),
                TimeUnit::Millisecond => number!(TimestampMillisecondType),
                TimeUnit::Microsecond => number!(TimestampMicrosecondType),
                TimeUnit::Nanosecond => number!(TimestampNanosecondType),
            };
            out.push(if zone.is_some() { b'T' } else { b'L' });
            let nanoseconds = i128::from(ticks) * i128::from(nanoseconds(*unit));
            out.extend_from_slice(&nanoseconds.to_le_bytes());
        }
        // `Shape::of` refuses every other type.
        _ => {}
    }
}

fn time(values: &dyn Array, row: usize, out: &mut Vec<u8>) {
    let (ticks, unit) = match values.data_type() {
        DataType::Time32(TimeUnit::Second) => {
            let ticks = values.as_primitive::<Time32SecondType>().value(row);
            (i64::from(ticks), TimeUnit::Second)
        }
        DataType::Time32(_) => {
            let ticks = values.as_primitive::<Time32MillisecondType>().value(row);
            (i64::from(ticks), TimeUnit::Millisecond)
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let ticks = values.as_primitive::<Time64MicrosecondType>().value(row);
            (ticks, TimeUnit::Microsecond)
        }
        _ => {
            let ticks = values.as_primitive::<Time64NanosecondType>().value(row);
            (ticks, TimeUnit::Nanosecond)
        }
    };
    out.push(b'M');
    // A time is below a day, unless the source's values are no times.
    let nanoseconds = ticks.wrapping_mul(nanoseconds(unit));
    out.extend_from_slice(&nanoseconds.to_le_bytes());
}

const fn nanoseconds(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

pub(super) fn boolean(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'B', u8::from(value)]);
}

pub(super) fn integer(value: i128, out: &mut Vec<u8>) {
    out.push(b'I');
    out.extend_from_slice(&value.to_le_bytes());
}

/// An integral float is the integer that it is equal to.
pub(super) fn float(value: f64, out: &mut Vec<u8>) {
    if value.abs() < INTEGRAL_END && value.trunc() == value {
        return integer(value as i128, out);
    }
    let bits = if value.is_nan() { NAN } else { value.to_bits() };
    out.push(b'F');
    out.extend_from_slice(&bits.to_le_bytes());
}

pub(super) fn text(value: &str, out: &mut Vec<u8>) {
    out.push(b'S');
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend_from_slice(value.as_bytes());
}

fn bytes(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'Y');
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend_from_slice(value);
}

/// A UUID is the text that it is written as.
pub(super) fn uuid(value: &[u8], out: &mut Vec<u8>) {
    match uuid::Uuid::from_slice(value) {
        Ok(uuid) => text(uuid.hyphenated().encode_lower(&mut [0; 36]), out),
        Err(_) => bytes(value, out),
    }
}

/// An object whose members `write` adds, giving their number.
pub(super) fn object(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> u64) {
    out.push(b'{');
    let at = out.len();
    out.extend_from_slice(&[0; 8]);
    let count = write(out);
    if let Some(place) = out.get_mut(at..at + 8) {
        place.copy_from_slice(&count.to_le_bytes());
    }
}
