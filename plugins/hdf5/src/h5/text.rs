// SPDX-License-Identifier: Apache-2.0
//! Reads strings as bytes; whether they are UTF-8 is for the caller to judge, because the
//! library's own string types take it on trust.

use std::ops::Range;

use hdf5::types::{FixedAscii, FixedUnicode, VarLenAscii, VarLenUnicode};
use hdf5::{Container, H5Type};

/// Longest fixed string that can be read, in bytes.
pub const MAX_FIXED_BYTES: usize = 65_536;

/// Sizes that fixed strings are read as.
const SIZES: [usize; 6] = [16, 64, 256, 1024, 8192, MAX_FIXED_BYTES];

/// The size that strings of so many bytes are read as.
pub fn room(bytes: usize) -> usize {
    let mut sizes = SIZES.into_iter();
    sizes.find(|size| bytes <= *size).unwrap_or(bytes)
}

/// Reads the strings of `rows` (all, if `None`) of a dataset or attribute and hands each to
/// `take`, in order, without its padding.
///
/// The library does not turn fixed strings into variable ones, so a fixed string is read into
/// the next larger of a few sizes.
pub fn read(
    object: &Container,
    fixed_bytes: Option<usize>,
    is_utf8: bool,
    rows: Option<Range<usize>>,
    take: &mut dyn FnMut(&[u8]),
) -> hdf5::Result<()> {
    // As many sizes as `SIZES` has.
    macro_rules! fixed {
        ($bytes:expr, $($size:literal),+) => {
            match $bytes {
                $(n if n <= $size && is_utf8 => each::<FixedUnicode<$size>>(object, rows, take, FixedUnicode::as_bytes),
                n if n <= $size => each::<FixedAscii<$size>>(object, rows, take, FixedAscii::as_bytes),)+
                n => Err(format!("strings of {n} bytes are longer than {MAX_FIXED_BYTES}").into()),
            }
        };
    }
    match fixed_bytes {
        Some(bytes) => fixed!(bytes, 16, 64, 256, 1024, 8192, 65_536),
        None if is_utf8 => each(object, rows, take, VarLenUnicode::as_bytes),
        None => each(object, rows, take, VarLenAscii::as_bytes),
    }
}

fn each<T: H5Type>(
    object: &Container,
    rows: Option<Range<usize>>,
    take: &mut dyn FnMut(&[u8]),
    bytes: impl Fn(&T) -> &[u8],
) -> hdf5::Result<()> {
    match rows {
        Some(rows) => object
            .read_slice_1d::<T, _>(rows)?
            .iter()
            .for_each(|v| take(bytes(v))),
        None => object.read_raw::<T>()?.iter().for_each(|v| take(bytes(v))),
    }
    Ok(())
}
