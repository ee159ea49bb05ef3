// SPDX-License-Identifier: Apache-2.0
//! Moves rows no faster than the task allows, over the whole run and all threads together.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use milvusdm_plugin_api::Result;

use crate::control::Control;
use crate::task::Limit;

/// How long a pause may last before it is looked whether the run is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// How far a run is, and how fast it may be.
#[derive(Debug)]
pub(super) struct Pace {
    limit: Limit,
    /// When the next batch may go.
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(limit: Limit) -> Self {
        Self {
            limit,
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits until a batch may go. What was not used up is lost: a run that stood still does not
    /// make up for it.
    ///
    /// # Errors
    /// `Cancelled`.
    pub(super) fn wait(&self, control: &Control, rows: u64, bytes: u64) -> Result<()> {
        if self.limit == Limit::default() {
            return Ok(());
        }
        let go = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let go = (*next).max(Instant::now());
            *next = go
                .checked_add(self.limit.time_of(rows, bytes))
                .unwrap_or(go);
            go
        };
        loop {
            control.check()?;
            let left = go.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
        }
    }
}

impl Limit {
    /// How long so much takes at least.
    fn time_of(self, rows: u64, bytes: u64) -> Duration {
        let at = |amount: u64, rate: Option<std::num::NonZeroU64>| {
            let seconds = rate.map_or(0.0, |rate| amount as f64 / rate.get() as f64);
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        };
        at(rows, self.rows_per_second).max(at(bytes, self.bytes_per_second))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    #[test]
    fn the_narrower_limit_holds() {
        let limit = Limit {
            rows_per_second: NonZeroU64::new(100),
            bytes_per_second: NonZeroU64::new(1000),
        };
        assert_eq!(limit.time_of(50, 100), Duration::from_millis(500));
        assert_eq!(limit.time_of(50, 2000), Duration::from_secs(2));
        assert_eq!(Limit::default().time_of(u64::MAX, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn batches_wait_for_those_before_them() {
        let limit = Limit {
            rows_per_second: NonZeroU64::new(1000),
            bytes_per_second: None,
        };
        let (pace, control) = (Pace::new(limit), Control::new());
        let started = Instant::now();
        for _ in 0..4 {
            pace.wait(&control, 50, 0).unwrap();
        }
        assert!(started.elapsed() >= Duration::from_millis(150));
    }
}
