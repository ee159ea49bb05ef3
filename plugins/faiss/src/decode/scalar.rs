// SPDX-License-Identifier: Apache-2.0
//! Scalar quantizers: each number by itself (scalar_quantizer/codecs.h, quantizers.h).

use half::{bf16, f16};
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::table::read_floats;
use crate::format::ReadAt;
use crate::format::cursor::damaged;
use crate::format::quantizer::Scalar;

/// What a code of one number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 4 bits, two to a byte, the first one low.
    Four,
    /// 6 bits in a stream, lowest bit first.
    Six,
    /// A byte.
    Eight,
}

impl Width {
    const fn bits(self) -> u64 {
        match self {
            Self::Four => 4,
            Self::Six => 6,
            Self::Eight => 8,
        }
    }
}

/// How codes of a scalar quantizer are turned into numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// IEEE half.
    Half,
    /// The upper half of an IEEE single.
    Bfloat,
    /// The byte itself.
    Direct,
    /// The byte less 128.
    DirectSigned,
    /// A range for each dimension, cut into equal steps.
    Ranges(Width),
    /// One range for all dimensions, cut into equal steps.
    Range(Width),
    /// The entry of a table of 2^bits numbers.
    Entries(u32),
}

/// What is known of a `QuantizerType`.
#[derive(Debug, Clone, Copy)]
pub struct ScalarKind {
    /// Its name in Faiss.
    pub name: &'static str,
    /// Bits of a number.
    pub bits: u64,
    /// How codes are turned into numbers; `None` if they can't be.
    pub scale: Option<Scale>,
}

/// Types that are only recognised.
const RECOGNISED: &[(i32, &str)] = &[
    (9, "QT_0bit"),
    (15, "QT_2bit_tq"),
    (16, "QT_3bit_tq"),
    (17, "QT_4bit_tq"),
    (18, "QT_5bit_tq"),
    (19, "QT_1bit_eden"),
    (20, "QT_2bit_eden"),
    (21, "QT_3bit_eden"),
    (22, "QT_4bit_eden"),
    (23, "QT_5bit_eden"),
    (24, "QT_6bit_eden"),
    (25, "QT_7bit_eden"),
    (26, "QT_8bit_eden"),
];

impl ScalarKind {
    /// The kind of that number (ScalarQuantizer.h), `None` if it is not known.
    pub fn of(number: i32) -> Option<Self> {
        let kind = |name, bits, scale| {
            Some(Self {
                name,
                bits,
                scale: Some(scale),
            })
        };
        let ranges = |name, width: Width| kind(name, width.bits(), Scale::Ranges(width));
        let range = |name, width: Width| kind(name, width.bits(), Scale::Range(width));
        let entries = |name, bits: u32| kind(name, u64::from(bits), Scale::Entries(bits));
        match number {
            0 => ranges("QT_8bit", Width::Eight),
            1 => ranges("QT_4bit", Width::Four),
            2 => range("QT_8bit_uniform", Width::Eight),
            3 => range("QT_4bit_uniform", Width::Four),
            4 => kind("QT_fp16", 16, Scale::Half),
            5 => kind("QT_8bit_direct", 8, Scale::Direct),
            6 => ranges("QT_6bit", Width::Six),
            7 => kind("QT_bf16", 16, Scale::Bfloat),
            8 => kind("QT_8bit_direct_signed", 8, Scale::DirectSigned),
            10 => entries("QT_1bit_tqmse", 1),
            11 => entries("QT_2bit_tqmse", 2),
            12 => entries("QT_3bit_tqmse", 3),
            13 => entries("QT_4bit_tqmse", 4),
            14 => entries("QT_8bit_tqmse", 8),
            _ => RECOGNISED
                .iter()
                .find(|(n, _)| *n == number)
                .map(|(_, name)| Self {
                    name,
                    bits: 0,
                    scale: None,
                }),
        }
    }

    /// Whether every number comes back bit by bit as the index was given it to store.
    pub fn is_bit_exact(&self) -> bool {
        matches!(
            self.scale,
            Some(Scale::Half | Scale::Bfloat | Scale::Direct | Scale::DirectSigned)
        )
    }
}

/// Decodes the codes of one scalar quantizer.
#[derive(Debug)]
pub struct ScalarDecoder {
    scale: Scale,
    trained: Vec<f32>,
}

impl ScalarDecoder {
    /// Reads ranges or entries.
    ///
    /// # Errors
    /// `Unsupported` for a type that can't be decoded, `Format` where sizes don't fit.
    pub fn open(file: &dyn ReadAt, quantizer: &Scalar) -> Result<Self> {
        let kind = ScalarKind::of(quantizer.kind).ok_or_else(|| unknown(quantizer.kind))?;
        let scale = kind.scale.ok_or_else(|| unknown(quantizer.kind))?;
        let code_bytes = (quantizer.dim.saturating_mul(kind.bits)).div_ceil(8);
        if code_bytes != quantizer.code_bytes {
            return Err(damaged(
                quantizer.trained.at,
                format!(
                    "a scalar quantizer {} of {} dimensions has codes of {} bytes, expected {code_bytes}",
                    kind.name, quantizer.dim, quantizer.code_bytes
                ),
            ));
        }
        let wanted = match scale {
            Scale::Ranges(_) => quantizer.dim.saturating_mul(2),
            Scale::Range(_) => 2,
            Scale::Entries(bits) => 1 << bits,
            _ => 0,
        };
        // Tables may be followed by more (the borders between the entries of tqmse).
        if quantizer.trained.count < wanted {
            return Err(damaged(
                quantizer.trained.at,
                format!(
                    "a scalar quantizer {} of {} dimensions has {} trained numbers, expected {wanted}",
                    kind.name, quantizer.dim, quantizer.trained.count
                ),
            ));
        }
        let mut trained = vec![0.0; wanted as usize];
        read_floats(
            file,
            quantizer.trained.at,
            &mut trained,
            "the scalar quantizer's ranges",
        )?;
        Ok(Self { scale, trained })
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> u64 {
        size_of_val(self.trained.as_slice()) as u64
    }

    /// Decodes one vector.
    pub fn decode(&self, code: &[u8], out: &mut [f32]) {
        match self.scale {
            Scale::Half => {
                for (x, c) in out.iter_mut().zip(code.as_chunks::<2>().0) {
                    *x = f16::from_le_bytes(*c).to_f32();
                }
            }
            Scale::Bfloat => {
                for (x, c) in out.iter_mut().zip(code.as_chunks::<2>().0) {
                    *x = f32::from_bits(u32::from(bf16::from_le_bytes(*c).to_bits()) << 16);
                }
            }
            Scale::Direct => each(out, code.iter().map(|c| f32::from(*c))),
            Scale::DirectSigned => each(out, code.iter().map(|c| f32::from(*c) - 128.0)),
            Scale::Ranges(width) => {
                let (low, step) = self.trained.split_at(self.trained.len() / 2);
                let codes = levels(code, width).zip(low.iter().zip(step));
                each(out, codes.map(|(level, (low, step))| low + level * step));
            }
            Scale::Range(width) => {
                let low = self.trained.first().copied().unwrap_or(0.0);
                let step = self.trained.get(1).copied().unwrap_or(0.0);
                each(out, levels(code, width).map(|level| low + level * step));
            }
            Scale::Entries(bits) => {
                let mut reader = super::bits::BitReader::new(code);
                for x in out {
                    let entry = reader.take(bits) as usize;
                    *x = self.trained.get(entry).copied().unwrap_or(0.0);
                }
            }
        }
    }
}

fn each(out: &mut [f32], values: impl Iterator<Item = f32>) {
    for (x, value) in out.iter_mut().zip(values) {
        *x = value;
    }
}

/// The middles of the steps that codes stand for, from 0 to 1.
fn levels(code: &[u8], width: Width) -> impl Iterator<Item = f32> {
    let bits = width.bits() as u32;
    let steps = ((1u32 << bits) - 1) as f32;
    let mut reader = super::bits::BitReader::new(code);
    std::iter::repeat_with(move || (reader.take(bits) as f32 + 0.5) / steps)
}

/// An error for a type that can't be decoded.
pub fn unknown(number: i32) -> Error {
    let message = match ScalarKind::of(number) {
        Some(kind) => format!(
            "can't decode a scalar quantizer of the type {}: its codes are of rotated or centred vectors, without what is needed to turn them back",
            kind.name
        ),
        None => format!("a scalar quantizer of the unknown type {number}"),
    };
    Error::new(ErrorKind::Unsupported, message)
        .help("build an index that keeps vectors (such as `Flat` or `IVF…,Flat`) from the original data, and export that")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bits_follow_each_other_across_bytes() {
        let decoder = ScalarDecoder {
            scale: Scale::Range(Width::Six),
            trained: vec![0.0, 63.0],
        };
        let codes: [u8; 3] = [0b1000_0001, 0b0011_0000, 0b1111_1100];
        let mut out = [0.0; 4];
        decoder.decode(&codes, &mut out);
        assert_eq!(out, [1.5, 2.5, 3.5, 63.5]);
    }

    #[test]
    fn halves_keep_zeros_and_infinities() {
        let decoder = ScalarDecoder {
            scale: Scale::Half,
            trained: Vec::new(),
        };
        let mut out = [1.0; 3];
        decoder.decode(&[0x00, 0x80, 0x00, 0x7C, 0x01, 0x00], &mut out);
        assert_eq!(
            out.map(f32::to_bits),
            [0x8000_0000, 0x7F80_0000, 0x3380_0000]
        );
    }
}
