// SPDX-License-Identifier: Apache-2.0
//! The collections of a run: looked at before anything is written, made ready once for all
//! targets in them, and indexed when the last of these is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use milvusdm_plugin_api::arrow::buffer::Buffer;
use milvusdm_plugin_api::{Error, ErrorKind, Mode, Result, TargetRequest, TargetState};

use super::options::Milvus1SinkOptions;
use super::wanted::Wanted;
use crate::server::insert::{Destination, Element, Inserted, Rows};
use crate::server::{CollectionInfo, DEFAULT_PARTITION, ILLEGAL_VECTOR_ID, Server};

/// The collections that a run writes to, by name.
#[derive(Debug, Default)]
pub struct Collections(Mutex<BTreeMap<String, Collection>>);

/// A collection of the run.
#[derive(Debug, Default)]
struct Collection {
    targets: Vec<Wanted>,
    /// What was there before the run.
    found: Option<CollectionInfo>,
    is_ready: bool,
    is_new: bool,
    /// Whether a target in it is complete.
    is_finished: bool,
    /// Targets that are still to be finished before the index is built.
    left: usize,
}

impl Collection {
    /// Whether all of it is dropped first: the default partition can't be dropped alone.
    fn is_replaced(&self) -> bool {
        let is_whole =
            |target: &Wanted| target.mode == Mode::Overwrite && target.to.partition.is_none();
        self.found.is_some() && self.targets.iter().any(is_whole)
    }

    /// Rows of a target that is there. A collection without rows and partitions counts as its
    /// default partition; one that other partitions were written to does not.
    fn rows_of(&self, tag: Option<&str>) -> Option<u64> {
        let found = self.found.as_ref()?;
        let partition = found.partition(tag)?;
        let is_there = tag.is_some() || partition.row_count > 0 || found.partitions.len() == 1;
        is_there.then_some(partition.row_count)
    }

    /// Partitions with rows that would be dropped without being written anew.
    fn dropped_with_it(&self) -> Vec<&str> {
        let written: BTreeSet<Option<&str>> = self
            .targets
            .iter()
            .map(|target| target.to.partition.as_deref())
            .collect();
        let partitions = self.found.iter().flat_map(|found| &found.partitions);
        partitions
            .filter(|partition| partition.row_count > 0 && partition.tag != DEFAULT_PARTITION)
            .map(|partition| partition.tag.as_str())
            .filter(|tag| !written.contains(&Some(*tag)))
            .collect()
    }

    /// Whether rows of that kind of ids can be added: a collection has ids of its own, or the
    /// server's, and never both.
    fn expect_ids(&self, server: &Server, target: &Wanted) -> Result<()> {
        let others = self.targets.iter();
        let is_mixed = others
            .filter(|other| other.id_column.is_some() != target.id_column.is_some())
            .any(|other| other.to.partition != target.to.partition);
        if is_mixed {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "some datasets for this collection have ids and some have none, which Milvus 1.x can't mix",
            )
            .help("send them to collections of their own with `map`, or leave all ids to the server with `convert: {ids: generate}`"));
        }
        let has_rows = |found: &CollectionInfo| found.partitions.iter().any(|p| p.row_count > 0);
        if self.is_replaced() || !self.found.as_ref().is_some_and(has_rows) {
            return Ok(());
        }
        probe_ids(server, target)
    }

    /// Whether a target was checked, and is still to be written.
    fn expects(&self, target: &Wanted) -> bool {
        let same = |known: &Wanted| known.to == target.to && known.mode == target.mode;
        self.left > 0 && self.targets.iter().any(same)
    }

    fn is_written(&self, target: &Wanted) -> bool {
        target.mode != Mode::Skip || self.rows_of(target.to.partition.as_deref()).is_none()
    }
}

/// Asks the server which ids a collection takes. There is no call for that, but an insert of one
/// vector of a wrong dimension is refused for its ids before it is refused for its length
/// (`server/delivery/request/InsertRequest.cpp`), and stores nothing either way.
fn probe_ids(server: &Server, target: &Wanted) -> Result<()> {
    let row_bytes = match target.element {
        Element::Float => 4,
        Element::Binary => 1,
    };
    if target.row_bytes <= row_bytes {
        return Ok(());
    }
    let rows = Rows {
        vectors: Buffer::from_vec(vec![0u8; row_bytes]),
        row_bytes,
        element: target.element,
        ids: target.id_column.map(|_| vec![0].into()),
    };
    // The default partition is always there.
    let anywhere = Destination {
        partition: None,
        ..target.to.clone()
    };
    match server.insert(&anywhere, &rows, std::slice::from_ref(&(0..1)))? {
        Inserted::Refused(refusal) if refusal.code == ILLEGAL_VECTOR_ID => {
            let help = match target.id_column {
                Some(_) => {
                    "leave the ids to the server with `convert: {ids: generate}`, or choose another collection"
                }
                None => "choose another collection: the source has no ids",
            };
            Err(
                Error::new(ErrorKind::Unsupported, refusal.reason.trim().to_owned())
                    .with("collection", &target.to.collection)
                    .help(help),
            )
        }
        _ => Ok(()),
    }
}

impl Collections {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Collection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at all targets of a run.
    pub fn check(
        &self,
        server: &Server,
        options: &Milvus1SinkOptions,
        requests: &[TargetRequest],
    ) -> Result<Vec<TargetState>> {
        let wanted: Vec<Result<Wanted>> = requests
            .iter()
            .map(|request| Wanted::of(request, options))
            .collect();
        let mut collections = BTreeMap::<String, Collection>::new();
        for target in wanted.iter().flatten() {
            let name = &target.to.collection;
            if !collections.contains_key(name) {
                let found = server.collection(name)?;
                let new = Collection {
                    found,
                    ..Collection::default()
                };
                collections.insert(name.clone(), new);
            }
            if let Some(collection) = collections.get_mut(name) {
                collection.targets.push(target.clone());
            }
        }
        for collection in collections.values_mut() {
            let written = |target: &&Wanted| collection.is_written(target);
            collection.left = collection.targets.iter().filter(written).count();
        }
        let states = wanted
            .into_iter()
            .zip(requests)
            .map(|(target, request)| match target {
                Ok(target) => state(server, options, &collections, &target),
                Err(error) => Ok(TargetState {
                    location: format!("{}/{}", server.address(), request.spec.full_name()),
                    refusals: vec![error],
                    ..TargetState::default()
                }),
            })
            .collect();
        *self.lock() = collections;
        states
    }

    /// Makes collection and partition ready for rows; gives the rows that are there already.
    pub fn prepare(&self, server: &Server, target: &Wanted) -> Result<u64> {
        let mut collections = self.lock();
        let name = &target.to.collection;
        // What was not checked is looked at now.
        let is_checked = collections
            .get(name)
            .is_some_and(|known| known.expects(target));
        if !is_checked {
            let unchecked = Collection {
                targets: vec![target.clone()],
                found: server.collection(name)?,
                left: 1,
                ..Collection::default()
            };
            collections.insert(name.clone(), unchecked);
        }
        let Some(collection) = collections.get_mut(name) else {
            return Ok(0);
        };
        if !collection.is_ready {
            let is_there = server.has_collection(name)?;
            if is_there && collection.is_replaced() {
                server.drop_collection(name)?;
            }
            if !is_there || collection.is_replaced() {
                server.create_collection(&target.schema()?)?;
                collection.is_new = true;
            } else {
                server.flush(name)?;
            }
            collection.is_ready = true;
        }
        let now = server.collection(name)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "the collection is gone again").with("collection", name)
        })?;
        target.expect_fits(&now)?;
        partition_for(server, collection, &now, target)
    }

    /// Takes note that a target is complete; gives whether it was the last of its collection.
    pub fn finished(&self, target: &Wanted) -> bool {
        let mut collections = self.lock();
        let Some(collection) = collections.get_mut(&target.to.collection) else {
            return true;
        };
        collection.is_finished = true;
        collection.left = collection.left.saturating_sub(1);
        collection.left == 0
    }

    /// Takes back what this run made for a target, with the rows in it.
    ///
    /// # Errors
    /// `Remote` where rows of this run stay.
    pub fn take_back(&self, server: &Server, target: &Wanted, stored: u64) -> Result<()> {
        let mut collections = self.lock();
        let name = &target.to.collection;
        let Some(collection) = collections.get_mut(name) else {
            return Ok(());
        };
        let was_there = |tag: &str| {
            let found = collection.found.as_ref();
            !collection.is_new && found.is_some_and(|found| found.partition(Some(tag)).is_some())
        };
        let is_replaced = target.mode == Mode::Overwrite;
        if collection.is_new && !collection.is_finished {
            server.drop_collection(name)?;
            (collection.is_new, collection.is_ready) = (false, false);
            collection.found = None;
            return Ok(());
        }
        match &target.to.partition {
            Some(tag) if is_replaced || !was_there(tag) => server.drop_partition(name, tag),
            _ if stored == 0 => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Remote,
                format!("{stored} rows of this run stay: Milvus 1.x can't tell them from others"),
            )
            .with("target", format!("{}/{}", server.address(), target.name()))),
        }
    }
}

/// Makes the partition of a target ready; gives the rows that are there.
fn partition_for(
    server: &Server,
    collection: &Collection,
    now: &CollectionInfo,
    target: &Wanted,
) -> Result<u64> {
    let name = &target.to.collection;
    let tag = target.to.partition.as_deref();
    let rows = now.partition(tag).map(|partition| partition.row_count);
    let appeared = || {
        Error::new(
            ErrorKind::Exists,
            "the target appeared since it was looked at",
        )
        .with("target", format!("{}/{}", server.address(), target.name()))
        .help("look at what is there, then choose `mode: append` or `mode: overwrite`")
    };
    match (tag, rows, target.mode) {
        (None, Some(1..), Mode::Fail | Mode::Skip) => Err(appeared()),
        (None, rows, _) => Ok(rows.unwrap_or(0)),
        (Some(_), Some(_), Mode::Fail | Mode::Skip) if !collection.is_new => Err(appeared()),
        (Some(tag), Some(_), Mode::Overwrite) if !collection.is_new => {
            server.drop_partition(name, tag)?;
            server.create_partition(name, tag)?;
            Ok(0)
        }
        (Some(_), Some(rows), _) => Ok(rows),
        (Some(tag), None, _) => {
            server.create_partition(name, tag)?;
            Ok(0)
        }
    }
}

/// What is found where a target is to be.
fn state(
    server: &Server,
    options: &Milvus1SinkOptions,
    collections: &BTreeMap<String, Collection>,
    target: &Wanted,
) -> Result<TargetState> {
    let mut state = TargetState {
        location: format!("{}/{}", server.address(), target.name()),
        // Ids and the server's answer, which repeats them.
        held_bytes: options.request_bytes() / (target.row_bytes as u64 + 8).max(1) * 28,
        ..TargetState::default()
    };
    let Some(collection) = collections.get(&target.to.collection) else {
        return Ok(state);
    };
    state.rows = collection.rows_of(target.to.partition.as_deref());
    state.exists = state.rows.is_some();
    let mut refuse = |outcome: Result<()>| state.refusals.extend(outcome.err());
    match &collection.found {
        Some(found) if !collection.is_replaced() => refuse(target.expect_fits(found)),
        _ => refuse(target.schema().map(|_| ())),
    }
    refuse(expect_alike(collection, target));
    if collection.is_written(target) {
        match collection.expect_ids(server, target) {
            Err(e) if e.kind() != ErrorKind::Unsupported => return Err(e),
            outcome => refuse(outcome),
        }
    }
    let dropped = collection.dropped_with_it();
    if collection.is_replaced() && target.to.partition.is_none() && !dropped.is_empty() {
        let message = format!(
            "replacing the default partition drops the whole collection, and with it the partitions {}",
            dropped.join(", ")
        );
        match options.drop_partitions {
            true => state.notices.push(message),
            false => refuse(Err(Error::new(ErrorKind::Config, message)
                .with("option", "drop_partitions")
                .help(
                    "if that is what you want, say `drop_partitions: true` under `sink`",
                ))),
        }
    }
    // What holds for all of a collection is said once.
    if collection
        .targets
        .first()
        .is_some_and(|first| first.to == target.to)
    {
        state.notices.extend(notices(collection, target));
    }
    Ok(state)
}

/// What a person should know of a collection beforehand.
fn notices(collection: &Collection, target: &Wanted) -> Vec<String> {
    let keeps_auto_ids = target.had_auto_ids && target.id_column.is_some();
    let ids = (keeps_auto_ids && collection.found.is_none()).then(|| {
        "the source made its ids itself; they are kept, so that later inserts into the target need ids too (`convert: {ids: generate}` leaves them to the server)".to_owned()
    });
    ids.into_iter().chain(target.index.notice.clone()).collect()
}

/// That all targets of a new collection want the same of it, and none of them the same place.
fn expect_alike(collection: &Collection, target: &Wanted) -> Result<()> {
    let alike = |other: &Wanted| {
        (other.dimension, other.metric, other.element)
            == (target.dimension, target.metric, target.element)
    };
    if let Some(other) = collection.targets.iter().find(|other| !alike(other)) {
        let message = format!(
            "`{}` and `{}` differ in dimension, metric or kind of vectors, but are to be one collection",
            target.name(),
            other.name()
        );
        return Err(Error::new(ErrorKind::Unsupported, message)
            .help("send them to collections of their own with `map`"));
    }
    let same = |other: &&Wanted| other.to == target.to;
    match collection.targets.iter().filter(same).count() {
        0 | 1 => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Config,
            format!("two datasets are to be `{}`", target.name()),
        )
        .help("merge or rename them with `map`")),
    }
}
