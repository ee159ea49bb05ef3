// SPDX-License-Identifier: Apache-2.0
//! Additive quantizers: sums of codebook entries, over all dimensions or over sub-spaces
//! (AdditiveQuantizer.cpp, ProductAdditiveQuantizer.cpp).

use std::sync::Arc;

use milvusdm_plugin_api::Result;

use super::bits::BitReader;
use super::table::Table;
use crate::format::ReadAt;
use crate::format::quantizer::Additive;

/// Decodes the codes of one additive quantizer.
#[derive(Debug)]
pub struct AdditiveDecoder {
    parts: Vec<Part>,
    codebooks: Table,
}

/// One codebook.
#[derive(Debug)]
struct Part {
    bits: u32,
    /// First dimension that it adds to.
    first: usize,
    /// Dimensions of an entry.
    width: usize,
    /// Where its entries begin in the table.
    start: u64,
}

impl AdditiveDecoder {
    /// Opens the codebooks.
    ///
    /// # Errors
    /// `Io`, or `Format` where the file ends or the quantizer's numbers don't fit each other.
    pub fn open(file: &Arc<dyn ReadAt>, quantizer: &Additive) -> Result<Self> {
        // Everything below counts in numbers that are bounded by those of the codebooks.
        quantizer.check(quantizer.codebooks.at)?;
        let mut bits = quantizer.bits.iter();
        let (mut parts, mut first, mut start) = (Vec::new(), 0, 0);
        for (width, count) in &quantizer.splits {
            for bits in bits.by_ref().take(*count) {
                parts.push(Part {
                    bits: u32::from(*bits),
                    first,
                    width: *width as usize,
                    start,
                });
                start += width << bits;
            }
            first += *width as usize;
        }
        let codebooks = Table::open(file, quantizer.codebooks, "the codebooks")?;
        Ok(Self { parts, codebooks })
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> u64 {
        self.codebooks.held_bytes() + size_of_val(self.parts.as_slice()) as u64
    }

    /// Decodes one vector.
    ///
    /// # Errors
    /// `Io`, or `Format` where the file ends.
    pub fn decode(&self, code: &[u8], out: &mut [f32], scratch: &mut Vec<f32>) -> Result<()> {
        out.fill(0.0);
        let mut reader = BitReader::new(code);
        for part in &self.parts {
            let entry = u64::from(reader.take(part.bits));
            let start = part.start + entry * part.width as u64;
            let entry = self.codebooks.get(start, part.width, scratch)?;
            let out = out.get_mut(part.first..).unwrap_or_default();
            for (x, e) in out.iter_mut().zip(entry) {
                *x += e;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Span;

    fn opened(dims: &[u64], dim: u64, bits: u8) -> Result<AdditiveDecoder> {
        let file: Arc<dyn ReadAt> = Arc::new(vec![0u8; 64]);
        let quantizer = Additive {
            name: "residual",
            dim,
            bits: vec![bits; dims.len()],
            codebooks: Span {
                at: 0,
                count: 16,
                elem_bytes: 4,
            },
            splits: dims.iter().map(|dim| (*dim, 1)).collect(),
            norm_bits: 0,
        };
        AdditiveDecoder::open(&file, &quantizer)
    }

    #[test]
    fn a_quantizer_that_was_not_checked_is_refused() {
        opened(&[4, 4], 8, 1).unwrap();
        const HUGE: u64 = 1 << 63;
        let shapes: [(&[u64], u64, u8); 5] = [
            (&[HUGE, HUGE], 0, 1),
            (&[u64::MAX, 1], u64::MAX, 1),
            (&[HUGE], HUGE, 1),
            (&[4, 4], 8, 24),
            (&[], 0, 1),
        ];
        for (dims, dim, bits) in shapes {
            let error = opened(dims, dim, bits).unwrap_err();
            assert_eq!(
                error.kind(),
                milvusdm_plugin_api::ErrorKind::Format,
                "{error}"
            );
        }
    }
}
