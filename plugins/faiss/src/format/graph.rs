// SPDX-License-Identifier: Apache-2.0
//! Graphs over stored vectors: HNSW, NSG, NN-descent (index_write.cpp `write_HNSW`, `write_NSG`,
//! `write_NNDescent`). They are passed over: only what an index definition needs is kept.

use milvusdm_plugin_api::Result;
use serde_json::Value;

use super::cursor::{Cursor, damaged};
use super::node::Header;

type Facts = Vec<(&'static str, Value)>;

/// Passes over an HNSW graph.
///
/// # Errors
/// `Format` where it does not fit the index.
pub fn hnsw(cursor: &mut Cursor<'_>, header: &Header, facts: &mut Facts) -> Result<()> {
    cursor.vector(8, "the level probabilities")?;
    let cumulated = cursor.vector(4, "the neighbours by level")?;
    let at = cursor.position();
    let levels = cursor.vector(4, "the levels of the graph")?;
    if levels.count != header.ntotal {
        return Err(damaged(
            at,
            format!(
                "the graph has {} nodes, the index {} vectors",
                levels.count, header.ntotal
            ),
        ));
    }
    cursor.vector(8, "the offsets of the graph")?;
    cursor.vector(4, "the neighbours of the graph")?;
    cursor.i32("the entry point")?;
    cursor.i32("the highest level")?;
    let ef_construction = cursor.i32("efConstruction")?;
    let ef_search = cursor.i32("efSearch")?;
    cursor.i32("upper_beam")?;
    if cumulated.count >= 2 {
        // Level 0 has twice as many neighbours as the others (HNSW.cpp `set_default_probas`).
        let mut table = Cursor::at(cursor.file(), cumulated.at);
        let first = table.i32("the neighbours by level")?;
        let second = table.i32("the neighbours by level")?;
        if first == 0 && second > 0 {
            facts.push(("m", (second / 2).into()));
        }
    }
    facts.push(("ef_construction", ef_construction.into()));
    facts.push(("ef_search", ef_search.into()));
    Ok(())
}

/// Passes over an NSG graph: for each node its neighbours, ended by -1.
///
/// # Errors
/// `Format` where it does not fit the index.
pub fn nsg(cursor: &mut Cursor<'_>, header: &Header, facts: &mut Facts) -> Result<()> {
    let at = cursor.position();
    let nodes = cursor.i32("the nodes of the graph")?;
    let degree = cursor.i32("the degree of the graph")?;
    cursor.skip(4 * 4, "the settings of the graph")?;
    let is_built = cursor.bool("`is_built` of the graph")?;
    facts.push(("graph_degree", degree.into()));
    if !is_built {
        return Ok(());
    }
    if u64::try_from(nodes).ok() != Some(header.ntotal) || degree < 1 {
        return Err(damaged(
            at,
            format!(
                "a graph of {nodes} nodes of degree {degree} over an index of {} vectors",
                header.ntotal
            ),
        ));
    }
    for node in 0..nodes {
        let mut neighbours = 0;
        while cursor.i32("the neighbours of a node")? != -1 {
            neighbours += 1;
            if neighbours > degree {
                return Err(damaged(
                    cursor.position() - 4,
                    format!("node {node} of the graph has more than {degree} neighbours"),
                ));
            }
        }
    }
    Ok(())
}

/// Passes over an NN-descent graph.
///
/// # Errors
/// `Format` at the end of the file.
pub fn nn_descent(cursor: &mut Cursor<'_>, facts: &mut Facts) -> Result<()> {
    cursor.skip(2 * 4, "the settings of the graph")?;
    let degree = cursor.i32("the degree of the graph")?;
    cursor.skip(6 * 4, "the settings of the graph")?;
    cursor.bool("`has_built` of the graph")?;
    cursor.vector(4, "the graph")?;
    facts.push(("graph_degree", degree.into()));
    Ok(())
}
