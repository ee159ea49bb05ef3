// SPDX-License-Identifier: Apache-2.0
//! Indexes whose vectors lie row after row, and those that are put around an index: id maps,
//! graphs, refinements, transforms.

use milvusdm_plugin_api::Result;

use super::cursor::{Cursor, Span, damaged};
use super::index::{check_dimension, check_part, dimension, ntotal, parse_part};
use super::node::{Body, Codec, Header, Metric, Node};
use super::quantizer::{AdditiveKind, additive, product, scalar};
use super::{graph, transform};

/// Most transforms of one chain.
const MAX_CHAIN: i32 = 64;

/// Type codes of this module, and their classes.
pub const CLASSES: &[(&[u8; 4], &str)] = &[
    (b"IxF2", "IndexFlatL2"),
    (b"IxFI", "IndexFlatIP"),
    (b"IxFl", "IndexFlat"),
    (b"IxSQ", "IndexScalarQuantizer"),
    (b"IxPQ", "IndexPQ"),
    (b"IxPo", "IndexPQ"),
    (b"IxPq", "IndexPQ"),
    (b"IPfs", "IndexPQFastScan"),
    (b"IxRQ", "IndexResidualQuantizer"),
    (b"IxRq", "IndexResidualQuantizer"),
    (b"IxLS", "IndexLocalSearchQuantizer"),
    (b"IxPR", "IndexProductResidualQuantizer"),
    (b"IxPL", "IndexProductLocalSearchQuantizer"),
    (b"IxMp", "IndexIDMap"),
    (b"IxM2", "IndexIDMap2"),
    (b"IHNf", "IndexHNSWFlat"),
    (b"IHNs", "IndexHNSWSQ"),
    (b"IHNp", "IndexHNSWPQ"),
    (b"IHN2", "IndexHNSW2Level"),
    (b"IH00", "IndexHNSW"),
    (b"IHfP", "IndexHNSWFlatPanorama"),
    (b"IHNc", "IndexHNSWCagra"),
    (b"IHc2", "IndexHNSWCagra"),
    (b"IHNr", "IndexHNSWRaBitQ"),
    (b"INSf", "IndexNSGFlat"),
    (b"INSp", "IndexNSGPQ"),
    (b"INSs", "IndexNSGSQ"),
    (b"INNf", "IndexNNDescentFlat"),
    (b"IxRF", "IndexRefine"),
    (b"IxRP", "IndexRefinePanorama"),
    (b"IxPT", "IndexPreTransform"),
];

/// Reads what follows the header.
///
/// # Errors
/// `Format` for damage, `Unsupported` for parts that are not known.
pub fn body(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<()> {
    node.body = match &node.fourcc.0 {
        b"IxF2" | b"IxFI" | b"IxFl" => {
            let at = cursor.position();
            let codes = cursor.quad_vector("the vectors")?;
            let wanted = node.header.ntotal.checked_mul(node.header.dim.into());
            if wanted != Some(codes.count) {
                return Err(damaged(
                    at,
                    format!(
                        "found {} numbers, expected {} vectors x {} dimensions",
                        codes.count, node.header.ntotal, node.header.dim
                    ),
                ));
            }
            Body::Flat { codes }
        }
        b"IxMp" | b"IxM2" => {
            let inner = parse_part(cursor, depth + 1)?;
            let ids = id_map(cursor, node)?;
            check_part(node, &inner, "index")?;
            Body::IdMap {
                inner: Box::new(inner),
                ids,
            }
        }
        b"IxRF" | b"IxRP" => refine(cursor, node, depth)?,
        b"IxPT" => pre_transform(cursor, node, depth)?,
        [b'I', b'H', ..] | [b'I', b'N', ..] => over(cursor, node, depth)?,
        b"IPfs" => fast_scan(cursor, node)?,
        _ => codes(cursor, node)?,
    };
    Ok(())
}

/// Reads the ids of an id map.
///
/// # Errors
/// `Format` if there are not as many as vectors.
pub fn id_map(cursor: &mut Cursor<'_>, node: &Node) -> Result<Span> {
    let at = cursor.position();
    let ids = cursor.vector(8, "the id map")?;
    if ids.count != node.header.ntotal {
        return Err(damaged(
            at,
            format!(
                "the id map has {} ids, expected {}",
                ids.count, node.header.ntotal
            ),
        ));
    }
    Ok(ids)
}

/// IndexFlatPanorama has a header of its own.
///
/// # Errors
/// `Format` for damage.
pub fn panorama(cursor: &mut Cursor<'_>, node: &mut Node) -> Result<()> {
    let (class, metric) = match &node.fourcc.0 {
        b"IxFP" => ("IndexFlatL2Panorama", Metric::L2),
        _ => ("IndexFlatIPPanorama", Metric::INNER_PRODUCT),
    };
    let dim = dimension(cursor)?;
    let levels = cursor.u64("the number of levels")?;
    let batch = cursor.u64("the rows of a block")?;
    let ntotal = ntotal(cursor)?;
    let is_trained = cursor.bool("`is_trained`")?;
    node.class = class;
    node.header = Header {
        dim,
        ntotal,
        is_trained,
        metric,
    };
    check_dimension(dim, ntotal, node.at)?;
    if levels == 0 || batch == 0 {
        return Err(damaged(
            node.at,
            format!("a panorama layout of {levels} levels and blocks of {batch} rows can't be"),
        ));
    }
    let at = cursor.position();
    let codes = cursor.vector(1, "the vectors")?;
    let row_bytes = u64::from(dim) * 4;
    let padded = ntotal.div_ceil(batch).checked_mul(batch);
    if padded.and_then(|rows| rows.checked_mul(row_bytes)) != Some(codes.count) {
        return Err(damaged(
            at,
            format!(
                "found {} bytes of vectors, expected {ntotal} of {row_bytes} bytes in blocks of {batch}",
                codes.count
            ),
        ));
    }
    cursor.vector(4, "the partial norms")?;
    node.facts.push(("levels", levels.into()));
    node.facts.push(("batch", batch.into()));
    node.body = Body::FlatPanorama {
        levels,
        batch,
        codes,
    };
    Ok(())
}

fn over(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<Body> {
    let header = node.header;
    match &node.fourcc.0 {
        b"IHfP" => {
            node.facts
                .push(("levels", cursor.u64("the number of levels")?.into()));
            cursor.vector(4, "the partial norms")?;
        }
        b"IHNc" => cursor
            .skip(1 + 1 + 4, "the settings of the graph")
            .map(|_| ())?,
        b"IHc2" => cursor
            .skip(1 + 1 + 4 + 4, "the settings of the graph")
            .map(|_| ())?,
        [b'I', b'N', b'S', _] => {
            cursor.skip(4 + 1 + 4 * 4, "the settings of the graph")?;
        }
        _ => {}
    }
    match &node.fourcc.0 {
        [b'I', b'N', b'S', _] => graph::nsg(cursor, &header, &mut node.facts)?,
        [b'I', b'N', b'N', _] => graph::nn_descent(cursor, &mut node.facts)?,
        _ => graph::hnsw(cursor, &header, &mut node.facts)?,
    }
    let storage = parse_part(cursor, depth + 1)?;
    if &node.fourcc.0 == b"IHNr" {
        cursor.skip(1, "the settings of the graph")?;
    }
    check_part(node, &storage, "storage")?;
    Ok(Body::Over {
        storage: Box::new(storage),
    })
}

fn refine(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<Body> {
    let base = parse_part(cursor, depth + 1)?;
    let refine = parse_part(cursor, depth + 1)?;
    node.facts
        .push(("k_factor", f64::from(cursor.f32("k_factor")?).into()));
    check_part(node, &base, "base index")?;
    check_part(node, &refine, "refine index")?;
    Ok(Body::Refine {
        base: Box::new(base),
        refine: Box::new(refine),
    })
}

fn pre_transform(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<Body> {
    let at = cursor.position();
    let length = cursor.i32("the number of transforms")?;
    if !(0..=MAX_CHAIN).contains(&length) {
        return Err(damaged(
            at,
            format!("the chain has {length} transforms, expected 0 to {MAX_CHAIN}"),
        ));
    }
    let mut chain = Vec::new();
    let mut dim = node.header.dim;
    for _ in 0..length {
        let transform = transform::parse(cursor, depth + 1)?;
        if transform.dim_in != dim {
            return Err(damaged(
                transform.at,
                format!(
                    "a {} takes {} dimensions, but gets {dim}",
                    transform.class, transform.dim_in
                ),
            ));
        }
        dim = transform.dim_out;
        chain.push(transform);
    }
    let inner = parse_part(cursor, depth + 1)?;
    let is_null = matches!(inner.body, Body::Null);
    if !is_null && (inner.header.ntotal != node.header.ntotal || inner.header.dim != dim) {
        return Err(damaged(
            inner.at,
            format!(
                "the transformed index has {} vectors of {} dimensions, expected {} of {dim}",
                inner.header.ntotal, inner.header.dim, node.header.ntotal
            ),
        ));
    }
    Ok(Body::PreTransform {
        chain,
        inner: Box::new(inner),
    })
}

fn codes(cursor: &mut Cursor<'_>, node: &mut Node) -> Result<Body> {
    let Header {
        dim,
        is_trained,
        ntotal,
        ..
    } = node.header;
    let (codec, code_bytes) = match &node.fourcc.0 {
        b"IxSQ" => {
            let quantizer = scalar(cursor, dim, is_trained)?;
            let code_bytes = quantizer.code_bytes;
            (Codec::Scalar(quantizer), code_bytes)
        }
        b"IxPQ" | b"IxPo" | b"IxPq" => {
            let quantizer = product(cursor, dim, is_trained)?;
            let code_bytes = quantizer.code_bytes();
            (Codec::Product(quantizer), code_bytes)
        }
        other => {
            let kind = match other {
                b"IxRq" => AdditiveKind::Residual,
                b"IxRQ" => AdditiveKind::OldResidual,
                b"IxLS" => AdditiveKind::LocalSearch,
                b"IxPR" => AdditiveKind::ProductResidual,
                _ => AdditiveKind::ProductLocalSearch,
            };
            let quantizer = additive(cursor, kind, dim, is_trained)?;
            let code_bytes = cursor.u64("the code size")?;
            (Codec::Additive(quantizer), code_bytes)
        }
    };
    let at = cursor.position();
    let codes = cursor.vector(1, "the codes")?;
    if ntotal.checked_mul(code_bytes) != Some(codes.count) {
        return Err(damaged(
            at,
            format!(
                "found {} bytes of codes, expected {ntotal} of {code_bytes} bytes",
                codes.count
            ),
        ));
    }
    if matches!(&node.fourcc.0, b"IxPo" | b"IxPq") {
        cursor.skip(4 + 1 + 4, "the search settings")?;
    }
    if matches!(&node.fourcc.0, b"IxPo" | b"IxPQ") {
        // Old versions wrote 0 where they meant L2 (index_read.cpp).
        node.header.metric = Metric::L2;
    }
    Ok(Body::Codes {
        codec,
        code_bytes,
        codes,
    })
}

fn fast_scan(cursor: &mut Cursor<'_>, node: &mut Node) -> Result<Body> {
    let Header {
        dim,
        is_trained,
        ntotal,
        ..
    } = node.header;
    let quantizer = product(cursor, dim, is_trained)?;
    let at = cursor.position();
    cursor.i32("implem")?;
    let block_rows = cursor.i32("the rows of a block")?;
    cursor.i32("qbs")?;
    let padded = cursor.u64("the padded number of vectors")?;
    let padded_parts = cursor.u64("the padded number of parts")?;
    let codes = cursor.vector(1, "the codes")?;
    let block_rows = u64::try_from(block_rows).unwrap_or(0);
    if is_trained || ntotal > 0 {
        let fits = block_rows > 0
            && block_rows % 32 == 0
            && quantizer.bits == 4
            && padded_parts == quantizer.parts.next_multiple_of(2)
            && padded == ntotal.next_multiple_of(block_rows)
            && padded.checked_mul(padded_parts / 2) == Some(codes.count);
        if !fits {
            return Err(damaged(
                at,
                format!(
                    "{ntotal} vectors of {} parts of {} bits, padded to {padded} and {padded_parts}, in blocks of {block_rows}, don't fit {} bytes of codes",
                    quantizer.parts, quantizer.bits, codes.count
                ),
            ));
        }
    }
    node.facts.push(("block_rows", block_rows.into()));
    Ok(Body::FastScan {
        quantizer,
        block_rows,
        codes,
    })
}
