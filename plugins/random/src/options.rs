// SPDX-License-Identifier: Apache-2.0
//! What a task says under `source:`.

use milvusdm_plugin_api::model::{BitOrder, Elem, VectorType, keys};
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most rows: ids and byte counts stay far from the end of their types.
const MAX_ROWS: u64 = 1 << 48;
const MAX_PARTITIONS: u32 = 65_536;
const MAX_SPLITS: u32 = 65_536;

/// The shape of the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `dim` numbers.
    #[default]
    Dense,
    /// `dim` bits.
    Binary,
}

/// Options of the random source.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomOptions {
    /// Rows in all: `1000000`.
    #[schemars(extend("x-positional" = true))]
    pub rows: u64,
    /// Dimension: numbers, or bits for `kind: binary`, of a vector: `128`.
    pub dim: u32,
    /// Shape of the vectors: `dense` or `binary`.
    #[serde(default)]
    pub kind: Shape,
    /// Element type of dense vectors: `f32`, `f64`, `f16`, `bf16`, `i8` or `u8`.
    #[serde(default)]
    pub elem: Option<Elem>,
    /// Another seed gives other rows: `42`.
    #[serde(default)]
    pub seed: u64,
    /// Name of the collection: `faces`.
    #[serde(default = "default_collection")]
    pub collection: String,
    /// Partitions, called `p0`, `p1`, …, that share the rows; 0 makes none.
    #[serde(default)]
    pub partitions: u32,
    /// Whether the rows have ids, counted from 0.
    #[serde(default = "default_ids")]
    pub ids: bool,
    /// Splits of each partition; 0 makes one for every 64 MiB.
    #[serde(default)]
    pub splits: u32,
}

fn default_collection() -> String {
    crate::RANDOM.to_owned()
}

fn default_ids() -> bool {
    true
}

impl RandomOptions {
    /// Checks the options together; gives the type of the vectors.
    pub(crate) fn resolve(&self) -> Result<VectorType> {
        let wrong = |option: &str, what: String| {
            Err(Error::new(ErrorKind::Config, what).with("option", option))
        };
        if self.dim < 1 || self.dim > keys::MAX_DIM {
            let found = self.dim;
            return wrong(
                "dim",
                format!("dimension {found}, wanted 1 to {}", keys::MAX_DIM),
            );
        }
        for (option, found, most) in [
            ("rows", self.rows, MAX_ROWS),
            (
                "partitions",
                u64::from(self.partitions),
                u64::from(MAX_PARTITIONS),
            ),
            ("splits", u64::from(self.splits), u64::from(MAX_SPLITS)),
        ] {
            if found > most {
                return wrong(
                    option,
                    format!("found {found}, at most {most} are possible"),
                );
            }
        }
        if self.collection.is_empty() {
            return wrong("collection", "the name is empty".to_owned());
        }
        match (self.kind, self.elem) {
            (Shape::Binary, None | Some(Elem::Bit)) => {
                Ok(VectorType::binary(self.dim, BitOrder::Msb))
            }
            (Shape::Binary, Some(elem)) => wrong(
                "elem",
                format!("binary vectors have bits, not {elem}; leave `elem` out"),
            ),
            (Shape::Dense, Some(Elem::Bit)) => wrong(
                "elem",
                "dense vectors have no bits; say `kind: binary`".to_owned(),
            ),
            (Shape::Dense, elem) => Ok(VectorType::dense(elem.unwrap_or(Elem::F32), self.dim)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: &str) -> RandomOptions {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn defaults_are_dense_f32_with_ids() {
        let options = options(r#"{"rows":10,"dim":4}"#);
        assert_eq!(options.resolve().unwrap(), VectorType::dense(Elem::F32, 4));
        assert!(options.ids);
        assert_eq!(options.collection, "random");
    }

    #[test]
    fn options_that_do_not_fit_are_refused_by_name() {
        for (json, option) in [
            (r#"{"rows":1,"dim":0}"#, "dim"),
            (r#"{"rows":1,"dim":1048577}"#, "dim"),
            (r#"{"rows":281474976710657,"dim":1}"#, "rows"),
            (r#"{"rows":1,"dim":8,"partitions":65537}"#, "partitions"),
            (r#"{"rows":1,"dim":8,"splits":65537}"#, "splits"),
            (r#"{"rows":1,"dim":8,"kind":"binary","elem":"f32"}"#, "elem"),
            (r#"{"rows":1,"dim":8,"elem":"bit"}"#, "elem"),
            (r#"{"rows":1,"dim":8,"collection":""}"#, "collection"),
        ] {
            let error = options(json).resolve().unwrap_err();
            assert_eq!(error.context_value("option"), Some(option), "{json}");
        }
    }
}
