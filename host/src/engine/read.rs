// SPDX-License-Identifier: Apache-2.0
//! The reader threads: read a split, convert, cut, queue, and settle its account.

use std::sync::Arc;

use arrow_array::RecordBatch;
use milvusdm_plugin_api::{Error, ErrorKind, ReadRequest, Result};

use super::cut;
use super::queue::{Held, Item, Share};
use super::tally::Origin;
use super::transfer::{Job, Transfer};
use super::unbalanced;
use crate::ledger::Ledger;

/// Reads splits until none is left.
pub(super) fn read_splits(transfer: &Transfer<'_>, share: &Arc<Share>) -> Result<()> {
    while let Some((position, job)) = transfer.next_job() {
        if transfer.queue.is_closed() {
            return Ok(());
        }
        let mark = transfer.target.start.mark(position);
        if mark.account.is_some() {
            // An earlier process of the run moved all of it.
            transfer.queue.end(position);
            continue;
        }
        let split = SplitRead {
            transfer,
            share,
            position,
            job,
            first_row: mark.through,
            given: mark.through,
            sent: 0,
            rejected: 0,
        };
        split.read().map_err(|e| {
            e.with("dataset", &job.dataset_name)
                .with("split", &job.split.id)
        })?;
        transfer.queue.end(position);
    }
    Ok(())
}

/// A split while it is read.
struct SplitRead<'a> {
    transfer: &'a Transfer<'a>,
    share: &'a Arc<Share>,
    position: usize,
    job: &'a Job<'a>,
    /// Where reading begins.
    first_row: u64,
    /// Rows up to there, and those that the reader gave.
    given: u64,
    /// Rows of these that were queued.
    sent: u64,
    /// Rows that conversions rejected, since the last piece that was queued.
    rejected: u64,
}

impl SplitRead<'_> {
    fn read(mut self) -> Result<()> {
        let (part, limits) = (self.job.part, &self.transfer.plan.limits);
        tracing::debug!(dataset = %self.job.dataset_name, split = %self.job.split.id, "Reading a split.");
        let growth = part.recipe.growth(&part.dataset.schema);
        let request = ReadRequest {
            first_row: self.first_row,
            max_batch_bytes: (limits.batch_bytes / growth).max(1),
            max_batch_rows: limits.batch_rows,
        };
        let mut reader = self
            .transfer
            .plan
            .source
            .read(&part.dataset, self.job.split, &request)?;
        // While it is converted, a batch is there twice.
        let copies = if part.recipe.keeps_all() { 1 } else { 2 };
        let expected = limits.batch_bytes.saturating_mul(copies);
        loop {
            self.transfer.control.check()?;
            let is_over =
                || self.transfer.queue.is_closed() || self.transfer.control.signal().is_some();
            let Some(held) = self.share.take(expected, is_over) else {
                // Whoever closed the queue has said why.
                return self.transfer.control.check();
            };
            let Some(batch) = reader.next()? else { break };
            self.send(batch, held)?;
        }
        let account = reader.account()?;
        self.transfer
            .tally
            .account(self.position, self.given, &account);
        let mut ledger = Ledger {
            written: self.given,
            ..Ledger::of(self.job.split.found)
        };
        ledger.take_account(&account);
        if !ledger.is_balanced() {
            return Err(unbalanced("this split, as the reader gave it,", &ledger)
                .with("plugin", self.transfer.plan.source.plugin())
                .help("the source changed while it was read, or its plugin miscounts: nothing was finished"));
        }
        if let Some(live) = self.job.split.live.filter(|live| *live != self.given) {
            return Err(self.not_as_announced(live));
        }
        match &self.transfer.log {
            Some(log) => log.read(
                self.position,
                &account,
                self.given,
                self.sent,
                self.rejected,
            ),
            None => Ok(()),
        }
    }

    fn send(&mut self, batch: RecordBatch, mut held: Held) -> Result<()> {
        let rows = batch.num_rows() as u64;
        let first_row = self.given;
        self.given = self.given.saturating_add(rows);
        if let Some(live) = self.job.split.live.filter(|live| self.given > *live) {
            return Err(self.not_as_announced(live));
        }
        let recipe = &self.job.part.recipe;
        let (batch, removed) = if recipe.keeps_all() {
            (batch, Vec::new())
        } else {
            let converted = recipe.apply(&batch)?;
            let removed = converted
                .rejected
                .iter()
                .map(|rejected| rejected.row)
                .collect();
            if !converted.rejected.is_empty() {
                self.transfer
                    .tally
                    .rejected(self.origin(first_row), converted.rejected);
            }
            (converted.batch, removed)
        };
        if batch.num_rows() == 0 {
            self.rejected = self.rejected.saturating_add(removed.len() as u64);
            return Ok(());
        }
        let pieces = cut::cut(batch, &self.transfer.plan.limits);
        held.set(
            pieces
                .iter()
                .map(|(_, bytes)| *bytes)
                .fold(0, u64::saturating_add),
        );
        self.queue(pieces, first_row, removed, held)
    }

    fn queue(
        &mut self,
        pieces: Vec<(RecordBatch, u64)>,
        first_row: u64,
        removed: Vec<u64>,
        held: Held,
    ) -> Result<()> {
        let mut held = Some(held);
        let last = pieces.len().saturating_sub(1);
        let mut skipped = 0u64;
        for (number, (batch, bytes)) in pieces.into_iter().enumerate() {
            let rows = batch.num_rows() as u64;
            let is_last = number == last;
            let held = if is_last { held.take() } else { None };
            // Those before the batch stand before its first piece, its own behind its last.
            let mut rejected = std::mem::take(&mut self.rejected);
            let through = match (is_last, removed.is_empty()) {
                (true, _) => Some(self.given),
                (false, true) => Some(first_row.saturating_add(skipped).saturating_add(rows)),
                (false, false) => None,
            };
            if is_last {
                rejected = rejected.saturating_add(removed.len() as u64);
            }
            let sums = self.transfer.hasher.as_ref();
            let sums = sums.map(|hasher| hasher.sums(&batch)).transpose()?;
            self.transfer.queue.push(Item {
                split: self.position,
                first_row,
                piece_before: skipped,
                sent_before: self.sent,
                removed: removed.clone(),
                through,
                rejected,
                sums,
                batch,
                bytes,
                _held: held,
            });
            skipped += rows;
            self.sent = self.sent.saturating_add(rows);
        }
        Ok(())
    }

    fn origin(&self, first_row: u64) -> Origin<'_> {
        Origin {
            position: self.position,
            dataset: &self.job.dataset_name,
            split: &self.job.split.id,
            first_row,
        }
    }

    fn not_as_announced(&self, live: u64) -> Error {
        Error::new(
            ErrorKind::Plugin,
            format!(
                "the split was announced with {live} rows, but reading gave {}",
                self.given
            ),
        )
        .with("plugin", self.transfer.plan.source.plugin())
        .help("the source changed while it was read, or its plugin miscounts: nothing was finished")
    }
}
