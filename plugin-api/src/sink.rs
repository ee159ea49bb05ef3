// SPDX-License-Identifier: Apache-2.0
//! What a writer implements: [`Sink`] checks and prepares targets, [`TargetWriter`] fills one.
//!
//! Nothing half-written may look whole: a target comes into sight at `finish`, or is a
//! collection whose count the sink can tell.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{Capabilities, Descriptor};
use crate::{Error, Result, Services};

/// A place that datasets are written to.
pub trait Sink: Send + Sync + Sized + 'static {
    /// The plugin's options under `sink:` in a task; `deny_unknown_fields`, a doc comment each.
    type Options: DeserializeOwned + JsonSchema;

    /// Opens the sink; writes nothing.
    ///
    /// # Errors
    /// `Config`, `NotFound`, `Denied`, `Remote`.
    fn open(options: Self::Options, services: Services) -> Result<Self>;

    /// What the sink can take, under its options.
    ///
    /// # Errors
    /// `Remote` where a server has to be asked and does not answer.
    fn capabilities(&self) -> Result<Capabilities>;

    /// Looks at every target of a run before the first write, and writes nothing.
    ///
    /// Gives one state for each target, in their order.
    ///
    /// # Errors
    /// `Config` where the targets can't be written together (two datasets into one file),
    /// `Denied`, `Remote`.
    fn check(&self, targets: &[TargetRequest]) -> Result<Vec<TargetState>>;

    /// Makes a target ready for rows.
    ///
    /// # Errors
    /// `Exists` if it appeared since the check, `Denied`, `Io`, `Remote`.
    fn prepare(&self, target: &TargetRequest) -> Result<Box<dyn TargetWriter>>;
}

/// Fills one target.
///
/// Called from one thread at a time, unless the capabilities say `parallel_writers`. Rows come in
/// plan order, unless they say `addressed_writes`. Dropped without [`finish`](Self::finish), it
/// leaves nothing that looks whole; where the target is [`resumable`](TargetState::resumable) and
/// belongs to a run ([`TargetSpec::run`]), it keeps what was written, for that run to go on.
pub trait TargetWriter: Send + Sync {
    /// Writes the rows of a batch; each is written, or listed as rejected.
    ///
    /// # Errors
    /// `Io`, `Remote`. Whether rows of a call that failed were written is then unknown, so the
    /// host never repeats it: a sink that can try again safely does so itself, within the call.
    fn write(&self, at: WriteAt, batch: RecordBatch) -> Result<WriteAck>;

    /// Makes what was written so far durable.
    ///
    /// # Errors
    /// `Io`, `Remote`.
    fn flush(&self) -> Result<()>;

    /// Publishes the target, and counts its rows apart from the write calls.
    ///
    /// # Errors
    /// `Io`, `Remote`; nothing is published then. The host aborts it, or has the run go on later.
    fn finish(&self) -> Result<FinishAck>;

    /// Takes back what this run wrote and made at the target; it may have been asked to stop.
    ///
    /// # Errors
    /// `Io`, `Remote`, where something of it stays.
    fn abort(&self) -> Result<()>;
}

/// What to do where the target exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Stop before anything is written.
    #[default]
    Fail,
    /// Leave the target as it is, and say so.
    Skip,
    /// Add to it.
    Append,
    /// Replace it.
    Overwrite,
}

/// A target and what will come.
#[derive(Debug, Clone)]
pub struct TargetRequest {
    /// Columns after all conversions.
    pub schema: SchemaRef,
    /// Names and numbers, and the index definitions to make.
    pub spec: TargetSpec,
}

/// The part of a [`TargetRequest`] that crosses as JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TargetSpec {
    /// Collection to write to.
    pub collection: String,
    /// Partition to write to; `None` is the default one.
    #[serde(default)]
    pub partition: Option<String>,
    /// What to do where it exists.
    #[serde(default)]
    pub mode: Mode,
    /// Rows that will come, where that is known exactly.
    #[serde(default)]
    pub rows: Option<u64>,
    /// Bytes that will come, about.
    #[serde(default)]
    pub bytes: u64,
    /// The source's descriptor (of the first dataset, where several are merged).
    pub descriptor: Descriptor,
    /// The datasets that go into it, in plan order.
    #[serde(default)]
    pub parts: Vec<TargetPart>,
    /// The run's own name: letters and digits, the same when it is resumed. Empty for a run that
    /// can't be.
    #[serde(default)]
    pub run: String,
    /// What an earlier process of this run did here.
    #[serde(default)]
    pub resumed: Option<Resumed>,
}

/// What an earlier process of a run did at a target, as far as the host knows: it had begun to
/// prepare it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resumed {
    /// Whether the target existed before the run.
    pub existed: bool,
    /// Rows that were there before the run.
    pub rows_before: Option<u64>,
    /// Whether it was ready for rows.
    pub is_prepared: bool,
    /// Rows that the sink acknowledged; more may have arrived. In [`Sink::prepare`] those that will
    /// not come again.
    pub written: u64,
    /// Whether [`TargetWriter::finish`] had been called, and is not known to have failed.
    pub is_finishing: bool,
    /// Whether that had succeeded: the target is only named beside others, and not written again.
    pub is_finished: bool,
    /// Ids of the rows around the place where the run goes on, as text: only in
    /// [`Sink::prepare`], and only where rows have ids, but no places of their own.
    pub last_id: Option<String>,
    /// The first row that is still to come.
    pub next_id: Option<String>,
}

/// What a sink found of an earlier process of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Every row that was acknowledged is there and can be written again at its place.
    Acknowledged,
    /// So many rows are there: the first ones, in plan order. Refused where rows have places
    /// (`addressed_writes`, and their number is known beforehand): they come in any order.
    Rows(u64),
    /// The target is complete, with so many rows of the run.
    Complete(u64),
}

/// A dataset that goes into a target.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TargetPart {
    /// Its splits; those of all parts together are the target's, which [`WriteAt::split`] counts.
    pub splits: u64,
    /// What the source says of it.
    pub descriptor: Descriptor,
}

impl TargetSpec {
    /// `collection` or `collection/partition`, for messages.
    pub fn full_name(&self) -> String {
        match &self.partition {
            Some(partition) => format!("{}/{partition}", self.collection),
            None => self.collection.clone(),
        }
    }
}

/// What a sink found where a target is to be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetState {
    /// Where it is: a path, a server's collection.
    pub location: String,
    /// Whether it is there already.
    pub exists: bool,
    /// Rows that are there.
    pub rows: Option<u64>,
    /// Bytes that writing will take, with what has to be kept meanwhile.
    pub needs_bytes: u64,
    /// Bytes that writing it holds beside the batches that it is given, at most: a chunk that is
    /// being filled and packed. The host refuses the task where `memory` does not cover them.
    pub held_bytes: u64,
    /// Bytes that are free.
    pub free_bytes: Option<u64>,
    /// What shares those free bytes: a file system, a server.
    pub volume: String,
    /// Why the target can't be written; the run stops before the first write.
    pub refusals: Vec<Error>,
    /// What a person should know beforehand.
    pub notices: Vec<String>,
    /// Whether a run that is stopped can go on here, behind the rows that it had written.
    pub resumable: bool,
    /// What is there of an earlier process of the run; absent if the target starts anew.
    pub found: Option<Found>,
    /// Options with which the plugin's own source reads this target back, to verify it; absent if
    /// it is not there or can't be read. Where they give several datasets, the one of the target's
    /// collection and partition is meant.
    pub read_back: Option<Value>,
}

/// Where the rows of a batch belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, abi_stable::StableAbi)]
#[repr(C)]
pub struct WriteAt {
    /// Position of the split in the target's plan, from 0.
    pub split: u64,
    /// Position of the batch's first row among all rows of this run for the target; only
    /// meaningful where every split's rows are known exactly, as `addressed_writes` asks.
    pub row: u64,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WriteAck {
    /// Rows written.
    pub written: u64,
    /// Rows refused.
    pub rejected: Vec<Rejected>,
}

impl WriteAck {
    /// All of `rows` were written.
    pub fn all(rows: usize) -> Self {
        Self {
            written: rows as u64,
            rejected: Vec::new(),
        }
    }
}

/// A row that was refused, and why.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rejected {
    /// Position in the batch, from 0.
    pub row: u64,
    /// Its id, as text, where it has one.
    #[serde(default)]
    pub id: Option<String>,
    /// Why.
    pub reason: String,
}

/// What a published target holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FinishAck {
    /// Rows that this run added, counted at the target, apart from the write calls; `None` if
    /// the sink can't count.
    pub rows_added: Option<u64>,
    /// Rows that are there in all.
    pub rows_total: Option<u64>,
    /// Where it is.
    pub location: String,
    /// Bytes it takes there.
    pub bytes: Option<u64>,
}
