// SPDX-License-Identifier: Apache-2.0
//! Checks that codes can be decoded at all, and says what they have lost.

use milvusdm_plugin_api::Result;

use crate::decode::scalar::{self, ScalarKind};
use crate::format::cursor::damaged;
use crate::format::quantizer::{Additive, Product, Scalar};
use crate::format::{Codec, Node};

/// What the codes of an index have lost against the vectors that were put in, if something.
///
/// # Errors
/// `Unsupported` for codes that can't be decoded, `Format` where their size does not fit.
pub fn of_codes(codec: &Codec, node: &Node, rows: u64, code_bytes: u64) -> Result<Option<String>> {
    if matches!(codec, Codec::Floats | Codec::Bits) || rows == 0 {
        return Ok(None);
    }
    if !node.header.is_trained {
        return Err(damaged(
            node.at,
            format!(
                "the {} says that it was not trained, but holds {rows} vectors",
                node.class
            ),
        ));
    }
    let (wanted, loss) = match codec {
        Codec::Scalar(sq) => of_scalar(sq, node)?,
        Codec::Product(pq) => (pq.code_bytes(), Some(of_product(pq))),
        Codec::Additive(aq) => (aq.code_bytes(), Some(of_additive(aq))),
        Codec::Floats | Codec::Bits | Codec::Unreadable(_) => (code_bytes, None),
    };
    if wanted != code_bytes {
        return Err(damaged(
            node.at,
            format!(
                "the {} has codes of {code_bytes} bytes, expected {wanted}",
                node.class
            ),
        ));
    }
    Ok(loss)
}

/// What differences to centroids have lost, whatever they are encoded in.
pub fn of_differences() -> String {
    "only the differences to the centroids of the lists are stored, each number of them rounded"
        .to_owned()
}

fn of_scalar(sq: &Scalar, node: &Node) -> Result<(u64, Option<String>)> {
    let kind = ScalarKind::of(sq.kind).filter(|kind| kind.scale.is_some());
    let kind = kind.ok_or_else(|| {
        scalar::unknown(sq.kind)
            .with("class", node.class)
            .with("offset", node.at)
    })?;
    let loss = format!(
        "each number was rounded to {} bits (scalar quantizer {})",
        kind.bits, kind.name
    );
    let code_bytes = sq.dim.saturating_mul(kind.bits).div_ceil(8);
    Ok((code_bytes, (!kind.is_bit_exact()).then_some(loss)))
}

fn of_product(pq: &Product) -> String {
    format!(
        "each of {} parts of a vector was replaced by the nearest of {} centroids (product quantizer)",
        pq.parts,
        1u64 << pq.bits.min(24)
    )
}

fn of_additive(quantizer: &Additive) -> String {
    format!(
        "each vector was replaced by the sum of {} entries of codebooks ({} quantizer)",
        quantizer.bits.len(),
        quantizer.name
    )
}
