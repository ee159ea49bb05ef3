// SPDX-License-Identifier: Apache-2.0
//! The index types of Milvus 1.x: `EngineType` of metadata and gRPC, its own name, and the
//! neutral reading (data model section 4).
//!
//! Numbers: `core/src/db/engine/ExecutionEngine.h`, the same from 0.7 to 1.1.

use milvusdm_plugin_api::model::{IndexDefinition, Metric};
use serde_json::{Map, Value, json};

use crate::metric;

/// An index type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexType {
    /// `EngineType`.
    pub code: i64,
    /// What Milvus calls it.
    pub name: &'static str,
    /// Neutral family.
    pub family: &'static str,
    /// Neutral quantizer.
    pub quantizer: &'static str,
    /// Neutral names of its parameters: (Milvus', neutral).
    pub params: &'static [(&'static str, &'static str)],
}

const NLIST: &[(&str, &str)] = &[("nlist", "nlist")];

const fn of(
    code: i64,
    name: &'static str,
    family: &'static str,
    quantizer: &'static str,
    params: &'static [(&'static str, &'static str)],
) -> IndexType {
    IndexType {
        code,
        name,
        family,
        quantizer,
        params,
    }
}

/// Every index type there is.
pub const ALL: [IndexType; 12] = [
    of(1, "FLAT", "flat", "none", &[]),
    of(2, "IVF_FLAT", "ivf", "none", NLIST),
    of(3, "IVF_SQ8", "ivf", "sq8", NLIST),
    of(4, "RNSG", "nsg", "none", &[]),
    of(5, "IVF_SQ8H", "ivf", "sq8", NLIST),
    of(
        6,
        "IVF_PQ",
        "ivf",
        "pq",
        &[("nlist", "nlist"), ("m", "pq_m")],
    ),
    of(7, "SPTAG_KDT", "other", "none", &[]),
    of(8, "SPTAG_BKT", "other", "none", &[]),
    of(9, "BIN_FLAT", "flat", "none", &[]),
    of(10, "BIN_IVF_FLAT", "ivf", "none", NLIST),
    of(
        11,
        "HNSW",
        "hnsw",
        "none",
        &[("M", "m"), ("efConstruction", "ef_construction")],
    ),
    of(12, "ANNOY", "annoy", "none", &[("n_trees", "n_trees")]),
];

/// The index type of that number.
pub fn of_code(code: i64) -> Option<&'static IndexType> {
    ALL.iter().find(|t| t.code == code)
}

/// The index type of that name, as Milvus writes it.
pub fn of_name(name: &str) -> Option<&'static IndexType> {
    ALL.iter().find(|t| t.name == name)
}

/// The index type that a neutral reading names, for float or for binary vectors.
pub fn of_neutral(family: &str, quantizer: &str, is_binary: bool) -> Option<&'static IndexType> {
    ALL.iter().find(|t| {
        t.family == family
            && t.quantizer == quantizer
            && t.family != "other"
            && t.name.starts_with("BIN_") == is_binary
    })
}

/// Whether that number stands for no index at all: the vectors are searched one by one.
pub fn is_flat(code: i64) -> bool {
    matches!(code, 1 | 9)
}

/// An index as a definition; `params` is the JSON text of the metadata.
pub fn definition(
    code: i64,
    params: &str,
    metric_code: i64,
    version: &str,
    is_built: bool,
) -> IndexDefinition {
    let found = of_code(code);
    let parsed: Option<Map<String, Value>> = serde_json::from_str(params).ok();
    let neutral = found.map(|t| t.params).unwrap_or_default().iter();
    let neutral = neutral.filter_map(|(name, neutral)| {
        let value = parsed.as_ref()?.get(*name)?;
        Some(((*neutral).to_owned(), value.clone()))
    });
    IndexDefinition {
        name: String::new(),
        field: "vector".to_owned(),
        family: found.map_or("other", |t| t.family).to_owned(),
        quantizer: found.map_or("other", |t| t.quantizer).to_owned(),
        metric: metric::of_code(metric_code)
            .map(Metric::as_str)
            .map(str::to_owned),
        params: neutral.collect(),
        state: Some(if is_built { "built" } else { "declared" }.to_owned()),
        native: json!({
            "system": crate::NAME,
            "version": version,
            "type": found.map_or_else(|| code.to_string(), |t| t.name.to_owned()),
            "type_id": code,
            "metric": metric::native_name(metric_code),
            // What is no object is kept as the text that it is.
            "params": parsed.map_or_else(|| json!(params), Value::Object),
        }),
        more: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_read_back() {
        for kind in &ALL {
            assert_eq!(of_code(kind.code), Some(kind));
            assert_eq!(of_name(kind.name), Some(kind));
        }
        assert_eq!(of_code(0), None);
        assert_eq!(of_code(13), None);
        assert_eq!(of_neutral("ivf", "none", true).unwrap().code, 10);
        assert_eq!(of_neutral("ivf", "sq8", false).unwrap().code, 3);
        assert_eq!(of_neutral("hnsw", "none", true), None);
        assert_eq!(of_neutral("other", "none", false), None);
    }

    #[test]
    fn a_definition_is_neutral_and_verbatim() {
        let found = definition(6, r#"{"m":4,"nlist":16}"#, 1, "1.1.0", true);
        assert_eq!(
            (found.family.as_str(), found.quantizer.as_str()),
            ("ivf", "pq")
        );
        assert_eq!(
            serde_json::to_value(&found.params).unwrap(),
            json!({"nlist": 16, "pq_m": 4})
        );
        assert_eq!(found.native["params"], json!({"m": 4, "nlist": 16}));
        let odd = definition(99, "no json", 9, "", false);
        assert_eq!(odd.family, "other");
        assert_eq!(odd.native["params"], "no json");
        assert_eq!(odd.metric, None);
    }
}
