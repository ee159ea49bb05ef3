// SPDX-License-Identifier: Apache-2.0
//! Finds the ids that name several rows, in bounded memory: sorted runs on disk, then merged.
//!
//! Of rows of one partition that share an id the server always gives the first. Where it
//! searches all partitions, it may as well give another partition's.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

/// Bytes of a row in the file.
const ROW: usize = 20;
/// Bytes that are read ahead of all runs together.
const MERGE_BYTES: usize = 4 << 20;
/// Rows of a run: 24 bytes each in memory.
const RUN: usize = 256 << 10;
/// Most ids that name several rows.
const MAX_DUPLICATES: usize = 1 << 18;

/// An id, its partition, its place.
type Row = (i64, u32, u64);

/// Takes ids in any order.
#[derive(Debug, Default)]
pub struct Sorter {
    rows: Vec<Row>,
    /// Sorted runs, one behind the other.
    file: Option<Arc<File>>,
    runs: Vec<Range<u64>>,
}

impl Sorter {
    /// Takes a row's id.
    ///
    /// # Errors
    /// Where the file for it can't be written.
    pub fn add(&mut self, id: i64, partition: u32, place: u64) -> io::Result<()> {
        self.rows.push((id, partition, place));
        if self.rows.len() >= RUN {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.rows.sort_unstable();
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(Arc::new(tempfile::tempfile()?)),
        };
        let start = self.runs.last().map_or(0, |run| run.end);
        let mut writer = BufWriter::new(file.as_ref());
        for (id, partition, place) in self.rows.drain(..) {
            writer.write_all(&id.to_le_bytes())?;
            writer.write_all(&partition.to_le_bytes())?;
            writer.write_all(&place.to_le_bytes())?;
        }
        writer.flush()?;
        drop(writer);
        let end = file.as_ref().stream_position()?;
        self.runs.push(start..end);
        Ok(())
    }

    /// The ids that name several rows. `searches_all` tells of a partition whether the server
    /// searches all others with it.
    ///
    /// # Errors
    /// `Io`; `Unsupported` where there are too many of them.
    pub fn finish(mut self, searches_all: impl Fn(u32) -> bool) -> Result<Duplicates> {
        let failed = |e: io::Error| Error::io("sort the ids of a collection", &e);
        if self.runs.is_empty() {
            self.rows.sort_unstable();
            let rows = self.rows.into_iter().map(Ok);
            return Duplicates::of(rows, searches_all);
        }
        self.spill().map_err(failed)?;
        let Some(file) = self.file else {
            return Ok(Duplicates::default());
        };
        let merged = Merged::new(&file, self.runs).map_err(failed)?;
        Duplicates::of(merged.map(|row| row.map_err(failed)), searches_all)
    }
}

/// A run that is being read.
struct Run {
    file: Arc<File>,
    left: Range<u64>,
}

impl Read for Run {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.left.end - self.left.start;
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let read = self
            .file
            .read_at(bytes.get_mut(..most).unwrap_or_default(), self.left.start)?;
        self.left.start += read as u64;
        Ok(read)
    }
}

/// All runs as one.
struct Merged {
    runs: Vec<BufReader<Run>>,
    heads: BinaryHeap<Reverse<(Row, usize)>>,
}

impl Merged {
    fn new(file: &Arc<File>, runs: Vec<Range<u64>>) -> io::Result<Self> {
        // The same for all of them, however many there are.
        let buffer = (MERGE_BYTES / runs.len().max(1)).max(ROW * 16);
        let runs = runs.into_iter().map(|left| {
            let run = Run {
                file: Arc::clone(file),
                left,
            };
            BufReader::with_capacity(buffer, run)
        });
        let mut merged = Self {
            runs: runs.collect(),
            heads: BinaryHeap::new(),
        };
        for run in 0..merged.runs.len() {
            merged.advance(run)?;
        }
        Ok(merged)
    }

    fn advance(&mut self, number: usize) -> io::Result<()> {
        let Some(run) = self.runs.get_mut(number) else {
            return Ok(());
        };
        let mut row = [0; ROW];
        match run.read_exact(&mut row) {
            Ok(()) => {
                let (id, rest) = row.split_at(8);
                let (partition, place) = rest.split_at(4);
                let row = (
                    i64::from_le_bytes(id.try_into().unwrap_or_default()),
                    u32::from_le_bytes(partition.try_into().unwrap_or_default()),
                    u64::from_le_bytes(place.try_into().unwrap_or_default()),
                );
                self.heads.push(Reverse((row, number)));
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(e) => Err(e),
        }
    }
}

impl Iterator for Merged {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<io::Result<Row>> {
        let Reverse((row, number)) = self.heads.pop()?;
        Some(self.advance(number).map(|()| row))
    }
}

/// The ids that name several rows.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// By id and partition, the place of the row that the server gives, if it gives one.
    rows: BTreeMap<(i64, u32), Option<u64>>,
}

impl Duplicates {
    fn of(
        rows: impl Iterator<Item = Result<Row>>,
        searches_all: impl Fn(u32) -> bool,
    ) -> Result<Self> {
        let mut duplicates = Self::default();
        let mut group: Vec<(u32, u64)> = Vec::new();
        let mut id = None;
        for row in rows {
            let (next, partition, place) = row?;
            if id != Some(next) {
                duplicates.close(id, &mut group, &searches_all)?;
                id = Some(next);
            }
            // Of each partition the first and one more say all that matters.
            if group
                .iter()
                .filter(|(known, _)| *known == partition)
                .count()
                < 2
            {
                group.push((partition, place));
            }
        }
        duplicates.close(id, &mut group, &searches_all)?;
        Ok(duplicates)
    }

    fn close(
        &mut self,
        id: Option<i64>,
        group: &mut Vec<(u32, u64)>,
        searches_all: &impl Fn(u32) -> bool,
    ) -> Result<()> {
        if let (Some(id), 2..) = (id, group.len()) {
            for (partition, place) in group.iter().copied() {
                let is_shared = group.iter().any(|(other, _)| *other != partition);
                let readable = (!is_shared || !searches_all(partition)).then_some(place);
                // Places are in order: the first one stays.
                self.rows.entry((id, partition)).or_insert(readable);
            }
            if self.rows.len() > MAX_DUPLICATES {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("more than {MAX_DUPLICATES} ids name several rows, of which a server gives only one"),
                )
                .help("read the server's files instead: stop it, and name its data directory in `path`"));
            }
        }
        group.clear();
        Ok(())
    }

    /// Whether the row at that place is the one that the server gives for its id.
    pub fn is_readable(&self, id: i64, partition: u32, place: u64) -> bool {
        match self.rows.get(&(id, partition)) {
            None => true,
            Some(readable) => *readable == Some(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_of_a_partition_is_readable_and_none_that_may_be_anothers() {
        let mut sorter = Sorter::default();
        // Partition 0 is searched with all others.
        for (place, (id, partition)) in
            (0u64..).zip([(7, 0), (8, 0), (9, 0), (9, 0), (7, 1), (5, 1), (5, 1)])
        {
            sorter.add(id, partition, place).unwrap();
        }
        let found = sorter.finish(|partition| partition == 0).unwrap();
        let readable = |id, partition, place| found.is_readable(id, partition, place);
        assert!(!readable(7, 0, 0), "partition 1 has it too");
        assert!(readable(8, 0, 1));
        assert!(readable(9, 0, 2));
        assert!(!readable(9, 0, 3));
        assert!(readable(7, 1, 4), "a tag finds it");
        assert!(readable(5, 1, 5));
        assert!(!readable(5, 1, 6));
    }

    #[test]
    fn runs_on_disk_are_merged() {
        let mut sorter = Sorter::default();
        let rows = RUN as u64 * 2 + 10;
        for place in 0..rows {
            // Every id twice but the last ones, the second time in another run.
            sorter
                .add((place % (RUN as u64 + 5)) as i64, 0, place)
                .unwrap();
        }
        assert_eq!(sorter.runs.len(), 2);
        let found = sorter.finish(|_| false).unwrap_err();
        assert_eq!(found.kind(), ErrorKind::Unsupported);
        let mut sorter = Sorter::default();
        for place in 0..rows {
            sorter.add((place % (rows - 3)) as i64, 0, place).unwrap();
        }
        let found = sorter.finish(|_| false).unwrap();
        assert!(found.is_readable(0, 0, 0) && found.is_readable(3, 0, 3));
        assert!(!found.is_readable(0, 0, rows - 3) && !found.is_readable(2, 0, rows - 1));
        assert_eq!(found.rows.len(), 3);
    }
}
