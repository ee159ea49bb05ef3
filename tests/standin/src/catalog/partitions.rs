// SPDX-License-Identifier: Apache-2.0
//! Calls on partitions, and how their tags are looked up: stored without surrounding blanks, and
//! read as regular expressions.

use milvusdm_proto::milvus1 as wire;
use regex::Regex;
use wire::ErrorCode;

use super::partition::Partition;
use super::{Catalog, Collection, DEFAULT_PARTITION, names};
use crate::refusal::{Answer, done, no_partition, ok, refuse};

/// Partitions of a collection besides the default one.
const MAX_PARTITIONS: usize = 4096;

impl Catalog {
    pub(super) fn create_partition(&mut self, param: wire::PartitionParam) -> Answer<wire::Status> {
        let collection = self.find_mut(&param.collection_name)?;
        names::partition_tag(&param.tag)?;
        let partition = Partition::new(&param.tag);
        if partition.tag == DEFAULT_PARTITION {
            let reason = "'_default' is built-in partition tag";
            return refuse(ErrorCode::UnexpectedError, reason);
        }
        if collection.partitions.len() > MAX_PARTITIONS {
            let reason = "The number of partitions exceeds the upper limit(4096)";
            return refuse(ErrorCode::UnexpectedError, reason);
        }
        if collection.partitions.iter().any(|p| p.tag == partition.tag) {
            let reason = "Duplicate partition is not allowed";
            return refuse(ErrorCode::UnexpectedError, reason);
        }
        collection.partitions.push(partition);
        Ok(done())
    }

    pub(super) fn has_partition(&self, param: wire::PartitionParam) -> Answer<wire::BoolReply> {
        let collection = self.find(&param.collection_name)?;
        Ok(wire::BoolReply {
            status: ok(),
            bool_reply: collection.partition(&param.tag).is_ok(),
        })
    }

    pub(super) fn show_partitions(&self, name: &str) -> Answer<wire::PartitionList> {
        let partitions = self.find(name)?.partitions.iter();
        Ok(wire::PartitionList {
            status: ok(),
            partition_tag_array: partitions.map(|p| p.tag.clone()).collect(),
        })
    }

    pub(super) fn drop_partition(&mut self, param: wire::PartitionParam) -> Answer<wire::Status> {
        let collection = self.find_mut(&param.collection_name)?;
        names::partition_tag(&param.tag)?;
        let tag = collection.partition(&param.tag)?.tag.clone();
        if tag == DEFAULT_PARTITION {
            return no_partition(&collection.name, &tag);
        }
        collection.partitions.retain(|p| p.tag != tag);
        Ok(done())
    }
}

impl Collection {
    /// The partitions that a tag of a read matches, the default one left out: it is equal to a
    /// tag, or the tag as a regular expression fits all of it.
    pub(super) fn named(&self, tag: &str) -> Answer<Vec<&Partition>> {
        let tag = tag.trim();
        let others = self
            .partitions
            .iter()
            .filter(|p| p.tag != DEFAULT_PARTITION);
        let mut matching = Vec::new();
        for partition in others {
            // Compiled only where equality did not decide, as the server does: the error of a
            // broken expression shows only then.
            if partition.tag == tag || expression(tag)?.is_match(&partition.tag) {
                matching.push(partition);
            }
        }
        Ok(matching)
    }
}

fn expression(tag: &str) -> Answer<Regex> {
    Regex::new(&format!("^(?:{tag})$")).or_else(|error| {
        let count = |of| tag.matches(of).count();
        let reason = if count('(') == count(')') {
            format!("{error}").lines().last().unwrap_or("").to_owned()
        } else {
            "Mismatched '(' and ')' in regular expression".to_owned()
        };
        refuse(ErrorCode::UnexpectedError, reason)
    })
}
