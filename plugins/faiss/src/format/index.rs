// SPDX-License-Identifier: Apache-2.0
//! Float indexes: the common header, and which family reads which type code
//! (index_read.cpp `read_index`).

use milvusdm_plugin_api::Result;

use super::cursor::{Cursor, damaged};
use super::node::{Body, Header, Metric, Node};
use super::transform::MAX_DIM;
use super::{flat, ivf, unknown, unreadable};

/// Reads the index at the cursor, nested `depth` deep.
///
/// # Errors
/// `Format` for damage, `Unsupported` for type codes that are not known.
pub fn parse(cursor: &mut Cursor<'_>, depth: u32) -> Result<Node> {
    cursor.enter(depth)?;
    let at = cursor.position();
    let fourcc = cursor.fourcc("an index' type code")?;
    let mut node = Node {
        fourcc,
        at,
        class: "no index",
        header: Header {
            dim: 0,
            ntotal: 0,
            is_trained: true,
            metric: Metric::L2,
        },
        is_binary: false,
        facts: Vec::new(),
        body: Body::Null,
    };
    match &fourcc.0 {
        b"null" => return Ok(node),
        b"IxFP" | b"IxFp" => flat::panorama(cursor, &mut node)?,
        code if unreadable::class(code).is_some() => unreadable::body(cursor, &mut node, depth)?,
        _ => {
            if !is_known(&fourcc.0) {
                return Err(unknown(fourcc, at, depth > 0));
            }
            node.header = header(cursor)?;
            body(cursor, &mut node, depth)?;
        }
    }
    Ok(node)
}

fn is_known(code: &[u8; 4]) -> bool {
    flat::CLASSES
        .iter()
        .chain(ivf::CLASSES)
        .any(|(c, _)| *c == code)
}

/// Reads an index behind which something else follows.
///
/// # Errors
/// As [`parse`]; `Unsupported` if it can't be known where it ends.
pub fn parse_part(cursor: &mut Cursor<'_>, depth: u32) -> Result<Node> {
    let node = parse(cursor, depth)?;
    unreadable::check_end_known(&node)?;
    Ok(node)
}

fn body(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<()> {
    let code = node.fourcc.0;
    let class = |classes: &[(&[u8; 4], &'static str)]| {
        classes
            .iter()
            .find(|(c, _)| **c == code)
            .map(|(_, name)| *name)
    };
    if let Some(name) = class(flat::CLASSES) {
        node.class = name;
        flat::body(cursor, node, depth)
    } else {
        node.class = class(ivf::CLASSES).unwrap_or("unknown");
        ivf::body(cursor, node, depth)
    }
}

/// Reads the common header (index_write.cpp `write_index_header`).
///
/// # Errors
/// `Format` for values that Faiss refuses too.
pub fn header(cursor: &mut Cursor<'_>) -> Result<Header> {
    let dim = dimension(cursor)?;
    let ntotal = ntotal(cursor)?;
    cursor.skip(16, "the header")?;
    let is_trained = cursor.bool("`is_trained`")?;
    let number = cursor.i32("the metric")?;
    let mut metric = Metric { number, arg: 0.0 };
    if metric.names().is_none() {
        return Err(damaged(
            cursor.position() - 4,
            format!("the metric number is {number}, expected 0 to 4 or 20 to 25"),
        ));
    }
    if number > 1 {
        metric.arg = cursor.f32("the metric's argument")?;
    }
    check_dimension(dim, ntotal, cursor.position())?;
    Ok(Header {
        dim,
        ntotal,
        is_trained,
        metric,
    })
}

/// A dimension.
///
/// # Errors
/// `Format` outside of 0 to 2^20.
pub fn dimension(cursor: &mut Cursor<'_>) -> Result<u32> {
    let found = cursor.i32("the dimension")?;
    u32::try_from(found)
        .ok()
        .filter(|d| *d <= MAX_DIM)
        .ok_or_else(|| {
            damaged(
                cursor.position() - 4,
                format!("the dimension is {found}, expected 0 to {MAX_DIM}"),
            )
        })
}

/// A number of vectors.
///
/// # Errors
/// `Format` below 0.
pub fn ntotal(cursor: &mut Cursor<'_>) -> Result<u64> {
    let found = cursor.i64("the number of vectors")?;
    u64::try_from(found).map_err(|_| {
        damaged(
            cursor.position() - 8,
            format!("the number of vectors is {found}, expected 0 or more"),
        )
    })
}

/// Vectors without a dimension can't be.
///
/// # Errors
/// `Format` if there are.
pub fn check_dimension(dim: u32, ntotal: u64, at: u64) -> Result<()> {
    if dim == 0 && ntotal > 0 {
        return Err(damaged(
            at,
            format!("{ntotal} vectors of dimension 0 can't be"),
        ));
    }
    Ok(())
}

/// A part must have as many vectors and dimensions as the whole.
///
/// # Errors
/// `Format` if it has not.
pub fn check_part(node: &Node, part: &Node, what: &str) -> Result<()> {
    if matches!(part.body, Body::Null) {
        return Ok(());
    }
    let (whole, part_header) = (&node.header, &part.header);
    if whole.ntotal != part_header.ntotal {
        return Err(damaged(
            part.at,
            format!(
                "the {what} ({}) has {} vectors, but the {} around it {}",
                part.class, part_header.ntotal, node.class, whole.ntotal
            ),
        ));
    }
    if whole.dim != part_header.dim {
        return Err(damaged(
            part.at,
            format!(
                "the {what} ({}) has {} dimensions, but the {} around it {}",
                part.class, part_header.dim, node.class, whole.dim
            ),
        ));
    }
    Ok(())
}
