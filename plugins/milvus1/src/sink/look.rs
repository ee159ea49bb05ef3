// SPDX-License-Identifier: Apache-2.0
//! Looks at all targets of a run before anything is written.

use std::collections::BTreeMap;

use milvusdm_plugin_api::arrow::buffer::Buffer;
use milvusdm_plugin_api::{Error, ErrorKind, Found, Result, TargetRequest, TargetState};

use serde_json::json;

use super::collections::{Collection, Collections};
use super::options::Milvus1SinkOptions;
use super::resume::Adopted;
use super::wanted::Wanted;
use crate::index_type;
use crate::server::insert::{Destination, Element, Inserted, Rows};
use crate::server::{ILLEGAL_VECTOR_ID, IndexInfo, Server};

impl Collections {
    /// What is found where each target is to be, and what stands in its way.
    ///
    /// # Errors
    /// `Remote`.
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
        let mut targets = BTreeMap::<String, Vec<Wanted>>::new();
        for target in wanted.iter().flatten() {
            let name = target.to.collection.clone();
            targets.entry(name).or_default().push(target.clone());
        }
        let mut collections = BTreeMap::new();
        for (name, targets) in targets {
            let collection = Collection::look(server, &name, targets)?;
            collections.insert(name, collection);
        }
        let states = wanted.into_iter().zip(requests).map(|(target, request)| {
            let collection = target.as_ref().ok();
            let collection = collection.and_then(|target| collections.get(&target.to.collection));
            match (target, collection) {
                (Ok(target), Some(collection)) => Look {
                    server,
                    options,
                    collection,
                    target: &target,
                }
                .state(),
                (target, _) => Ok(TargetState {
                    location: format!("{}/{}", server.address(), request.spec.full_name()),
                    refusals: target.err().into_iter().collect(),
                    ..TargetState::default()
                }),
            }
        });
        let states = states.collect();
        *self.lock() = collections;
        states
    }
}

/// A look at one target.
struct Look<'a> {
    server: &'a Server,
    options: &'a Milvus1SinkOptions,
    collection: &'a Collection,
    target: &'a Wanted,
}

impl Look<'_> {
    fn state(&self) -> Result<TargetState> {
        let Self {
            collection, target, ..
        } = self;
        let rows = collection.rows_of(target.to.partition.as_deref());
        let mut state = TargetState {
            location: format!("{}/{}", self.server.address(), target.name()),
            exists: rows.is_some(),
            rows,
            // Ids and the server's answer, which repeats them.
            read_back: rows.map(|_| {
                let Milvus1SinkOptions {
                    uri,
                    timeout,
                    retries,
                    ..
                } = self.options;
                json!({"uri": uri, "timeout": timeout, "retries": retries})
            }),
            held_bytes: self.options.request_bytes() / (target.row_bytes as u64 + 8).max(1) * 28,
            ..TargetState::default()
        };
        let adopted = Adopted::find(target, collection.found.as_ref());
        state.resumable = target.is_kept;
        state.found = adopted
            .as_ref()
            .ok()
            .copied()
            .flatten()
            .map(|adopted| Found::Rows(adopted.rows));
        let is_adopted = state.found.is_some();
        let mut refuse = |outcome: Result<()>| state.refusals.extend(outcome.err());
        refuse(adopted.map(|_| ()));
        match &collection.found {
            Some(found) if !collection.is_replaced() => refuse(target.expect_fits(found)),
            _ => refuse(target.schema().map(|_| ())),
        }
        refuse(self.expect_alike());
        refuse(target.index.refusal.clone().map_or(Ok(()), Err));
        if collection.is_written(target) && !is_adopted {
            match self.expect_ids() {
                Err(e) if e.kind() != ErrorKind::Unsupported => return Err(e),
                outcome => refuse(outcome),
            }
        }
        match self.dropped_along() {
            Some(message) if self.options.drop_partitions => state.notices.push(message),
            Some(message) => refuse(Err(Error::new(ErrorKind::Config, message)
                .with("option", "drop_partitions")
                .help("if that is what you want, say `drop_partitions: true` under `sink`"))),
            None => {}
        }
        // What holds for all of a collection is said once.
        if collection.targets.first().map(|first| &first.to) == Some(&target.to) {
            state.notices.extend(self.notices());
        }
        Ok(state)
    }

    /// What goes with the default partition when it is replaced.
    fn dropped_along(&self) -> Option<String> {
        let found = self.collection.found.as_ref()?;
        let is_dropped = self.collection.is_replaced() && self.target.to.partition.is_none();
        let dropped = self.collection.dropped_with(found);
        (is_dropped && !dropped.is_empty()).then(|| {
            let tags: Vec<&str> = dropped.iter().map(String::as_str).collect();
            format!(
                "replacing the default partition drops the whole collection, and with it the partitions {}",
                tags.join(", ")
            )
        })
    }

    /// That all targets of a collection want the same of it, and none of them the same place.
    fn expect_alike(&self) -> Result<()> {
        let target = self.target;
        let targets = &self.collection.targets;
        let differs = |what: &str, option: Option<&str>, other: &Wanted| {
            let message = format!(
                "`{}` and `{}` differ in {what}, but are to be one collection",
                target.name(),
                other.name()
            );
            let apart = "send them to collections of their own with `map`";
            Err(
                Error::new(ErrorKind::Unsupported, message).help(match option {
                    None => apart.to_owned(),
                    Some(option) => format!("say `{option}` under `sink`, or {apart}"),
                }),
            )
        };
        for other in targets {
            if (other.dimension, other.element) != (target.dimension, target.element) {
                return differs("dimension or kind of vectors", None, other);
            }
            if other.metric != target.metric {
                return differs("metric", Some("metric"), other);
            }
            if other.index_file_size != target.index_file_size {
                return differs("`index_file_size`", Some("index_file_size"), other);
            }
            if other.index.index != target.index.index {
                return differs("their index", Some("index"), other);
            }
        }
        match targets.iter().filter(|other| other.to == target.to).count() {
            0 | 1 => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Config,
                format!("two datasets are to be `{}`", target.name()),
            )
            .help("merge or rename them with `map`")),
        }
    }

    /// Whether rows with, or without, ids can be added: a collection has ids of its own, or the
    /// server's, and never both.
    fn expect_ids(&self) -> Result<()> {
        let has_ids = self.target.id_column.is_some();
        let mut others = self.collection.targets.iter();
        if others.any(|other| other.id_column.is_some() != has_ids) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "some datasets for this collection have ids and some have none, which Milvus 1.x can't mix",
            )
            .help("send them to collections of their own with `map`, or leave all ids to the server with `convert: {ids: generate}`"));
        }
        match self.collection.found.is_some() && !self.collection.is_replaced() {
            true => probe_ids(self.server, self.target),
            false => Ok(()),
        }
    }

    /// What a person should know of a collection beforehand.
    fn notices(&self) -> Vec<String> {
        let target = self.target;
        let mut notices = Vec::new();
        let keeps_auto_ids = target.had_auto_ids && target.id_column.is_some();
        if keeps_auto_ids && self.collection.found.is_none() {
            notices.push("the source made its ids itself; they are kept, so that later inserts into the target need ids too (`convert: {ids: generate}` leaves them to the server)".to_owned());
        }
        let said = |index: &IndexInfo| {
            let name = index_type::of_code(index.code).map_or("an unknown one", |kind| kind.name);
            format!("{name} {}", index.params)
        };
        match (
            self.collection.kept_index(),
            self.collection.index_to_build(target),
        ) {
            (Some(kept), Some(wanted)) => notices.push(format!(
                "the collection's index {} is replaced by {}",
                said(kept),
                said(&wanted)
            )),
            (Some(kept), None) => {
                notices.push(format!("the collection keeps its index {}", said(kept)));
            }
            (None, _) => notices.extend(target.index.notice.clone()),
        }
        notices
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
        // A vector of one element is none of a wrong dimension: the first insert tells.
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
        Inserted::Refused(_) => Ok(()),
        Inserted::Ids(_) => Err(Error::new(
            ErrorKind::Remote,
            "the server took a vector of one element, whatever the collection's dimension is",
        )
        .with("collection", &target.to.collection)
        .with("server", server.address())
        .help("this is no Milvus 1.x that is known; a row with a vector of zeros is in its default partition now")),
    }
}
