// SPDX-License-Identifier: Apache-2.0
//! Quantizers: scalar, product, additive (index_write.cpp `write_ScalarQuantizer`,
//! `write_ProductQuantizer`, `write_AdditiveQuantizer` and those built on it).

use milvusdm_plugin_api::Result;

use super::cursor::{Cursor, Span, damaged};

/// Most sub-quantizers of any quantizer here.
const MAX_PARTS: u64 = 1 << 16;
/// Most bits of a code of one sub-quantizer.
const MAX_BITS: u64 = 24;

/// A scalar quantizer (ScalarQuantizer.h).
#[derive(Debug, Clone)]
pub struct Scalar {
    /// `QuantizerType`.
    pub kind: i32,
    /// Dimension.
    pub dim: u64,
    /// Bytes of a code.
    pub code_bytes: u64,
    /// Ranges or centroids.
    pub trained: Span,
}

/// A product quantizer (ProductQuantizer.h).
#[derive(Debug, Clone)]
pub struct Product {
    /// Dimension.
    pub dim: u64,
    /// Sub-spaces.
    pub parts: u64,
    /// Bits of a sub-space's code.
    pub bits: u64,
    /// `parts` x 2^`bits` x `dim`/`parts` floats.
    pub centroids: Span,
}

impl Product {
    /// Bytes of a code.
    pub fn code_bytes(&self) -> u64 {
        self.parts.saturating_mul(self.bits).div_ceil(8)
    }

    /// Makes sure that the numbers fit each other, so that a decoder can count on them; the
    /// parser lets those of an untrained index pass.
    ///
    /// # Errors
    /// `Format` at `at` where they don't.
    pub fn check(&self, at: u64) -> Result<()> {
        let Self {
            dim, parts, bits, ..
        } = *self;
        let shape =
            format!("a product quantizer of {dim} dimensions in {parts} parts of {bits} bits");
        let is_known = (1..=MAX_PARTS).contains(&parts) && (1..=MAX_BITS).contains(&bits);
        if !is_known || dim % parts != 0 {
            return Err(damaged(at, format!("{shape} can't be")));
        }
        let wanted = dim.checked_mul(1 << bits);
        if wanted != Some(self.centroids.count) {
            return Err(damaged(
                at,
                format!(
                    "{shape} has {} numbers of centroids, expected {}",
                    self.centroids.count,
                    wanted.map_or_else(|| "more than any file has".to_owned(), |n| n.to_string())
                ),
            ));
        }
        Ok(())
    }
}

/// An additive quantizer (AdditiveQuantizer.h).
#[derive(Debug, Clone)]
pub struct Additive {
    /// `residual`, `local search`, with `product` before it where it is one.
    pub name: &'static str,
    /// Dimension.
    pub dim: u64,
    /// Bits of each part's code.
    pub bits: Vec<u8>,
    /// Sums of `bits` entries.
    pub codebooks: Span,
    /// Sub-spaces of equal width that are quantized apart: (dimension, parts) of each.
    pub splits: Vec<(u64, usize)>,
    /// Bits of the norm behind the codes.
    pub norm_bits: u64,
}

impl Additive {
    /// Bytes of a code.
    pub fn code_bytes(&self) -> u64 {
        let bits: u64 = self.bits.iter().map(|b| u64::from(*b)).sum();
        (bits + self.norm_bits).div_ceil(8)
    }

    /// Makes sure that the numbers fit each other, so that a decoder can count on them; the
    /// parser lets those of an untrained index pass.
    ///
    /// # Errors
    /// `Format` at `at` where they don't.
    pub fn check(&self, at: u64) -> Result<()> {
        let dims = self
            .splits
            .iter()
            .try_fold(0u64, |sum, (dim, _)| sum.checked_add(*dim));
        let parts: usize = self.splits.iter().map(|(_, parts)| *parts).sum();
        if dims != Some(self.dim) || parts != self.bits.len() || parts == 0 {
            return Err(damaged(
                at,
                format!(
                    "sub-quantizers of {} dimensions and {parts} parts don't make up a quantizer of {} and {}",
                    dims.map_or_else(|| "too many".to_owned(), |n| n.to_string()),
                    self.dim,
                    self.bits.len()
                ),
            ));
        }
        let mut bits = self.bits.iter();
        let mut wanted = Some(0u64);
        for (dim, parts) in &self.splits {
            // At most 2^24 entries in each of 2^16 parts.
            let entries: u64 = bits.by_ref().take(*parts).map(|b| 1u64 << b).sum();
            let numbers = entries.checked_mul(*dim);
            wanted = wanted
                .zip(numbers)
                .and_then(|(sum, more)| sum.checked_add(more));
        }
        if wanted != Some(self.codebooks.count) {
            return Err(damaged(
                at,
                format!(
                    "found codebooks of {} numbers, expected {}",
                    self.codebooks.count,
                    wanted.map_or_else(|| "more than any file has".to_owned(), |n| n.to_string())
                ),
            ));
        }
        Ok(())
    }
}

/// Which additive quantizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdditiveKind {
    /// ResidualQuantizer.
    Residual,
    /// ResidualQuantizer as written by 1.7.1 (index_read.cpp `read_ResidualQuantizer_old`).
    OldResidual,
    /// LocalSearchQuantizer.
    LocalSearch,
    /// ProductResidualQuantizer.
    ProductResidual,
    /// ProductLocalSearchQuantizer.
    ProductLocalSearch,
}

/// Reads a scalar quantizer; `trained` as the index' header says.
///
/// # Errors
/// `Format` where it does not fit the index.
pub fn scalar(cursor: &mut Cursor<'_>, dim: u32, is_trained: bool) -> Result<Scalar> {
    let at = cursor.position();
    let kind = cursor.i32("the scalar quantizer's type")?;
    cursor.i32("the scalar quantizer's range")?;
    cursor.f32("the scalar quantizer's range argument")?;
    let found = cursor.u64("the scalar quantizer's dimension")?;
    let code_bytes = cursor.u64("the scalar quantizer's code size")?;
    let trained = cursor.vector(4, "the scalar quantizer's ranges")?;
    if is_trained && found != u64::from(dim) {
        return Err(damaged(
            at,
            format!("the scalar quantizer has {found} dimensions, the index {dim}"),
        ));
    }
    Ok(Scalar {
        kind,
        dim: found,
        code_bytes,
        trained,
    })
}

/// Reads a product quantizer.
///
/// # Errors
/// `Format` where it does not fit the index.
pub fn product(cursor: &mut Cursor<'_>, dim: u32, is_trained: bool) -> Result<Product> {
    let at = cursor.position();
    let found = cursor.u64("the product quantizer's dimension")?;
    let parts = cursor.u64("the product quantizer's parts")?;
    let bits = cursor.u64("the product quantizer's bits")?;
    let centroids = cursor.vector(4, "the product quantizer's centroids")?;
    let product = Product {
        dim: found,
        parts,
        bits,
        centroids,
    };
    if !is_trained {
        return Ok(product);
    }
    if found != u64::from(dim) {
        return Err(damaged(
            at,
            format!(
                "a product quantizer of {found} dimensions in {parts} parts of {bits} bits, but the index has {dim} dimensions"
            ),
        ));
    }
    product.check(at)?;
    Ok(product)
}

/// Reads an additive quantizer.
///
/// # Errors
/// `Format` where it does not fit the index.
pub fn additive(
    cursor: &mut Cursor<'_>,
    kind: AdditiveKind,
    dim: u32,
    is_trained: bool,
) -> Result<Additive> {
    let at = cursor.position();
    let mut quantizer = additive_base(cursor, kind == AdditiveKind::OldResidual)?;
    match kind {
        AdditiveKind::Residual => residual_tail(cursor)?,
        AdditiveKind::OldResidual => {}
        AdditiveKind::LocalSearch => local_search_tail(cursor)?,
        AdditiveKind::ProductResidual | AdditiveKind::ProductLocalSearch => {
            let splits = cursor.u64("the number of sub-quantizers")?;
            if splits > MAX_PARTS {
                return Err(damaged(at, format!("{splits} sub-quantizers can't be")));
            }
            quantizer.splits.clear();
            for _ in 0..splits {
                let part = additive_base(cursor, false)?;
                match kind {
                    AdditiveKind::ProductResidual => residual_tail(cursor)?,
                    _ => local_search_tail(cursor)?,
                }
                quantizer.splits.push((part.dim, part.bits.len()));
            }
        }
    }
    quantizer.name = match kind {
        AdditiveKind::Residual | AdditiveKind::OldResidual => "residual",
        AdditiveKind::LocalSearch => "local search",
        AdditiveKind::ProductResidual => "product residual",
        AdditiveKind::ProductLocalSearch => "product local search",
    };
    if is_trained {
        if quantizer.dim != u64::from(dim) {
            return Err(damaged(
                at,
                format!(
                    "the quantizer has {} dimensions, the index {dim}",
                    quantizer.dim
                ),
            ));
        }
        quantizer.check(at)?;
    }
    Ok(quantizer)
}

fn additive_base(cursor: &mut Cursor<'_>, old: bool) -> Result<Additive> {
    let at = cursor.position();
    let dim = cursor.u64("the quantizer's dimension")?;
    let parts = cursor.u64("the quantizer's parts")?;
    let counts = cursor.vector(8, "the bits of each part")?;
    if parts > MAX_PARTS || counts.count != parts {
        return Err(damaged(
            at,
            format!(
                "{parts} parts with {} counts of bits can't be",
                counts.count
            ),
        ));
    }
    let mut bits = Vec::new();
    let mut table = Cursor::at(cursor.file(), counts.at);
    for part in 0..parts {
        let count = table.u64("the bits of a part")?;
        let count = u8::try_from(count)
            .ok()
            .filter(|b| u64::from(*b) <= MAX_BITS && *b > 0);
        bits.push(count.ok_or_else(|| {
            damaged(
                counts.at + part * 8,
                format!("the bits of a part must be 1 to {MAX_BITS}"),
            )
        })?);
    }
    cursor.bool("the quantizer's `is_trained`")?;
    if old {
        residual_tail(cursor)?;
    }
    let codebooks = cursor.vector(4, "the codebooks")?;
    let search = cursor.i32("the quantizer's search type")?;
    cursor.f32("the least norm")?;
    cursor.f32("the largest norm")?;
    if !old && (6..=9).contains(&search) {
        cursor.quad_vector("the norms' codes")?;
        if search >= 8 {
            cursor.vector(4, "the norms' tables")?;
        }
    }
    // AdditiveQuantizer::set_derived_values
    let norm_bits = match search {
        3 => 32,
        4 | 6 | 8 | 9 => 8,
        5 | 7 => 4,
        0..=2 => 0,
        _ => return Err(damaged(at, format!("the unknown search type {search}"))),
    };
    let splits = vec![(dim, bits.len())];
    Ok(Additive {
        name: "additive",
        dim,
        bits,
        codebooks,
        splits,
        norm_bits,
    })
}

fn residual_tail(cursor: &mut Cursor<'_>) -> Result<()> {
    cursor
        .skip(8, "the residual quantizer's settings")
        .map(|_| ())
}

/// K, train_iters, encode_ils_iters, train_ils_iters, icm_iters: u64; p, lambd: f32;
/// chunk_size: u64; random_seed: i32; nperts: u64; update_codebooks_with_double: bool.
fn local_search_tail(cursor: &mut Cursor<'_>) -> Result<()> {
    cursor
        .skip(
            5 * 8 + 4 + 4 + 8 + 4 + 8 + 1,
            "the local search quantizer's settings",
        )
        .map(|_| ())
}
