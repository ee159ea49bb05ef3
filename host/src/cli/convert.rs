// SPDX-License-Identifier: Apache-2.0
//! `convert`: a task file of MilvusDM 1.0 as the task of today that it is run as.

use std::path::Path;

use serde::Serialize;

use super::run::hide_secrets;
use super::session::{Answer, Session};
use crate::failure::{DONE, Failure};
use crate::report::VERSION;
use crate::task::{self, Converted, Side};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    version: u32,
    #[serde(flatten)]
    converted: &'a Converted,
    exit: u8,
}

/// Prints the task; writes nothing, and opens neither source nor sink.
pub(super) fn convert(session: &Session, path: &Path) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let (converted, task) = task::convert(path).map_err(Failure::task)?;
    hide_secrets(session, &task, &registry);
    for side in [Side::Source, Side::Sink] {
        // A build without the plugin can tell what the task would be all the same.
        if let Ok(entry) = registry.get(&task.endpoint(side).plugin, task.prefer) {
            task.check_options(side, &entry.info)
                .map_err(Failure::task)?;
        }
    }
    let yaml = converted.yaml().map_err(Failure::task)?;
    let report = Report {
        version: VERSION,
        converted: &converted,
        exit: DONE,
    };
    session.answer(&report, DONE, |_| yaml)
}
