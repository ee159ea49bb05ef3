// SPDX-License-Identifier: Apache-2.0
//! What `inspect` shows of a data directory: collections, partitions, segments, and what lies
//! around beside them.

use std::collections::{BTreeMap, HashMap};

use milvusdm_plugin_api::{Inspection, Node, Result};
use serde_json::{Value, json};

use super::catalog::Listed;
use super::{ColdSource, Looked, OpenPart};
use crate::index_type;

pub(super) fn inspect(source: &ColdSource) -> Result<Inspection> {
    let mut trees: Vec<Node> = Vec::new();
    for part in &source.parts {
        source.services.check_cancelled()?;
        let is_next = trees
            .last()
            .is_some_and(|t| t.label == part.part.collection);
        if !is_next {
            trees.push(collection(part));
        }
        if let Some(tree) = trees.last_mut() {
            match &part.part.partition {
                Some(_) => tree.children.push(partition(part)),
                None => tree.children = segments(part),
            }
        }
    }
    let mut notices = source.notices.clone();
    notices.extend(source.parts.iter().flat_map(OpenPart::notices));
    notices.extend(orphans(source)?);
    Ok(Inspection { trees, notices })
}

fn facts(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> BTreeMap<String, Value> {
    let known = pairs.into_iter().filter(|(_, value)| !value.is_null());
    known.map(|(key, value)| (key.to_owned(), value)).collect()
}

fn collection(part: &OpenPart) -> Node {
    let own = part.part.properties.get(crate::NAME);
    let mut all = facts([
        ("dim", json!(part.part.vector.dim)),
        ("elem", json!(part.part.vector.elem)),
        ("metric", json!(part.part.vector.metric)),
        ("ids", json!(part.part.id_policy)),
        ("index", index(part)),
    ]);
    for key in ["index_file_size", "version"] {
        if let Some(value) = own.and_then(|own| own.get(key)) {
            all.insert(key.to_owned(), value.clone());
        }
    }
    Node {
        label: part.part.collection.clone(),
        facts: all,
        children: Vec::new(),
    }
}

fn index(part: &OpenPart) -> Value {
    match &part.part.index {
        Some(index) => json!(format!(
            "{} {}",
            text(&index.native["type"]),
            index.native["params"]
        )),
        None => Value::Null,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn partition(part: &OpenPart) -> Node {
    Node {
        label: part.part.partition.clone().unwrap_or_default(),
        facts: facts([
            ("folder", json!(part.part.folder)),
            ("deleted", json!(part.deleted())),
            ("index", index(part)),
        ]),
        children: segments(part),
    }
}

fn segments(part: &OpenPart) -> Vec<Node> {
    let mut nodes: Vec<Node> = part
        .segments
        .iter()
        .map(|(l, looked)| segment(l, looked))
        .collect();
    if let Some(wal) = &part.wal {
        nodes.push(Node {
            label: "write-ahead log".to_owned(),
            facts: facts([
                ("rows", json!(wal.found())),
                ("live", json!(wal.live())),
                ("deleted", json!(wal.deleted.count())),
            ]),
            children: Vec::new(),
        });
    }
    nodes
}

fn segment(listed: &Listed, looked: &Looked) -> Node {
    let mut all = facts([
        ("file_type", json!(listed.file_type.map(type_name))),
        ("row_count", json!(listed.row_count)),
        (
            "index",
            json!(listed.built_index.map(|code| {
                index_type::of_code(code).map_or_else(|| code.to_string(), |t| t.name.to_owned())
            })),
        ),
    ]);
    all.extend(match looked {
        Looked::Sound(sound) => facts([
            ("rows", json!(sound.rows)),
            ("live", json!(sound.live())),
            ("deleted", json!(sound.deleted)),
            (
                "deleted_in_wal",
                match sound.by_wal.len() {
                    0 => Value::Null,
                    rows => json!(rows),
                },
            ),
        ]),
        Looked::Damaged { error, found, .. } => {
            facts([("rows", json!(found)), ("damaged", json!(error.message()))])
        }
    });
    Node {
        label: listed.id(),
        facts: all,
        children: Vec::new(),
    }
}

fn type_name(file_type: i64) -> String {
    match file_type {
        1 => "raw".to_owned(),
        2 => "to be indexed".to_owned(),
        7 => "raw, indexed".to_owned(),
        other => other.to_string(),
    }
}

/// Folders that the metadata does not know.
fn orphans(source: &ColdSource) -> Result<Vec<String>> {
    let Some(tables) = &source.layout.tables else {
        return Ok(Vec::new());
    };
    let known: HashMap<&str, &OpenPart> = source
        .parts
        .iter()
        .map(|p| (p.part.folder.as_str(), p))
        .collect();
    let mut notices = Vec::new();
    for name in tables.names()? {
        source.services.check_cancelled()?;
        let Some(part) = known.get(name.as_str()) else {
            let path = tables.path().join(&name);
            notices.push(match source.catalog.dropped.contains(&name) {
                true => format!(
                    "{} is left of a collection or partition that was dropped.",
                    path.display()
                ),
                false => format!(
                    "{} is known to no collection; it is not read.",
                    path.display()
                ),
            });
            continue;
        };
        // What can't be listed was said of its segments.
        let Ok(folder) = tables.folder(&name) else {
            continue;
        };
        for segment in folder.names()? {
            let is_read = part.segments.iter().any(|(l, _)| l.segment_id == segment);
            let key = (name.clone(), segment);
            if !is_read && !source.catalog.passed_over.contains(&key) {
                let path = folder.path().join(&key.1);
                notices.push(format!(
                    "{} is known to no segment; it is not read.",
                    path.display()
                ));
            }
        }
    }
    Ok(notices)
}
