// SPDX-License-Identifier: Apache-2.0
//! What a reader implements: [`Source`] lists datasets and splits, [`BatchReader`] reads one.
//!
//! A source opens everything read-only and works on a read-only mount. Calls block; the host
//! calls from its own threads, several at once.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::Descriptor;
use crate::{Result, Services};

/// A place that datasets are read from.
///
/// The count of a split (`found`) is taken from the source's own structure (file sizes,
/// headers), apart from the code that reads rows, so that a reader that loses rows is noticed.
pub trait Source: Send + Sync + Sized + 'static {
    /// The plugin's options under `source:` in a task; `deny_unknown_fields`, a doc comment each.
    type Options: DeserializeOwned + JsonSchema;

    /// Opens the source; reads no rows.
    ///
    /// # Errors
    /// `Config` for options that don't fit together, `NotFound`, `Denied`, `Format`.
    fn open(options: Self::Options, services: Services) -> Result<Self>;

    /// Lists the datasets, in a stable order, each with a key of its own.
    ///
    /// # Errors
    /// `Format` where the source is damaged; a source never lists only what it could read.
    fn datasets(&self) -> Result<Vec<Dataset>>;

    /// Lists a dataset's splits in plan order; the same list as long as the source is unchanged.
    ///
    /// # Errors
    /// As [`datasets`](Self::datasets); `NotFound` for an unknown key.
    fn splits(&self, dataset_key: &str) -> Result<Vec<Split>>;

    /// Opens a split for reading.
    ///
    /// # Errors
    /// `Format` or `Io`; `Config` if the split is not one that [`splits`](Self::splits) gave.
    fn read(
        &self,
        dataset_key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>>;

    /// Describes what is inside, for `milvusdm inspect`; by default nothing beyond the datasets.
    ///
    /// # Errors
    /// As [`datasets`](Self::datasets).
    fn inspect(&self) -> Result<Inspection> {
        Ok(Inspection::default())
    }
}

/// A reader of one split: batches until `None`, then its account.
pub trait BatchReader: Send {
    /// The next batch, of the dataset's schema and of one row at the least, not above the
    /// request's bytes unless one row is; `None` at the end, and ever after.
    ///
    /// # Errors
    /// `Format` or `Io` where the rest can't be read. A reader never ends early without an error.
    fn next(&mut self) -> Result<Option<RecordBatch>>;

    /// Rows of the whole split that are not given out, and why; asked after the end.
    ///
    /// They don't depend on the request: a reader that was told to pass over rows accounts for
    /// the split all the same.
    fn account(&self) -> ReadAccount {
        ReadAccount::default()
    }
}

/// A collection, or one partition of it.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Names it within the source; stable as long as the source is unchanged.
    pub key: String,
    /// Columns, with the metadata of the data model.
    pub schema: SchemaRef,
    /// Everything else that is known.
    pub descriptor: Descriptor,
}

/// An independent piece of a dataset: the unit of parallelism and of resume.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Split {
    /// Stable name within the dataset: `rows:0-131072`, a segment's number.
    pub id: String,
    /// Rows that are there, deleted ones included, counted apart from the reading; `None` if
    /// only reading tells.
    #[serde(default)]
    pub found: Option<u64>,
    /// Rows that reading will give, where that is known exactly beforehand.
    #[serde(default)]
    pub live: Option<u64>,
    /// Bytes that reading will give, about.
    #[serde(default)]
    pub bytes: u64,
    /// Bytes that reading it holds beside its batches, at most: a compressed chunk while it is
    /// decoded. The host runs fewer readers at once, or refuses the task, where `memory` does not
    /// cover them.
    #[serde(default)]
    pub held_bytes: u64,
    /// Changes when the split's content does.
    #[serde(default)]
    pub fingerprint: String,
    /// What the plugin needs to find it again; the host hands it back as it is.
    #[serde(default)]
    pub payload: Value,
}

/// What the engine asks of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadRequest {
    /// Rows to pass over, of those that reading the split from its start would give (deleted and
    /// skipped ones don't count): an earlier run made them durable.
    #[serde(default)]
    pub first_row: u64,
    /// Most bytes of a batch; a single row may be larger.
    pub max_batch_bytes: u64,
    /// Most rows of a batch, where the sink has such a ceiling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_batch_rows: Option<u64>,
}

impl ReadRequest {
    /// Rows of `row_bytes` each that fit into a batch: at least 1.
    pub fn rows_per_batch(&self, row_bytes: u64) -> u64 {
        let by_bytes = self.max_batch_bytes / row_bytes.max(1);
        by_bytes
            .min(self.max_batch_rows.unwrap_or(u64::MAX))
            .clamp(1, i32::MAX as u64)
    }
}

/// Rows of a split that a reader did not give out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadAccount {
    /// Deleted in the source.
    pub deleted: u64,
    /// Passed over because an option says so.
    pub skipped: u64,
    /// There, but unreadable.
    pub lost: u64,
    /// Why rows were skipped or lost, for the report; at most a few lines.
    pub notes: Vec<String>,
}

/// What `milvusdm inspect` shows beside the datasets.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Inspection {
    /// Trees: an index and its parts, a file and its objects.
    pub trees: Vec<Node>,
    /// What a person should know: damage, guesses, differences.
    pub notices: Vec<String>,
}

/// A node of a tree that `inspect` prints.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    /// What it is: `IndexIVFFlat (IwFl)`.
    pub label: String,
    /// What is known of it, by name.
    pub facts: BTreeMap<String, Value>,
    /// Its parts.
    pub children: Vec<Node>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_one_row_at_the_least() {
        let mut request = ReadRequest {
            first_row: 0,
            max_batch_bytes: 100,
            max_batch_rows: None,
        };
        assert_eq!(request.rows_per_batch(30), 3);
        assert_eq!(request.rows_per_batch(1000), 1);
        assert_eq!(request.rows_per_batch(0), 100);
        request.max_batch_rows = Some(2);
        assert_eq!(request.rows_per_batch(30), 2);
    }
}
