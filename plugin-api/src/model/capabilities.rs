// SPDX-License-Identifier: Apache-2.0
//! What a sink can take (data model 5.9).
//!
//! The host refuses and converts by `id_types`, `id_policy`, `vectors` (kind, element, dimension,
//! count, `nullable`), `scalar_types`, `nullable` and `dynamic`, cuts by `max_request_bytes` and
//! `max_request_rows`, and orders writes by `ordered_append`, `addressed_writes` and
//! `parallel_writers`. What depends on values or names (`finite_only`, `zero_ok`,
//! `max_string_bytes`, `name_pattern`, `partitions`, `metrics`, …) the sink itself refuses, in
//! `check` or row by row; it is declared so that people and later hosts can know.
//!
//! Crosses as JSON. Whatever is absent means the careful value.

use std::collections::BTreeMap;

use arrow_schema::{DataType, Field};
use serde::{Deserialize, Serialize};

use super::field::{Elem, Kind, VectorType};
use super::wire;

/// What vectors of one kind a sink can hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VectorCapability {
    /// Shape.
    pub kind: Kind,
    /// Element types it holds without change; names from a later version are passed over.
    #[serde(deserialize_with = "known_values")]
    pub elem: Vec<Elem>,
    /// Largest dimension.
    pub max_dim: Option<u32>,
    /// The dimension must be a multiple of this.
    pub dim_multiple: Option<u32>,
    /// Most vector columns of this kind.
    pub max_count: Option<u32>,
    /// Whether a row may have no vector.
    pub nullable: bool,
    /// Whether NaN and infinities are refused.
    pub finite_only: bool,
    /// Whether a vector of zeros is taken; absent in a document, it is not.
    pub zero_ok: bool,
}

impl Default for VectorCapability {
    fn default() -> Self {
        Self {
            kind: Kind::Dense,
            elem: Vec::new(),
            max_dim: None,
            dim_multiple: None,
            max_count: None,
            nullable: false,
            finite_only: false,
            zero_ok: false,
        }
    }
}

impl VectorCapability {
    /// Vectors of that kind and those elements, any dimension and values, one column.
    pub fn new(kind: Kind, elem: &[Elem]) -> Self {
        Self {
            kind,
            elem: elem.to_vec(),
            max_count: Some(1),
            zero_ok: true,
            ..Self::default()
        }
    }

    /// Whether a vector of this type fits as it is.
    pub fn holds(&self, vector: &VectorType) -> bool {
        self.kind == vector.kind
            && self.elem.contains(&vector.elem)
            && self.max_dim.is_none_or(|max| vector.dim <= max)
            && self
                .dim_multiple
                .is_none_or(|m| m == 0 || vector.dim.is_multiple_of(m))
    }
}

/// Whether a sink has partitions, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionCapability {
    /// Whether it has partitions.
    pub supported: bool,
    /// Most partitions of a collection.
    pub max: Option<u64>,
}

/// Whether a sink can count its rows, and exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CountCapability {
    /// Whether the count is exact.
    pub exact: bool,
}

/// How a sink's rows can be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadBackCapability {
    /// One by one, by id.
    pub by_id: bool,
    /// All of them, in some order.
    pub scan: bool,
}

/// What a sink can take.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Arrow types of ids: `Int64`, `UInt64`, `Utf8`, `Uuid`.
    pub id_types: Vec<String>,
    /// Of `given`, `generate`, `none`: what it can do about ids.
    pub id_policy: Vec<String>,
    /// Whether an id names one row.
    pub unique_ids: bool,
    /// Vectors by kind; kinds from a later version are passed over.
    #[serde(deserialize_with = "known_values")]
    pub vectors: Vec<VectorCapability>,
    /// Canonical metrics it can be told; empty = it needs none.
    pub metrics: Vec<String>,
    /// Metrics under which stored vectors differ from those given, and how.
    pub alters_vectors: BTreeMap<String, String>,
    /// Scalar types it holds, by [`wire::type_name`]; `*` is every type.
    pub scalar_types: Vec<String>,
    /// Whether a scalar may be null.
    pub nullable: bool,
    /// Whether null and absent are one to it.
    pub null_is_absent: bool,
    /// Whether it has a dynamic column.
    pub dynamic: bool,
    /// Most scalar columns.
    pub max_columns: Option<u64>,
    /// Longest string, in bytes.
    pub max_string_bytes: Option<u64>,
    /// Longest JSON value, in bytes.
    pub max_json_bytes: Option<u64>,
    /// Regular expression that names must match.
    pub name_pattern: Option<String>,
    /// Longest name, in bytes.
    pub max_name: Option<u64>,
    /// Partitions.
    pub partitions: PartitionCapability,
    /// Most bytes of a batch; the engine cuts to it.
    pub max_request_bytes: Option<u64>,
    /// Most rows of a batch.
    pub max_request_rows: Option<u64>,
    /// Whether writing a known id replaces its row.
    pub upsert: bool,
    /// Whether rows keep the order in which they are written.
    pub ordered_append: bool,
    /// Whether rows can be written at their place, in any order, again and again.
    pub addressed_writes: bool,
    /// Whether nothing is seen before `finish`.
    pub transactional_publish: bool,
    /// Threads that may write to one target at once; 0 = any number, absent = 1.
    pub parallel_writers: Option<u32>,
    /// Whether it builds indexes.
    pub create_index: bool,
    /// Counting.
    pub count: CountCapability,
    /// Reading back.
    pub read_back: ReadBackCapability,
}

impl Capabilities {
    /// Whether the sink holds ids of that field's type as they are.
    pub fn holds_id(&self, field: &Field) -> bool {
        self.id_types.iter().any(|t| *t == wire::type_name(field))
    }

    /// Whether the sink holds that scalar column as it is.
    pub fn holds_scalar(&self, field: &Field) -> bool {
        let name = wire::type_name(field);
        self.scalar_types.iter().any(|t| t == "*" || *t == name)
    }

    /// Whether the sink holds scalars of that plain type.
    pub fn holds_scalar_type(&self, data_type: &DataType) -> bool {
        self.holds_scalar(&Field::new("", data_type.clone(), true))
    }

    /// What the sink says of vectors that it holds as this one is.
    pub fn holding_vector(&self, vector: &VectorType) -> Option<&VectorCapability> {
        self.vectors.iter().find(|c| c.holds(vector))
    }
}

/// Reads a list and leaves out what this version can't read: it could not be used anyway.
fn known_values<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let values = Vec::<serde_json::Value>::deserialize(deserializer)?;
    Ok(values
        .into_iter()
        .filter_map(|v| serde_json::from_value(v).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_elements_from_the_future_are_passed_over() {
        let capabilities: Capabilities = serde_json::from_str(
            r#"{"vectors":[{"kind":"dense","elem":["f32","f8"]},{"kind":"quantum","elem":["f32"]}]}"#,
        )
        .unwrap();
        assert_eq!(capabilities.vectors.len(), 1);
        assert_eq!(capabilities.vectors[0].elem, [Elem::F32]);
    }

    #[test]
    fn an_empty_document_means_the_careful_values() {
        let capabilities: Capabilities = serde_json::from_str(r#"{"future":1}"#).unwrap();
        assert_eq!(capabilities, Capabilities::default());
        assert!(!capabilities.addressed_writes);
        let vector: VectorCapability = serde_json::from_str("{}").unwrap();
        assert!(!vector.zero_ok && !vector.nullable);
        assert!(
            capabilities
                .holding_vector(&VectorType::dense(Elem::F32, 4))
                .is_none()
        );
    }

    #[test]
    fn a_star_holds_every_scalar() {
        let mut capabilities = Capabilities::default();
        assert!(!capabilities.holds_scalar_type(&DataType::Utf8));
        capabilities.scalar_types = vec!["Utf8".to_owned()];
        assert!(capabilities.holds_scalar_type(&DataType::Utf8));
        assert!(!capabilities.holds_scalar_type(&DataType::Int8));
        capabilities.scalar_types = vec!["*".to_owned()];
        assert!(capabilities.holds_scalar_type(&DataType::Int8));
    }

    #[test]
    fn dimension_limits_are_kept() {
        let mut capability = VectorCapability::new(Kind::Dense, &[Elem::F32]);
        capability.max_dim = Some(16);
        capability.dim_multiple = Some(8);
        assert!(capability.holds(&VectorType::dense(Elem::F32, 16)));
        assert!(!capability.holds(&VectorType::dense(Elem::F32, 12)));
        assert!(!capability.holds(&VectorType::dense(Elem::F32, 24)));
        assert!(!capability.holds(&VectorType::dense(Elem::F64, 16)));
    }
}
