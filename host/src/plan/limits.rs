// SPDX-License-Identifier: Apache-2.0
//! How the task's memory is shared out.
//!
//! A quarter is the sink's: what it encodes. The rest is split evenly between the readers; a
//! reader's share covers every batch that it gave out and that is not yet written. Shares are
//! fixed, so that no reader can starve the one whose rows are next, and a reader that keeps its
//! buffers for reuse stays within the budget too.

use std::num::NonZeroU64;

use milvusdm_plugin_api::model::Capabilities;
use serde::Serialize;

use crate::task::Limit;

/// Batches above this only cost latency.
const MAX_BATCH_BYTES: u64 = 8 << 20;
/// A reader has at least that many batches under way.
const BATCHES_PER_READER: u64 = 3;
/// Batches of a reader that are under way beside those that are written, where none waits for its
/// turn: one that is read, and one for the next writer. More than these only take memory.
const BATCHES_AHEAD: u64 = 2;
/// A reader's batches have at least that much.
const MIN_READER_BYTES: u64 = 1 << 20;
/// What readers may hold beside batches without its being taken from `memory`: a part of the
/// 64 MiB that the process may take beyond it.
const SPARE_BYTES: u64 = 24 << 20;
/// More readers than this are only by the task's wish.
const MAX_READERS: u64 = 8;

/// How many readers there are, and what each may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// What all batches together may take.
    pub memory_bytes: u64,
    /// Splits that are read at once.
    pub readers: u64,
    /// Most bytes of a batch as the sink gets it; a single row may be larger.
    pub batch_bytes: u64,
    /// Most rows of a batch, where the sink has such a ceiling.
    pub batch_rows: Option<u64>,
    /// Bytes of batches that one reader may have under way.
    pub reader_bytes: u64,
}

/// Batches a second, where rows are moved slowly: a batch goes at once.
const SLOW_BATCHES: u64 = 8;

impl Limits {
    /// Shares the memory out between as many readers as there are processors, or as asked.
    pub fn new(memory_bytes: u64, parallel: Option<u64>, sink: &Capabilities) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        let readers = parallel.unwrap_or(processors.clamp(2, MAX_READERS)).max(1);
        let reader_bytes = memory_bytes / 4 * 3 / readers;
        let batch_bytes = (reader_bytes / BATCHES_PER_READER)
            .min(MAX_BATCH_BYTES)
            .min(sink.max_request_bytes.unwrap_or(u64::MAX))
            .max(1);
        Self {
            memory_bytes,
            readers,
            batch_bytes,
            batch_rows: sink.max_request_rows,
            reader_bytes,
        }
    }

    /// Bytes that one reader has under way. Where batches wait for their turn, readers read ahead
    /// with all that they may hold.
    pub fn share(&self, writers: usize, is_ordered: bool) -> u64 {
        let at_work = (writers as u64).saturating_add(BATCHES_AHEAD);
        match is_ordered {
            true => self.reader_bytes,
            false => self
                .reader_bytes
                .min(self.batch_bytes.saturating_mul(at_work)),
        }
    }

    /// The same with batches that are small enough to be moved slowly.
    #[must_use]
    pub fn slowed(self, limit: Limit) -> Self {
        let part = |rate: NonZeroU64| (rate.get() / SLOW_BATCHES).max(1);
        let rows = limit.rows_per_second.map(part);
        let bytes = limit.bytes_per_second.map_or(u64::MAX, part);
        Self {
            batch_rows: match (self.batch_rows, rows) {
                (Some(most), Some(rows)) => Some(most.min(rows)),
                (most, rows) => most.or(rows),
            },
            batch_bytes: self.batch_bytes.min(bytes),
            ..self
        }
    }

    /// The same where each reader holds so many bytes beside its batches, and the sink so many
    /// beside those that it is given: fewer readers, or smaller shares.
    ///
    /// # Errors
    /// The least `memory` with which one reader can work, if this one does not do.
    pub fn with_held(self, reading: u64, writing: u64) -> Result<Self, u64> {
        // The sink's own quarter comes first, then what may be spared.
        let quarter = self.memory_bytes / 4;
        let beyond_quarter = writing.saturating_sub(quarter);
        if reading == 0 && beyond_quarter == 0 {
            return Ok(self);
        }
        let pool = quarter * 3;
        let share = |readers: u64| {
            let all = pool
                .saturating_add(SPARE_BYTES)
                .saturating_sub(beyond_quarter);
            (all / readers).saturating_sub(reading).min(pool / readers)
        };
        let readers = (1..=self.readers).rev();
        match readers
            .map(|n| (n, share(n)))
            .find(|(_, bytes)| *bytes >= MIN_READER_BYTES)
        {
            Some((readers, reader_bytes)) => Ok(Self {
                readers,
                reader_bytes,
                batch_bytes: self.batch_bytes.min(reader_bytes / BATCHES_PER_READER),
                ..self
            }),
            None => {
                let held = reading.saturating_add(MIN_READER_BYTES);
                let least = held
                    .saturating_sub(SPARE_BYTES)
                    .div_ceil(3)
                    .saturating_mul(4);
                // Where writing passes the quarter, all of the memory goes to both together.
                let both = held.saturating_add(writing).saturating_sub(SPARE_BYTES);
                let least = if writing > least / 4 {
                    both.max(least)
                } else {
                    least
                };
                Err(least.next_multiple_of(1 << 20))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sinks_ceilings_are_kept() {
        let sink = Capabilities {
            max_request_bytes: Some(1000),
            max_request_rows: Some(7),
            ..Capabilities::default()
        };
        let limits = Limits::new(256 << 20, Some(2), &sink);
        assert_eq!((limits.batch_bytes, limits.batch_rows), (1000, Some(7)));
    }

    #[test]
    fn readers_hold_what_is_at_work_or_all_where_batches_wait_for_their_turn() {
        let sink = Capabilities {
            max_request_bytes: Some(1 << 20),
            ..Capabilities::default()
        };
        let limits = Limits::new(256 << 20, Some(2), &sink);
        assert_eq!(limits.share(1, true), limits.reader_bytes);
        assert_eq!(limits.share(1, false), 3 << 20);
        assert_eq!(limits.share(4, false), 6 << 20);
        assert_eq!(limits.share(1000, false), limits.reader_bytes);
    }

    #[test]
    fn slow_batches_are_small() {
        let limits = Limits::new(256 << 20, Some(2), &Capabilities::default());
        assert_eq!(limits.slowed(Limit::default()), limits);
        let limit = Limit {
            rows_per_second: NonZeroU64::new(80),
            bytes_per_second: NonZeroU64::new(4),
        };
        let slow = limits.slowed(limit);
        assert_eq!((slow.batch_rows, slow.batch_bytes), (Some(10), 1));
        let few = Limits {
            batch_rows: Some(3),
            ..limits
        };
        assert_eq!(few.slowed(limit).batch_rows, Some(3));
    }

    #[test]
    fn what_readers_hold_makes_them_fewer_and_then_needs_more_memory() {
        let limits = Limits::new(256 << 20, Some(4), &Capabilities::default());
        assert_eq!(limits.with_held(0, 0), Ok(limits));
        assert_eq!(limits.with_held(5 << 20, 0).unwrap().readers, 4);
        let large = limits.with_held(100 << 20, 0).unwrap();
        assert_eq!((large.readers, large.reader_bytes), (2, 8 << 20));
        let least = limits.with_held(1 << 30, 0).unwrap_err();
        let enough = Limits {
            memory_bytes: least,
            ..limits
        };
        assert_eq!(enough.with_held(1 << 30, 0).unwrap().readers, 1);
        let less = Limits {
            memory_bytes: least - (2 << 20),
            ..limits
        };
        assert!(less.with_held(1 << 30, 0).is_err());
    }

    proptest! {
        #[test]
        fn the_least_memory_that_is_named_is_enough(reading in 0u64..(2 << 30), writing in 0u64..(2 << 30)) {
            let limits = Limits::new(16 << 20, Some(4), &Capabilities::default());
            if let Err(least) = limits.with_held(reading, writing) {
                let enough = Limits { memory_bytes: least, ..limits }.with_held(reading, writing);
                prop_assert!(enough.is_ok(), "{least} for {reading} and {writing}");
                let shares = enough.map_or(0, |limits| limits.reader_bytes + reading);
                prop_assert!(shares + writing <= least + SPARE_BYTES);
            }
        }

        #[test]
        fn readers_and_sink_stay_within_the_memory(memory in (16u64 << 20)..(1 << 40), readers in 1u64..1024) {
            let limits = Limits::new(memory, Some(readers), &Capabilities::default());
            prop_assert!(limits.reader_bytes * readers + memory / 4 <= memory);
            prop_assert!(limits.batch_bytes * BATCHES_PER_READER <= limits.reader_bytes.max(3));
            prop_assert!(limits.batch_bytes <= memory / 4);
        }
    }
}
