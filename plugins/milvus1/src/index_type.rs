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

/// A parameter with the least and the most that the server takes.
type Range = (&'static str, u64, u64);

/// Ranges that the server takes, by parameter: all of an index type's must be there.
const RANGES: [(&str, &[Range]); 6] = [
    ("IVF", &[("nlist", 1, 65_536)]),
    ("BIN_IVF", &[("nlist", 1, 65_536)]),
    ("HNSW", &[("M", 4, 64), ("efConstruction", 8, 512)]),
    ("ANNOY", &[("n_trees", 1, 1024)]),
    (
        "RNSG",
        &[
            ("search_length", 10, 300),
            ("out_degree", 5, 300),
            ("candidate_pool_size", 50, 1000),
            ("knng", 5, 300),
        ],
    ),
    ("IVF_PQ", &[("m", 1, 32_768)]),
];

/// Why the server would refuse to build an index, after all rows were loaded
/// (`utils/ValidationUtil.cpp`, `index/knowhere/knowhere/index/vector_index/adapter/`).
///
/// # Errors
/// What is wrong, in words.
pub fn check(
    kind: &IndexType,
    params: &Map<String, Value>,
    is_binary: bool,
    dim: u64,
) -> Result<(), String> {
    // Of binary vectors the server takes FLAT and IVF_FLAT for their binary kinds.
    let fits = match is_binary {
        true => matches!(kind.name, "FLAT" | "IVF_FLAT" | "BIN_FLAT" | "BIN_IVF_FLAT"),
        false => !kind.name.starts_with("BIN_"),
    };
    if !fits {
        let vectors = if is_binary { "binary" } else { "float" };
        return Err(format!(
            "the index {} is not for {vectors} vectors",
            kind.name
        ));
    }
    let ranges = RANGES
        .iter()
        .filter(|(name, _)| kind.name.starts_with(name));
    for (name, least, most) in ranges.flat_map(|(_, ranges)| *ranges) {
        let found = params.get(*name);
        if !found
            .and_then(Value::as_u64)
            .is_some_and(|n| (*least..=*most).contains(&n))
        {
            let found = found.map_or_else(|| "is missing".to_owned(), |n| format!("is {n}"));
            return Err(format!(
                "parameter `{name}` of the index {} {found}, wanted {least} to {most}",
                kind.name
            ));
        }
    }
    match params.get("m").and_then(Value::as_u64) {
        Some(m) if kind.name == "IVF_PQ" && !dim.is_multiple_of(m) => Err(format!(
            "parameter `m` of the index IVF_PQ is {m}, which does not divide the dimension {dim}"
        )),
        _ => Ok(()),
    }
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
    fn what_the_server_would_refuse_in_the_end_is_known_beforehand() {
        let check = |name: &str, params: Value, is_binary| {
            let params = params.as_object().cloned().unwrap_or_default();
            check(of_name(name).unwrap(), &params, is_binary, 128)
        };
        assert_eq!(check("IVF_PQ", json!({"nlist": 16, "m": 8}), false), Ok(()));
        assert_eq!(check("IVF_FLAT", json!({"nlist": 16}), true), Ok(()));
        assert_eq!(check("FLAT", json!({}), false), Ok(()));
        for (name, params, is_binary, wanted) in [
            (
                "IVF_PQ",
                json!({"nlist": 16, "m": 7}),
                false,
                "does not divide",
            ),
            ("IVF_SQ8", json!({"nlist": 0}), false, "`nlist`"),
            (
                "HNSW",
                json!({"M": 128, "efConstruction": 40}),
                false,
                "`M`",
            ),
            ("HNSW", json!({"M": 16}), false, "is missing"),
            (
                "HNSW",
                json!({"M": 16, "efConstruction": 40}),
                true,
                "binary",
            ),
            ("BIN_IVF_FLAT", json!({"nlist": 4}), false, "float"),
        ] {
            let found = check(name, params, is_binary).unwrap_err();
            assert!(found.contains(wanted), "{found}");
        }
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
