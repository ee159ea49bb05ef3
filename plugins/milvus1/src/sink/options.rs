// SPDX-License-Identifier: Apache-2.0
//! What a task says under `sink:`.

use std::path::PathBuf;
use std::time::Duration;

use milvusdm_plugin_api::model::Metric;
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::index_type::{self, IndexType};
use crate::metric;
use crate::server::Patience;

/// The size from which segments are indexed, where neither task nor source say one: the
/// server's own default, in MB.
pub const INDEX_FILE_SIZE: i64 = 1024;

/// What becomes of vectors with elements that are no finite numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NonFinite {
    /// They are stored as they are: the server does not mind.
    #[default]
    Keep,
    /// Their rows are rejected.
    Reject,
}

/// The index that a collection is to have.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum IndexOption {
    /// The source's, or none.
    Named(IndexChoice),
    /// This one.
    Definition(IndexDefinitionOption),
}

/// Whether the source's index definition is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndexChoice {
    /// The one that the source has, where Milvus 1.x knows it.
    #[default]
    Source,
    /// None is made; one that is there already stays.
    None,
}

/// An index of the task's own.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexDefinitionOption {
    /// Its type: `IVF_FLAT`, `IVF_SQ8`, `IVF_PQ`, `HNSW`, `ANNOY`, `RNSG`, `BIN_IVF_FLAT`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its parameters: `{nlist: 1024}`.
    #[serde(default)]
    pub params: Map<String, Value>,
}

/// A metric, or one for each kind of vectors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum MetricOption {
    /// One.
    One(String),
    /// One for floats and one for bits.
    Each(Vec<String>),
}

/// Options of the Milvus 1.x sink.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Milvus1SinkOptions {
    /// The server: `grpc://localhost:19530`.
    #[schemars(extend("x-positional" = true))]
    pub uri: String,
    /// Metric of new collections, in place of the source's: `L2`, `IP`, or for binary vectors
    /// `HAMMING`, `JACCARD`, `TANIMOTO`, `SUBSTRUCTURE` or `SUPERSTRUCTURE`; a list has one for
    /// each kind of vectors, `[L2, HAMMING]`.
    #[serde(default)]
    pub metric: Option<MetricOption>,
    /// Size of a segment from which on it is indexed, in MB, 1 to 4096; by default the source's,
    /// else 1024.
    #[serde(default)]
    pub index_file_size: Option<i64>,
    /// The dimension that all vectors must have, as a safeguard: `128`.
    #[serde(default)]
    pub dimension: Option<u32>,
    /// The index to build when all rows are there: `source`, `none`, or one of the task's own,
    /// `{type: IVF_FLAT, params: {nlist: 1024}}`.
    #[serde(default)]
    pub index: Option<IndexOption>,
    /// Vectors with NaN or infinities: `keep` or `reject`.
    #[serde(default)]
    pub non_finite: NonFinite,
    /// With `mode: overwrite`, whether a collection whose default partition is written may be
    /// dropped with partitions that the task does not write.
    #[serde(default)]
    pub drop_partitions: bool,
    /// Largest insert request, in MiB of vectors and ids, 1 to 256.
    #[serde(default = "default_request")]
    pub request_mib: u32,
    /// Seconds that the server may take for an answer; inserts may take four times as long, and
    /// flushes and indexes as long as they take.
    #[serde(default = "default_timeout")]
    pub timeout: u64,
    /// How often a server that can't be reached is tried again.
    #[serde(default = "default_retries")]
    pub retries: u32,
    /// Folder for the rows that the server refused, one JSON document a line; by default
    /// `rejects` in `$MILVUSDM_PATH`, which is `~/milvusdm` unless it is set.
    #[serde(default)]
    pub rejects: Option<PathBuf>,
    /// Folder for the ids of the rows that were written, one a line; none by default.
    #[serde(default)]
    pub ids: Option<PathBuf>,
}

/// Measured: smaller ones spend more on each call, larger ones leave the processor's cache, and
/// keep the server waiting for longer between two of them.
fn default_request() -> u32 {
    4
}

fn default_timeout() -> u64 {
    Patience::TIMEOUT
}

fn default_retries() -> u32 {
    Patience::RETRIES
}

impl Milvus1SinkOptions {
    /// Checks the options that need no server.
    ///
    /// # Errors
    /// `Config`, with the option's name.
    pub fn check(&self) -> Result<()> {
        let wrong = |option: &str, message: String| {
            Err(Error::new(ErrorKind::Config, message).with("option", option))
        };
        if !(1..=256).contains(&self.request_mib) {
            let found = self.request_mib;
            return wrong(
                "request_mib",
                format!("{found} MiB a request, wanted 1 to 256, the server's own ceiling"),
            );
        }
        if let Some(found) = self.index_file_size.filter(|n| !(1..=4096).contains(n)) {
            return wrong(
                "index_file_size",
                format!("found {found} MB, wanted 1 to 4096"),
            );
        }
        if self.timeout == 0 {
            return wrong("timeout", "found 0 s, wanted 1 or more".to_owned());
        }
        let metrics = self.metrics()?;
        let binary = metrics.iter().filter(|metric| metric.is_binary()).count();
        let is_list = matches!(self.metric, Some(MetricOption::Each(_)));
        if binary > 1 || metrics.len() - binary > 1 || (is_list && metrics.is_empty()) {
            return wrong(
                "metric",
                "wanted at most one metric for float and one for binary vectors".to_owned(),
            );
        }
        self.own_index().map(|_| ())
    }

    /// The metrics that the task names.
    ///
    /// # Errors
    /// `Config` for a name that Milvus 1.x does not have.
    fn metrics(&self) -> Result<Vec<Metric>> {
        let names = match &self.metric {
            None => &[][..],
            Some(MetricOption::One(name)) => std::slice::from_ref(name),
            Some(MetricOption::Each(names)) => names,
        };
        let known = |name: &String| {
            Metric::from_name(&name.trim().to_ascii_lowercase())
                .filter(|metric| metric::code(*metric).is_some())
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::Config,
                        format!(
                            "Milvus 1.x has no metric `{name}`, wanted L2, IP, HAMMING, JACCARD, TANIMOTO, SUBSTRUCTURE or SUPERSTRUCTURE"
                        ),
                    )
                    .with("option", "metric")
                })
        };
        names.iter().map(known).collect()
    }

    /// The metric that the task names for vectors of that kind.
    ///
    /// # Errors
    /// As above.
    pub fn metric_for(&self, is_binary: bool) -> Result<Option<Metric>> {
        let metrics = self.metrics()?;
        let found = metrics
            .into_iter()
            .find(|metric| metric.is_binary() == is_binary);
        Ok(found)
    }

    /// The task's own index definition.
    ///
    /// # Errors
    /// `Config` for a type that Milvus 1.x does not have.
    pub fn own_index(&self) -> Result<Option<(&'static IndexType, &Map<String, Value>)>> {
        let Some(IndexOption::Definition(index)) = &self.index else {
            return Ok(None);
        };
        let kind = index.kind.trim().to_ascii_uppercase();
        match index_type::of_name(&kind) {
            Some(found) => Ok(Some((found, &index.params))),
            None => {
                let names: Vec<&str> = index_type::ALL.iter().map(|kind| kind.name).collect();
                let message = format!(
                    "Milvus 1.x has no index `{}`, wanted one of {}",
                    index.kind,
                    names.join(", ")
                );
                Err(Error::new(ErrorKind::Config, message).with("option", "index"))
            }
        }
    }

    /// Whether no index is made at all.
    pub fn has_no_index(&self) -> bool {
        self.index == Some(IndexOption::Named(IndexChoice::None))
    }

    /// Bytes of the largest request.
    pub fn request_bytes(&self) -> u64 {
        u64::from(self.request_mib) << 20
    }

    /// How long and how often calls are tried.
    pub fn patience(&self) -> Patience {
        Patience {
            timeout: Duration::from_secs(self.timeout),
            retries: self.retries as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Milvus1SinkOptions {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn options_that_can_not_be_are_refused_by_name() {
        for (text, option) in [
            (r#"{"uri":"db","request_mib":0}"#, "request_mib"),
            (r#"{"uri":"db","request_mib":257}"#, "request_mib"),
            (r#"{"uri":"db","index_file_size":5000}"#, "index_file_size"),
            (r#"{"uri":"db","metric":"COSINE"}"#, "metric"),
            (r#"{"uri":"db","metric":["L2","IP"]}"#, "metric"),
            (r#"{"uri":"db","metric":[]}"#, "metric"),
            (r#"{"uri":"db","index":{"type":"DISKANN"}}"#, "index"),
            (r#"{"uri":"db","timeout":0}"#, "timeout"),
        ] {
            let error = options(text).check().unwrap_err();
            assert_eq!(error.context_value("option"), Some(option), "{text}");
        }
    }

    #[test]
    fn an_index_is_the_sources_or_none_or_the_tasks_own() {
        assert!(options(r#"{"uri":"db","index":"none"}"#).has_no_index());
        assert!(!options(r#"{"uri":"db","index":"source"}"#).has_no_index());
        let own = options(r#"{"uri":"db","index":{"type":"hnsw","params":{"M":16}}}"#);
        let (kind, params) = own.own_index().unwrap().unwrap();
        assert_eq!((kind.code, params.len()), (11, 1));
        assert_eq!(
            options(r#"{"uri":"db","metric":["ip", "HAMMING"]}"#)
                .metric_for(true)
                .unwrap(),
            Some(Metric::Hamming)
        );
    }
}
