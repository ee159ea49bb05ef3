// SPDX-License-Identifier: Apache-2.0
//! A sink that keeps rows in memory and a line for each target in a file; it keeps the contract,
//! unless told to sin.

mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use milvusdm_plugin_api::model::capabilities::{
    CountCapability, PartitionCapability, VectorCapability,
};
use milvusdm_plugin_api::model::schema::{Column, classify};
use milvusdm_plugin_api::model::wire::type_name;
use milvusdm_plugin_api::model::{Capabilities, Elem, Kind};
use milvusdm_plugin_api::{
    Error, ErrorKind, Found, Mode, Result, Services, Sink, TargetRequest, TargetState, TargetWriter,
};
use schemars::JsonSchema;
use serde::Deserialize;

use writer::MemoryWriter;

/// Options of the sink and of the source that reads it back.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The folder that names the place.
    pub(super) folder: PathBuf,
    /// How it is to break the contract.
    #[serde(default)]
    sin: String,
}

/// What a finished target holds, in order.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
}

impl Stored {
    fn rows(&self) -> u64 {
        self.batches.iter().map(|b| b.num_rows() as u64).sum()
    }
}

pub(super) type Targets = BTreeMap<(PathBuf, String), Stored>;

static STORE: Mutex<Targets> = Mutex::new(BTreeMap::new());

pub(super) fn store() -> MutexGuard<'static, Targets> {
    STORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What runs that died had written, by target and run.
static LEFT: Mutex<BTreeMap<(PathBuf, String, String), Rows>> = Mutex::new(BTreeMap::new());

fn left() -> MutexGuard<'static, BTreeMap<(PathBuf, String, String), Rows>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

pub struct MemorySink {
    options: Options,
    services: Services,
    calls: AtomicUsize,
    /// Where a sinner's writers all put their rows.
    shared: Pieces,
}

/// Rows of a target, and where they belong.
type Rows = Vec<(u64, RecordBatch)>;
type Pieces = Arc<Mutex<Rows>>;

impl MemorySink {
    fn sins(&self, sin: &str) -> bool {
        self.options.sin == sin
    }

    fn key(&self, target: &TargetRequest) -> (PathBuf, String) {
        let name = match self.sins("ignores partitions") {
            true => target.spec.collection.clone(),
            false => target.spec.full_name(),
        };
        (self.options.folder.clone(), name)
    }

    /// What is there of an earlier process of the run.
    fn found(&self, target: &TargetRequest) -> Option<Found> {
        let spec = &target.spec;
        let resumed = spec.resumed.as_ref()?;
        let (folder, name) = self.key(target);
        if left().contains_key(&(folder.clone(), name.clone(), spec.run.clone())) {
            return Some(match self.options.sin.as_str() {
                "thinks it complete" => Found::Complete(resumed.written),
                "counts what has places" => Found::Rows(resumed.written),
                _ => Found::Acknowledged,
            });
        }
        let there = store().get(&(folder, name)).map(Stored::rows);
        let is_done = resumed.is_finishing && !self.sins("forgets that it finished");
        there
            .filter(|_| is_done)
            .map(|_| Found::Complete(resumed.written))
    }

    fn refuse_columns(&self, target: &TargetRequest) -> Result<()> {
        let capabilities = self.capabilities()?;
        for field in target.schema.fields() {
            let holds = match classify(field) {
                Column::Id => capabilities.holds_id(field),
                Column::Vector(vector) => capabilities.holding_vector(&vector).is_some(),
                _ => capabilities.holds_scalar(field),
            };
            if !holds && !self.sins("takes anything") {
                let name = match self.sins("refuses without a name") {
                    true => "a column",
                    false => field.name(),
                };
                let what = format!("`{name}` is {}, which does not fit", type_name(field));
                return Err(Error::new(ErrorKind::Unsupported, what));
            }
        }
        Ok(())
    }
}

impl Sink for MemorySink {
    type Options = Options;

    fn open(options: Options, services: Services) -> Result<Self> {
        Ok(Self {
            options,
            services,
            calls: AtomicUsize::new(0),
            shared: Arc::default(),
        })
    }

    fn capabilities(&self) -> Result<Capabilities> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) as u64;
        let texts = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect();
        let mut found = Capabilities {
            id_types: texts(&["Int64", "Utf8"]),
            id_policy: texts(&["given", "none"]),
            vectors: vec![
                VectorCapability {
                    max_dim: Some(1024),
                    dim_multiple: Some(8),
                    finite_only: true,
                    zero_ok: false,
                    ..VectorCapability::new(Kind::Dense, &[Elem::F32])
                },
                VectorCapability::new(Kind::Binary, &[Elem::Bit]),
            ],
            metrics: texts(&["l2", "hamming"]),
            scalar_types: texts(&["Int64", "Utf8", "Boolean", "List<Utf8>"]),
            nullable: true,
            max_string_bytes: Some(1000),
            partitions: PartitionCapability {
                supported: true,
                max: None,
            },
            ordered_append: true,
            addressed_writes: true,
            transactional_publish: true,
            parallel_writers: Some(0),
            count: CountCapability { exact: true },
            ..Capabilities::default()
        };
        match self.options.sin.as_str() {
            "odd id types" => found.id_types = texts(&["int"]),
            "odd elements" => found.vectors[0].elem = vec![Elem::Bit],
            "odd scalars" => found.scalar_types = texts(&["VarChar"]),
            "unstable capabilities" => found.max_columns = Some(100 + call),
            _ => {}
        }
        Ok(found)
    }

    fn check(&self, targets: &[TargetRequest]) -> Result<Vec<TargetState>> {
        if self.sins("check writes") {
            std::fs::write(self.options.folder.join("lock"), "").unwrap();
        }
        let state = |target: &TargetRequest| {
            let key = (self.options.folder.clone(), target.spec.full_name());
            let there = store().get(&key).map(Stored::rows);
            let is_prepared = target.spec.resumed.as_ref().map(|run| run.is_prepared);
            let sees_itself = self.sins("stands in its own way") && is_prepared == Some(false);
            let mut state = TargetState {
                location: target.spec.full_name(),
                exists: there.is_some() || sees_itself,
                rows: there.filter(|_| !self.sins("loses a row and lies")),
                resumable: !target.spec.run.is_empty(),
                found: self.found(target).filter(|_| !sees_itself),
                ..TargetState::default()
            };
            if self.sins("skip refuses") && state.exists && target.spec.mode == Mode::Skip {
                state
                    .refusals
                    .push(Error::new(ErrorKind::Exists, "it exists"));
            }
            state
        };
        Ok(targets.iter().map(state).collect())
    }

    fn prepare(&self, target: &TargetRequest) -> Result<Box<dyn TargetWriter>> {
        self.refuse_columns(target)?;
        if self.sins("must know the rows") && target.spec.rows.is_none() {
            return Err(Error::new(ErrorKind::Unsupported, "how many rows?"));
        }
        let key = self.key(target);
        let mode = target.spec.mode;
        let before = store().get(&key).cloned();
        if before.is_some() && matches!(mode, Mode::Fail | Mode::Skip) && !self.sins("never fails")
        {
            return Err(Error::new(ErrorKind::Exists, "the target is there"));
        }
        let before = before.filter(|_| mode == Mode::Append && !self.sins("append replaces"));
        if self.sins("overwrites at once") && mode == Mode::Overwrite {
            store().remove(&key);
        }
        let (folder, name) = key.clone();
        let run = (folder, name, target.spec.run.clone());
        let earlier = left().remove(&run);
        let earlier = earlier.filter(|_| target.spec.resumed.is_some());
        let writer = MemoryWriter {
            key,
            run: Some(run).filter(|(_, _, run)| !run.is_empty()),
            is_over: AtomicBool::new(false),
            sin: self.options.sin.clone(),
            services: self.services.clone(),
            schema: target.schema.clone(),
            is_counted: target.spec.rows.is_some(),
            before,
            pieces: match self.sins("mixes targets") {
                true => self.shared.clone(),
                false => Arc::new(Mutex::new(earlier.unwrap_or_default())),
            },
            written: AtomicUsize::new(0),
            at_work: AtomicUsize::new(0),
        };
        if self.sins("seen at once") {
            writer.publish();
        }
        if self.sins("abort leaves a file") {
            std::fs::write(self.options.folder.join("partial"), "").unwrap();
        }
        Ok(Box::new(writer))
    }
}

milvusdm_plugin_api::export_plugin! {
    name: "memory",
    summary: "keeps rows in memory",
    docs: "`folder` names the place, `sin` is an option for tests.",
    source: super::read_back::ReadBack,
    sink: MemorySink,
}
