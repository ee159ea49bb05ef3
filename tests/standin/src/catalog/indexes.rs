// SPDX-License-Identifier: Apache-2.0
//! Index definitions. Nothing is built: what shows of an index outside is its definition, and the
//! name that segments of enough rows have.

use milvusdm_proto::milvus1 as wire;
use serde_json::{Map, Value};
use wire::ErrorCode;

use super::{Catalog, Collection, IndexWish};
use crate::metric::Metric;
use crate::refusal::{Answer, done, ok, refuse};

/// Segments of fewer rows are never indexed.
const MIN_INDEXED_ROWS: u64 = 4096;

const FLAT: i32 = 1;
const IVF_FLAT: i32 = 2;
const BIN_FLAT: i32 = 9;
const BIN_IVF_FLAT: i32 = 10;

impl Catalog {
    pub(super) fn create_index(&mut self, param: wire::IndexParam) -> Answer<wire::Status> {
        let metric = self.find(&param.collection_name)?.metric;
        let index = wish(&param, metric)?;
        self.flush(std::slice::from_ref(&param.collection_name))?;
        let collection = self.find_mut(&param.collection_name)?;
        let engine = index.engine;
        collection.index = index;
        collection.set_engine(engine, MIN_INDEXED_ROWS);
        Ok(done())
    }

    pub(super) fn describe_index(&self, name: &str) -> Answer<wire::IndexParam> {
        let collection = self.find(name)?;
        Ok(wire::IndexParam {
            status: ok(),
            collection_name: collection.name.clone(),
            index_type: outside(collection.index.engine),
            extra_params: vec![wire::KeyValuePair {
                key: "params".to_owned(),
                value: collection.index.params.clone(),
            }],
        })
    }

    pub(super) fn drop_index(&mut self, name: &str) -> Answer<wire::Status> {
        let collection = self.find_mut(name)?;
        let index = none(collection.metric);
        collection.set_engine(index.engine, 0);
        collection.index = index;
        Ok(done())
    }
}

impl Collection {
    fn set_engine(&mut self, engine: i32, min_rows: u64) {
        let segments = self.partitions.iter_mut().flat_map(|p| &mut p.segments);
        for segment in segments.filter(|s| s.rows.count() >= min_rows) {
            segment.engine = engine;
        }
    }
}

/// The index of a collection that has none.
pub(super) fn none(metric: Metric) -> IndexWish {
    IndexWish {
        engine: if metric.is_binary() { BIN_FLAT } else { FLAT },
        params: "{}".to_owned(),
    }
}

/// The number of an index that clients see.
pub(super) fn outside(engine: i32) -> i32 {
    match engine {
        BIN_FLAT => FLAT,
        BIN_IVF_FLAT => IVF_FLAT,
        other => other,
    }
}

/// The name that `ShowCollectionInfo` tells.
pub(super) fn name(engine: i32) -> &'static str {
    match engine {
        FLAT | BIN_FLAT => "IDMAP",
        IVF_FLAT | BIN_IVF_FLAT => "IVFFLAT",
        3 => "IVFSQ8",
        4 => "NSG",
        5 => "IVFSQ8H",
        6 => "PQ",
        7 => "KDT",
        8 => "BKT",
        11 => "HNSW",
        12 => "ANNOY",
        _ => "Unknow",
    }
}

fn wish(param: &wire::IndexParam, metric: Metric) -> Answer<IndexWish> {
    let number = param.index_type;
    if !(1..=12).contains(&number) {
        let reason =
            format!("Invalid index type: {number}. Make sure the index type is in IndexType list.");
        return refuse(ErrorCode::IllegalIndexType, reason);
    }
    let engine = match (metric.is_binary(), number) {
        // A real server takes its own numbers of binary indexes from nobody.
        (true, FLAT) => BIN_FLAT,
        (true, IVF_FLAT) => BIN_IVF_FLAT,
        (true, _) | (false, BIN_FLAT | BIN_IVF_FLAT) => {
            let reason = "Invalid index type for collection metric type";
            return refuse(ErrorCode::IllegalIndexType, reason);
        }
        (false, number) => number,
    };
    let params = params(param)?;
    check(engine, &params)?;
    Ok(IndexWish {
        engine,
        params: Value::Object(params).to_string(),
    })
}

/// The parameters, in the order of the alphabet as the server gives them back.
fn params(param: &wire::IndexParam) -> Answer<Map<String, Value>> {
    let text = param.extra_params.iter().find(|p| p.key == "params");
    let text = text.map_or("{}", |p| &p.value);
    let Ok(Value::Object(mut params)) = serde_json::from_str(text) else {
        let reason = format!("Invalid index params: {text}");
        return refuse(ErrorCode::IllegalArgument, reason);
    };
    params.sort_keys();
    Ok(params)
}

fn check(engine: i32, params: &Map<String, Value>) -> Answer<()> {
    let ranges: &[(&str, i64, i64)] = match engine {
        IVF_FLAT | BIN_IVF_FLAT | 3 | 5 | 6 => &[("nlist", 1, 65536)],
        4 => &[
            ("search_length", 10, 300),
            ("out_degree", 5, 300),
            ("candidate_pool_size", 50, 1000),
            ("knng", 5, 300),
        ],
        11 => &[("M", 4, 64), ("efConstruction", 8, 512)],
        12 => &[("n_trees", 1, 1024)],
        _ => &[],
    };
    for (name, least, most) in ranges {
        let reason = match params.get(*name).map(|value| (value, value.as_i64())) {
            None => format!("Parameter list must contain: {name}"),
            Some((_, Some(value))) if (*least..=*most).contains(&value) => continue,
            Some((value, _)) => {
                format!("Invalid {name} value: {value}. Valid range is [{least}, {most}]")
            }
        };
        return refuse(ErrorCode::IllegalArgument, reason);
    }
    Ok(())
}
