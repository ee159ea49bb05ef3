// SPDX-License-Identifier: Apache-2.0
//! Counts rows; nothing else is touched, not even the batches' values.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use milvusdm_plugin_api::arrow::array::RecordBatch;
use milvusdm_plugin_api::model::Capabilities;
use milvusdm_plugin_api::model::capabilities::{
    CountCapability, PartitionCapability, VectorCapability,
};
use milvusdm_plugin_api::model::{Elem, Kind};
use milvusdm_plugin_api::{
    FinishAck, Result, Services, Sink, TargetRequest, TargetState, TargetWriter, WriteAck, WriteAt,
};

use crate::options::NullOptions;

/// A sink that holds everything and keeps nothing.
#[derive(Debug)]
pub struct NullSink;

/// Every element that vectors of a kind can have.
fn elements(kind: Kind) -> Vec<Elem> {
    let bits = |elem: &Elem| *elem == Elem::Bit;
    let all = Elem::ALL.iter().copied();
    match kind {
        Kind::Binary => all.filter(bits).collect(),
        Kind::Multi => all.collect(),
        _ => all.filter(|e| !bits(e)).collect(),
    }
}

impl Sink for NullSink {
    type Options = NullOptions;

    fn open(_: NullOptions, _: Services) -> Result<Self> {
        Ok(Self)
    }

    fn capabilities(&self) -> Result<Capabilities> {
        let texts = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect();
        let vectors = Kind::ALL.iter().map(|kind| VectorCapability {
            max_count: None,
            nullable: true,
            ..VectorCapability::new(*kind, &elements(*kind))
        });
        Ok(Capabilities {
            id_types: texts(&["Int64", "UInt64", "Utf8", "Uuid"]),
            id_policy: texts(&["given", "none"]),
            vectors: vectors.collect(),
            alters_vectors: BTreeMap::new(),
            scalar_types: texts(&["*"]),
            nullable: true,
            dynamic: true,
            partitions: PartitionCapability {
                supported: true,
                max: None,
            },
            transactional_publish: true,
            parallel_writers: Some(0),
            count: CountCapability { exact: true },
            ..Capabilities::default()
        })
    }

    fn check(&self, targets: &[TargetRequest]) -> Result<Vec<TargetState>> {
        let state = |target: &TargetRequest| TargetState {
            location: location(target),
            ..TargetState::default()
        };
        Ok(targets.iter().map(state).collect())
    }

    fn prepare(&self, target: &TargetRequest) -> Result<Box<dyn TargetWriter>> {
        Ok(Box::new(NullWriter {
            rows: AtomicU64::new(0),
            location: location(target),
        }))
    }
}

fn location(target: &TargetRequest) -> String {
    format!("null:{}", target.spec.full_name())
}

struct NullWriter {
    rows: AtomicU64,
    location: String,
}

impl TargetWriter for NullWriter {
    fn write(&self, _: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        self.rows
            .fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        Ok(WriteAck::all(batch.num_rows()))
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn finish(&self) -> Result<FinishAck> {
        let rows = self.rows.load(Ordering::Relaxed);
        Ok(FinishAck {
            rows_added: Some(rows),
            rows_total: Some(rows),
            location: self.location.clone(),
            bytes: Some(0),
        })
    }

    fn abort(&self) -> Result<()> {
        Ok(())
    }
}
