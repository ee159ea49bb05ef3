// SPDX-License-Identifier: Apache-2.0
//! The collections of a run: made ready once for all targets in them, and indexed when the last of
//! these is done. [`look`](super::look) looks at them before, [`take_back`](super::take_back)
//! takes away again what a run made that failed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use milvusdm_plugin_api::{Error, ErrorKind, Mode, Result};

use super::resume::{self, Adopted};
use super::wanted::Wanted;
use crate::server::{CollectionInfo, DEFAULT_PARTITION, IndexInfo, Server};

/// The collections that a run writes to, by name.
#[derive(Debug, Default)]
pub struct Collections(Mutex<BTreeMap<String, Collection>>);

/// A collection of the run.
#[derive(Debug, Default)]
pub(super) struct Collection {
    pub(super) targets: Vec<Wanted>,
    /// What was there before the run.
    pub(super) found: Option<CollectionInfo>,
    /// The index of what was there before the run.
    pub(super) found_index: Option<IndexInfo>,
    is_ready: bool,
    /// Whether this run made it.
    pub(super) is_new: bool,
    /// Partitions that this run made.
    pub(super) made: BTreeSet<String>,
    /// Whether a target in it is complete.
    pub(super) is_finished: bool,
    /// Targets that are still to be finished before the index is built.
    left: usize,
}

impl Collection {
    /// A collection that these targets are for.
    ///
    /// # Errors
    /// `Remote`.
    pub(super) fn look(server: &Server, name: &str, targets: Vec<Wanted>) -> Result<Self> {
        let mut resumed = targets.iter().filter_map(|target| target.resumed.as_ref());
        let found = match resumed.any(|resumed| !resumed.is_finished) {
            // The process that was killed may have sent a request that is not yet done.
            true => server.settled_collection(name)?,
            false => server.collection(name)?,
        };
        let found_index = found.as_ref().map(|_| server.index(name)).transpose()?;
        let is_finished = |target: &Wanted| target.resumed.as_ref().is_some_and(|r| r.is_finished);
        let mut collection = Self {
            is_finished: targets.iter().any(is_finished),
            targets,
            found,
            found_index,
            ..Self::default()
        };
        let is_written = |target: &&Wanted| collection.is_written(target);
        collection.left = collection.targets.iter().filter(is_written).count();
        Ok(collection)
    }

    /// Whether all of it is dropped first: the default partition can't be dropped alone.
    pub(super) fn is_replaced(&self) -> bool {
        let is_whole =
            |target: &Wanted| target.mode == Mode::Overwrite && target.to.partition.is_none();
        self.found.is_some() && !self.is_begun() && self.targets.iter().any(is_whole)
    }

    /// Whether an earlier process of the run may have made it, for a target that was not there.
    fn is_made_by_the_run(&self) -> bool {
        let mut resumed = self
            .targets
            .iter()
            .filter_map(|target| target.resumed.as_ref());
        resumed.any(|resumed| !resumed.existed)
    }

    /// Whether an earlier process of the run made it ready: then what is there is the run's.
    fn is_begun(&self) -> bool {
        let mut resumed = self
            .targets
            .iter()
            .filter_map(|target| target.resumed.as_ref());
        resumed.any(|resumed| resumed.is_prepared)
    }

    /// Rows of a target that is there. A collection without rows and partitions counts as its
    /// default partition; one that other partitions were written to does not.
    pub(super) fn rows_of(&self, tag: Option<&str>) -> Option<u64> {
        let found = self.found.as_ref()?;
        let partition = found.partition(tag)?;
        let is_bare = found.partitions.len() == 1 && !self.is_made_by_the_run();
        let is_there = tag.is_some() || partition.row_count > 0 || is_bare;
        is_there.then_some(partition.row_count)
    }

    /// Partitions of what is there that would be dropped without being written anew.
    pub(super) fn dropped_with(&self, there: &CollectionInfo) -> BTreeSet<String> {
        let is_written = |tag: &str| {
            let mut targets = self.targets.iter();
            targets.any(|target| target.to.partition.as_deref() == Some(tag))
        };
        let tags = there.partitions.iter().map(|partition| &partition.tag);
        tags.filter(|tag| *tag != DEFAULT_PARTITION && !is_written(tag))
            .cloned()
            .collect()
    }

    /// Whether a target was looked at, and is still to be written.
    fn expects(&self, target: &Wanted) -> bool {
        let same = |known: &Wanted| known.to == target.to && known.mode == target.mode;
        self.left > 0 && self.targets.iter().any(same)
    }

    pub(super) fn is_written(&self, target: &Wanted) -> bool {
        if let Some(resumed) = &target.resumed {
            return !resumed.is_finished;
        }
        target.mode != Mode::Skip || self.rows_of(target.to.partition.as_deref()).is_none()
    }

    /// Makes it, or what it replaces.
    fn make_ready(&mut self, server: &Server, target: &Wanted) -> Result<()> {
        let name = &target.to.collection;
        let is_there = server.has_collection(name)?;
        if is_there && !self.is_replaced() {
            server.flush(name)?;
            self.is_ready = true;
            return Ok(());
        }
        // What a new one needs is known before the old one goes.
        let schema = target.schema()?;
        if is_there {
            self.expect_as_found(server, name)?;
            server.drop_collection(name)?;
        }
        let made = server.create_collection(&schema);
        made.map_err(|e| match is_there {
            true => e.with("dropped already", name),
            false => e,
        })?;
        (self.is_new, self.is_ready) = (true, true);
        Ok(())
    }

    /// That dropping a collection takes no partition along that was not there, or not seen, when
    /// the run was planned.
    fn expect_as_found(&self, server: &Server, name: &str) -> Result<()> {
        // Rows that are not flushed are not counted.
        server.flush(name)?;
        let announced = self.found.iter().flat_map(|found| self.dropped_with(found));
        let announced: BTreeSet<String> = announced.collect();
        let now = server.collection(name)?;
        let mut dropped = now.iter().flat_map(|now| self.dropped_with(now));
        match dropped.find(|tag| !announced.contains(tag)) {
            None => Ok(()),
            Some(tag) => Err(appeared(server, &format!("{name}/{tag}"))),
        }
    }

    /// Makes the partition of a target ready; gives the rows that are there.
    fn partition_for(
        &mut self,
        server: &Server,
        now: &CollectionInfo,
        target: &Wanted,
    ) -> Result<Adopted> {
        match Adopted::find(target, Some(now))? {
            Some(adopted) => {
                self.adopt(server, target, adopted.rows)?;
                Ok(adopted)
            }
            None => self
                .partition_anew(server, now, target)
                .map(|rows_before| Adopted {
                    rows_before,
                    rows: 0,
                }),
        }
    }

    /// Takes over what an earlier process of the run made.
    fn adopt(&mut self, server: &Server, target: &Wanted, rows: u64) -> Result<()> {
        let Some(resumed) = &target.resumed else {
            return Ok(());
        };
        // A server answers a look into what is empty with an error.
        if rows > 0 {
            resume::expect_ours(server, target, resumed)?;
        }
        match &target.to.partition {
            Some(tag) if !resumed.existed => drop(self.made.insert(tag.clone())),
            None if !resumed.existed => self.is_new = true,
            _ => {}
        }
        Ok(())
    }

    fn partition_anew(
        &mut self,
        server: &Server,
        now: &CollectionInfo,
        target: &Wanted,
    ) -> Result<u64> {
        let name = &target.to.collection;
        let tag = target.to.partition.as_deref();
        let rows = now.partition(tag).map(|partition| partition.row_count);
        let in_the_way = || Err(appeared(server, &target.name()));
        let Some(tag) = tag else {
            return match (rows, target.mode) {
                (Some(1..), mode) if mode != Mode::Append => in_the_way(),
                (rows, _) => Ok(rows.unwrap_or(0)),
            };
        };
        let was_seen = self.rows_of(Some(tag)).is_some();
        match (rows, target.mode) {
            (Some(rows), Mode::Append) => return Ok(rows),
            (Some(_), Mode::Overwrite) if was_seen && !self.is_new => {
                server.drop_partition(name, tag)?;
            }
            (Some(_), _) => return in_the_way(),
            (None, _) => {}
        }
        server.create_partition(name, tag)?;
        self.made.insert(tag.to_owned());
        Ok(0)
    }
}

fn appeared(server: &Server, name: &str) -> Error {
    Error::new(
        ErrorKind::Exists,
        "the target appeared since it was looked at",
    )
    .with("target", format!("{}/{name}", server.address()))
    .help("look at what is there, then choose `mode: append` or `mode: overwrite`")
}

impl Collections {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Collection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes collection and partition ready for rows; gives the rows that are there already.
    ///
    /// # Errors
    /// `Exists` for what appeared since the run was planned, `Remote`.
    pub fn prepare(&self, server: &Server, target: &Wanted) -> Result<Adopted> {
        let mut collections = self.lock();
        let name = &target.to.collection;
        // What was not looked at is looked at now.
        let is_known = collections
            .get(name)
            .is_some_and(|known| known.expects(target));
        if !is_known {
            let new = Collection::look(server, name, vec![target.clone()])?;
            collections.insert(name.clone(), new);
        }
        let Some(collection) = collections.get_mut(name) else {
            return Ok(Adopted::default());
        };
        if !collection.is_ready {
            collection.make_ready(server, target)?;
        }
        let now = server.collection(name)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "the collection is gone again").with("collection", name)
        })?;
        target.expect_fits(&now)?;
        collection.partition_for(server, &now, target)
    }

    /// Takes note that a target is complete; gives the index to build, if that was the last
    /// target of its collection.
    pub fn finished(&self, target: &Wanted) -> Option<IndexInfo> {
        let mut collections = self.lock();
        let collection = collections.get_mut(&target.to.collection)?;
        collection.is_finished = true;
        collection.left = collection.left.saturating_sub(1);
        match collection.left {
            0 => collection.index_to_build(target),
            _ => None,
        }
    }
}

impl Collection {
    /// The index that is built in the end. One that was there before the run stays, unless the
    /// task names its own.
    pub(super) fn index_to_build(&self, target: &Wanted) -> Option<IndexInfo> {
        let wanted = target.index.index.as_ref()?;
        match self.kept_index() {
            Some(kept) if kept.is_same(wanted) || !target.index.is_own => None,
            _ => Some(wanted.clone()),
        }
    }

    /// The index of a collection that was there and stays.
    pub(super) fn kept_index(&self) -> Option<&IndexInfo> {
        let index = self.found_index.as_ref()?;
        (!self.is_replaced() && !index.is_flat()).then_some(index)
    }

    /// Forgets that it was made: it was taken back.
    pub(super) fn forget(&mut self) {
        (self.is_new, self.is_ready) = (false, false);
        (self.found, self.found_index) = (None, None);
        self.made.clear();
    }
}
