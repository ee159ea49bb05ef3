// SPDX-License-Identifier: Apache-2.0
//! Writes into a running Milvus 1.x.
//!
//! The server has no transactions and takes an id as often as it is sent: what a run wrote is
//! there at once, and an insert is repeated only where the server's own count shows that it did
//! not arrive. A run ends well only if that count has grown by exactly the rows that were
//! acknowledged.

mod collections;
mod delivery;
mod ids;
mod index;
mod look;
mod options;
mod rejects;
mod resume;
mod take_back;
mod wanted;
mod writer;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use milvusdm_plugin_api::model::capabilities::{
    CountCapability, PartitionCapability, ReadBackCapability, VectorCapability,
};
use milvusdm_plugin_api::model::{Capabilities, Elem, Kind, Metric};
use milvusdm_plugin_api::{
    LogLevel, Result, Services, Sink, TargetRequest, TargetState, TargetWriter,
};

use crate::metric;
use crate::server::Server;

use collections::Collections;
use delivery::Delivery;
pub use options::{
    IndexChoice, IndexDefinitionOption, IndexOption, MetricOption, Milvus1SinkOptions, NonFinite,
};
use wanted::{MAX_DIM, Wanted};
use writer::Writer;

/// Most partitions of a collection, by the server's default.
const MAX_PARTITIONS: u64 = 4096;

/// Writes collections of Milvus 1.x.
#[derive(Debug)]
pub struct Milvus1Sink {
    options: Arc<Milvus1SinkOptions>,
    services: Services,
    server: Arc<Server>,
    collections: Arc<Collections>,
    /// Names this run's own files: no other run has it.
    run: String,
}

impl Sink for Milvus1Sink {
    type Options = Milvus1SinkOptions;

    fn open(options: Milvus1SinkOptions, services: Services) -> Result<Self> {
        options.check()?;
        let server = Server::connect(&options.uri, options.patience(), services.clone())?;
        Ok(Self {
            options: Arc::new(options),
            services,
            server: Arc::new(server),
            collections: Arc::default(),
            run: run_name(),
        })
    }

    fn capabilities(&self) -> Result<Capabilities> {
        let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        let vectors = |kind, elem| VectorCapability {
            max_dim: Some(MAX_DIM),
            ..VectorCapability::new(kind, &[elem])
        };
        let metrics = (1..=7).filter_map(metric::of_code).map(Metric::as_str);
        Ok(Capabilities {
            id_types: texts(&["Int64"]),
            id_policy: texts(&["given", "generate", "none"]),
            vectors: vec![
                vectors(Kind::Dense, Elem::F32),
                VectorCapability {
                    dim_multiple: Some(8),
                    ..vectors(Kind::Binary, Elem::Bit)
                },
            ],
            metrics: metrics.map(str::to_owned).collect(),
            name_pattern: Some("^[A-Za-z_][A-Za-z0-9_]{0,254}$".to_owned()),
            max_name: Some(255),
            partitions: PartitionCapability {
                supported: true,
                max: Some(MAX_PARTITIONS),
            },
            max_request_bytes: Some(self.options.request_bytes()),
            ordered_append: true,
            create_index: true,
            count: CountCapability { exact: true },
            read_back: ReadBackCapability {
                by_id: true,
                scan: true,
            },
            ..Capabilities::default()
        })
    }

    fn check(&self, targets: &[TargetRequest]) -> Result<Vec<TargetState>> {
        self.collections.check(&self.server, &self.options, targets)
    }

    fn prepare(&self, target: &TargetRequest) -> Result<Box<dyn TargetWriter>> {
        let wanted = Wanted::of(target, &self.options)?;
        let prepared = self.collections.prepare(&self.server, &wanted);
        let adopted = prepared.inspect_err(|_| {
            // What an earlier process wrote stays, for the run to go on.
            if wanted.resumed.is_some() {
                return;
            }
            // No writer will: what was made until then is empty.
            let nothing = Delivery::new(wanted.to.clone(), 0, 0);
            let taken_back = self
                .server
                .closing(|| self.collections.take_back(&self.server, &wanted, &nothing));
            if let Err(e) = taken_back {
                self.services.log(LogLevel::Warn, &e.to_string());
            }
        })?;
        let writer = Writer::new(self, wanted, &target.spec, adopted);
        Ok(Box::new(writer))
    }
}

fn run_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map(|now| now.as_secs()).unwrap_or(0);
    format!("{seconds}-{}", std::process::id())
}
