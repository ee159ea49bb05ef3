// SPDX-License-Identifier: Apache-2.0
//! What the server would do with the log when it starts: which rows it would insert, and which
//! it would delete (fact sheet sections 4 and 5; `core/src/db/wal/WalManager.cpp`,
//! `core/src/db/insert/MemTable.cpp`).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use milvusdm_plugin_api::model::Kind as VectorKind;
use milvusdm_plugin_api::{Error, ErrorKind, Result, Services};

use super::log::Record;
use super::record::{Kind, Lsn};
use super::{Chunk, Log};
use crate::cold::catalog::{Catalog, DEFAULT_PARTITION, Part};
use crate::cold::deleted::Deleted;
use crate::options::OnError;

/// What the log holds of one partition.
#[derive(Debug, Default, Clone)]
pub struct PartLog {
    /// Its inserts, in order.
    pub chunks: Vec<Chunk>,
    /// Rows of these.
    pub rows: u64,
    /// Rows that the server never takes over.
    pub skipped: u64,
    /// Rows of a record that is cut.
    pub lost: u64,
    /// Why rows are skipped or lost.
    pub notes: Vec<String>,
}

/// An id that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    id: i64,
    lsn: Lsn,
    /// Whether it was the only one of its request.
    is_single: bool,
    /// The partition; `None` for all of the collection.
    part: Option<usize>,
}

/// What the log would do.
#[derive(Debug)]
pub struct Replay {
    /// The log.
    pub log: Arc<Log>,
    /// By partition, in the catalog's order.
    pub parts: Vec<PartLog>,
    collections: HashMap<String, Collection>,
}

#[derive(Debug, Default)]
struct Collection {
    default: usize,
    tags: HashMap<String, usize>,
    events: Vec<Event>,
}

/// The ids that the log deletes from a partition.
#[derive(Debug, Default)]
pub struct Deletes {
    /// By id, then in order.
    events: Vec<Event>,
}

impl Replay {
    /// Walks through the log.
    ///
    /// # Errors
    /// `Format` where it is damaged.
    pub fn of(
        log: Log,
        catalog: &Catalog,
        on_error: OnError,
        services: &Services,
    ) -> Result<(Self, Vec<String>)> {
        let mut collections: HashMap<String, Collection> = HashMap::new();
        for (index, part) in catalog.parts.iter().enumerate() {
            let collection = collections.entry(part.collection.clone()).or_default();
            match (part.is_default, &part.partition) {
                (false, Some(tag)) => {
                    collection.tags.insert(tag.clone(), index);
                }
                _ => collection.default = index,
            }
        }
        let log = Arc::new(log);
        let mut walk = Walk {
            parts: &catalog.parts,
            on_error,
            replay: Self {
                log: Arc::clone(&log),
                parts: vec![PartLog::default(); catalog.parts.len()],
                collections,
            },
            ignored: BTreeMap::new(),
        };
        log.walk(services, |record| walk.take(&record))?;
        let notices = walk.ignored.into_iter().map(|(why, rows)| {
            format!("The write-ahead log holds {rows} rows {why}; they are not read.")
        });
        Ok((walk.replay, notices.collect()))
    }

    /// What is deleted from a partition.
    pub fn deletes(&self, index: usize, part: &Part) -> Deletes {
        let Some(collection) = self.collections.get(&part.collection) else {
            return Deletes::default();
        };
        let mut events: Vec<Event> = collection
            .events
            .iter()
            .filter(|e| e.part.is_none_or(|p| p == index))
            // One that was there when the partition was flushed was done with it.
            .filter(|e| e.lsn.0 > part.flush_lsn)
            .copied()
            .collect();
        events.sort_unstable();
        Deletes { events }
    }

    /// The rows of a partition in the log that the log deletes again.
    ///
    /// # Errors
    /// `Format`, `Io`, `Cancelled`.
    pub fn deleted(&self, index: usize, deletes: &Deletes, services: &Services) -> Result<Deleted> {
        let Some(part) = self.parts.get(index) else {
            return Ok(Deleted::none_of(0));
        };
        let mut deleted = Deleted::none_of(part.rows);
        if deletes.is_empty() {
            return Ok(deleted);
        }
        let mut met: Vec<(i64, u64, Lsn)> = Vec::new();
        for chunk in &part.chunks {
            services.check_cancelled()?;
            self.log
                .each_id(chunk.file, chunk.ids_at, chunk.rows, |index, id| {
                    if deletes.contains(id) {
                        met.push((id, chunk.first + index, chunk.lsn));
                    }
                })?;
        }
        met.sort_unstable();
        deletes.apply(&met, |row| {
            deleted.insert(row);
        });
        Ok(deleted)
    }
}

impl Deletes {
    /// Whether nothing is deleted.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether that id is deleted, at any time.
    pub fn contains(&self, id: i64) -> bool {
        self.events.binary_search_by_key(&id, |e| e.id).is_ok()
    }

    fn of(&self, id: i64) -> &[Event] {
        let from = self.events.partition_point(|e| e.id < id);
        let to = self.events.partition_point(|e| e.id <= id);
        self.events.get(from..to).unwrap_or_default()
    }

    /// Does to rows (id, row, when; sorted) what the server does to rows in its memory: a request
    /// with a single id removes the first of that id that is still there, one with more ids all
    /// of each (`MemTableFile::Delete`).
    fn apply(&self, met: &[(i64, u64, Lsn)], mut delete: impl FnMut(u64)) {
        for same in met.chunk_by(|a, b| a.0 == b.0) {
            let Some((id, ..)) = same.first() else {
                continue;
            };
            let mut coming = same.iter().peekable();
            let mut there = VecDeque::new();
            for event in self.of(*id) {
                while let Some((_, row, _)) = coming.next_if(|(_, _, lsn)| *lsn < event.lsn) {
                    there.push_back(*row);
                }
                match event.is_single {
                    true => there.pop_front().into_iter().for_each(&mut delete),
                    false => there.drain(..).for_each(&mut delete),
                }
            }
        }
    }
}

/// The state of a walk through the log.
struct Walk<'a> {
    parts: &'a [Part],
    on_error: OnError,
    replay: Replay,
    ignored: BTreeMap<&'static str, u64>,
}

impl Walk<'_> {
    fn take(&mut self, record: &Record<'_>) -> Result<()> {
        match record.header.kind {
            Kind::InsertBinary | Kind::InsertFloat => self.insert(record),
            Kind::Delete => self.delete(record),
            Kind::Flush => Ok(()),
        }
    }

    fn insert(&mut self, record: &Record<'_>) -> Result<()> {
        let rows = record.header.rows;
        let Some(collection) = self.replay.collections.get(record.collection) else {
            *self
                .ignored
                .entry("of collections that are no more")
                .or_default() += rows;
            return Ok(());
        };
        let is_never_taken = record.tag == DEFAULT_PARTITION;
        let index = match is_never_taken {
            true => collection.default,
            false => match collection.part(record.tag) {
                Some(index) => index,
                None => {
                    *self
                        .ignored
                        .entry("of partitions that are no more")
                        .or_default() += rows;
                    return Ok(());
                }
            },
        };
        let (Some(part), Some(log)) = (self.parts.get(index), self.replay.parts.get_mut(index))
        else {
            return Ok(());
        };
        if record.header.lsn.0 <= part.flush_lsn {
            return Ok(());
        }
        if is_never_taken {
            log.skipped += rows;
            log.notes = vec![format!(
                "{} rows in the write-ahead log were sent with the partition name `_default`, which the server acknowledges and never stores",
                log.skipped
            )];
            return Ok(());
        }
        check_vectors(record, part)?;
        if record.is_torn {
            if self.on_error == OnError::Fail {
                return Err(torn(record, part));
            }
            log.lost += rows;
            log.notes.push(torn(record, part).message().to_owned());
            return Ok(());
        }
        log.chunks.push(Chunk {
            first: log.rows,
            rows,
            file: record.file,
            ids_at: record.ids_at,
            lsn: record.header.lsn,
        });
        log.rows += rows;
        Ok(())
    }

    fn delete(&mut self, record: &Record<'_>) -> Result<()> {
        let Some(collection) = self.replay.collections.get_mut(record.collection) else {
            return Ok(());
        };
        // Without a name it goes to all partitions, but counts by the default one; one that
        // names `_default`, or a partition that is none, does nothing.
        let part = match record.tag {
            "" => None,
            DEFAULT_PARTITION => return Ok(()),
            tag => match collection.part(tag) {
                Some(part) => Some(part),
                None => return Ok(()),
            },
        };
        let judged_by = part.unwrap_or(collection.default);
        let flushed = self.parts.get(judged_by).map_or(0, |p| p.flush_lsn);
        if record.header.lsn.0 <= flushed {
            return Ok(());
        }
        if record.is_torn {
            return Err(Error::new(
                ErrorKind::Format,
                format!(
                    "the write-ahead log ends inside a record that deletes {} rows",
                    record.header.rows
                ),
            )
            .with("collection", record.collection)
            .help("`wal: ignore` reads the segments alone, with the rows that the log deletes"));
        }
        let is_single = record.header.rows == 1;
        let log = Arc::clone(&self.replay.log);
        let (lsn, rows) = (record.header.lsn, record.header.rows);
        log.each_id(record.file, record.ids_at, rows, |_, id| {
            collection.events.push(Event {
                id,
                lsn,
                is_single,
                part,
            });
        })
    }
}

impl Collection {
    /// The partition of that name; the server stores names without blanks around them, the log
    /// as the client gave them.
    fn part(&self, tag: &str) -> Option<usize> {
        match tag {
            "" => Some(self.default),
            _ => self
                .tags
                .get(tag)
                .or_else(|| self.tags.get(tag.trim()))
                .copied(),
        }
    }
}

/// A record must hold the vectors that its collection has.
fn check_vectors(record: &Record<'_>, part: &Part) -> Result<()> {
    let wanted_binary = part.vector.kind == VectorKind::Binary;
    let is_binary = record.header.kind == Kind::InsertBinary;
    let wanted = record.header.rows * part.vector_bytes();
    if is_binary == wanted_binary && record.header.data_bytes == wanted {
        return Ok(());
    }
    let name = |is_binary: bool| if is_binary { "binary" } else { "float" };
    Err(Error::new(
        ErrorKind::Format,
        format!(
            "a record of the write-ahead log holds {} bytes of {} vectors for {} rows of `{}`, wanted {wanted} bytes of {} vectors",
            record.header.data_bytes,
            name(is_binary),
            record.header.rows,
            part.full_name(),
            name(wanted_binary),
        ),
    )
    .help("`wal: ignore` reads the segments alone"))
}

fn torn(record: &Record<'_>, part: &Part) -> Error {
    Error::new(
        ErrorKind::Format,
        format!(
            "the write-ahead log ends inside its last record: {} rows of `{}` are lost",
            record.header.rows,
            part.full_name()
        ),
    )
    .help("`on_error: skip_segment` counts them as lost and moves the others")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: i64, lsn: u64, is_single: bool) -> Event {
        Event {
            id,
            lsn: Lsn(lsn),
            is_single,
            part: None,
        }
    }

    #[test]
    fn a_single_id_removes_the_first_row_and_several_ids_all_rows_before_them() {
        let deletes = Deletes {
            events: vec![event(5, 30, true), event(6, 30, false), event(7, 10, false)],
        };
        // Id 5 three times before, id 6 twice before and once after, id 7 after.
        let met: Vec<_> = [
            (5, 0, 1),
            (5, 1, 1),
            (5, 2, 2),
            (6, 3, 1),
            (6, 4, 2),
            (6, 5, 40),
            (7, 6, 11),
        ]
        .map(|(id, row, lsn)| (id, row, Lsn(lsn)))
        .into();
        let mut gone = Vec::new();
        deletes.apply(&met, |row| gone.push(row));
        assert_eq!(gone, [0, 3, 4]);
        assert!(deletes.contains(7) && !deletes.contains(4));
    }
}
