// SPDX-License-Identifier: Apache-2.0
//! Searches by brute force: the nearest rows of all segments.

use milvusdm_proto::milvus1 as wire;
use wire::ErrorCode;

use super::partition::Partition;
use super::segment::Segment;
use super::{Catalog, Collection, DEFAULT_PARTITION, reading};
use crate::metric::Metric;
use crate::refusal::{Answer, ok, refuse};
use crate::rows::Vectors;

/// Most rows of one query.
const MAX_TOPK: i64 = 16384;

/// An id and its distance.
type Hit = (i64, f32);

/// What stands where one query has fewer hits than another.
const NO_HIT: Hit = (-1, f32::MAX);

impl Catalog {
    pub(super) fn search(&self, param: wire::SearchParam) -> Answer<wire::TopKQueryResult> {
        let collection = self.find(&param.collection_name)?;
        let topk = param.topk;
        if !(1..=MAX_TOPK).contains(&topk) {
            let reason = format!(
                "Invalid topk: {topk}. The topk must be within the range of 1 ~ {MAX_TOPK}."
            );
            return refuse(ErrorCode::IllegalTopk, reason);
        }
        let queries = &param.query_record_array;
        if queries.is_empty() {
            let reason = "The vector array is empty. Make sure you have entered vector records.";
            return refuse(ErrorCode::IllegalRowrecord, reason);
        }
        let is_binary = collection.metric.is_binary();
        if queries
            .iter()
            .any(|q| length(q, is_binary) != collection.width())
        {
            let reason = "The vector dimension must be equal to the collection dimension.";
            return refuse(ErrorCode::IllegalDimension, reason);
        }
        let partitions = searched(collection, &param.partition_tag_array)?;
        let segments: Vec<&Segment> = partitions.iter().flat_map(|p| &p.segments).collect();
        let hits = queries.iter().map(|query| {
            let mut hits = Vec::new();
            for segment in &segments {
                collect(collection, segment, query, &mut hits);
            }
            nearest(hits, collection.metric, topk as usize)
        });
        Ok(result(hits.collect()))
    }
}

fn length(query: &wire::RowRecord, is_binary: bool) -> usize {
    match is_binary {
        true => query.binary_data.len(),
        false => query.float_data.len(),
    }
}

fn searched<'a>(collection: &'a Collection, tags: &[String]) -> Answer<Vec<&'a Partition>> {
    if tags.is_empty() {
        return Ok(collection.partitions.iter().collect());
    }
    let mut chosen: Vec<&Partition> = Vec::new();
    for tag in tags {
        let matching = match tag.trim() {
            DEFAULT_PARTITION => vec![collection.partition(DEFAULT_PARTITION)?],
            _ => collection.named(tag)?,
        };
        let new = |p: &&Partition| !chosen.iter().any(|c| c.tag == p.tag);
        let matching: Vec<_> = matching.into_iter().filter(new).collect();
        chosen.extend(matching);
    }
    reading::some(chosen)
}

fn collect(
    collection: &Collection,
    segment: &Segment,
    query: &wire::RowRecord,
    hits: &mut Vec<Hit>,
) {
    let (metric, width) = (collection.metric, collection.width());
    let distances: Vec<Option<f32>> = match &segment.rows.vectors {
        Vectors::Float(values) => values
            .chunks_exact(width)
            .map(|row| Some(metric.of_floats(&query.float_data, row)))
            .collect(),
        Vectors::Binary(bytes) => bytes
            .chunks_exact(width)
            .map(|row| metric.of_bits(&query.binary_data, row))
            .collect(),
    };
    for (offset, (distance, id)) in distances.into_iter().zip(&segment.rows.ids).enumerate() {
        if let Some(distance) = distance
            && !segment.dead.contains(&(offset as u32))
        {
            hits.push((*id, distance));
        }
    }
}

fn nearest(mut hits: Vec<Hit>, metric: Metric, topk: usize) -> Vec<Hit> {
    hits.sort_by(|(_, a), (_, b)| match metric {
        Metric::InnerProduct => b.total_cmp(a),
        _ => a.total_cmp(b),
    });
    hits.truncate(topk);
    hits
}

/// Puts the hits of all queries one behind the other, as many for each.
fn result(mut hits: Vec<Vec<Hit>>) -> wire::TopKQueryResult {
    let most = hits.iter().map(Vec::len).max().unwrap_or_default();
    for of_one in &mut hits {
        of_one.resize(most, NO_HIT);
    }
    let row_num = hits.len() as i64;
    let (ids, distances) = hits.into_iter().flatten().unzip();
    wire::TopKQueryResult {
        status: ok(),
        row_num,
        ids,
        distances,
    }
}
