// SPDX-License-Identifier: Apache-2.0
//! Inverted files of differences whose centroids are combined from a quantizer's tables: good ones,
//! and hostile ones whose coarse quantizer says that it was not trained, and so was not checked.
#![allow(dead_code)]

use crate::build::Bytes;

/// Dimension of all of them.
const DIM: u32 = 4;

/// A header that says whether the index was trained.
fn header(fourcc: &[u8; 4], ntotal: u64, is_trained: bool) -> Bytes {
    let mut bytes = Bytes::index(fourcc, DIM, ntotal, 1);
    // Behind the type, the dimension, and three numbers.
    let flag = 4 + 4 + 3 * 8;
    bytes.0[flag] = u8::from(is_trained);
    bytes
}

/// A product quantizer with centroids of zeros.
fn product(bytes: &mut Bytes, dim: u64, parts: u64, bits: u64, centroids: u64) {
    bytes.u64(dim).u64(parts).u64(bits).u64(centroids);
    bytes.put(&vec![0; centroids as usize * 4]);
}

/// An additive quantizer with codebooks of zeros.
fn additive(bytes: &mut Bytes, dim: u64, bits: &[u64], codebooks: u64) {
    bytes.u64(dim).u64(bits.len() as u64).u64(bits.len() as u64);
    for count in bits {
        bytes.u64(*count);
    }
    bytes.put(&[1]).u64(codebooks);
    bytes.put(&vec![0; codebooks as usize * 4]);
    // The search type and the norms' range.
    bytes.put(&[0; 12]);
}

/// A multi-index quantizer of 4 cells.
fn multi_index(is_trained: bool, dim: u64, parts: u64, bits: u64, centroids: u64) -> Bytes {
    let mut bytes = header(b"Imiq", 4, is_trained);
    product(&mut bytes, dim, parts, bits, centroids);
    bytes
}

/// A residual coarse quantizer of 4 cells.
fn residual(is_trained: bool, dim: u64, bits: &[u64], codebooks: u64) -> Bytes {
    let mut bytes = header(b"ImRQ", 4, is_trained);
    additive(&mut bytes, dim, bits, codebooks);
    // The quantizer's settings, and the factor of its beam.
    bytes.put(&[0; 8]).put(&[0; 4]);
    bytes
}

/// A product residual index without rows; parts of `dims` dimensions.
fn product_residual(is_trained: bool, dims: &[u64]) -> Bytes {
    let mut bytes = header(b"IxPR", 0, is_trained);
    additive(&mut bytes, DIM.into(), &vec![1; dims.len()], 8);
    bytes.u64(dims.len() as u64);
    for dim in dims {
        additive(&mut bytes, *dim, &[1], 4);
        bytes.put(&[0; 8]);
    }
    // The size of a code, and no codes.
    bytes.u64(1).u64(0);
    bytes
}

/// A trained `IVF4,PQ` of differences to the centroids of `coarse`: two rows in each list.
fn around(coarse: &Bytes) -> Bytes {
    let mut bytes = header(b"IwPQ", 8, true);
    bytes.u64(4).u64(1).put(&coarse.0).put(&[0]).u64(0);
    bytes.put(&[1]).u64(1);
    product(&mut bytes, DIM.into(), 2, 2, 16);
    bytes.put(b"ilar").u64(4).u64(1).put(b"full").u64(4);
    for _ in 0..4 {
        bytes.u64(2);
    }
    for list in 0..4u64 {
        bytes.put(&[0x0A, 0x05]).u64(2 * list).u64(2 * list + 1);
    }
    bytes
}

/// Files that can be read, and whose bytes are worth tampering with.
pub fn good() -> Vec<(&'static str, Bytes)> {
    vec![
        ("Imiq", around(&multi_index(true, 4, 2, 1, 8))),
        ("ImRQ", around(&residual(true, 4, &[1, 1], 16))),
    ]
}

/// Files that must be refused.
pub fn hostile() -> Vec<(&'static str, Bytes)> {
    const HUGE: u64 = 1 << 63;
    vec![
        ("Imiq, 64 bits", around(&multi_index(false, 4, 2, 64, 8))),
        ("Imiq, 0 parts", around(&multi_index(false, 4, 0, 1, 8))),
        ("Imiq, huge", around(&multi_index(false, HUGE, 2, 2, 8))),
        ("ImRQ, huge", around(&residual(false, HUGE, &[1, 1], 16))),
        ("ImRQ, short", around(&residual(false, 4, &[24, 24], 16))),
        (
            "IxPR, huge",
            around(&product_residual(false, &[HUGE, HUGE])),
        ),
        (
            "IxPR, max",
            around(&product_residual(false, &[u64::MAX, 1])),
        ),
    ]
}
