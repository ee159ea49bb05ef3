// SPDX-License-Identifier: Apache-2.0
//! A server to write to and read from, through the plugin's table as the host does it.
#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::Arc;

use milvusdm_plugin_api::arrow::array::{
    ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, Int64Array, RecordBatch,
};
use milvusdm_plugin_api::arrow::schema::DataType;
use milvusdm_plugin_api::model::{BitOrder, Elem, SchemaBuilder, VectorType};
use milvusdm_plugin_api::{
    Error, FinishAck, Mode, Rejected, Services, TargetPart, TargetRequest, TargetSpec, WriteAt,
};
use milvusdm_plugin_milvus1::PLUGIN_TABLE;
use milvusdm_standin::{CollectionContents, Standin, StandinOptions, Vectors};
use serde_json::{Value, json};

pub const DIM: usize = 4;

pub fn server() -> Standin {
    Standin::start(StandinOptions::default()).unwrap()
}

pub fn fault(server: &Standin, text: &str) {
    server.fail(text.parse().unwrap());
}

/// Options that fit the tests: few attempts, files in a folder that is removed.
pub fn options(server: &Standin, folder: &std::path::Path, more: Value) -> Value {
    let mut options = json!({
        "uri": server.uri(),
        "rejects": folder.join("rejects"),
        "retries": 4,
        "timeout": 20,
    });
    for (name, value) in more.as_object().unwrap() {
        options[name] = value.clone();
    }
    options
}

/// Ids from 0 on.
pub fn ids(count: i64) -> Vec<i64> {
    (0..count).collect()
}

/// An open sink.
pub fn sink(options: &Value) -> milvusdm_plugin_api::abi::SinkHandle {
    let plugin = PLUGIN_TABLE.handle();
    plugin.open_sink(options, Services::detached()).unwrap()
}

/// The vector of a row: other for each id.
pub fn vector(id: i64) -> Vec<f32> {
    (0..DIM).map(|i| id as f32 + i as f32 / 8.0).collect()
}

pub fn floats(ids: &[i64]) -> RecordBatch {
    let values = ids.iter().flat_map(|id| vector(*id)).collect();
    floats_of(Some(ids), values)
}

pub fn floats_of(ids: Option<&[i64]>, values: Vec<f32>) -> RecordBatch {
    let vector = VectorType::dense(Elem::F32, DIM as u32).with_metric(Some("l2"));
    let builder = match ids {
        Some(_) => SchemaBuilder::new().id("id", DataType::Int64),
        None => SchemaBuilder::new(),
    };
    let schema = builder.vector("vector", &vector).unwrap().finish().unwrap();
    let list = FixedSizeListArray::new(
        Elem::F32.arrow_field().unwrap().into(),
        DIM as i32,
        Arc::new(Float32Array::from(values)),
        None,
    );
    let ids = ids.map(|ids| Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef);
    let columns = ids.into_iter().chain([Arc::new(list) as ArrayRef]);
    RecordBatch::try_new(schema, columns.collect()).unwrap()
}

pub fn bits(ids: &[i64]) -> RecordBatch {
    let vector = VectorType::binary(16, BitOrder::Unknown).with_metric(Some("hamming"));
    let builder = SchemaBuilder::new().id("id", DataType::Int64);
    let schema = builder.vector("vector", &vector).unwrap().finish().unwrap();
    let bytes = ids.iter().map(|id| (*id as u16).to_le_bytes());
    let list = FixedSizeBinaryArray::try_from_iter(bytes).unwrap();
    let ids = Arc::new(Int64Array::from(ids.to_vec()));
    RecordBatch::try_new(schema, vec![ids, Arc::new(list)]).unwrap()
}

pub fn target(name: &str, mode: Mode, batch: &RecordBatch) -> TargetRequest {
    let (collection, partition) = match name.split_once('/') {
        Some((collection, partition)) => (collection, Some(partition.to_owned())),
        None => (name, None),
    };
    TargetRequest {
        schema: batch.schema(),
        spec: TargetSpec {
            collection: collection.to_owned(),
            partition,
            mode,
            parts: vec![TargetPart {
                splits: 1,
                ..TargetPart::default()
            }],
            ..TargetSpec::default()
        },
    }
}

/// What became of a write.
#[derive(Debug)]
pub struct Written {
    pub ack: FinishAck,
    pub rejected: Vec<Rejected>,
}

/// Checks, writes in pieces, finishes; aborts where that fails.
pub fn write(
    options: &Value,
    targets: &[(TargetRequest, RecordBatch)],
    piece: usize,
) -> Result<Vec<Written>, Error> {
    let sink = PLUGIN_TABLE
        .handle()
        .open_sink(options, Services::detached())?;
    let requests: Vec<TargetRequest> = targets.iter().map(|(request, _)| request.clone()).collect();
    for (request, state) in requests.iter().zip(sink.check(&requests)?) {
        if let Some(refusal) = state.refusals.first() {
            return Err(refusal.clone());
        }
        let in_the_way = state.exists && request.spec.mode == Mode::Fail;
        assert!(!in_the_way, "{} exists", state.location);
    }
    let mut all = Vec::new();
    for (request, batch) in targets {
        let writer = sink.prepare(request)?;
        let mut rejected = Vec::new();
        let mut row = 0;
        while row < batch.num_rows() {
            let rows = piece.min(batch.num_rows() - row);
            let at = WriteAt {
                split: 0,
                row: row as u64,
            };
            match writer.write(at, batch.slice(row, rows)) {
                Ok(ack) => {
                    assert_eq!(ack.written + ack.rejected.len() as u64, rows as u64);
                    rejected.extend(ack.rejected);
                }
                Err(error) => {
                    writer.abort()?;
                    return Err(error);
                }
            }
            row += rows;
        }
        all.push(Written {
            ack: writer.finish()?,
            rejected,
        });
    }
    Ok(all)
}

/// Ids and vectors of a partition, in order.
pub fn rows(collection: &CollectionContents, tag: &str) -> Vec<(i64, Vec<f32>)> {
    let rows = &collection.partition(tag).unwrap().rows;
    let Vectors::Float(values) = &rows.vectors else {
        panic!("no floats");
    };
    let vectors = values.chunks(collection.dimension).map(<[f32]>::to_vec);
    rows.ids.iter().copied().zip(vectors).collect()
}

pub fn expected(ids: &[i64]) -> Vec<(i64, Vec<f32>)> {
    ids.iter().map(|id| (*id, vector(*id))).collect()
}
