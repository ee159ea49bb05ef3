// SPDX-License-Identifier: Apache-2.0
//! Deletes by id, and compaction.

use milvusdm_proto::milvus1 as wire;

use super::{Catalog, Collection, DEFAULT_PARTITION};
use crate::refusal::{Answer, done};

impl Catalog {
    pub(super) fn delete_by_id(&mut self, param: wire::DeleteByIdParam) -> Answer<wire::Status> {
        let knows_tags = self.rules.knows_tags_by_id;
        let recovers = self.is_recovering;
        let collection = self.find_mut(&param.collection_name)?;
        let tag = match knows_tags {
            true => param.partition_tag,
            false => String::new(),
        };
        let stored = if recovers { tag.trim() } else { &tag };
        let partition = collection.partitions.iter().find(|p| p.tag == stored);
        match partition {
            _ if tag.is_empty() => collection.delete(param.id_array, None),
            Some(p) if p.tag != DEFAULT_PARTITION && (recovers || !p.made_with_blanks) => {
                let tag = p.tag.clone();
                collection.delete(param.id_array, Some(tag));
            }
            // Acknowledged and lost, as inserts are; an unknown partition is no error.
            _ => {}
        }
        Ok(done())
    }

    pub(super) fn compact(&mut self, name: &str) -> Answer<wire::Status> {
        let (collection, clock) = self.with_clock(name)?;
        let width = collection.width();
        for partition in &mut collection.partitions {
            partition.compact(clock, width);
        }
        Ok(done())
    }
}

impl Collection {
    /// Takes ids out of buffers now, as nobody sees those, and out of segments at the next flush.
    fn delete(&mut self, ids: Vec<i64>, tag: Option<String>) {
        let width = self.width();
        for partition in &mut self.partitions {
            if tag.as_ref().is_none_or(|tag| *tag == partition.tag) {
                partition.delete_unflushed(&ids, width);
            }
        }
        self.deletes.push((ids, tag));
    }

    /// Marks rows of segments. Has to come before buffers turn into segments: rows that came after
    /// a delete stay.
    pub(super) fn apply_deletes(&mut self) {
        for (ids, tag) in std::mem::take(&mut self.deletes) {
            for partition in &mut self.partitions {
                if tag.as_ref().is_none_or(|tag| *tag == partition.tag) {
                    partition.segments.iter_mut().for_each(|s| s.delete(&ids));
                }
            }
        }
    }
}
