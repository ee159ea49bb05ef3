// SPDX-License-Identifier: Apache-2.0
//! Sorts more records than memory has room for: runs of them go to a temporary file, and are
//! merged from there. As many as fit into one run never leave the memory.
//!
//! The sort is stable, and goes over the records twice however many there are. The files have no
//! name, so that the system takes them away with the process.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use milvusdm_plugin_api::{Error, Result};

/// What is sorted: a key, and what stands with it.
pub type Record = [i64; 2];

/// Bytes of a record.
const RECORD_BYTES: u64 = size_of::<Record>() as u64;
/// Records of a run: 2 MiB.
pub const RUN: usize = 1 << 17;
/// Records of all buffers of a merge, about: 2 MiB.
const MERGED: usize = 1 << 17;
/// Fewest records of a buffer, so that not every one is read by itself.
const LEAST: usize = 256;

/// Records in a temporary file.
#[derive(Debug)]
pub struct Spool {
    file: File,
    records: u64,
}

impl Spool {
    fn new() -> Result<Self> {
        let file = tempfile::tempfile().map_err(|e| failed("make a temporary file", &e))?;
        Ok(Self { file, records: 0 })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.records
    }

    fn append(&mut self, records: &[Record]) -> Result<()> {
        self.file
            .write_all_at(
                bytemuck::cast_slice(records),
                self.records.saturating_mul(RECORD_BYTES),
            )
            .map_err(|e| failed("write to a temporary file", &e))?;
        self.records += records.len() as u64;
        Ok(())
    }

    /// Fills `out` with the records from `first` on.
    ///
    /// # Errors
    /// `Io`.
    pub fn read(&self, first: u64, out: &mut [Record]) -> Result<()> {
        self.file
            .read_exact_at(
                bytemuck::cast_slice_mut(out),
                first.saturating_mul(RECORD_BYTES),
            )
            .map_err(|e| failed("read from a temporary file", &e))
    }
}

fn failed(doing: &str, e: &io::Error) -> Error {
    Error::io(format!("can't {doing} while ids are sorted"), e)
        .with("folder", std::env::temp_dir().display())
        .help("name a folder with more room in the environment variable TMPDIR, then run the task again")
}

/// Takes records in any order.
#[derive(Debug, Default)]
pub struct Sorter {
    run: Vec<Record>,
    spool: Option<Spool>,
}

impl Sorter {
    /// Takes one.
    ///
    /// # Errors
    /// `Io` where a run can't be put away.
    pub fn push(&mut self, record: Record) -> Result<()> {
        if self.run.len() >= RUN {
            self.put_away()?;
        }
        self.run.push(record);
        Ok(())
    }

    fn put_away(&mut self) -> Result<()> {
        self.run.sort_by_key(|[key, _]| *key);
        let spool = match self.spool.take() {
            Some(spool) => spool,
            None => Spool::new()?,
        };
        self.spool.insert(spool).append(&self.run)?;
        self.run.clear();
        Ok(())
    }

    /// Gives them out in order.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(mut self) -> Result<Sorted> {
        if self.spool.is_none() {
            self.run.sort_by_key(|[key, _]| *key);
            return Ok(Sorted::Held(self.run));
        }
        self.put_away()?;
        match self.spool {
            Some(spool) => Ok(Sorted::Runs(spool)),
            None => Ok(Sorted::Held(self.run)),
        }
    }
}

/// Records that were sorted.
#[derive(Debug)]
pub enum Sorted {
    /// In order, in memory.
    Held(Vec<Record>),
    /// In runs that have yet to be merged; all but the last have [`RUN`] records.
    Runs(Spool),
}

impl Sorted {
    /// Goes over them in order.
    ///
    /// # Errors
    /// `Io`.
    pub fn merge(self) -> Result<Merge> {
        let mut merge = Merge {
            spool: None,
            runs: Vec::new(),
            heads: BinaryHeap::new(),
        };
        match self {
            Self::Held(records) => merge.runs.push(Run {
                rest: 0..0,
                held: records,
                next: 0,
            }),
            Self::Runs(spool) => {
                let count = spool.count().div_ceil(RUN as u64);
                let buffer = (MERGED / (count as usize).max(1)).max(LEAST);
                for run in 0..count {
                    let first = run * RUN as u64;
                    let end = (first + RUN as u64).min(spool.count());
                    merge.runs.push(Run {
                        rest: first..end,
                        held: Vec::with_capacity(buffer),
                        next: 0,
                    });
                }
                merge.spool = Some(spool);
            }
        }
        for run in 0..merge.runs.len() {
            merge.advance(run)?;
        }
        Ok(merge)
    }

    /// Merges them into one run, which is in a file unless they are held; `check` is called now
    /// and then.
    ///
    /// # Errors
    /// `Io`, and whatever `check` says.
    pub fn settle(self, check: impl Fn() -> Result<()>) -> Result<Self> {
        let mut merge = match self {
            Self::Held(_) => return Ok(self),
            runs @ Self::Runs(_) => runs.merge()?,
        };
        let mut settled = Spool::new()?;
        let mut piece = Vec::with_capacity(LEAST * 16);
        while let Some(record) = merge.next()? {
            piece.push(record);
            if piece.len() == piece.capacity() {
                check()?;
                settled.append(&piece)?;
                piece.clear();
            }
        }
        settled.append(&piece)?;
        Ok(Self::Runs(settled))
    }
}

/// A run that is being merged.
#[derive(Debug)]
struct Run {
    /// What is still in the file only.
    rest: std::ops::Range<u64>,
    held: Vec<Record>,
    next: usize,
}

/// Records in order.
#[derive(Debug)]
pub struct Merge {
    spool: Option<Spool>,
    runs: Vec<Run>,
    /// The next record of each run; of equal keys, that of the earlier run goes first.
    heads: BinaryHeap<Reverse<(i64, usize, i64)>>,
}

impl Merge {
    /// The next one.
    ///
    /// # Errors
    /// `Io`.
    pub fn next(&mut self) -> Result<Option<Record>> {
        let Some(Reverse((key, run, value))) = self.heads.pop() else {
            return Ok(None);
        };
        self.advance(run)?;
        Ok(Some([key, value]))
    }

    /// Puts the next record of a run among the heads.
    fn advance(&mut self, number: usize) -> Result<()> {
        let Some(run) = self.runs.get_mut(number) else {
            return Ok(());
        };
        if run.next >= run.held.len()
            && let Some(spool) = &self.spool
        {
            let left = run.rest.end.saturating_sub(run.rest.start);
            let count = left.min(run.held.capacity() as u64);
            run.held.resize(count as usize, [0; 2]);
            spool.read(run.rest.start, &mut run.held)?;
            run.rest.start += count;
            run.next = 0;
        }
        if let Some([key, value]) = run.held.get(run.next) {
            self.heads.push(Reverse((*key, number, *value)));
            run.next += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(count: usize) {
        let key = |i: usize| (i as i64).wrapping_mul(0x9E37_79B9_7F4A_7C15u64 as i64) % 1000;
        let mut sorter = Sorter::default();
        for i in 0..count {
            sorter.push([key(i), i as i64]).unwrap();
        }
        let mut wanted: Vec<Record> = (0..count).map(|i| [key(i), i as i64]).collect();
        wanted.sort_by_key(|[key, _]| *key);
        let settled = sorter.finish().unwrap().settle(|| Ok(())).unwrap();
        let found = match settled {
            Sorted::Held(records) => {
                assert!(count <= RUN);
                records
            }
            Sorted::Runs(spool) => {
                assert!(count > RUN);
                assert_eq!(spool.count(), count as u64);
                let mut records = vec![[0; 2]; count];
                spool.read(0, &mut records).unwrap();
                records
            }
        };
        assert!(found == wanted, "{count} records");
    }

    #[test]
    fn any_number_of_records_is_sorted_and_equal_ones_keep_their_order() {
        for count in [0, 1, 1000, RUN, RUN + 1, 5 * RUN + 17] {
            sorted(count);
        }
    }
}
