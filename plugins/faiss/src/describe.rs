// SPDX-License-Identifier: Apache-2.0
//! What a dataset is apart from its columns: counts, ids, and the index definition, in neutral
//! terms and in Faiss' own (data model section 4).

use milvusdm_plugin_api::model::{Descriptor, IdInfo, IdPolicy, IndexDefinition, RowCount, Unique};
use milvusdm_plugin_api::{Dataset, Result};
use serde_json::{Map, Value, json};

use crate::decode::scalar::{ScalarKind, Scale};
use crate::format::{Body, Codec, Node};
use crate::index::Index;
use crate::inspect;
use crate::layout::Storage;

/// The dataset that an index is.
///
/// # Errors
/// `Unsupported` for an index without dimensions.
pub fn dataset(index: &Index) -> Result<Dataset> {
    Ok(Dataset {
        key: index.place.collection.clone(),
        schema: index.schema()?,
        descriptor: descriptor(index),
    })
}

fn descriptor(index: &Index) -> Descriptor {
    let root = &index.parsed.root;
    let mut properties = Map::new();
    let mut faiss = json!({
        "fourcc": root.fourcc.to_string(),
        "exactness": inspect::exactness(index),
    });
    if let Ok(layout) = &index.layout
        && !layout.losses.is_empty()
    {
        faiss["losses"] = json!(layout.losses);
    }
    properties.insert(crate::NAME.to_owned(), faiss);
    let layout = index.layout.as_ref().ok();
    let is_implicit = layout.is_some_and(|layout| {
        layout.id_maps.is_empty() && matches!(layout.storage, Storage::Flat { .. })
    });
    Descriptor {
        system: crate::NAME.to_owned(),
        collection: index.place.collection.clone(),
        rows: layout.map(|layout| RowCount {
            value: layout.rows(),
            exact: true,
        }),
        bytes: layout.map(|layout| {
            layout
                .rows()
                .saturating_mul(layout.vector_bytes().saturating_add(8))
        }),
        id: match is_implicit {
            true => IdInfo {
                policy: IdPolicy::Auto,
                unique: Unique::Yes,
            },
            false => IdInfo {
                policy: IdPolicy::Given,
                unique: Unique::Unknown,
            },
        },
        fingerprint: Some(index.fingerprint.clone()),
        indexes: vec![definition(index)],
        properties,
        ..Descriptor::default()
    }
}

fn definition(index: &Index) -> IndexDefinition {
    let root = &index.parsed.root;
    let searched = searched(root);
    let (family, quantizer) = neutral(searched);
    let metric = match root.is_binary {
        true => ("METRIC_HAMMING", "hamming"),
        false => root.header.metric.names().unwrap_or(("unknown", "unknown")),
    };
    let facts = searched
        .facts
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    IndexDefinition {
        name: String::new(),
        field: "vector".to_owned(),
        family: family.to_owned(),
        quantizer: quantizer.to_owned(),
        metric: Some(metric.1.to_owned()).filter(|name| name != "unknown"),
        params: params(searched),
        state: Some(
            if root.header.is_trained {
                "built"
            } else {
                "declared"
            }
            .to_owned(),
        ),
        native: json!({
            "system": crate::NAME,
            "type": root.nested(),
            "metric": metric.0,
            "params": facts.collect::<Map<String, Value>>(),
        }),
        more: Map::new(),
    }
}

/// The index that a search goes through, inside of id maps and the like.
fn searched(node: &Node) -> &Node {
    match &node.body {
        Body::IdMap { inner, .. }
        | Body::PreTransform { inner, .. }
        | Body::FromFloat { inner } => searched(inner),
        Body::Refine { base, .. } => searched(base),
        _ => node,
    }
}

fn neutral(node: &Node) -> (&'static str, &'static str) {
    match &node.body {
        Body::Flat { .. } | Body::FlatPanorama { .. } => ("flat", "none"),
        Body::Codes { codec, .. } => ("flat", quantizer(codec)),
        Body::FastScan { .. } => ("flat", "pq"),
        Body::Ivf(ivf) => ("ivf", quantizer(&ivf.codec)),
        Body::Over { storage } => {
            let family = match &node.fourcc.0 {
                b"IHc2" | b"IHNc" | b"IBHc" => "cagra",
                [b'I', b'H', ..] | [b'I', b'B', b'H', b'f'] => "hnsw",
                [b'I', b'N', b'S', _] => "nsg",
                _ => "other",
            };
            (family, neutral(storage).1)
        }
        Body::Unreadable { .. } if matches!(&node.fourcc.0, b"IxHe" | b"IxHE") => ("lsh", "other"),
        _ => ("other", "other"),
    }
}

fn quantizer(codec: &Codec) -> &'static str {
    match codec {
        Codec::Floats | Codec::Bits => "none",
        Codec::Product(_) => "pq",
        Codec::Additive(_) | Codec::Unreadable(_) => "other",
        Codec::Scalar(sq) => match ScalarKind::of(sq.kind) {
            Some(ScalarKind {
                scale: Some(Scale::Half),
                ..
            }) => "f16",
            Some(ScalarKind {
                scale: Some(Scale::Bfloat),
                ..
            }) => "bf16",
            Some(kind) => match kind.bits {
                4 => "sq4",
                6 => "sq6",
                8 => "sq8",
                _ => "other",
            },
            None => "other",
        },
    }
}

fn params(node: &Node) -> Map<String, Value> {
    const NEUTRAL: [&str; 4] = ["m", "ef_construction", "nlist", "graph_degree"];
    let known = node.facts.iter().filter(|(name, _)| NEUTRAL.contains(name));
    let mut params: Map<String, Value> = known
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let codec = match &node.body {
        Body::Codes { codec, .. } => Some(codec),
        Body::Ivf(ivf) => Some(&ivf.codec),
        _ => None,
    };
    let product = match (codec, &node.body) {
        (Some(Codec::Product(pq)), _) => Some(pq),
        (_, Body::FastScan { quantizer, .. }) => Some(quantizer),
        _ => None,
    };
    if let Some(pq) = product {
        params.insert("pq_m".to_owned(), pq.parts.into());
        params.insert("pq_bits".to_owned(), pq.bits.into());
    }
    params
}
