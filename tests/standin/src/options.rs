// SPDX-License-Identifier: Apache-2.0
//! How a stand-in is to behave.

use std::path::PathBuf;
use std::time::Duration;

use crate::catalog::Rules;
use crate::faults::Fault;

/// How a stand-in is to behave. The default one is an empty Milvus 1.1.0 in memory.
#[derive(Debug, Clone)]
pub struct StandinOptions {
    /// Port on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// Where its state is kept; only in memory if none.
    pub folder: Option<PathBuf>,
    /// Counts rows and drops them, to measure clients.
    pub discards: bool,
    /// What it says of itself. Before 1.1 it doesn't know tags in reads and deletes by id.
    pub version: String,
    /// Time between flushes that nobody asked for; never if none.
    pub auto_flush: Option<Duration>,
    /// Time from a flush to the merge of segments under new names; never if none.
    pub merge_after: Option<Duration>,
    /// Time for which the name of a dropped collection stays blocked.
    pub name_blocked: Duration,
    /// Troubles to make; more can be set later.
    pub faults: Vec<Fault>,
    /// Whether the effect `die` ends this process, as a program does. Otherwise only the server
    /// ends, with all its connections.
    pub dies_with_process: bool,
}

impl Default for StandinOptions {
    fn default() -> StandinOptions {
        StandinOptions {
            port: 0,
            folder: None,
            discards: false,
            version: "1.1.0".to_owned(),
            auto_flush: Some(Duration::from_secs(1)),
            merge_after: None,
            name_blocked: Duration::from_millis(500),
            faults: Vec::new(),
            dies_with_process: false,
        }
    }
}

impl StandinOptions {
    /// Whether it stands in for a server before 1.1.
    pub(crate) fn is_before_1_1(&self) -> bool {
        let mut numbers = self.version.split('.').map(|part| part.parse::<u32>().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(major), Some(minor)) => (major, minor) < (1, 1),
            _ => false,
        }
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            version: self.version.clone(),
            discards: self.discards,
            knows_tags_by_id: !self.is_before_1_1(),
            name_blocked: self.name_blocked,
            merges_after: self.merge_after,
        }
    }
}
