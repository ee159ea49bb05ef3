// SPDX-License-Identifier: Apache-2.0
//! A sink that keeps nothing and breaks on purpose.

use std::sync::atomic::{AtomicU64, Ordering};

use milvusdm_plugin_api::arrow::array::RecordBatch;
use milvusdm_plugin_api::model::capabilities::{CountCapability, VectorCapability};
use milvusdm_plugin_api::model::{Capabilities, Elem, Kind};
use milvusdm_plugin_api::{
    Error, ErrorKind, FinishAck, Rejected, Result, Services, Sink, TargetRequest, TargetState,
    TargetWriter, WriteAck, WriteAt,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Each so many rows one is rejected.
const REJECT_EACH: usize = 10;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Each tenth row is rejected, and said to be.
    Rejects,
    /// A row is acknowledged but not kept; counting at the end shows it.
    DropsARow,
    /// A row is neither acknowledged nor rejected.
    ForgetsARow,
    /// More rows are acknowledged than were given.
    AcknowledgesTooMuch,
    /// Writing fails.
    Fails,
    /// Writing panics.
    Panics,
    /// Writing never comes back, whatever the host asks.
    Hangs,
    /// The target can't be published.
    FailsToFinish,
}

/// Options of the faulty sink.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SinkOptions {
    /// What goes wrong: `panics`.
    #[serde(default)]
    pub fault: Fault,
}

/// A sink that breaks on purpose. It takes `Int64` ids only.
#[derive(Debug)]
pub struct FaultySink {
    fault: Fault,
}

impl Sink for FaultySink {
    type Options = SinkOptions;

    fn open(options: SinkOptions, _: Services) -> Result<Self> {
        Ok(Self {
            fault: options.fault,
        })
    }

    fn capabilities(&self) -> Result<Capabilities> {
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
        let state = |target: &TargetRequest| TargetState {
            location: format!("faulty:{}", target.spec.full_name()),
            ..TargetState::default()
        };
        Ok(targets.iter().map(state).collect())
    }

    fn prepare(&self, _: &TargetRequest) -> Result<Box<dyn TargetWriter>> {
        Ok(Box::new(FaultyWriter {
            fault: self.fault,
            kept: AtomicU64::new(0),
        }))
    }
}

struct FaultyWriter {
    fault: Fault,
    kept: AtomicU64,
}

impl TargetWriter for FaultyWriter {
    fn write(&self, _: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        let rows = batch.num_rows();
        let mut ack = WriteAck::all(rows);
        match self.fault {
            Fault::None | Fault::DropsARow | Fault::FailsToFinish => {}
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
            Fault::Fails => {
                return Err(
                    Error::new(ErrorKind::Io, "can't write the rows").with("target", "faulty")
                );
            }
            Fault::Panics => panic!("on purpose"),
            Fault::Hangs => loop {
                std::thread::sleep(std::time::Duration::from_secs(3600));
            },
        }
        self.kept.fetch_add(ack.written, Ordering::Relaxed);
        Ok(ack)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn finish(&self) -> Result<FinishAck> {
        if self.fault == Fault::FailsToFinish {
            return Err(
                Error::new(ErrorKind::Io, "can't publish the target").with("target", "faulty")
            );
        }
        let lost = u64::from(self.fault == Fault::DropsARow);
        let rows = self.kept.load(Ordering::Relaxed).saturating_sub(lost);
        Ok(FinishAck {
            rows_added: Some(rows),
            rows_total: Some(rows),
            location: "faulty".to_owned(),
            bytes: None,
        })
    }

    fn abort(&self) -> Result<()> {
        Ok(())
    }
}
