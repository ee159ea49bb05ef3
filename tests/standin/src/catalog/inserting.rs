// SPDX-License-Identifier: Apache-2.0
//! Inserts and flushes.

use std::time::Instant;

use milvusdm_proto::milvus1 as wire;
use wire::ErrorCode;

use super::partition::Partition;
use super::{Catalog, Collection, DEFAULT_PARTITION, IdMode, names};
use crate::insertion::Insertion;
use crate::refusal::{Answer, done, refuse};
use crate::rows::{Rows, Vectors};

/// Vector bytes of one call.
const MAX_INSERT_BYTES: u64 = 256 << 20;

const WRONG_DIMENSION: &str = "The vector dimension must be equal to the collection dimension.";

impl Catalog {
    /// Takes rows, and gives their ids.
    pub(super) fn insert(&mut self, insertion: Insertion) -> Answer<Vec<i64>> {
        names::collection(&insertion.collection)?;
        check_size(&insertion)?;
        let rules = &self.rules;
        let (discards, recovers) = (rules.discards, self.is_recovering);
        let (collection, clock) = self.with_clock(&insertion.collection)?;
        let mode = check_ids(collection, &insertion)?;
        check_vectors(collection, &insertion)?;
        let place = place(collection, &insertion.tag, recovers)?;
        let ids = match mode {
            IdMode::User => insertion.ids,
            IdMode::Auto => clock.ids(insertion.rows),
        };
        if let Some(partition) = place {
            partition.insert(if discards {
                Rows {
                    discarded: insertion.rows,
                    ids: Vec::new(),
                    vectors: discarded(insertion.vectors),
                }
            } else {
                Rows {
                    ids: ids.clone(),
                    vectors: insertion.vectors,
                    discarded: 0,
                }
            });
        }
        collection.ids = Some(mode);
        Ok(ids)
    }

    pub(super) fn flush(&mut self, names: &[String]) -> Answer<wire::Status> {
        for name in names {
            self.find(name)?;
        }
        let merge_at = self.rules.merges_after.map(|after| Instant::now() + after);
        for collection in &mut self.collections {
            if names.is_empty() || names.contains(&collection.name) {
                let engine = collection.index.engine;
                collection.apply_deletes();
                for partition in &mut collection.partitions {
                    partition.flush(&mut self.clock, engine);
                }
                collection.merge_at = merge_at;
            }
        }
        Ok(done())
    }

    /// Joins the segments of each partition under new names.
    pub(super) fn merge(&mut self, name: &str) -> Answer<wire::Status> {
        let (collection, clock) = self.with_clock(name)?;
        let (engine, width) = (collection.index.engine, collection.width());
        for partition in &mut collection.partitions {
            partition.merge(clock, engine, width);
        }
        collection.merge_at = None;
        Ok(done())
    }
}

fn check_size(insertion: &Insertion) -> Answer<()> {
    if insertion.floats * 4 + insertion.bytes > MAX_INSERT_BYTES {
        let reason = "The amount of data inserted each time cannot exceed 256 MB";
        return refuse(ErrorCode::IllegalRowrecord, reason);
    }
    if insertion.floats + insertion.bytes == 0 {
        let reason = "The vector array is empty. Make sure you have entered vector records.";
        return refuse(ErrorCode::IllegalRowrecord, reason);
    }
    let ids = insertion.ids.len() as u64;
    if ids > 0 && ids != insertion.rows {
        let reason = "The size of vector ID array must be equal to the size of the vector.";
        return refuse(ErrorCode::IllegalVectorId, reason);
    }
    Ok(())
}

fn check_ids(collection: &Collection, insertion: &Insertion) -> Answer<IdMode> {
    let mode = match insertion.ids.is_empty() {
        true => IdMode::Auto,
        false => IdMode::User,
    };
    let reason = match (collection.ids, mode) {
        (Some(IdMode::User), IdMode::Auto) => {
            "Entities IDs are user-defined. Please provide IDs for all entities of the collection."
        }
        (Some(IdMode::Auto), IdMode::User) => {
            "Entities IDs are auto-generated. All vectors of this collection must use \
             auto-generated IDs."
        }
        _ => return Ok(mode),
    };
    refuse(ErrorCode::IllegalVectorId, reason)
}

/// Looks at the sum of all rows only, as the server does: rows of uneven length get through where
/// it fits.
fn check_vectors(collection: &Collection, insertion: &Insertion) -> Answer<()> {
    let (elements, kind) = match insertion.floats {
        0 => (insertion.bytes, "binary"),
        floats => (floats, "float"),
    };
    if collection.metric.is_binary() != (kind == "binary") {
        let reason = format!("Collection metric type doesn't support {kind} vectors.");
        return refuse(ErrorCode::IllegalRowrecord, reason);
    }
    if elements % insertion.rows != 0 {
        return refuse(ErrorCode::IllegalRowrecord, WRONG_DIMENSION);
    }
    if elements / insertion.rows != collection.width() as u64 {
        return refuse(ErrorCode::IllegalDimension, WRONG_DIMENSION);
    }
    Ok(())
}

/// The partition that rows go to, or none where the server acknowledges them and they are lost:
/// its WAL knows partitions by the tag they were made with, and not the default one's at all.
fn place<'a>(
    collection: &'a mut Collection,
    tag: &str,
    recovers: bool,
) -> Answer<Option<&'a mut Partition>> {
    let stored = match tag {
        "" => DEFAULT_PARTITION,
        _ => &collection.partition(tag)?.tag.clone(),
    };
    let found = collection.partitions.iter_mut().find(|p| p.tag == stored);
    let is_found = |p: &Partition| match tag {
        "" => true,
        _ if p.tag == DEFAULT_PARTITION => false,
        _ => recovers || (tag == p.tag && !p.made_with_blanks),
    };
    Ok(found.filter(|partition| is_found(partition)))
}

fn discarded(vectors: Vectors) -> Vectors {
    Vectors::empty(matches!(vectors, Vectors::Binary(_)))
}
