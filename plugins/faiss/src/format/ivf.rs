// SPDX-License-Identifier: Apache-2.0
//! Inverted files: the header with its coarse quantizer and direct map, then what each class
//! writes before its lists (index_write.cpp `write_ivf_header` and its callers).

use milvusdm_plugin_api::Result;
use serde_json::Value;

use super::counted;
use super::cursor::{Cursor, damaged};
use super::index::parse_part;
use super::invlists::{self, ListTable, Lists, OLD_PANORAMA_BATCH};
use super::node::{Body, Codec, Header, Ivf, Node};
use super::quantizer::{AdditiveKind, additive, product, scalar};

/// Type codes of this module, and their classes.
pub const CLASSES: &[(&[u8; 4], &str)] = &[
    (b"IwFl", "IndexIVFFlat"),
    (b"IwFd", "IndexIVFFlatDedup"),
    (b"IwPn", "IndexIVFFlatPanorama"),
    (b"IwP2", "IndexIVFFlatPanorama"),
    (b"IvFl", "IndexIVFFlat"),
    (b"IvFL", "IndexIVFFlat"),
    (b"IwSq", "IndexIVFScalarQuantizer"),
    (b"IwSQ", "IndexIVFScalarQuantizer"),
    (b"IvSQ", "IndexIVFScalarQuantizer"),
    (b"IwPQ", "IndexIVFPQ"),
    (b"IvPQ", "IndexIVFPQ"),
    (b"IwQR", "IndexIVFPQR"),
    (b"IvQR", "IndexIVFPQR"),
    (b"IwPf", "IndexIVFPQFastScan"),
    (b"IwRQ", "IndexIVFResidualQuantizer"),
    (b"IwLS", "IndexIVFLocalSearchQuantizer"),
    (b"IwPR", "IndexIVFProductResidualQuantizer"),
    (b"IwPL", "IndexIVFProductLocalSearchQuantizer"),
];

/// The fields of every inverted file.
pub struct IvfHeader {
    /// Number of lists.
    pub nlist: u64,
    /// The coarse quantizer.
    pub quantizer: Node,
    /// Ids, where the layouts of 2017 have them here.
    pub ids: Option<Lists>,
}

/// Reads the fields of every inverted file, behind the common header.
///
/// # Errors
/// `Format` for damage, `Unsupported` for a quantizer that can't be walked over.
pub fn ivf_header(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<IvfHeader> {
    let nlist = cursor.u64("the number of lists")?;
    let nprobe = cursor.u64("nprobe")?;
    node.facts.push(("nlist", nlist.into()));
    node.facts.push(("nprobe", nprobe.into()));
    let quantizer = parse_part(cursor, depth + 1)?;
    if quantizer.header.dim != node.header.dim && !matches!(quantizer.body, Body::Null) {
        return Err(damaged(
            quantizer.at,
            format!(
                "the coarse quantizer has {} dimensions, but the {} around it {}",
                quantizer.header.dim, node.class, node.header.dim
            ),
        ));
    }
    let is_old = node.fourcc.0.starts_with(b"Iv");
    let ids = is_old
        .then(|| counted::counted_ids(cursor, nlist))
        .transpose()?;
    direct_map(cursor)?;
    Ok(IvfHeader {
        nlist,
        quantizer,
        ids,
    })
}

/// Passes over a direct map (index_write.cpp `write_direct_map`).
///
/// # Errors
/// `Format` for an unknown kind.
pub fn direct_map(cursor: &mut Cursor<'_>) -> Result<()> {
    let kind = cursor.u8("the kind of direct map")?;
    if kind > 2 {
        return Err(damaged(
            cursor.position() - 1,
            format!("the direct map is of kind {kind}, expected 0, 1 or 2"),
        ));
    }
    cursor.vector(8, "the direct map")?;
    if kind == 2 {
        cursor.vector(16, "the direct map's table")?;
    }
    Ok(())
}

/// Reads what follows the common header.
///
/// # Errors
/// `Format` for damage, `Unsupported` for parts that are not known.
pub fn body(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<()> {
    let header = ivf_header(cursor, node, depth)?;
    let ivf = match &node.fourcc.0 {
        b"IwFl" | b"IwFd" | b"IwPn" | b"IwP2" | b"IvFl" | b"IvFL" => flat(cursor, node, header)?,
        b"IwSq" | b"IwSQ" | b"IvSQ" => scalar_lists(cursor, node, header)?,
        b"IwPQ" | b"IvPQ" | b"IwQR" | b"IvQR" => product_lists(cursor, node, header)?,
        b"IwPf" => fast_scan(cursor, node, header)?,
        _ => additive_lists(cursor, node, header)?,
    };
    node.facts
        .push(("lists", Value::from(ivf.lists.fourcc.to_string().trim())));
    node.facts.push(("vectors_in_lists", ivf.lists.rows.into()));
    node.facts.push(("lists_in_use", ivf.lists.used.into()));
    node.body = Body::Ivf(Box::new(ivf));
    Ok(())
}

/// Reads the lists of a class that has code after code in them, of 2017 or later.
fn lists(
    cursor: &mut Cursor<'_>,
    nlist: u64,
    ids: Option<Lists>,
    code_bytes: u64,
    elem_bytes: u64,
) -> Result<Lists> {
    match ids {
        None => invlists::parse(cursor, nlist, Some(code_bytes)),
        Some(mut lists) => {
            counted::counted_codes(cursor, &mut lists, code_bytes, elem_bytes)?;
            Ok(lists)
        }
    }
}

fn flat(cursor: &mut Cursor<'_>, node: &mut Node, header: IvfHeader) -> Result<Ivf> {
    let IvfHeader {
        nlist,
        quantizer,
        ids,
    } = header;
    let mut instances = None;
    let mut batch = None;
    match &node.fourcc.0 {
        b"IwFd" => {
            let at = cursor.position();
            let numbers = cursor.vector(8, "the instances")?;
            if numbers.count % 2 != 0 {
                return Err(damaged(
                    at,
                    format!("expected pairs of ids, found {} numbers", numbers.count),
                ));
            }
            let pairs = numbers.count / 2;
            node.facts.push(("duplicates", pairs.into()));
            instances = Some(super::Span {
                at: numbers.at,
                count: pairs,
                elem_bytes: 16,
            });
        }
        b"IwPn" => {
            cursor.u64("the number of levels")?;
            batch = Some(OLD_PANORAMA_BATCH);
        }
        b"IwP2" => {
            cursor.u64("the number of levels")?;
            batch = Some(cursor.u64("the rows of a block")?);
        }
        _ => {}
    }
    let elem_bytes = if &node.fourcc.0 == b"IvFl" { 4 } else { 1 };
    let lists = lists(
        cursor,
        nlist,
        ids,
        u64::from(node.header.dim) * 4,
        elem_bytes,
    )?;
    match (batch, &lists.table) {
        (None, ListTable::Full { .. } | ListTable::Sparse { .. } | ListTable::OnDisk { .. })
        | (None, ListTable::Counted { .. })
        | (_, ListTable::Absent) => {}
        (Some(wanted), ListTable::Panorama { batch, levels, .. }) if wanted == *batch => {
            node.facts.push(("levels", (*levels).into()));
            node.facts.push(("batch", (*batch).into()));
        }
        _ => {
            return Err(damaged(
                lists.at,
                format!(
                    "lists of the type `{}` don't belong to an {}",
                    lists.fourcc, node.class
                ),
            ));
        }
    }
    Ok(Ivf {
        quantizer,
        codec: Codec::Floats,
        by_residual: false,
        lists,
        instances,
        refinement: None,
    })
}

fn scalar_lists(cursor: &mut Cursor<'_>, node: &Node, header: IvfHeader) -> Result<Ivf> {
    let IvfHeader {
        nlist,
        quantizer,
        ids,
    } = header;
    let sq = scalar(cursor, node.header.dim, node.header.is_trained)?;
    let code_bytes = cursor.u64("the code size")?;
    let by_residual = &node.fourcc.0 != b"IwSq" || cursor.bool("`by_residual`")?;
    let lists = lists(cursor, nlist, ids, code_bytes, 1)?;
    let codec = Codec::Scalar(sq);
    Ok(Ivf {
        quantizer,
        codec,
        by_residual,
        lists,
        instances: None,
        refinement: None,
    })
}

fn product_lists(cursor: &mut Cursor<'_>, node: &Node, header: IvfHeader) -> Result<Ivf> {
    let Header {
        dim, is_trained, ..
    } = node.header;
    let IvfHeader {
        nlist,
        quantizer,
        ids,
    } = header;
    let by_residual = cursor.bool("`by_residual`")?;
    let code_bytes = cursor.u64("the code size")?;
    let pq = product(cursor, dim, is_trained)?;
    let lists = lists(cursor, nlist, ids, code_bytes, 1)?;
    let mut refinement = None;
    if node.fourcc.0.ends_with(b"QR") {
        let at = cursor.position();
        let pq = product(cursor, dim, is_trained)?;
        let codes = cursor.vector(1, "the refining codes")?;
        cursor.f32("k_factor")?;
        if is_trained && node.header.ntotal.checked_mul(pq.code_bytes()) != Some(codes.count) {
            return Err(damaged(
                at,
                format!(
                    "found {} bytes of refining codes, expected {} of {} bytes",
                    codes.count,
                    node.header.ntotal,
                    pq.code_bytes()
                ),
            ));
        }
        refinement = Some((pq, codes));
    }
    let codec = Codec::Product(pq);
    Ok(Ivf {
        quantizer,
        codec,
        by_residual,
        lists,
        instances: None,
        refinement,
    })
}

fn fast_scan(cursor: &mut Cursor<'_>, node: &mut Node, header: IvfHeader) -> Result<Ivf> {
    let Header {
        dim, is_trained, ..
    } = node.header;
    let at = cursor.position();
    let by_residual = cursor.bool("`by_residual`")?;
    let code_bytes = cursor.u64("the code size")?;
    let block_rows = cursor.i32("the rows of a block")?;
    let padded_parts = cursor.u64("the padded number of parts")?;
    cursor.skip(4 + 8, "the search settings")?;
    let pq = product(cursor, dim, is_trained)?;
    let lists = invlists::parse(cursor, header.nlist, None)?;
    if let ListTable::Blocks {
        block_rows: rows,
        block_bytes,
        ..
    } = lists.table
        && is_trained
    {
        let fits = u64::try_from(block_rows) == Ok(rows)
            && rows % 32 == 0
            && pq.bits == 4
            && padded_parts == pq.parts.next_multiple_of(2)
            && rows.checked_mul(padded_parts / 2) == Some(block_bytes);
        if !fits {
            return Err(damaged(
                at,
                format!(
                    "{} parts of {} bits, padded to {padded_parts}, in blocks of {block_rows} don't fit lists with {rows} rows in {block_bytes} bytes",
                    pq.parts, pq.bits
                ),
            ));
        }
        node.facts.push(("block_rows", rows.into()));
    }
    let lists = Lists {
        code_bytes,
        ..lists
    };
    let codec = Codec::Product(pq);
    let quantizer = header.quantizer;
    Ok(Ivf {
        quantizer,
        codec,
        by_residual,
        lists,
        instances: None,
        refinement: None,
    })
}

fn additive_lists(cursor: &mut Cursor<'_>, node: &Node, header: IvfHeader) -> Result<Ivf> {
    let Header {
        dim, is_trained, ..
    } = node.header;
    let code_bytes = cursor.u64("the code size")?;
    let kind = match &node.fourcc.0 {
        b"IwRQ" => AdditiveKind::Residual,
        b"IwLS" => AdditiveKind::LocalSearch,
        b"IwPR" => AdditiveKind::ProductResidual,
        _ => AdditiveKind::ProductLocalSearch,
    };
    let quantizer = additive(cursor, kind, dim, is_trained)?;
    let by_residual = cursor.bool("`by_residual`")?;
    cursor.i32("use_precomputed_table")?;
    let lists = invlists::parse(cursor, header.nlist, Some(code_bytes))?;
    let codec = Codec::Additive(quantizer);
    let quantizer = header.quantizer;
    Ok(Ivf {
        quantizer,
        codec,
        by_residual,
        lists,
        instances: None,
        refinement: None,
    })
}
