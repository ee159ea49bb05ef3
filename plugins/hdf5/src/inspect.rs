// SPDX-License-Identifier: Apache-2.0
//! Describes a file for `milvusdm inspect`: what is read, how it is stored, what is left out.

use milvusdm_plugin_api::Node;
use serde_json::{Value, json};

use crate::contents::Contents;

/// What `inspect` shows of a file.
pub fn tree(contents: &Contents) -> Node {
    let mut node = Node {
        label: contents.file.path().display().to_string(),
        ..Node::default()
    };
    let mut fact = |name: &str, value: Value| node.facts.insert(name.to_owned(), value);
    fact("bytes", json!(contents.file.bytes()));
    fact("rows", json!(contents.rows()));
    fact("collection", json!(contents.collection));
    fact("partition", json!(contents.partition));
    if !contents.indexes.is_empty() {
        fact("indexes", json!(contents.indexes));
    }
    let roles = [
        ("ids", contents.ids.as_ref()),
        ("vectors", Some(&contents.vectors)),
    ];
    let columns = contents.columns.iter().map(|c| ("column", Some(c)));
    for (role, column) in roles.into_iter().chain(columns) {
        let Some(column) = column else { continue };
        let mut child = Node {
            label: format!("{} ({role})", column.stored.path()),
            ..Node::default()
        };
        child
            .facts
            .insert("stored".to_owned(), json!(column.stored.shape_text()));
        child.facts.insert(
            "storage".to_owned(),
            json!(column.stored.storage().to_string()),
        );
        if role == "vectors" {
            let vector = &contents.vector_type;
            child.facts.insert(
                "vector".to_owned(),
                json!(format!("{} {} x {}", vector.kind, vector.dim, vector.elem)),
            );
            child
                .facts
                .insert("metric".to_owned(), json!(vector.metric));
        }
        node.children.push(child);
    }
    for ignored in &contents.ignored {
        node.children.push(Node {
            label: format!("{ignored}, not read"),
            ..Node::default()
        });
    }
    node
}
