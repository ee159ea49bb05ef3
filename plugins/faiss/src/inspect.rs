// SPDX-License-Identifier: Apache-2.0
//! What `inspect` prints of an index file: its tree, and what a person should know of it.

use std::collections::BTreeMap;

use milvusdm_plugin_api::Node as Shown;
use serde_json::{Value, json};

use crate::format::transform::Transform;
use crate::format::{Body, Node};
use crate::index::Index;

/// The tree of a file.
pub fn tree(index: &Index) -> Shown {
    let mut shown = Shown {
        label: index.place.path.display().to_string(),
        ..Shown::default()
    };
    shown
        .facts
        .insert("type".to_owned(), json!(index.parsed.root.nested()));
    if let Ok(layout) = &index.layout {
        shown
            .facts
            .insert("vectors".to_owned(), json!(exactness(index)));
        shown.facts.insert("rows".to_owned(), json!(layout.rows()));
    }
    shown.children.push(node(&index.parsed.root, None));
    shown
}

/// How near the vectors that come out are to those that were put in.
pub fn exactness(index: &Index) -> &'static str {
    match &index.layout {
        Err(_) => "unreadable",
        Ok(layout) if !layout.losses.is_empty() => "lossy",
        Ok(layout) if layout.is_rounded => "rounded",
        Ok(_) => "exact",
    }
}

/// What a person should know, a sentence each.
pub fn notices(index: &Index) -> Vec<String> {
    let name = index.place.path.display();
    let mut notices = Vec::new();
    if index.parsed.trailing_bytes > 0 {
        notices.push(format!(
            "{name}: {} bytes follow the index; they are ignored, as Faiss does.",
            index.parsed.trailing_bytes
        ));
    }
    let ntotal = index.parsed.root.header.ntotal;
    // One that can't be read at all says so when its splits are asked for.
    if let Ok(layout) = &index.layout {
        if layout.rows() != ntotal {
            notices.push(format!(
                "{name}: the header counts {ntotal} vectors, but {} are in the file; Faiss counts vectors with NaN or infinity without storing them in inverted lists.",
                layout.rows()
            ));
        }
        if !layout.losses.is_empty() {
            notices.push(format!(
                "{name} loses something: {}.",
                layout.losses.join("; ")
            ));
        }
    }
    notices
}

fn node(index: &Node, part: Option<&str>) -> Shown {
    let name = format!("{} ({})", index.class, index.fourcc);
    let mut facts: BTreeMap<String, Value> = index
        .facts
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let mut fact = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    fact("offset", json!(index.at));
    if !matches!(index.body, Body::Null) {
        fact("dim", json!(index.header.dim));
        fact("ntotal", json!(index.header.ntotal));
        fact("trained", json!(index.header.is_trained));
        let metric = match index.is_binary {
            true => "Hamming",
            false => index
                .header
                .metric
                .names()
                .map_or("unknown", |(faiss, _)| faiss),
        };
        fact("metric", json!(metric));
    }
    let mut children = Vec::new();
    if let Body::PreTransform { chain, .. } = &index.body {
        children.extend(chain.iter().map(transform));
    }
    children.extend(
        index
            .parts()
            .into_iter()
            .map(|(part, index)| node(index, Some(part))),
    );
    Shown {
        label: part.map_or(name.clone(), |part| format!("{part}: {name}")),
        facts,
        children,
    }
}

fn transform(transform: &Transform) -> Shown {
    Shown {
        label: format!("transform: {} ({})", transform.class, transform.fourcc),
        facts: BTreeMap::from([
            ("offset".to_owned(), json!(transform.at)),
            ("dim_in".to_owned(), json!(transform.dim_in)),
            ("dim_out".to_owned(), json!(transform.dim_out)),
        ]),
        children: Vec::new(),
    }
}
