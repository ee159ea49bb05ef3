// SPDX-License-Identifier: Apache-2.0
//! Fills one target: a partition of a collection.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use milvusdm_plugin_api::arrow::array::RecordBatch;
use milvusdm_plugin_api::arrow::array::cast::AsArray as _;
use milvusdm_plugin_api::arrow::array::types::{Float32Type, Int64Type};
use milvusdm_plugin_api::{
    Error, ErrorKind, FinishAck, LogLevel, Rejected, Result, Services, TargetSpec, TargetWriter,
    WriteAck, WriteAt,
};

use super::Milvus1Sink;
use super::collections::Collections;
use super::delivery::Delivery;
use super::ids::IdFiles;
use super::options::{Milvus1SinkOptions, NonFinite};
use super::rejects::Rejects;
use super::resume::Adopted;
use super::wanted::Wanted;
use crate::server::insert::{Element, Rows};
use crate::server::{IndexInfo, Server};

/// Writes the rows of one target.
pub struct Writer {
    server: Arc<Server>,
    services: Services,
    options: Arc<Milvus1SinkOptions>,
    collections: Arc<Collections>,
    target: Wanted,
    state: Mutex<State>,
}

/// How far a target is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// All rows are there and counted.
    Published(u64),
    TakenBack,
}

struct State {
    stage: Stage,
    delivery: Delivery,
    rejects: Rejects,
    ids: Option<IdFiles>,
}

impl Writer {
    /// A writer for a target that is ready, with the rows that are in it.
    pub fn new(sink: &Milvus1Sink, target: Wanted, spec: &TargetSpec, there: Adopted) -> Self {
        let run = &sink.run;
        let rejects = sink.options.rejects.clone();
        let rejects = rejects.or_else(|| Some(home()?.join("rejects")));
        let state = State {
            stage: Stage::Open,
            delivery: Delivery::new(target.to.clone(), there.rows_before, there.rows),
            rejects: Rejects::new(rejects, &target.name(), run),
            ids: sink
                .options
                .ids
                .as_deref()
                .map(|folder| IdFiles::new(folder, spec, run)),
        };
        Self {
            server: Arc::clone(&sink.server),
            services: sink.services.clone(),
            options: Arc::clone(&sink.options),
            collections: Arc::clone(&sink.collections),
            target,
            state: Mutex::new(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The buffers of a batch.
    fn rows(&self, batch: &RecordBatch) -> Result<Rows> {
        let odd = |what: &str| {
            Error::new(
                ErrorKind::Internal,
                format!("{what}, which the target's schema does not say"),
            )
        };
        let count = batch.num_rows();
        let column = batch
            .columns()
            .get(self.target.vector_column)
            .ok_or_else(|| odd("a batch has no column of vectors"))?;
        let bytes = self.target.row_bytes;
        let vectors = match self.target.element {
            Element::Float => {
                let list = column.as_fixed_size_list_opt();
                let list = list.ok_or_else(|| odd("vectors are no lists"))?;
                let values = list.values().as_primitive_opt::<Float32Type>();
                let values = values.ok_or_else(|| odd("vectors are no 32-bit floats"))?;
                let first = list.value_offset_at(0);
                values
                    .values()
                    .inner()
                    .slice_with_length(first.saturating_mul(4), count.saturating_mul(bytes))
            }
            Element::Binary => {
                let list = column.as_fixed_size_binary_opt();
                let list = list.ok_or_else(|| odd("vectors are no bits"))?;
                list.values()
                    .slice_with_length(0, count.saturating_mul(bytes))
            }
        };
        let ids = match self.target.id_column {
            None => None,
            Some(column) => {
                let ids = batch.columns().get(column);
                let ids = ids.and_then(|ids| ids.as_primitive_opt::<Int64Type>());
                let ids = ids.ok_or_else(|| odd("ids are no 64-bit integers"))?;
                Some(ids.values().clone())
            }
        };
        Ok(Rows {
            vectors,
            row_bytes: bytes,
            element: self.target.element,
            ids,
        })
    }

    /// The rows to send, and those that the task does not want sent.
    fn sift(&self, rows: &Rows, count: usize) -> (Vec<Range<usize>>, Vec<(usize, String)>) {
        if self.options.non_finite == NonFinite::Keep || rows.element == Element::Binary {
            return (std::iter::once(0..count).collect(), Vec::new());
        }
        let (mut ranges, mut refused) = (Vec::new(), Vec::new());
        let mut start = 0;
        for row in 0..count {
            let (elements, _) = rows.vector(row).as_chunks::<4>();
            let odd = elements
                .iter()
                .position(|bytes| !f32::from_le_bytes(*bytes).is_finite());
            if let Some(element) = odd {
                refused.push((row, format!("element {element} is no finite number")));
                ranges.push(start..row);
                start = row + 1;
            }
        }
        ranges.push(start..count);
        ranges.retain(|range| !range.is_empty());
        (ranges, refused)
    }
}

impl TargetWriter for Writer {
    fn write(&self, at: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        let state = &mut *self.lock();
        let rows = self.rows(&batch)?;
        let (ranges, mut refused) = self.sift(&rows, batch.num_rows());
        let delivered = state
            .delivery
            .deliver(&self.server, &self.services, &rows, ranges)?;
        refused.extend(delivered.refused);
        refused.sort_unstable_by_key(|(row, _)| *row);
        let is_first = state.rejects.path().is_none();
        state.rejects.keep(&rows, &refused)?;
        if let Some(path) = state.rejects.path().filter(|_| is_first) {
            let message = format!(
                "{}: rows are refused; they are kept in {}",
                self.target.name(),
                path.display()
            );
            self.services.log(LogLevel::Warn, &message);
        }
        if let Some(files) = &mut state.ids {
            files.add(at.split, &delivered.ids)?;
        }
        let rejected = refused.into_iter().map(|(row, reason)| Rejected {
            row: row as u64,
            id: rows
                .ids
                .as_ref()
                .and_then(|ids| Some(ids.get(row)?.to_string())),
            reason,
        });
        Ok(WriteAck {
            written: delivered.stored,
            rejected: rejected.collect(),
        })
    }

    fn flush(&self) -> Result<()> {
        self.server.flush(&self.target.to.collection)
    }

    fn finish(&self) -> Result<FinishAck> {
        self.services.check_cancelled()?;
        let state = &mut *self.lock();
        if let Some(files) = &mut state.ids {
            files.finish()?;
        }
        let counted = state.delivery.count(&self.server)?;
        if counted == state.delivery.stored() {
            state.stage = Stage::Published(counted);
            if let Some(index) = self.collections.finished(&self.target) {
                self.build_index(&index, counted)?;
            }
        }
        Ok(FinishAck {
            rows_added: Some(counted),
            rows_total: Some(counted.saturating_add(state.delivery.rows_before())),
            location: format!("{}/{}", self.server.address(), self.target.name()),
            bytes: None,
        })
    }

    fn abort(&self) -> Result<()> {
        let state = &mut *self.lock();
        let taken_back = self.take_back(state);
        if let Some(files) = &mut state.ids {
            files.finish()?;
        }
        taken_back
    }
}

impl Drop for Writer {
    /// Nothing half-written may look whole, unless the run may go on.
    fn drop(&mut self) {
        let state = &mut *self.lock();
        if state.stage == Stage::Open
            && !self.target.is_kept
            && let Err(e) = self.take_back(state)
        {
            self.services.log(LogLevel::Warn, &e.to_string());
        }
    }
}

impl Writer {
    fn take_back(&self, state: &mut State) -> Result<()> {
        match std::mem::replace(&mut state.stage, Stage::TakenBack) {
            Stage::TakenBack => Ok(()),
            Stage::Open => self.server.closing(|| {
                self.collections
                    .take_back(&self.server, &self.target, &state.delivery)
            }),
            Stage::Published(rows) => Err(Error::new(
                ErrorKind::Remote,
                format!("the {rows} rows stay: all of them arrived, only the index is missing"),
            )
            .with("target", self.target.name())),
        }
    }

    fn build_index(&self, wanted: &IndexInfo, rows: u64) -> Result<()> {
        let collection = &self.target.to.collection;
        let built = self.server.create_index(collection, wanted);
        built.map_err(|e| {
            Error::new(
                e.kind(),
                format!(
                    "the {rows} rows arrived and are counted, but the index could not be built"
                ),
            )
            .with(
                "target",
                format!("{}/{}", self.server.address(), self.target.name()),
            )
            .caused_by(e)
            .help("build it by hand; the rows need not be moved again")
        })
    }
}

/// Where MilvusDM 1.0 kept its own files; `None` without a home.
fn home() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let given = set("MILVUSDM_PATH").map(PathBuf::from);
    given.or_else(|| Some(PathBuf::from(set("HOME")?).join("milvusdm")))
}
