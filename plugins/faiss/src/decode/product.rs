// SPDX-License-Identifier: Apache-2.0
//! Product quantizers: each sub-space by itself (ProductQuantizer.cpp).

use std::sync::Arc;

use milvusdm_plugin_api::Result;

use super::bits::BitReader;
use super::table::Table;
use crate::format::ReadAt;
use crate::format::quantizer::Product;

/// Decodes the codes of one product quantizer.
#[derive(Debug)]
pub struct ProductDecoder {
    bits: u32,
    /// Dimensions of a sub-space.
    width: usize,
    centroids: Table,
}

impl ProductDecoder {
    /// Opens the centroids.
    ///
    /// # Errors
    /// `Io`, or `Format` where the file ends or the quantizer's numbers don't fit each other.
    pub fn open(file: &Arc<dyn ReadAt>, quantizer: &Product) -> Result<Self> {
        // Everything below counts in numbers that are bounded by those of the centroids.
        quantizer.check(quantizer.centroids.at)?;
        Ok(Self {
            bits: quantizer.bits as u32,
            width: (quantizer.dim / quantizer.parts.max(1)) as usize,
            centroids: Table::open(file, quantizer.centroids, "the centroids")?,
        })
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> u64 {
        self.centroids.held_bytes()
    }

    /// Decodes one vector.
    ///
    /// # Errors
    /// `Io`, or `Format` where the file ends.
    pub fn decode(&self, code: &[u8], out: &mut [f32], scratch: &mut Vec<f32>) -> Result<()> {
        self.each(code, out, scratch, |out, centroid| {
            out.copy_from_slice(centroid)
        })
    }

    /// Decodes one vector and adds it.
    ///
    /// # Errors
    /// `Io`, or `Format` where the file ends.
    pub fn add(&self, code: &[u8], out: &mut [f32], scratch: &mut Vec<f32>) -> Result<()> {
        self.each(code, out, scratch, |out, centroid| {
            for (x, c) in out.iter_mut().zip(centroid) {
                *x += c;
            }
        })
    }

    fn each(
        &self,
        code: &[u8],
        out: &mut [f32],
        scratch: &mut Vec<f32>,
        mut put: impl FnMut(&mut [f32], &[f32]),
    ) -> Result<()> {
        let mut reader = BitReader::new(code);
        for (part, out) in out.chunks_exact_mut(self.width.max(1)).enumerate() {
            let entry = ((part as u64) << self.bits) + u64::from(reader.take(self.bits));
            let centroid = self
                .centroids
                .get(entry * self.width as u64, self.width, scratch)?;
            put(out, centroid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Span;

    #[test]
    fn a_quantizer_that_was_not_checked_is_refused() {
        let centroids = Span {
            at: 0,
            count: 8,
            elem_bytes: 4,
        };
        let file: Arc<dyn ReadAt> = Arc::new(vec![0u8; 32]);
        let shapes = [(4, 2, 64), (4, 0, 1), (4, 3, 1), (1 << 63, 2, 2), (4, 2, 0)];
        for (dim, parts, bits) in shapes {
            let quantizer = Product {
                dim,
                parts,
                bits,
                centroids,
            };
            let error = ProductDecoder::open(&file, &quantizer).unwrap_err();
            assert!(
                error.to_string().contains("product quantizer of"),
                "{error}"
            );
        }
    }

    #[test]
    fn five_bit_codes_choose_a_centroid_of_each_part() {
        // 2 parts of 2 dimensions; centroid c of part p is (100 p + c, -c).
        let floats: Vec<f32> = (0..2)
            .flat_map(|p| (0..32).flat_map(move |c| [(100 * p + c) as f32, -c as f32]))
            .collect();
        let file: Vec<u8> = floats.iter().flat_map(|f| f.to_le_bytes()).collect();
        let centroids = Span {
            at: 0,
            count: 128,
            elem_bytes: 4,
        };
        let file: Arc<dyn ReadAt> = Arc::new(file);
        let quantizer = Product {
            dim: 4,
            parts: 2,
            bits: 5,
            centroids,
        };
        let decoder = ProductDecoder::open(&file, &quantizer).unwrap();
        let mut out = [0.0; 4];
        let code = 7u16 | 31 << 5;
        decoder
            .decode(&code.to_le_bytes(), &mut out, &mut Vec::new())
            .unwrap();
        assert_eq!(out, [7.0, -7.0, 131.0, -31.0]);
    }
}
