// SPDX-License-Identifier: Apache-2.0
//! Binary indexes (index_write.cpp `write_index_binary`): their vectors are bits, bit j of a
//! vector the lowest but j%8 of byte j/8.

use milvusdm_plugin_api::Result;

use super::counted;
use super::cursor::{Cursor, damaged};
use super::flat::id_map;
use super::index::{check_part, dimension, ntotal};
use super::ivf::direct_map;
use super::node::{Body, Codec, Fourcc, Header, Ivf, Metric, Node};
use super::{graph, index, invlists, unknown};

const CLASSES: &[(&[u8; 4], &str)] = &[
    (b"IBxF", "IndexBinaryFlat"),
    (b"IBwF", "IndexBinaryIVF"),
    (b"IBHf", "IndexBinaryHNSW"),
    (b"IBHc", "IndexBinaryHNSWCagra"),
    (b"IBMp", "IndexBinaryIDMap"),
    (b"IBM2", "IndexBinaryIDMap2"),
    (b"IBFf", "IndexBinaryFromFloat"),
    (b"IBHh", "IndexBinaryHash"),
    (b"IBHm", "IndexBinaryMultiHash"),
];

/// Reads the binary index at the cursor, nested `depth` deep.
///
/// # Errors
/// `Format` for damage, `Unsupported` for type codes that are not known.
pub fn parse(cursor: &mut Cursor<'_>, depth: u32) -> Result<Node> {
    cursor.enter(depth)?;
    let at = cursor.position();
    let fourcc = cursor.fourcc("an index' type code")?;
    let class = CLASSES
        .iter()
        .find(|(code, _)| **code == fourcc.0)
        .map(|(_, class)| *class)
        .ok_or_else(|| unknown(fourcc, at, depth > 0))?;
    let mut node = Node {
        fourcc,
        at,
        class,
        header: header(cursor, fourcc)?,
        is_binary: true,
        facts: Vec::new(),
        body: Body::Null,
    };
    node.body = body(cursor, &mut node, depth)?;
    Ok(node)
}

fn header(cursor: &mut Cursor<'_>, fourcc: Fourcc) -> Result<Header> {
    let at = cursor.position();
    let dim = dimension(cursor)?;
    let code_bytes = cursor.i32("the code size")?;
    let ntotal = ntotal(cursor)?;
    let is_trained = cursor.bool("`is_trained`")?;
    let number = cursor.i32("the metric")?;
    if dim == 0 || dim % 8 != 0 {
        return Err(damaged(
            at,
            format!("a binary index of {dim} bits, expected a multiple of 8"),
        ));
    }
    // Id maps don't set it in Faiss up to 1.7.4.
    let is_unset = code_bytes == 0 && matches!(&fourcc.0, b"IBMp" | b"IBM2");
    if i64::from(code_bytes) != i64::from(dim / 8) && !is_unset {
        return Err(damaged(
            at + 4,
            format!(
                "the code size is {code_bytes}, expected {} for {dim} bits",
                dim / 8
            ),
        ));
    }
    let metric = Metric { number, arg: 0.0 };
    if metric.names().is_none() {
        return Err(damaged(
            cursor.position() - 4,
            format!("the metric number is {number}, expected 0 to 4 or 20 to 25"),
        ));
    }
    Ok(Header {
        dim,
        ntotal,
        is_trained,
        metric,
    })
}

fn body(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<Body> {
    let code_bytes = u64::from(node.header.dim / 8);
    Ok(match &node.fourcc.0 {
        b"IBxF" => {
            let at = cursor.position();
            let codes = cursor.vector(1, "the vectors")?;
            if node.header.ntotal.checked_mul(code_bytes) != Some(codes.count) {
                return Err(damaged(
                    at,
                    format!(
                        "found {} bytes of vectors, expected {} of {code_bytes} bytes",
                        codes.count, node.header.ntotal
                    ),
                ));
            }
            Body::Flat { codes }
        }
        b"IBwF" => inverted(cursor, node, code_bytes, depth)?,
        b"IBHf" | b"IBHc" => {
            if &node.fourcc.0 == b"IBHc" {
                cursor.skip(1 + 1 + 4, "the settings of the graph")?;
            }
            let header = node.header;
            graph::hnsw(cursor, &header, &mut node.facts)?;
            let storage = nested(cursor, node, depth)?;
            Body::Over {
                storage: Box::new(storage),
            }
        }
        b"IBMp" | b"IBM2" => {
            let inner = nested(cursor, node, depth)?;
            let ids = id_map(cursor, node)?;
            Body::IdMap {
                inner: Box::new(inner),
                ids,
            }
        }
        b"IBFf" => {
            let inner = index::parse_part(cursor, depth + 1)?;
            check_part(node, &inner, "float index")?;
            Body::FromFloat {
                inner: Box::new(inner),
            }
        }
        b"IBHh" => buckets(cursor, node, code_bytes)?,
        _ => multi_hash(cursor, node, depth)?,
    })
}

fn nested(cursor: &mut Cursor<'_>, node: &Node, depth: u32) -> Result<Node> {
    let inner = parse_or_null(cursor, depth + 1)?;
    check_part(node, &inner, "index")?;
    Ok(inner)
}

/// `null` stands for a missing binary index as well.
fn parse_or_null(cursor: &mut Cursor<'_>, depth: u32) -> Result<Node> {
    if Cursor::at(cursor.file(), cursor.position())
        .fourcc("an index' type code")?
        .0
        == *b"null"
    {
        return index::parse(cursor, depth);
    }
    parse(cursor, depth)
}

fn inverted(cursor: &mut Cursor<'_>, node: &mut Node, code_bytes: u64, depth: u32) -> Result<Body> {
    let nlist = cursor.u64("the number of lists")?;
    let nprobe = cursor.u64("nprobe")?;
    let quantizer = parse_or_null(cursor, depth + 1)?;
    direct_map(cursor)?;
    let lists = invlists::parse(cursor, nlist, Some(code_bytes))?;
    node.facts.push(("nlist", nlist.into()));
    node.facts.push(("nprobe", nprobe.into()));
    node.facts.push(("lists", lists.fourcc.to_string().into()));
    node.facts.push(("vectors_in_lists", lists.rows.into()));
    node.facts.push(("lists_in_use", lists.used.into()));
    Ok(Body::Ivf(Box::new(Ivf {
        quantizer,
        codec: Codec::Bits,
        by_residual: false,
        lists,
        instances: None,
        refinement: None,
    })))
}

/// index_write.cpp `write_binary_hash_invlists`.
fn buckets(cursor: &mut Cursor<'_>, node: &mut Node, code_bytes: u64) -> Result<Body> {
    let hash_bits = cursor.i32("the bits of a hash")?;
    cursor.i32("nflip")?;
    let buckets = cursor.u64("the number of buckets")?;
    cursor.i32("the bits of a bucket's size")?;
    cursor.vector(1, "the hashes")?;
    node.facts.push(("hash_bits", hash_bits.into()));
    node.facts.push(("buckets", buckets.into()));
    let at = cursor.position();
    let lists = counted::buckets(cursor, buckets, code_bytes)?;
    if lists.rows != node.header.ntotal {
        return Err(damaged(
            at,
            format!(
                "the buckets have {} vectors, expected {}",
                lists.rows, node.header.ntotal
            ),
        ));
    }
    Ok(Body::Buckets(Box::new(lists)))
}

/// index_write.cpp `write_binary_multi_hash_map`.
fn multi_hash(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<Body> {
    let storage = nested(cursor, node, depth)?;
    let hash_bits = cursor.i32("the bits of a hash")?;
    let at = cursor.position();
    let tables = cursor.i32("the number of hash tables")?;
    cursor.i32("nflip")?;
    let tables =
        u64::try_from(tables).map_err(|_| damaged(at, format!("{tables} hash tables can't be")))?;
    for _ in 0..tables {
        cursor.i32("the bits of an id")?;
        cursor.u64("the number of hashes")?;
        cursor.vector(1, "the hashes")?;
    }
    node.facts.push(("hash_bits", hash_bits.into()));
    node.facts.push(("hash_tables", tables.into()));
    Ok(Body::Over {
        storage: Box::new(storage),
    })
}
