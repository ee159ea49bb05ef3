// SPDX-License-Identifier: Apache-2.0
//! One side of a comparison: the source's rows as they are handed to the sink, or the target's as
//! they are read back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use milvusdm_plugin_api::model::schema::{Column, classify};
use milvusdm_plugin_api::model::{BitOrder, keys};
use milvusdm_plugin_api::{Dataset, Error, ErrorKind, ReadAccount, ReadRequest, Result, Split};

use crate::calls::Source;
use crate::control::Control;
use crate::convert::{Recipe, id_text};
use crate::engine::SplitReading;
use crate::hash::{Hasher, RowHash, Sums};
use crate::plan::Limits;

/// Groups that rows fall into by what they are told apart by: only those that differ are looked
/// into.
pub(super) const BUCKETS: usize = 1 << 16;

/// A dataset's split, and how its rows become the target's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub dataset: &'a Dataset,
    pub split: &'a Split,
    pub recipe: Option<&'a Recipe>,
}

/// All that is read of one side.
#[derive(Debug)]
pub(super) struct Side<'a> {
    pub source: &'a Source,
    pub jobs: Vec<Job<'a>>,
    pub hasher: Hasher,
    pub limits: Limits,
    pub control: &'a Control,
}

/// What was summed up over one side.
#[derive(Debug)]
pub(super) struct Summed {
    pub sums: Sums,
    /// For each group of rows, the sum of their hashes.
    pub buckets: Vec<u128>,
    pub left_out: LeftOut,
}

/// What readers say of rows that they did not give.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// Rows that are there, but can't be read.
    pub lost: u64,
    /// Why.
    pub notes: Vec<String>,
}

impl LeftOut {
    fn add(&mut self, account: ReadAccount) {
        self.lost = self.lost.saturating_add(account.lost);
        for note in account.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        self.notes.sort();
    }
}

/// Rows that were read, with all that is needed to name them.
pub(super) struct Rows<'a> {
    pub job: &'a Job<'a>,
    /// Place of the first of them among those of the split.
    pub first_row: u64,
    pub batch: &'a RecordBatch,
    /// Whether places are those of the split's rows: none was taken out.
    is_whole: bool,
}

/// What a row is told apart by, and its hash beside it.
pub(super) fn key(row: &RowHash, by_id: bool) -> (u128, u128) {
    match by_id {
        true => (row.id, row.hash),
        false => (row.without_id, row.without_id),
    }
}

/// The group of a row.
pub(super) fn bucket(key: u128) -> usize {
    (key >> 112) as usize
}

impl Rows<'_> {
    /// A row's id, or where it has none, its place.
    pub fn name(&self, row: usize) -> String {
        id_text(self.batch, row).unwrap_or_else(|| {
            let place = self.first_row.saturating_add(row as u64);
            let near = if self.is_whole { "" } else { "near " };
            let name = self.job.dataset.descriptor.full_name();
            format!("{near}row {place} of {name}, split {}", self.job.split.id)
        })
    }
}

impl Side<'_> {
    /// Reads everything and sums it up, and no more.
    pub fn sums(&self) -> Result<(Sums, LeftOut)> {
        let add = |sums: &mut Sums, rows: &Rows<'_>| {
            *sums += self.hasher.sums(rows.batch)?;
            Ok(())
        };
        let (parts, left_out) = self.read(Sums::default, add)?;
        let mut sums = Sums::default();
        for part in &parts {
            sums += part;
        }
        Ok((sums, left_out))
    }

    /// Reads everything and sums it up, in groups too.
    pub fn sum(&self, by_id: bool) -> Result<Summed> {
        let (parts, left_out) = self.read(
            || (Sums::default(), vec![0u128; BUCKETS]),
            |(sums, buckets), rows| {
                *sums += self.hasher.rows(rows.batch, |row| {
                    let (key, hash) = key(&row, by_id);
                    if let Some(sum) = buckets.get_mut(bucket(key)) {
                        *sum = sum.wrapping_add(hash);
                    }
                })?;
                Ok(())
            },
        )?;
        let mut summed = Summed {
            sums: Sums::default(),
            buckets: vec![0; BUCKETS],
            left_out,
        };
        for (sums, buckets) in &parts {
            summed.sums += sums;
            for (sum, part) in summed.buckets.iter_mut().zip(buckets) {
                *sum = sum.wrapping_add(*part);
            }
        }
        Ok(summed)
    }

    /// Reads everything, on several threads; each has a state of its own, and all are given back.
    pub fn read<S: Send>(
        &self,
        start: impl Fn() -> S + Sync,
        take: impl Fn(&mut S, &Rows<'_>) -> Result<()> + Sync,
    ) -> Result<(Vec<S>, LeftOut)> {
        let next = AtomicUsize::new(0);
        let stopped = Mutex::new(None::<Error>);
        let left_out = Mutex::new(LeftOut::default());
        let threads = self.jobs.len().min(self.limits.readers as usize).max(1);
        let work = || {
            let mut state = start();
            while let Some(job) = self.jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if lock(&stopped).is_some() {
                    break;
                }
                match self.read_split(job, |rows| take(&mut state, rows)) {
                    Ok(account) => lock(&left_out).add(account),
                    Err(error) => {
                        let name = job.dataset.descriptor.full_name();
                        let error = error.with("dataset", name).with("split", &job.split.id);
                        lock(&stopped).get_or_insert(error);
                    }
                }
            }
            state
        };
        let states = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let states = threads.into_iter().map(|thread| thread.join());
            states.collect::<Result<Vec<S>, _>>()
        });
        if let Some(error) = stopped.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let states = states
            .map_err(|_| Error::new(ErrorKind::Internal, "a thread that read rows panicked"))?;
        let left_out = left_out
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        Ok((states, left_out))
    }

    fn read_split(
        &self,
        job: &Job<'_>,
        mut take: impl FnMut(&Rows<'_>) -> Result<()>,
    ) -> Result<ReadAccount> {
        let request = ReadRequest {
            first_row: 0,
            max_batch_bytes: self.limits.batch_bytes,
            max_batch_rows: None,
        };
        let what = (job.dataset, job.split);
        let mut reading = SplitReading::open(self.source, what, job.recipe, request)?;
        loop {
            self.control.check()?;
            let Some(piece) = reading.next()? else { break };
            let (batch, is_whole) = (&piece.batch, piece.rejected.is_empty());
            take(&Rows {
                job,
                first_row: piece.first_row,
                batch,
                is_whole,
            })?;
            let bytes = milvusdm_plugin_api::model::batch::bytes_of(batch);
            self.control.progress().add(batch.num_rows() as u64, bytes);
        }
        let account = reading.account()?;
        reading.check(&account)?;
        Ok(account)
    }

    /// A single row, if the split has one there that fits the target.
    pub fn row_at(&self, job: &Job<'_>, row: u64) -> Result<Option<RecordBatch>> {
        self.control.check()?;
        let request = ReadRequest {
            first_row: row,
            max_batch_bytes: self.limits.batch_bytes,
            max_batch_rows: Some(1),
        };
        let what = (job.dataset, job.split);
        let mut reading = SplitReading::open(self.source, what, job.recipe, request)?;
        let piece = reading.next()?.map(|piece| piece.batch);
        Ok(piece.filter(|batch| batch.num_rows() > 0))
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The target's schema with the source's order of bits, where one side does not know its own:
/// bytes pass unchanged between such systems.
pub(super) fn with_bit_orders(target: &SchemaRef, source: &SchemaRef) -> SchemaRef {
    let orders: Vec<(&str, BitOrder)> = source
        .fields()
        .iter()
        .filter_map(|field| Some((field.name().as_str(), bit_order(field)?)))
        .collect();
    let known = |field: &Field| {
        let by_name = orders.iter().find(|(name, _)| name == field.name());
        match (by_name, &orders[..]) {
            (Some((_, order)), _) | (None, [(_, order)]) => Some(*order),
            _ => None,
        }
    };
    let fields = target.fields().iter().map(|field| {
        let field = field.as_ref().clone();
        let (Some(here), Some(there)) = (bit_order(&field), known(&field)) else {
            return field;
        };
        if here != BitOrder::Unknown && there != BitOrder::Unknown {
            return field;
        }
        let mut metadata = field.metadata().clone();
        metadata.insert(keys::BIT_ORDER.to_owned(), there.to_string());
        field.with_metadata(metadata)
    });
    let fields: Vec<Field> = fields.collect();
    Schema::new_with_metadata(fields, target.metadata().clone()).into()
}

fn bit_order(field: &Field) -> Option<BitOrder> {
    match classify(field) {
        Column::Vector(vector) => vector.bit_order,
        _ => None,
    }
}
