// SPDX-License-Identifier: Apache-2.0
//! Calls on whole collections.

use std::time::Instant;

use milvusdm_proto::milvus1 as wire;
use serde_json::{Value, json};
use wire::ErrorCode;

use super::partition::Partition;
use super::segment::Segment;
use super::{Catalog, Collection, DEFAULT_PARTITION, indexes, names};
use crate::metric::Metric;
use crate::refusal::{Answer, done, ok, refuse};

impl Catalog {
    pub(super) fn create_collection(
        &mut self,
        schema: wire::CollectionSchema,
    ) -> Answer<wire::Status> {
        let name = schema.collection_name;
        names::collection(&name)?;
        let metric = Metric::numbered(schema.metric_type);
        let is_binary = metric.is_some_and(Metric::is_binary);
        let dimension = names::dimension(schema.dimension, is_binary)?;
        names::index_file_size(schema.index_file_size)?;
        let Some(metric) = metric else {
            let number = schema.metric_type;
            let reason = format!(
                "Invalid index metric type: {number}. Make sure the metric type is in MetricType list."
            );
            return refuse(ErrorCode::IllegalMetricType, reason);
        };
        if self.collections.iter().any(|c| c.name == name) {
            let reason = "Collection already exists";
            return refuse(ErrorCode::IllegalCollectionName, reason);
        }
        let until = self.blocked.get(&name);
        if !self.is_recovering && until.is_some_and(|until| *until > Instant::now()) {
            let reason =
                "Collection already exists and it is in delete state, please wait a second";
            return refuse(ErrorCode::UnexpectedError, reason);
        }
        self.blocked.remove(&name);
        self.collections.push(Collection {
            name,
            dimension,
            index_file_size: schema.index_file_size,
            metric,
            ids: None,
            index: indexes::none(metric),
            partitions: vec![Partition::new(DEFAULT_PARTITION)],
            deletes: Vec::new(),
            merge_at: None,
        });
        Ok(done())
    }

    pub(super) fn has_collection(&self, name: &str) -> Answer<wire::BoolReply> {
        names::collection(name)?;
        Ok(wire::BoolReply {
            status: ok(),
            bool_reply: self.find(name).is_ok(),
        })
    }

    pub(super) fn describe_collection(&self, name: &str) -> Answer<wire::CollectionSchema> {
        let collection = self.find(name)?;
        Ok(wire::CollectionSchema {
            status: ok(),
            collection_name: collection.name.clone(),
            dimension: collection.dimension as i64,
            index_file_size: collection.index_file_size,
            metric_type: collection.metric.number(),
            extra_params: Vec::new(),
        })
    }

    pub(super) fn count_collection(&self, name: &str) -> Answer<wire::CollectionRowCount> {
        Ok(wire::CollectionRowCount {
            status: ok(),
            collection_row_count: self.find(name)?.row_count() as i64,
        })
    }

    pub(super) fn show_collections(&self) -> Answer<wire::CollectionNameList> {
        Ok(wire::CollectionNameList {
            status: ok(),
            collection_names: self.collections.iter().map(|c| c.name.clone()).collect(),
        })
    }

    pub(super) fn show_collection_info(&self, name: &str) -> Answer<wire::CollectionInfo> {
        let collection = self.find(name)?;
        let partitions = collection.partitions.iter();
        let partitions: Vec<Value> = partitions.map(partition_info).collect();
        // The server's keys are in the order of the alphabet.
        let info = json!({"partitions": partitions, "row_count": collection.row_count()});
        Ok(wire::CollectionInfo {
            status: ok(),
            json_info: info.to_string(),
        })
    }

    pub(super) fn drop_collection(&mut self, name: &str) -> Answer<wire::Status> {
        self.find(name)?;
        self.collections.retain(|c| c.name != name);
        let until = Instant::now() + self.rules.name_blocked;
        self.blocked.insert(name.to_owned(), until);
        Ok(done())
    }

    /// Calls that only warm caches: the collection must be there.
    pub(super) fn touch(&self, name: &str) -> Answer<wire::Status> {
        self.find(name).map(|_| done())
    }

    pub(super) fn cmd(&self, command: &str) -> Answer<wire::StringReply> {
        let reply = match command {
            "version" => &self.rules.version,
            "status" => "OK",
            "mode" => "CPU",
            // That of 1.1.0.
            "build_commit_id" => "afb53bbb22208924c2a1585872709cc4a14be496",
            _ => "Unknown command",
        };
        Ok(wire::StringReply {
            status: ok(),
            string_reply: reply.to_owned(),
        })
    }
}

fn partition_info(partition: &Partition) -> Value {
    let segments: Vec<Value> = partition.segments.iter().map(segment_info).collect();
    json!({
        "row_count": partition.row_count(),
        "segments": if segments.is_empty() { Value::Null } else { segments.into() },
        "tag": partition.tag,
    })
}

fn segment_info(segment: &Segment) -> Value {
    let rows = &segment.rows;
    json!({
        "data_size": rows.vectors.size_bytes() + size_of_val(&rows.ids[..]),
        "index_name": indexes::name(segment.engine),
        "name": segment.name.to_string(),
        "row_count": segment.row_count(),
    })
}
