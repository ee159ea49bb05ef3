// SPDX-License-Identifier: Apache-2.0
//! The state of the server: collections in memory, and what each call does to them. It knows
//! nothing of the network; time comes in through its clock only.

mod collections;
mod deleting;
mod execute;
mod indexes;
mod inserting;
mod names;
mod partition;
mod partitions;
mod reading;
mod searching;
mod segment;

use std::collections::HashMap;
use std::time::{Duration, Instant};

pub(crate) use execute::Outcome;
use partition::Partition;

use crate::clock::IdClock;
use crate::contents::{CollectionContents, PartitionContents};
use crate::metric::Metric;
use crate::refusal::{Answer, no_collection, no_partition};

/// Tag of the partition that every collection has.
pub(crate) const DEFAULT_PARTITION: &str = "_default";

/// What the server is told of how to behave.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub version: String,
    pub discards: bool,
    /// Since 1.1 reads and deletes by id look at the partition's tag.
    pub knows_tags_by_id: bool,
    pub name_blocked: Duration,
    pub merges_after: Option<Duration>,
}

/// Who makes the ids of a collection; its first insert decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdMode {
    /// The server.
    Auto,
    /// Its users.
    User,
}

/// An index that was asked for.
#[derive(Debug, Clone, PartialEq)]
struct IndexWish {
    /// As the server keeps it: 9 and 10 for 1 and 2 of binary vectors.
    engine: i32,
    params: String,
}

struct Collection {
    name: String,
    dimension: usize,
    index_file_size: i64,
    metric: Metric,
    ids: Option<IdMode>,
    index: IndexWish,
    /// The default partition first.
    partitions: Vec<Partition>,
    /// Deletes that wait for the next flush: ids, and the place of the partition or none for all.
    deletes: Vec<(Vec<i64>, Option<String>)>,
    /// When merging is due.
    merge_at: Option<Instant>,
}

impl Collection {
    /// Elements of a row: floats or bytes.
    fn width(&self) -> usize {
        if self.metric.is_binary() {
            self.dimension / 8
        } else {
            self.dimension
        }
    }

    fn partition(&self, tag: &str) -> Answer<&Partition> {
        let found = self.partitions.iter().find(|p| p.tag == tag.trim());
        found.map_or_else(|| no_partition(&self.name, tag), Ok)
    }

    fn row_count(&self) -> u64 {
        self.partitions.iter().map(Partition::row_count).sum()
    }

    fn is_dirty(&self) -> bool {
        !self.deletes.is_empty() || self.partitions.iter().any(|p| p.unflushed.is_some())
    }
}

/// All collections.
pub(crate) struct Catalog {
    rules: Rules,
    /// In the order of creation.
    collections: Vec<Collection>,
    /// Names of dropped collections, and until when they are blocked.
    blocked: HashMap<String, Instant>,
    pub clock: IdClock,
    /// A restarted server finds the partitions of rows in its WAL by their stored tags, so rows
    /// that a running one loses for blanks in a tag come back.
    is_recovering: bool,
}

impl Catalog {
    pub(crate) fn new(rules: Rules) -> Catalog {
        Catalog {
            rules,
            collections: Vec::new(),
            blocked: HashMap::new(),
            clock: IdClock::default(),
            is_recovering: false,
        }
    }

    /// Says that the changes that follow were made before a restart, or that all of them were.
    pub(crate) fn recovering(&mut self, is_recovering: bool) {
        self.is_recovering = is_recovering;
        let partitions = self.collections.iter_mut().flat_map(|c| &mut c.partitions);
        partitions.for_each(|partition| partition.made_with_blanks = false);
    }

    fn find(&self, name: &str) -> Answer<&Collection> {
        names::collection(name)?;
        let found = self.collections.iter().find(|c| c.name == name);
        found.map_or_else(|| no_collection(name), Ok)
    }

    fn find_mut(&mut self, name: &str) -> Answer<&mut Collection> {
        Ok(self.with_clock(name)?.0)
    }

    fn with_clock(&mut self, name: &str) -> Answer<(&mut Collection, &mut IdClock)> {
        names::collection(name)?;
        let found = self.collections.iter_mut().find(|c| c.name == name);
        let clock = &mut self.clock;
        found.map_or_else(|| no_collection(name), |found| Ok((found, clock)))
    }

    /// Names of collections with something to flush.
    pub(crate) fn dirty(&self) -> Vec<String> {
        let dirty = self.collections.iter().filter(|c| c.is_dirty());
        dirty.map(|c| c.name.clone()).collect()
    }

    /// Names of collections whose segments are to be merged by now.
    pub(crate) fn to_merge(&self) -> Vec<String> {
        let now = Instant::now();
        let due = |c: &&Collection| c.merge_at.is_some_and(|at| at <= now);
        let due = self.collections.iter().filter(due);
        due.map(|c| c.name.clone()).collect()
    }

    /// A copy of everything, for tests.
    pub(crate) fn contents(&self) -> Vec<CollectionContents> {
        let partition = |p: &Partition, width| PartitionContents {
            tag: p.tag.clone(),
            row_count: p.row_count(),
            unflushed_rows: p.unflushed.as_ref().map_or(0, |rows| rows.count()),
            segments: p.segments.iter().map(|s| s.name.to_string()).collect(),
            rows: p.live_rows(width),
        };
        self.collections
            .iter()
            .map(|c| CollectionContents {
                name: c.name.clone(),
                dimension: c.dimension,
                index_file_size_mib: c.index_file_size,
                metric: c.metric,
                ids: c.ids,
                index_type: indexes::outside(c.index.engine),
                index_params: c.index.params.clone(),
                partitions: c
                    .partitions
                    .iter()
                    .map(|p| partition(p, c.width()))
                    .collect(),
            })
            .collect()
    }
}
