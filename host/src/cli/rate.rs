// SPDX-License-Identifier: Apache-2.0
//! How fast a run goes and how long it will take, from what it did lately.
//!
//! Only the last seconds count, so that a slow start or a fast part long ago says nothing of
//! the rest.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What counts as lately.
const WINDOW: Duration = Duration::from_secs(15);
/// Rates over less time than this are noise.
const LEAST: Duration = Duration::from_millis(500);

/// What can be told of a run at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Estimate {
    /// The share that is done, 0 to 1, where the total is known.
    pub fraction: Option<f64>,
    pub bytes_per_second: Option<u64>,
    pub seconds_left: Option<f64>,
}

/// Remembers how far a run was.
#[derive(Debug, Default)]
pub(super) struct Meter {
    samples: VecDeque<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    rows: u64,
    bytes: u64,
}

impl Meter {
    /// Takes note of (done, total) rows and bytes; a total of 0 is unknown.
    pub fn measure(&mut self, at: Instant, rows: (u64, u64), bytes: (u64, u64)) -> Estimate {
        self.samples.push_back(Sample {
            at,
            rows: rows.0,
            bytes: bytes.0,
        });
        // One sample from before the window stays, to measure from.
        while self
            .samples
            .get(1)
            .is_some_and(|s| at.saturating_duration_since(s.at) >= WINDOW)
        {
            self.samples.pop_front();
        }
        // Rows are exact where they are known; bytes are an estimate of the source.
        let (done, total) = if rows.1 > 0 { rows } else { bytes };
        let fraction = (total > 0).then(|| (done as f64 / total as f64).min(1.0));
        let Some(first) = self.samples.front().copied() else {
            return Estimate {
                fraction,
                ..Estimate::default()
            };
        };
        let elapsed = at.saturating_duration_since(first.at);
        if elapsed < LEAST {
            return Estimate {
                fraction,
                ..Estimate::default()
            };
        }
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / elapsed.as_secs_f64();
        let byte_rate = rate(bytes.0, first.bytes);
        let done_rate = if rows.1 > 0 {
            rate(rows.0, first.rows)
        } else {
            byte_rate
        };
        let seconds_left =
            (total > 0 && done_rate > 0.0).then(|| total.saturating_sub(done) as f64 / done_rate);
        let bytes_per_second = (byte_rate > 0.0).then_some(byte_rate.round() as u64);
        Estimate {
            fraction,
            bytes_per_second,
            seconds_left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut meter = Meter::default();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(meter.measure(at(0), (0, 1000), (0, 0)).seconds_left, None);
        meter.measure(at(10), (10, 1000), (100, 0));
        let slow = meter.measure(at(20), (20, 1000), (200, 0));
        assert_eq!(slow.bytes_per_second, Some(10));
        assert_eq!(slow.seconds_left, Some(980.0));
        meter.measure(at(30), (420, 1000), (4200, 0));
        let fast = meter.measure(at(40), (820, 1000), (8200, 0));
        assert_eq!(fast.bytes_per_second, Some(400));
        assert_eq!(fast.seconds_left, Some(4.5));
        assert_eq!(fast.fraction, Some(0.82));
    }

    #[test]
    fn a_run_that_stands_still_has_no_end() {
        let start = Instant::now();
        let mut meter = Meter::default();
        meter.measure(start, (5, 10), (50, 100));
        let still = meter.measure(start + Duration::from_secs(5), (5, 10), (50, 100));
        assert_eq!((still.seconds_left, still.bytes_per_second), (None, None));
        assert_eq!(still.fraction, Some(0.5));
    }

    #[test]
    fn bytes_stand_in_where_nobody_knows_the_rows() {
        let start = Instant::now();
        let mut meter = Meter::default();
        meter.measure(start, (0, 0), (0, 100));
        let estimate = meter.measure(start + Duration::from_secs(1), (7, 0), (25, 100));
        assert_eq!(
            (estimate.fraction, estimate.seconds_left),
            (Some(0.25), Some(3.0))
        );
    }
}
