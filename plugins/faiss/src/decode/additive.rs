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
    /// `Io`, or `Format` where the file ends.
    pub fn open(file: &Arc<dyn ReadAt>, quantizer: &Additive) -> Result<Self> {
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
