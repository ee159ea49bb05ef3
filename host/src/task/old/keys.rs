// SPDX-License-Identifier: Apache-2.0
//! Keys that several channels of MilvusDM 1.0 have, in every spelling that it took.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::fault::Fault;

/// `1.x`, or `1.0` without quotes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Version {
    Text(String),
    Number(f64),
}

impl Version {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// A port, with or without quotes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Port {
    Number(u16),
    Text(String),
}

impl Port {
    /// Its number.
    pub(super) fn number(&self, at: &str) -> Result<u16, Fault> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => text.trim().parse().map_err(|_| {
                Fault::of_value(at, "found text that is no port, wanted a whole number")
                    .help("the port of a Milvus server is 19530, unless it was changed")
            }),
        }
    }
}

/// What to do where the target exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OldMode {
    /// Leave it alone.
    Skip,
    /// Add rows to it.
    Append,
    /// Replace it.
    Overwrite,
}

impl OldMode {
    /// As a task of today says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Append => "append",
            Self::Overwrite => "overwrite",
        }
    }
}

/// What a new collection is made with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CollectionParameter {
    /// Elements of a vector; bits where vectors are binary.
    pub dimension: u32,
    /// Size from which segments are indexed, in MB.
    pub index_file_size: Option<i64>,
    /// `L2`, `IP`, `HAMMING`, `JACCARD`, `TANIMOTO`, `SUBSTRUCTURE`, `SUPERSTRUCTURE`.
    pub metric_type: String,
}

/// The server that has the metadata.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MysqlParameter {
    pub host: String,
    pub user: String,
    pub port: Option<Port>,
    pub password: Option<String>,
    pub database: String,
}

/// One text, or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them, each with the pointer below its key: that of the text itself, or its place in
    /// the list.
    pub(super) fn each(&self) -> Vec<(&str, String)> {
        match self {
            Self::One(text) => vec![(text, String::new())],
            Self::Many(texts) => {
                let texts = texts.iter().enumerate();
                let each = texts.map(|(index, text)| (text.as_str(), format!("/{index}")));
                each.collect()
            }
        }
    }
}

/// Which collections are meant, and which of their partitions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Collections {
    /// `*`: all.
    All(String),
    /// By name; without partitions, all of them.
    Named(BTreeMap<String, Option<OneOrMany>>),
}
