// SPDX-License-Identifier: Apache-2.0
//! The writer threads: take batches from the queue, hand them to the sink, count what it took.

use milvusdm_plugin_api::{Result, WriteAt};

use super::log::Piece;
use super::queue::Item;
use super::tally::Origin;
use super::transfer::Transfer;
use crate::calls::Writer;

/// Writes batches until there are no more.
pub(super) fn write_batches(transfer: &Transfer<'_>, writer: &Writer) -> Result<()> {
    // Of use where rows have no places: then this is the only writer, and they come in order.
    let mut rows_before = transfer.target.start.written();
    while let Some(item) = transfer.queue.pop() {
        transfer.control.check()?;
        let Some(job) = transfer.jobs.get(item.split) else {
            continue;
        };
        let row = if transfer.is_addressed {
            let before = transfer.target.start.mark(item.split).written;
            job.row_before
                .saturating_add(before)
                .saturating_add(item.sent_before)
        } else {
            rows_before
        };
        rows_before = rows_before.saturating_add(item.batch.num_rows() as u64);
        let at = WriteAt {
            split: item.split as u64,
            row,
        };
        let Item {
            split,
            first_row,
            piece_before,
            sent_before,
            removed,
            through,
            rejected,
            hashed,
            batch,
            bytes,
            _held,
        } = item;
        let rows = batch.num_rows() as u64;
        transfer.pace.wait(transfer.control, rows, bytes)?;
        let sums = match (hashed, &transfer.hasher) {
            (Some(hashed), Some(hasher)) => Some(hashed.complete(hasher, &batch)?),
            _ => None,
        };
        // Shares the buffers; needed where rows are rejected.
        let hashed = sums.as_ref().map(|_| batch.clone());
        let mut ack = writer.write(at, batch).map_err(|e| {
            e.with("dataset", &job.dataset_name)
                .with("split", &job.split.id)
        })?;
        let sums = match hashed {
            Some(batch) if !ack.rejected.is_empty() => transfer.sums_of(&batch, &ack.rejected)?,
            _ => sums,
        };
        transfer
            .tally
            .written(split, ack.written, bytes, sums.as_ref());
        transfer.control.progress().add(rows, bytes);
        let piece = Piece {
            rows,
            through,
            written: ack.written,
            rejected: rejected.saturating_add(ack.rejected.len() as u64),
            bytes,
            sums,
        };
        if !ack.rejected.is_empty() {
            for rejected in &mut ack.rejected {
                rejected.row = place_before(rejected.row.saturating_add(piece_before), &removed);
            }
            let origin = Origin {
                position: split,
                dataset: &job.dataset_name,
                split: &job.split.id,
                first_row,
            };
            transfer.tally.rejected(origin, ack.rejected);
        }
        if let Some(log) = &transfer.log {
            log.acknowledged(split, sent_before, piece)?;
            if transfer.goes_on_in_place() {
                log.flush_if_due(writer)?;
            }
        }
    }
    Ok(())
}

/// The place that a row had before the rows of `removed` (ascending) were taken out.
fn place_before(row: u64, removed: &[u64]) -> u64 {
    removed.iter().fold(
        row,
        |place, gone| if *gone <= place { place + 1 } else { place },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_batch_as_it_was_read() {
        // Of 0..7, rows 0, 2 and 3 were taken out: 1 4 5 6 are left.
        let places: Vec<u64> = (0..4).map(|row| place_before(row, &[0, 2, 3])).collect();
        assert_eq!(places, [1, 4, 5, 6]);
    }
}
