// SPDX-License-Identifier: Apache-2.0
//! The sink: keeps what it was given under the name of a store, with the capabilities that the
//! test asks for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use arrow_array::RecordBatch;
use milvusdm_plugin_api::model::Capabilities;
use milvusdm_plugin_api::schemars::{self, JsonSchema};
use milvusdm_plugin_api::{
    Error, ErrorKind, FinishAck, Rejected, Result, Services, Sink, TargetRequest, TargetState,
    TargetWriter, WriteAck, WriteAt,
};
use serde::Deserialize;

/// A finished target.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Batches as they were written, each with the row that it was to stand at.
    pub batches: Vec<(u64, RecordBatch)>,
}

type Stores = BTreeMap<(String, String), Stored>;

static STORES: LazyLock<Mutex<Stores>> = LazyLock::new(Mutex::default);

/// What a store holds of a target.
pub fn stored(store: &str, target: &str) -> Option<Stored> {
    STORES
        .lock()
        .unwrap()
        .get(&(store.to_owned(), target.to_owned()))
        .cloned()
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SinkOptions {
    pub store: String,
    /// Capabilities as JSON.
    pub capabilities: String,
    /// What it does wrong.
    pub sin: String,
    /// Targets that are said to exist.
    pub existing: Vec<String>,
    /// Bytes that are said to be free.
    pub free_bytes: Option<u64>,
    pub delay_ms: u64,
    /// Says that a run can go on in its targets.
    pub resumable: bool,
}

pub struct MemorySink {
    options: SinkOptions,
    capabilities: Capabilities,
}

impl Sink for MemorySink {
    type Options = SinkOptions;

    fn open(options: SinkOptions, _: Services) -> Result<Self> {
        let capabilities = serde_json::from_str(&options.capabilities)
            .map_err(|e| Error::new(ErrorKind::Config, e.to_string()))?;
        Ok(Self {
            options,
            capabilities,
        })
    }

    fn capabilities(&self) -> Result<Capabilities> {
        Ok(self.capabilities.clone())
    }

    fn check(&self, targets: &[TargetRequest]) -> Result<Vec<TargetState>> {
        Ok(targets
            .iter()
            .map(|t| TargetState {
                location: format!("memory:{}", t.spec.full_name()),
                exists: self.options.existing.contains(&t.spec.full_name()),
                needs_bytes: t.spec.bytes,
                free_bytes: self.options.free_bytes,
                volume: "memory".into(),
                resumable: self.options.resumable,
                ..TargetState::default()
            })
            .collect())
    }

    fn prepare(&self, target: &TargetRequest) -> Result<Box<dyn TargetWriter>> {
        if self.options.sin.ends_with("slowly") {
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        if self.options.sin.starts_with("cannot prepare") {
            return Err(Error::new(ErrorKind::Denied, "no"));
        }
        Ok(Box::new(Writer {
            options: self.options.clone(),
            target: target.spec.full_name(),
            batches: Arc::default(),
            flushes: AtomicUsize::new(0),
        }))
    }
}

struct Writer {
    options: SinkOptions,
    target: String,
    batches: Arc<Mutex<Vec<(u64, RecordBatch)>>>,
    flushes: AtomicUsize,
}

impl TargetWriter for Writer {
    fn write(&self, at: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        std::thread::sleep(std::time::Duration::from_millis(self.options.delay_ms));
        let rows = batch.num_rows();
        let mut batches = self.batches.lock().unwrap();
        let ack = match self.options.sin.as_str() {
            "fails to write" | "fails for good" if batches.len() == 2 => {
                return Err(Error::new(ErrorKind::Io, "the disk is full"));
            }
            "drops a row silently" if batches.is_empty() => {
                batches.push((at.row, batch.slice(0, rows - 1)));
                return Ok(WriteAck::all(rows));
            }
            "forgets a row" => {
                batches.push((at.row, batch));
                return Ok(WriteAck::all(rows - 1));
            }
            "rejects the first row of each batch" => {
                let rejected = Rejected {
                    row: 0,
                    id: None,
                    reason: "it is the first".into(),
                };
                batches.push((at.row, batch.slice(1, rows - 1)));
                return Ok(WriteAck {
                    written: rows as u64 - 1,
                    rejected: vec![rejected],
                });
            }
            _ => WriteAck::all(rows),
        };
        batches.push((at.row, batch));
        Ok(ack)
    }

    fn flush(&self) -> Result<()> {
        let flushed = self.flushes.fetch_add(1, Ordering::Relaxed);
        match self.options.sin.as_str() {
            // As a disk does.
            "fails to flush, once" if flushed == 0 => {
                Err(Error::new(ErrorKind::Io, "pages are lost"))
            }
            _ => Ok(()),
        }
    }

    fn finish(&self) -> Result<FinishAck> {
        match self.options.sin.as_str() {
            "fails to finish" => return Err(Error::new(ErrorKind::Io, "its folder is gone")),
            "must be durable first" if self.flushes.load(Ordering::Relaxed) == 0 => {
                return Err(Error::new(ErrorKind::Internal, "it was not flushed"));
            }
            _ => {}
        }
        let batches = std::mem::take(&mut *self.batches.lock().unwrap());
        let rows = batches
            .iter()
            .map(|(_, batch)| batch.num_rows() as u64)
            .sum();
        let key = (self.options.store.clone(), self.target.clone());
        STORES.lock().unwrap().insert(key, Stored { batches });
        Ok(FinishAck {
            rows_added: Some(rows),
            ..FinishAck::default()
        })
    }

    fn abort(&self) -> Result<()> {
        if self.options.sin == "fails for good" {
            return Err(Error::new(ErrorKind::Io, "rows can't be taken back"));
        }
        self.batches.lock().unwrap().clear();
        Ok(())
    }
}
