// SPDX-License-Identifier: Apache-2.0
//! How the task's memory is shared out.
//!
//! A quarter is the sink's: what it encodes. The rest is split evenly between the readers; a
//! reader's share covers every batch that it gave out and that is not yet written. Shares are
//! fixed, so that no reader can starve the one whose rows are next, and a reader that keeps its
//! buffers for reuse stays within the budget too.

use milvusdm_plugin_api::model::Capabilities;
use serde::Serialize;

/// Batches above this only cost latency.
const MAX_BATCH_BYTES: u64 = 8 << 20;
/// A reader has at least that many batches under way.
const BATCHES_PER_READER: u64 = 3;
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

    proptest! {
        #[test]
        fn readers_and_sink_stay_within_the_memory(memory in (16u64 << 20)..(1 << 40), readers in 1u64..1024) {
            let limits = Limits::new(memory, Some(readers), &Capabilities::default());
            prop_assert!(limits.reader_bytes * readers + memory / 4 <= memory);
            prop_assert!(limits.batch_bytes * BATCHES_PER_READER <= limits.reader_bytes.max(3));
            prop_assert!(limits.batch_bytes <= memory / 4);
        }
    }
}
