// SPDX-License-Identifier: Apache-2.0
//! The writer of the sink in memory, with most of its sins.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use milvusdm_plugin_api::{FinishAck, Rejected, Result, Services, TargetWriter, WriteAck, WriteAt};

use super::{Pieces, Stored, left, store};

pub(super) struct MemoryWriter {
    pub(super) key: (PathBuf, String),
    /// Whose rows are kept where it dies.
    pub(super) run: Option<(PathBuf, String, String)>,
    pub(super) is_over: AtomicBool,
    pub(super) sin: String,
    pub(super) services: Services,
    pub(super) schema: SchemaRef,
    pub(super) is_counted: bool,
    pub(super) before: Option<Stored>,
    pub(super) pieces: Pieces,
    pub(super) written: AtomicUsize,
    pub(super) at_work: AtomicUsize,
}

impl MemoryWriter {
    fn stored(&self) -> Stored {
        let mut pieces = self.pieces.lock().unwrap().clone();
        if self.is_counted && self.sin != "ignores places" {
            pieces.sort_by_key(|(row, _)| *row);
            if self.sin != "counts twice" {
                pieces.dedup_by_key(|(row, _)| *row);
            }
        }
        let old = self.before.clone().map_or_else(Vec::new, |b| b.batches);
        let new = pieces.into_iter().map(|(_, batch)| batch);
        Stored {
            schema: self.schema.clone(),
            batches: old.into_iter().chain(new).collect(),
        }
    }

    pub(super) fn publish(&self) -> Stored {
        let stored = self.stored();
        if stored.rows() > 0 || self.sin != "empty is nothing" {
            store().insert(self.key.clone(), stored.clone());
            let file = self.key.0.join(self.key.1.replace('/', "-"));
            let first = stored
                .batches
                .first()
                .map(|b| format!("{:?}", b.column(0).slice(0, 1)));
            std::fs::write(file, format!("{} {first:?}", stored.rows())).unwrap();
        }
        stored
    }

    /// Why a row does not fit, if it doesn't.
    fn unfit(&self, batch: &RecordBatch, row: usize) -> Option<&'static str> {
        for column in batch.columns().iter().filter(|c| c.is_valid(row)) {
            match column.data_type() {
                DataType::FixedSizeList(..) => {
                    let values = column.as_fixed_size_list().value(row);
                    let values = values.as_primitive::<Float32Type>().values().to_vec();
                    if !values.iter().all(|v| v.is_finite()) || values.iter().all(|v| *v == 0.0) {
                        return Some("the vector is not finite, or zero");
                    }
                }
                DataType::Utf8 if column.as_string::<i32>().value(row).len() > 1000 => {
                    return Some("the string is too long");
                }
                _ => {}
            }
        }
        None
    }
}

impl TargetWriter for MemoryWriter {
    fn write(&self, at: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        if self.services.is_cancelled() && self.sin == "sleeps when cancelled" {
            std::thread::sleep(Duration::from_millis(1500));
        }
        self.services.check_cancelled()?;
        let crowd = self.at_work.fetch_add(1, Ordering::SeqCst);
        if self.sin == "one thread only" {
            std::thread::sleep(Duration::from_millis(1));
        }
        let rows = batch.num_rows();
        let mut ack = WriteAck::all(rows);
        for row in 0..rows {
            if let Some(reason) = self
                .unfit(&batch, row)
                .filter(|_| self.sin != "takes any value")
            {
                ack.rejected.push(Rejected {
                    row: row as u64,
                    id: None,
                    reason: reason.to_owned(),
                });
                ack.written -= 1;
            }
        }
        let fits = |row: &usize| ack.rejected.iter().all(|r| r.row != *row as u64);
        let kept = (0..rows)
            .filter(fits)
            .map(|row| (at.row + row as u64, batch.slice(row, 1)));
        let mut kept: Vec<_> = kept.collect();
        let loses = match self.sin.as_str() {
            "loses a row" | "loses a row and lies" => at.row == 0,
            "one thread only" => crowd > 0,
            _ => false,
        };
        if loses {
            kept.pop();
        }
        if self.sin == "turns rows round" {
            kept.reverse();
            kept.iter_mut()
                .enumerate()
                .for_each(|(i, (row, _))| *row = at.row + i as u64);
        }
        self.written.fetch_add(rows, Ordering::Relaxed);
        self.pieces.lock().unwrap().extend(kept);
        self.at_work.fetch_sub(1, Ordering::SeqCst);
        Ok(ack)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn finish(&self) -> Result<FinishAck> {
        if self.sin != "publishes when cancelled" {
            self.services.check_cancelled()?;
        }
        let stored = self.publish();
        self.pieces.lock().unwrap().clear();
        self.is_over.store(true, Ordering::Relaxed);
        let before = self.before.as_ref().map_or(0, Stored::rows);
        let added = match self.sin.as_str() {
            "loses a row and lies" => self.written.load(Ordering::Relaxed) as u64,
            _ => stored.rows() - before,
        };
        Ok(FinishAck {
            rows_added: Some(added),
            rows_total: Some(before + added),
            location: self.key.1.clone(),
            bytes: None,
        })
    }

    fn abort(&self) -> Result<()> {
        self.pieces.lock().unwrap().clear();
        self.is_over.store(true, Ordering::Relaxed);
        if self.run.is_some() && self.sin == "leaves what it took up" {
            std::fs::write(self.key.0.join("partial"), "").unwrap();
        }
        Ok(())
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        let pieces = std::mem::take(&mut *self.pieces.lock().unwrap());
        let is_full = !pieces.is_empty();
        if let Some(run) = self.run.take().filter(|_| !*self.is_over.get_mut()) {
            let is_lost = self.sin == "loses what it wrote";
            left().insert(run, if is_lost { Vec::new() } else { pieces.clone() });
        }
        *self.pieces.lock().unwrap() = pieces;
        if self.sin == "publishes when dropped" && is_full {
            self.publish();
        }
    }
}
