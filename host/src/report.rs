// SPDX-License-Identifier: Apache-2.0
//! What a command found or did, as data: printed for people by the command line, for programs
//! as the JSON that `--json` promises.

use milvusdm_plugin_api::model::schema::{Column, classify};
use milvusdm_plugin_api::model::{IdPolicy, IndexDefinition, wire};
use milvusdm_plugin_api::{Dataset, Error, Node, Split};
use serde::{Deserialize, Serialize};

use crate::convert::Conversion;
use crate::hash::Sums;
use crate::ledger::Ledger;
use crate::registry::{Entry, PluginFile};

/// Version of the JSON documents.
pub const VERSION: u32 = 1;

/// A dataset, as `inspect`, `plan` and `run` show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DatasetView {
    /// Collection in the source.
    pub collection: String,
    /// Partition in the source; absent is the default one.
    pub partition: Option<String>,
    /// Rows that reading gives.
    pub rows: Option<u64>,
    /// Whether that number is exact.
    pub rows_exact: bool,
    /// Rows that are there but deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    /// Dimension of the (first) vector column; bits for binary vectors.
    pub dim: Option<u32>,
    /// Kind and element type of it: `dense f32`, `binary`.
    pub vector: Option<String>,
    /// Canonical metric, if known.
    pub metric: Option<String>,
    /// Where ids come from.
    pub ids: IdPolicy,
    /// Columns in their order: name and type.
    pub columns: Vec<ColumnView>,
    /// Bytes that reading gives, about.
    pub bytes: Option<u64>,
    /// Changes when the source's rows do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Index definitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<IndexDefinition>,
    /// Splits, where they were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<u64>,
    /// Where the rows go: `collection` or `collection/partition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Where the rows went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
}

/// A column by name and type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnView {
    /// Its name.
    pub name: String,
    /// `id`, `vector`, `dynamic`, `partition`; absent for a scalar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `dense 128 x f32`, `Int64`, `Utf8`, …
    #[serde(rename = "type")]
    pub type_name: String,
}

impl DatasetView {
    /// What is known of a dataset without looking at its splits.
    pub fn of(dataset: &Dataset) -> Self {
        let descriptor = &dataset.descriptor;
        let vector = dataset
            .schema
            .fields()
            .iter()
            .find_map(|field| match classify(field) {
                Column::Vector(vector) => Some(vector),
                _ => None,
            });
        Self {
            collection: descriptor.collection.clone(),
            partition: descriptor.partition.clone(),
            rows: descriptor.rows.map(|rows| rows.value),
            rows_exact: descriptor.rows.is_some_and(|rows| rows.exact),
            deleted: descriptor.deleted,
            dim: vector
                .as_ref()
                .map(|vector| vector.dim)
                .filter(|dim| *dim > 0),
            vector: vector
                .as_ref()
                .map(|vector| format!("{} {}", vector.kind, vector.elem)),
            metric: vector.and_then(|vector| vector.metric),
            ids: descriptor.id.policy,
            columns: dataset
                .schema
                .fields()
                .iter()
                .map(|field| ColumnView::of(field))
                .collect(),
            bytes: descriptor.bytes,
            fingerprint: descriptor.fingerprint.clone(),
            indexes: descriptor.indexes.clone(),
            splits: None,
            target: None,
            ledger: None,
        }
    }

    /// The same with what the splits say of rows and bytes.
    #[must_use]
    pub fn with_splits(mut self, splits: &[Split]) -> Self {
        let live = splits
            .iter()
            .try_fold(0u64, |sum, split| sum.checked_add(split.live?));
        if let Some(live) = live {
            self.rows = Some(live);
            self.rows_exact = true;
        }
        let bytes = splits
            .iter()
            .map(|split| split.bytes)
            .fold(0, u64::saturating_add);
        if bytes > 0 {
            self.bytes = Some(bytes);
        }
        self.splits = Some(splits.len() as u64);
        self
    }

    /// `collection` or `collection/partition`.
    pub fn name(&self) -> String {
        match &self.partition {
            Some(partition) => format!("{}/{partition}", self.collection),
            None => self.collection.clone(),
        }
    }
}

impl ColumnView {
    /// What a field's metadata says it is.
    pub fn of(field: &arrow_schema::Field) -> Self {
        let (role, type_name) = match classify(field) {
            Column::Id => (Some("id"), wire::type_name(field)),
            Column::Vector(vector) if vector.dim == 0 => {
                (Some("vector"), format!("{} {}", vector.kind, vector.elem))
            }
            Column::Vector(vector) => (
                Some("vector"),
                format!("{} {} x {}", vector.kind, vector.dim, vector.elem),
            ),
            Column::Dynamic => (Some("dynamic"), wire::type_name(field)),
            Column::Partition => (Some("partition"), wire::type_name(field)),
            _ => (None, wire::type_name(field)),
        };
        Self {
            name: field.name().clone(),
            role: role.map(str::to_owned),
            type_name,
        }
    }
}

/// What `inspect` found.
#[derive(Debug, Serialize)]
pub struct InspectReport {
    /// [`VERSION`].
    pub version: u32,
    /// The plugin that read it.
    pub plugin: PluginView,
    /// Datasets in the source's order.
    pub datasets: Vec<DatasetView>,
    /// Trees: an index and its parts.
    pub trees: Vec<Node>,
    /// What a person should know.
    pub notices: Vec<String>,
    /// Datasets that can't be read as the options stand, and why.
    pub refusals: Vec<Refusal>,
    /// The exit code.
    pub exit: u8,
}

/// A plugin's name and version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PluginView {
    /// Name in task files.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The file it was loaded from; absent if it is linked in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// SHA-256 of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl PluginView {
    /// What is shown of a plugin.
    pub fn of(entry: &Entry) -> Self {
        let file = entry.file.as_ref();
        Self {
            name: entry.info.name.clone(),
            version: entry.info.version.clone(),
            file: file.map(|file| file.path.display().to_string()),
            sha256: file.and_then(sha256),
        }
    }
}

/// The hash of a file whose code runs.
fn sha256(file: &PluginFile) -> Option<String> {
    let hash = file.digest.hexadecimal();
    hash.inspect_err(|error| tracing::warn!(%error, "The plugin's hash is left out."))
        .ok()
        .map(str::to_owned)
}

/// What became of a target, or is to become of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TargetView {
    /// `collection` or `collection/partition`.
    pub name: String,
    /// Where it is: a path, a server's collection.
    pub location: String,
    /// What is done there.
    pub action: Action,
    /// How far that came.
    pub status: Status,
    /// Rows that were there before.
    pub rows_before: Option<u64>,
    /// Rows that the sink counted at the end as added, apart from the writing.
    pub rows_added: Option<u64>,
    /// Rows that are there in all.
    pub rows_total: Option<u64>,
    /// Bytes that it takes there.
    pub bytes: Option<u64>,
    /// Bytes that writing takes there, as the sink told beforehand.
    pub needs_bytes: Option<u64>,
    /// Bytes that were free there beforehand.
    pub free_bytes: Option<u64>,
    /// What the conversions do to columns.
    pub conversions: Vec<Conversion>,
    /// The account of everything that was to go there.
    pub ledger: Ledger,
    /// Hashes of the run's rows, as the sink got them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<HashView>,
}

/// Hashes of rows, by which `verify` knows them again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashView {
    /// How they are made.
    pub algorithm: String,
    /// Sums over all rows.
    #[serde(flatten)]
    pub sums: Sums,
}

impl HashView {
    /// Sums, with the name of the hash.
    pub fn of(sums: Sums) -> Self {
        Self {
            algorithm: crate::hash::NAME.to_owned(),
            sums,
        }
    }
}

impl TargetView {
    /// Whether rows of this run are there, or may be.
    pub fn holds_rows(&self) -> bool {
        matches!(self.status, Status::Done | Status::Left | Status::Kept)
    }
}

/// What is done at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is not there and will be made.
    Create,
    /// Rows are added to what is there.
    Append,
    /// What is there is replaced.
    Overwrite,
    /// It is there and left alone.
    Skip,
    /// An earlier process of the run was at work on it: it is gone on with.
    Resume,
    /// It is there, and the task does not say what to do about it.
    Refuse,
}

impl Action {
    /// Whether rows are written.
    pub fn writes(self) -> bool {
        matches!(
            self,
            Self::Create | Self::Append | Self::Overwrite | Self::Resume
        )
    }
}

/// How far a target came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing was written.
    Planned,
    /// All rows are there, or accounted for.
    Done,
    /// Left alone because it exists.
    Skipped,
    /// The run stopped in it; what was written was taken back.
    Aborted,
    /// The run stopped in it, and what was written is kept: the same command goes on there.
    Kept,
    /// The run stopped in it, and what was written is still there, or may be.
    Left,
}

/// Why a plan can't be run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refusal {
    /// The dataset or target it is about; empty if it is about the task.
    pub about: String,
    /// What is wrong, and what to do.
    pub error: Error,
    /// The exit code that it leads to.
    pub exit: u8,
}

/// A row that did not go through, as an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// The dataset in the source.
    pub dataset: String,
    /// The split of it.
    pub split: String,
    /// The row's place among the rows that reading the split gives.
    pub row: u64,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Why.
    pub reason: String,
}

/// What a run did, or a plan would do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunReport {
    /// [`VERSION`].
    pub version: u32,
    /// Who ran it: name and version.
    pub program: String,
    /// The run's name in the journal; empty without one.
    pub run: String,
    /// When it began, in seconds since 1970; when it was begun, if it went on.
    pub began: u64,
    /// Where the data came from.
    pub source: PluginView,
    /// Where they went.
    pub sink: PluginView,
    /// Datasets in plan order.
    pub datasets: Vec<DatasetView>,
    /// Targets in plan order.
    pub targets: Vec<TargetView>,
    /// The sum of all accounts.
    pub ledger: Ledger,
    /// The first rows that were rejected.
    pub rejected_rows: Vec<RejectedRow>,
    /// Why the plan can't be run.
    pub refusals: Vec<Refusal>,
    /// What a person should know.
    pub notices: Vec<String>,
    /// Rows that this process moved: `written` less those that an earlier one did.
    pub rows: u64,
    /// Bytes that it moved.
    pub bytes: u64,
    /// How long that took.
    pub seconds: f64,
    /// What stopped the run.
    pub error: Option<Error>,
    /// What comparing both sides afterwards found, as `verify --json` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<serde_json::Value>,
    /// The exit code.
    pub exit: u8,
}
