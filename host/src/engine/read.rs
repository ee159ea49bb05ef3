// SPDX-License-Identifier: Apache-2.0
//! The reader threads: read a split, convert, cut, queue, and settle its account.

use std::sync::Arc;

use arrow_array::RecordBatch;
use milvusdm_plugin_api::{ReadRequest, Result};

use super::cut;
use super::queue::{Held, Item, Share};
use super::split::{Piece, SplitReading};
use super::tally::Origin;
use super::transfer::{Job, Transfer};

/// Reads splits until none is left.
pub(super) fn read_splits(transfer: &Transfer<'_>, share: &Arc<Share>) -> Result<()> {
    while let Some((position, job)) = transfer.next_job() {
        if transfer.queue.is_closed() {
            return Ok(());
        }
        let split = SplitRead {
            transfer,
            share,
            position,
            job,
            sent: 0,
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
    /// Rows of it that were queued.
    sent: u64,
}

impl SplitRead<'_> {
    fn read(mut self) -> Result<()> {
        let (part, limits) = (self.job.part, &self.transfer.plan.limits);
        tracing::debug!(dataset = %self.job.dataset_name, split = %self.job.split.id, "Reading a split.");
        let request = ReadRequest {
            first_row: 0,
            max_batch_bytes: limits.batch_bytes,
            max_batch_rows: limits.batch_rows,
        };
        let what = (&part.dataset, self.job.split);
        let source = &self.transfer.plan.source;
        let mut reading = SplitReading::open(source, what, Some(&part.recipe), request)?;
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
            let Some(piece) = reading.next()? else { break };
            self.send(piece, held);
        }
        let account = reading.account()?;
        self.transfer
            .tally
            .account(self.position, reading.given(), &account);
        reading.check(&account)
    }

    fn send(&mut self, piece: Piece, mut held: Held) {
        let Piece {
            first_row,
            batch,
            rejected,
        } = piece;
        let removed = rejected.iter().map(|rejected| rejected.row).collect();
        if !rejected.is_empty() {
            self.transfer
                .tally
                .rejected(self.origin(first_row), rejected);
        }
        if batch.num_rows() == 0 {
            return;
        }
        let pieces = cut::cut(batch, &self.transfer.plan.limits);
        held.set(
            pieces
                .iter()
                .map(|(_, bytes)| *bytes)
                .fold(0, u64::saturating_add),
        );
        self.queue(pieces, first_row, removed, held);
    }

    fn queue(
        &mut self,
        pieces: Vec<(RecordBatch, u64)>,
        first_row: u64,
        removed: Vec<u64>,
        held: Held,
    ) {
        let mut held = Some(held);
        let last = pieces.len().saturating_sub(1);
        let mut skipped = 0u64;
        for (number, (batch, bytes)) in pieces.into_iter().enumerate() {
            let rows = batch.num_rows() as u64;
            let held = if number == last { held.take() } else { None };
            self.transfer.queue.push(Item {
                split: self.position,
                first_row,
                piece_before: skipped,
                sent_before: self.sent,
                removed: removed.clone(),
                batch,
                bytes,
                _held: held,
            });
            skipped += rows;
            self.sent = self.sent.saturating_add(rows);
        }
    }

    fn origin(&self, first_row: u64) -> Origin<'_> {
        Origin {
            position: self.position,
            dataset: &self.job.dataset_name,
            split: &self.job.split.id,
            first_row,
        }
    }
}
