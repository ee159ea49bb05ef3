// SPDX-License-Identifier: Apache-2.0
//! A sink that keeps nothing and breaks on purpose.

use std::sync::atomic::{AtomicU64, Ordering};

use milvusdm_plugin_api::arrow::array::RecordBatch;
use milvusdm_plugin_api::model::capabilities::{CountCapability, VectorCapability};
use milvusdm_plugin_api::model::{Capabilities, Elem, Kind};
use milvusdm_plugin_api::{
    FinishAck, Rejected, Result, Services, Sink, TargetRequest, TargetState, TargetWriter,
    WriteAck, WriteAt,
};

use crate::breakdown::{self, Breakdown, Entry, Fault, Options};

/// Each so many rows one is rejected.
const REJECT_EACH: usize = 10;

/// A sink that breaks on purpose. It takes `Int64` ids only.
#[derive(Debug)]
pub struct FaultySink {
    breakdown: Breakdown,
}

impl Sink for FaultySink {
    type Options = Options;

    fn open(options: Options, services: Services) -> Result<Self> {
        let breakdown = Breakdown::new(&options, Entry::Write, services);
        breakdown.strike(Entry::Open)?;
        Ok(Self { breakdown })
    }

    fn capabilities(&self) -> Result<Capabilities> {
        self.breakdown.strike(Entry::Capabilities)?;
        Ok(Capabilities {
            id_types: vec!["Int64".to_owned()],
            id_policy: vec!["given".to_owned()],
            vectors: vec![VectorCapability::new(Kind::Dense, &[Elem::F32])],
            // Nothing is kept at all.
            transactional_publish: true,
            count: CountCapability { exact: true },
            ..Capabilities::default()
        })
    }

    fn check(&self, targets: &[TargetRequest]) -> Result<Vec<TargetState>> {
        self.breakdown.strike(Entry::Check)?;
        let state = |target: &TargetRequest| TargetState {
            location: format!("faulty:{}", target.spec.full_name()),
            ..TargetState::default()
        };
        Ok(targets.iter().map(state).collect())
    }

    fn prepare(&self, _: &TargetRequest) -> Result<Box<dyn TargetWriter>> {
        self.breakdown.strike(Entry::Prepare)?;
        Ok(Box::new(FaultyWriter {
            breakdown: self.breakdown.clone(),
            kept: AtomicU64::new(0),
        }))
    }
}

impl Drop for FaultySink {
    fn drop(&mut self) {
        self.breakdown.strike_without_result(Entry::Close);
    }
}

struct FaultyWriter {
    breakdown: Breakdown,
    kept: AtomicU64,
}

impl TargetWriter for FaultyWriter {
    fn write(&self, _: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        self.breakdown.strike(Entry::Write)?;
        if self.breakdown.at == Entry::Abort {
            return Err(breakdown::failure(Entry::Write));
        }
        let rows = batch.num_rows();
        let mut ack = WriteAck::all(rows);
        match self.breakdown.fault {
            Fault::Rejects => {
                let rejected = (0..rows).step_by(REJECT_EACH).map(|row| Rejected {
                    row: row as u64,
                    id: None,
                    reason: "it is a tenth row".to_owned(),
                });
                ack.rejected = rejected.collect();
                ack.written -= ack.rejected.len() as u64;
            }
            Fault::ForgetsARow => ack.written -= 1,
            Fault::AcknowledgesTooMuch => ack.written += 1,
            _ => {}
        }
        self.kept.fetch_add(ack.written, Ordering::Relaxed);
        Ok(ack)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn finish(&self) -> Result<FinishAck> {
        self.breakdown.strike(Entry::Finish)?;
        let lost = u64::from(self.breakdown.fault == Fault::DropsARow);
        let rows = self.kept.load(Ordering::Relaxed).saturating_sub(lost);
        Ok(FinishAck {
            rows_added: Some(rows),
            rows_total: Some(rows),
            location: "faulty".to_owned(),
            bytes: None,
        })
    }

    fn abort(&self) -> Result<()> {
        self.breakdown.strike(Entry::Abort)
    }
}

impl Drop for FaultyWriter {
    fn drop(&mut self) {
        self.breakdown.strike_without_result(Entry::CloseWriter);
    }
}
