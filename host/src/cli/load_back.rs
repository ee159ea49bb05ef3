// SPDX-License-Identifier: Apache-2.0
//! After an M2H task of MilvusDM 1.0: the H2M tasks that load its files back.

use std::path::Path;

use milvusdm_plugin_api::Result;
use milvusdm_plugin_api::model::schema::{Column, classify};
use serde_json::Value;

use super::session::Session;
use crate::failure::{DONE, ENDPOINT};
use crate::plan::{Plan, PlannedTarget};
use crate::report::{RunReport, Status, TargetView};
use crate::task::{LoadBack, Loadable, Task};

/// Leaves the tasks that load a run's targets back, if its task wants that.
pub(super) fn after(_: &Session, task: &Task, plan: &Plan, report: &mut RunReport) {
    if let Some(load_back) = &task.load_back {
        write(load_back, plan, report);
    }
}

/// Writes a task for each target that arrived, and says so in the report.
fn write(load_back: &LoadBack, plan: &Plan, report: &mut RunReport) {
    let done = plan.targets.iter().zip(&report.targets);
    let done = done.filter(|(_, view)| view.status == Status::Done);
    let mut without = Vec::new();
    let written: Result<usize> = done
        .filter_map(|(target, view)| {
            let loadable = loadable(target, view);
            if loadable.is_none() {
                without.push(format!(
                    "{}: no task that loads it back, because its metric is not known",
                    target.name()
                ));
            }
            loadable
        })
        .try_fold(0, |count, loadable| {
            load_back.write(&loadable)?;
            Ok(count + 1)
        });
    report.notices.extend(without);
    match written {
        Ok(0) => {}
        Ok(count) => report.notices.push(format!(
            "tasks that load the files back, {count} in all: {}",
            load_back.tasks().display()
        )),
        Err(error) => {
            // What stopped the run itself is said first.
            if report.error.is_none() {
                let error = error.help("the files themselves are there, as the ledger says");
                report.error = Some(error);
            }
            if report.exit == DONE {
                report.exit = ENDPOINT;
            }
        }
    }
}

fn loadable<'a>(target: &'a PlannedTarget, view: &'a TargetView) -> Option<Loadable<'a>> {
    let spec = &target.request.spec;
    let columns = target.request.schema.fields().iter();
    let vector = columns
        .map(|field| classify(field))
        .find_map(|column| match column {
            Column::Vector(vector) => Some(vector),
            _ => None,
        })?;
    let descriptor = &spec.descriptor;
    let size = descriptor.properties.get(&descriptor.system);
    let size = size.and_then(|own| own.get("index_file_size"));
    Some(Loadable {
        file: Path::new(&view.location),
        collection: &spec.collection,
        partition: spec.partition.as_deref(),
        dimension: vector.dim,
        metric: vector.metric?,
        index_file_size: size.and_then(Value::as_i64),
    })
}
