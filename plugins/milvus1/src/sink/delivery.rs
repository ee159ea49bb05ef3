// SPDX-License-Identifier: Apache-2.0
//! Gets the rows of a batch stored, each exactly once, or says which are refused.

use std::cell::Cell;
use std::ops::Range;

use milvusdm_plugin_api::{Error, ErrorKind, LogLevel, Result, Services};

use crate::server::insert::{Destination, Inserted, Rows};
use crate::server::{Refusal, Server};

/// Rows that are refused one after the other without any being taken, until it is not the rows
/// that are to blame.
const HOPELESS: usize = 64;

/// The way to one target.
#[derive(Debug)]
pub struct Delivery {
    to: Destination,
    /// Rows that were there before the run.
    rows_before: u64,
    /// Rows that the server acknowledged.
    stored: u64,
    /// Rows of a request whose answer did not come.
    unsure: u64,
    /// Whether the server counts rows that are not ours.
    is_disputed: bool,
    refused_in_a_row: usize,
}

/// What became of the rows of a batch.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Ids of the rows that are stored, in their order.
    pub ids: Vec<i64>,
    /// Rows that are stored.
    pub stored: u64,
    /// Rows that were refused, and why.
    pub refused: Vec<(usize, String)>,
}

impl Delivery {
    /// A way to a target where that many rows are, and so many of this run.
    pub fn new(to: Destination, rows_before: u64, stored: u64) -> Self {
        Self {
            to,
            rows_before,
            stored,
            unsure: 0,
            is_disputed: false,
            refused_in_a_row: 0,
        }
    }

    /// Rows that the server acknowledged.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// Rows that may be stored as well: of a request whose answer did not come.
    pub fn unsure(&self) -> u64 {
        self.unsure
    }

    /// Whether the server counts rows that are not ours.
    pub fn is_disputed(&self) -> bool {
        self.is_disputed
    }

    /// Rows that were there before.
    pub fn rows_before(&self) -> u64 {
        self.rows_before
    }

    /// Stores rows; what is refused is halved until the rows that are to blame are found.
    pub fn deliver(
        &mut self,
        server: &Server,
        services: &Services,
        rows: &Rows,
        ranges: Vec<Range<usize>>,
    ) -> Result<Delivered> {
        let mut delivered = Delivered::default();
        // The next request is the last, so that rows arrive in order.
        let mut requests = vec![ranges];
        while let Some(ranges) = requests.pop() {
            let count = ranges.iter().map(ExactSizeIterator::len).sum::<usize>();
            if count == 0 {
                continue;
            }
            services.check_cancelled()?;
            self.unsure = count as u64;
            let answer = self.request(server, services, rows, &ranges)?;
            self.unsure = 0;
            match answer {
                Inserted::Ids(ids) => {
                    self.stored += count as u64;
                    self.refused_in_a_row = 0;
                    delivered.stored += count as u64;
                    delivered.ids.extend(ids);
                }
                Inserted::Refused(refusal) => {
                    self.expect_about_rows(server, &refusal)?;
                    match ranges.first() {
                        Some(range) if count == 1 => {
                            self.refused_in_a_row += 1;
                            delivered.refused.push((range.start, refusal.reason));
                        }
                        _ => {
                            let (first, second) = halves(&ranges, count / 2);
                            requests.push(second);
                            requests.push(first);
                        }
                    }
                }
            }
        }
        Ok(delivered)
    }

    /// That a refusal is worth looking for the rows it is about.
    fn expect_about_rows(&self, server: &Server, refusal: &Refusal) -> Result<()> {
        if refusal.is_about_rows() && self.refused_in_a_row < HOPELESS {
            return Ok(());
        }
        let error = refusal.error(server.address(), "insert rows");
        Err(error.with("target", &self.to))
    }

    /// One request. Where the connection breaks off nobody knows whether it was stored: the
    /// server's count tells, as long as nobody else writes.
    fn request(
        &mut self,
        server: &Server,
        services: &Services,
        rows: &Rows,
        ranges: &[Range<usize>],
    ) -> Result<Inserted> {
        let count = ranges.iter().map(ExactSizeIterator::len).sum::<usize>() as u64;
        let mut is_unsure = false;
        // A count that fails was tried again already.
        let is_counting = Cell::new(false);
        let attempt = || {
            if is_unsure {
                is_counting.set(true);
                let stored = server.settled(|| self.count(server))?;
                is_counting.set(false);
                if stored == self.stored + count {
                    return Ok(Inserted::Ids(self.ids_of(services, rows, ranges)));
                }
                if stored != self.stored {
                    self.is_disputed = true;
                    return Err(self.interfered(server, stored));
                }
            }
            is_unsure = true;
            server.insert(&self.to, rows, ranges)
        };
        server.retried_if("insert rows", attempt, |_| !is_counting.get())
    }

    /// The ids of rows that were stored without an answer coming back.
    fn ids_of(&self, services: &Services, rows: &Rows, ranges: &[Range<usize>]) -> Vec<i64> {
        let Some(ids) = &rows.ids else {
            let message = format!(
                "{}: rows were stored, but the answer with the ids that the server gave them was lost",
                self.to
            );
            services.log(LogLevel::Warn, &message);
            return Vec::new();
        };
        ranges
            .iter()
            .filter_map(|range| ids.get(range.clone()))
            .flatten()
            .copied()
            .collect()
    }

    /// Rows of this run that the server counts.
    pub fn count(&self, server: &Server) -> Result<u64> {
        server.flush(&self.to.collection)?;
        let found = server.collection(&self.to.collection)?;
        let rows = found
            .as_ref()
            .and_then(|found| found.partition(self.to.partition.as_deref()))
            .map(|partition| partition.row_count);
        match rows.map(|rows| rows.checked_sub(self.rows_before)) {
            Some(Some(rows)) => Ok(rows),
            Some(None) => Err(self.interfered(server, 0)),
            None => Err(Error::new(
                ErrorKind::NotFound,
                "the target is gone, somebody dropped it",
            )
            .with("target", format!("{}/{}", server.address(), self.to))),
        }
    }

    fn interfered(&self, server: &Server, counted: u64) -> Error {
        let message = format!(
            "the server counts {counted} new rows where it acknowledged {}, and what arrived can't be told: another writer is at work, or a request was stored after its connection was lost",
            self.stored
        );
        Error::new(ErrorKind::Remote, message)
            .with("target", format!("{}/{}", server.address(), self.to))
            .help("see to it that nobody else writes; then look at what is there before you run the task again")
    }
}

/// Parts ranges into their first so many rows and the rest.
fn halves(ranges: &[Range<usize>], count: usize) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut left = count;
    for range in ranges {
        let taken = range.len().min(left);
        left -= taken;
        let middle = range.start + taken;
        if taken > 0 {
            first.push(range.start..middle);
        }
        if middle < range.end {
            second.push(middle..range.end);
        }
    }
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_hold_all_rows_in_order() {
        let ranges = [0..3, 5..6, 8..12];
        for count in 0..=8 {
            let (first, second) = halves(&ranges, count);
            assert_eq!(
                first.iter().map(ExactSizeIterator::len).sum::<usize>(),
                count
            );
            let all: Vec<usize> = first.into_iter().chain(second).flatten().collect();
            assert_eq!(all, [0, 1, 2, 5, 8, 9, 10, 11]);
        }
    }
}
