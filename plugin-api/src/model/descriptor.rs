// SPDX-License-Identifier: Apache-2.0
//! What a dataset is apart from its columns: names, counts, ids, index definitions.
//!
//! Crosses as JSON; members that this version does not know are carried along, so that a newer
//! source and a newer sink can talk through an older host.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Rows of a dataset, and whether that number is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCount {
    /// Rows that reading the whole dataset gives.
    pub value: u64,
    /// Whether the number is exact.
    #[serde(default)]
    pub exact: bool,
}

/// Where the ids come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IdPolicy {
    /// The user gave them.
    Given,
    /// The source generated them; they are data all the same.
    Auto,
    /// The dataset has none.
    #[default]
    None,
    /// Something that a later version knows.
    #[serde(other)]
    Unknown,
}

/// Whether no id occurs twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unique {
    /// No id occurs twice.
    Yes,
    /// Ids may occur twice.
    No,
    /// The source can't tell.
    #[default]
    Unknown,
}

impl Serialize for Unique {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Yes => serializer.serialize_bool(true),
            Self::No => serializer.serialize_bool(false),
            Self::Unknown => serializer.serialize_str("unknown"),
        }
    }
}

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Bool(true) => Self::Yes,
            Value::Bool(false) => Self::No,
            _ => Self::Unknown,
        })
    }
}

/// What is known of a dataset's ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IdInfo {
    /// Where they come from.
    #[serde(default)]
    pub policy: IdPolicy,
    /// Whether they are unique.
    #[serde(default)]
    pub unique: Unique,
}

/// An index definition: a neutral reading beside the source's own words (data model section 4).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct IndexDefinition {
    /// Its name, empty if it has none.
    #[serde(default)]
    pub name: String,
    /// The column it is built on.
    #[serde(default)]
    pub field: String,
    /// `flat`, `ivf`, `hnsw`, …, `other`.
    #[serde(default = "other")]
    pub family: String,
    /// `none`, `sq8`, `pq`, …
    #[serde(default = "other")]
    pub quantizer: String,
    /// Canonical metric, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Neutral parameters: `m`, `ef_construction`, `nlist`, …
    #[serde(default)]
    pub params: Map<String, Value>,
    /// `built` or `declared`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The source's own definition, verbatim: the only truth, for a sink of the same system.
    #[serde(default)]
    pub native: Value,
    /// Members of a later version.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

fn other() -> String {
    "other".to_owned()
}

/// What a dataset is apart from its columns (data model 5.7).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Descriptor {
    /// The system that it comes from: `faiss`, `hdf5`, `milvus1`, …
    pub system: String,
    /// Database, where the system has them.
    #[serde(default)]
    pub database: Option<String>,
    /// Namespace, where the system has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Collection; a source without names gives its file's stem.
    pub collection: String,
    /// Partition; `None` is the whole collection (or its only, unnamed part).
    #[serde(default)]
    pub partition: Option<String>,
    /// Whether the partition is the system's default one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partition_default: bool,
    /// Rows that reading gives, where that is known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowCount>,
    /// Rows that are in the source but deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    /// Bytes of vectors and ids, uncompressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What is known of the ids.
    #[serde(default)]
    pub id: IdInfo,
    /// Changes when the source's content does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Index definitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<IndexDefinition>,
    /// Functions that derive columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<Value>,
    /// Other names of the collection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Raw settings by system; never required to read data.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
    /// Members of a later version.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Descriptor {
    /// `collection` or `collection/partition`, for messages and keys.
    pub fn full_name(&self) -> String {
        match &self.partition {
            Some(partition) => format!("{}/{partition}", self.collection),
            None => self.collection.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_of_the_data_model_survives() {
        let text = r#"{"system":"milvus1","database":null,"collection":"fingerprints","partition":"2021","rows":{"value":1000000,"exact":true},"bytes":64000000,
 "id":{"policy":"given","unique":false},"indexes":[{"name":"","field":"vector","family":"ivf","quantizer":"none","metric":"jaccard","params":{"nlist":1024},
 "native":{"system":"milvus1","type":"BIN_IVF_FLAT","type_id":10,"metric":"JACCARD","params":{"nlist":1024}}}],"properties":{"milvus1":{"index_file_size":1024}}}"#;
        let descriptor: Descriptor = serde_json::from_str(text).unwrap();
        assert_eq!(descriptor.full_name(), "fingerprints/2021");
        assert_eq!(descriptor.id.unique, Unique::No);
        let sent: Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&descriptor).unwrap(), sent);
    }

    #[test]
    fn what_a_later_version_says_or_leaves_out_does_not_break_the_list() {
        let text =
            r#"{"system":"x","collection":"c","id":{"policy":"rented"},"indexes":[{"name":"i"}]}"#;
        let descriptor: Descriptor = serde_json::from_str(text).unwrap();
        assert_eq!(descriptor.id.policy, IdPolicy::Unknown);
        assert_eq!(descriptor.indexes[0].family, "other");
    }

    #[test]
    fn unknown_members_are_carried() {
        let descriptor: Descriptor = serde_json::from_str(
            r#"{"system":"x","collection":"c","id":{"unique":"unknown"},"tide":3}"#,
        )
        .unwrap();
        let back = serde_json::to_value(&descriptor).unwrap();
        assert_eq!(back["tide"], 3);
        assert_eq!(back["id"]["unique"], "unknown");
    }
}
