// SPDX-License-Identifier: Apache-2.0
//! Makes ids and segment names as the server does, from microseconds, and the same ones again when
//! a journal is replayed.

use std::time::{SystemTime, UNIX_EPOCH};

/// Ids of one microsecond.
const BLOCK: u64 = 1000;

/// Gives rising numbers.
#[derive(Debug, Default)]
pub(crate) struct IdClock {
    next_us: i64,
}

impl IdClock {
    /// Starts a call now, and says when that was.
    pub(crate) fn begin(&mut self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_micros() as i64);
        self.next_us = self.next_us.max(now);
        self.next_us
    }

    /// Starts a call at the time at which it was first made, so that it gives the same ids.
    pub(crate) fn begin_again(&mut self, at_us: i64) {
        self.next_us = at_us;
    }

    /// The name of a segment.
    pub(crate) fn name(&mut self) -> i64 {
        self.next_us += 1;
        self.next_us * BLOCK as i64
    }

    /// Ids of so many rows; each block of up to 1000 takes a new microsecond.
    pub(crate) fn ids(&mut self, rows: u64) -> Vec<i64> {
        let mut ids = Vec::with_capacity(rows as usize);
        while (ids.len() as u64) < rows {
            let first = self.name();
            let block = BLOCK.min(rows - ids.len() as u64) as i64;
            ids.extend(first..first + block);
        }
        ids
    }
}
