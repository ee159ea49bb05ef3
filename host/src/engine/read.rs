// SPDX-License-Identifier: Apache-2.0
//! The reader threads: read a split, convert, cut, queue, and settle its account.

use std::sync::Arc;

use arrow_array::RecordBatch;
use milvusdm_plugin_api::{ReadRequest, Result};

use super::cut;
use super::hashed::Hashed;
use super::job::Job;
use super::queue::{Held, Item, Share};
use super::split::{Piece, SplitReading};
use super::tally::Origin;
use super::transfer::Transfer;

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
    /// Rows that were queued since.
    sent: u64,
    /// Rows that conversions rejected, since the last piece that was queued.
    rejected: u64,
}

impl SplitRead<'_> {
    fn read(mut self) -> Result<()> {
        let (part, limits) = (self.job.part, &self.transfer.plan.limits);
        tracing::debug!(dataset = %self.job.dataset_name, split = %self.job.split.id, "Reading a split.");
        let request = ReadRequest {
            first_row: self.first_row,
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
            self.send(piece, reading.given(), held)?;
        }
        let account = reading.account()?;
        self.transfer
            .tally
            .account(self.position, reading.given(), &account);
        reading.check(&account)?;
        match &self.transfer.log {
            Some(log) => {
                let (given, sent) = (reading.given(), self.sent);
                log.read(self.position, &account, given, sent, self.rejected)
            }
            None => Ok(()),
        }
    }

    /// Queues a piece; `given` rows of the split were read up to its end.
    fn send(&mut self, piece: Piece, given: u64, mut held: Held) -> Result<()> {
        let Piece {
            first_row,
            batch,
            rejected,
        } = piece;
        let removed: Vec<u64> = rejected.iter().map(|rejected| rejected.row).collect();
        if !rejected.is_empty() {
            self.transfer
                .tally
                .rejected(self.origin(first_row), rejected);
        }
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
        self.queue(pieces, (first_row, given), removed, held)
    }

    fn queue(
        &mut self,
        pieces: Vec<(RecordBatch, u64)>,
        (first_row, given): (u64, u64),
        removed: Vec<u64>,
        held: Held,
    ) -> Result<()> {
        let mut held = Some(held);
        let last = pieces.len().saturating_sub(1);
        let mut skipped = 0u64;
        for (number, (batch, bytes)) in pieces.into_iter().enumerate() {
            let rows = batch.num_rows() as u64;
            let is_last = number == last;
            // Those before the batch stand before its first piece, its own behind its last.
            let mut rejected = std::mem::take(&mut self.rejected);
            if is_last {
                rejected = rejected.saturating_add(removed.len() as u64);
            }
            let through = match (is_last, removed.is_empty()) {
                (true, _) => Some(given),
                (false, true) => Some(first_row.saturating_add(skipped).saturating_add(rows)),
                (false, false) => None,
            };
            let is_wanted = || self.transfer.queue.is_wanted(self.position);
            let hasher = self.transfer.hasher.as_ref();
            let hashed = hasher.map(|hasher| Hashed::until(hasher, (&batch, bytes), is_wanted));
            let hashed = hashed.transpose()?;
            self.transfer.queue.push(Item {
                split: self.position,
                first_row,
                piece_before: skipped,
                sent_before: self.sent,
                removed: removed.clone(),
                through,
                rejected,
                hashed,
                batch,
                bytes,
                _held: if is_last { held.take() } else { None },
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
}
