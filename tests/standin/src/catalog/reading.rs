// SPDX-License-Identifier: Apache-2.0
//! Reads by id and by segment.

use milvusdm_proto::milvus1 as wire;
use prost::bytes::Bytes;
use wire::ErrorCode;

use super::partition::Partition;
use super::segment::Segment;
use super::{Catalog, DEFAULT_PARTITION};
use crate::refusal::{Answer, ok, refuse};
use crate::rows::Vectors;

/// Ids of one read.
const MAX_IDS: usize = 1000;

impl Catalog {
    pub(super) fn vectors_by_id(&self, param: wire::VectorsIdentity) -> Answer<wire::VectorsData> {
        if param.id_array.is_empty() {
            return refuse(ErrorCode::IllegalArgument, "No vector id specified");
        }
        if param.id_array.len() > MAX_IDS {
            let reason = "Input id array size cannot exceed: 1000";
            return refuse(ErrorCode::IllegalArgument, reason);
        }
        let collection = self.find(&param.collection_name)?;
        let tag = match self.rules.knows_tags_by_id {
            true => param.partition_tag.trim(),
            false => "",
        };
        let partitions: Vec<&Partition> = match tag {
            "" => collection.partitions.iter().collect(),
            // The server forgets to put the default partition on its list.
            DEFAULT_PARTITION => Vec::new(),
            _ => some(collection.named(tag)?)?,
        };
        let mut segments: Vec<&Segment> = partitions.iter().flat_map(|p| &p.segments).collect();
        if segments.is_empty() {
            let reason = "Collection or partition is empty";
            return refuse(ErrorCode::UnexpectedError, reason);
        }
        // The first file that has the id wins, whatever its partition.
        segments.sort_by_key(|segment| segment.name);
        let width = collection.width();
        let vector = |id: &i64| {
            let mut found = segments
                .iter()
                .filter_map(|s| Some((s, s.first_live(*id)?)));
            let record = found.next().and_then(|(s, row)| record(s, row, width));
            record.unwrap_or_default()
        };
        Ok(wire::VectorsData {
            status: ok(),
            vectors_data: param.id_array.iter().map(vector).collect(),
        })
    }

    pub(super) fn vector_ids(&self, param: wire::GetVectorIDsParam) -> Answer<wire::VectorIds> {
        let collection = self.find(&param.collection_name)?;
        let mut segments = collection.partitions.iter().flat_map(|p| &p.segments);
        let Some(segment) = segments.find(|s| s.name.to_string() == param.segment_name) else {
            return refuse(ErrorCode::UnexpectedError, "Segment does not exist");
        };
        Ok(wire::VectorIds {
            status: ok(),
            vector_id_array: segment.rows.select(&segment.live(), 0).ids,
        })
    }
}

/// The partitions that a tag matched, unless there are none.
pub(super) fn some(partitions: Vec<&Partition>) -> Answer<Vec<&Partition>> {
    if partitions.is_empty() {
        // With the server's spelling.
        let reason = "The specified partiton does not exist";
        return refuse(ErrorCode::UnexpectedError, reason);
    }
    Ok(partitions)
}

/// One row, or none where the server discards vectors.
fn record(segment: &Segment, row: usize, width: usize) -> Option<wire::RowRecord> {
    let place = row * width..(row + 1) * width;
    let mut record = wire::RowRecord::default();
    match &segment.rows.vectors {
        Vectors::Float(values) => record.float_data = values.get(place)?.to_vec(),
        Vectors::Binary(bytes) => record.binary_data = Bytes::copy_from_slice(bytes.get(place)?),
    }
    Some(record)
}
