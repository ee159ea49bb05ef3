// SPDX-License-Identifier: Apache-2.0
//! A plugin `memory` for the engine's tests: a source of known rows and a sink that keeps them,
//! both of which can be told to misbehave.
// Each test file uses a part of it.
#![allow(dead_code, unused_imports)]

mod build;
mod sink;
mod source;

use milvusdm::control::Control;
use milvusdm::plan::{Plan, Run};
use milvusdm::registry::Registry;
use milvusdm::report::RunReport;
use milvusdm::task::Task;

pub use build::*;
pub use sink::{Stored, stored};
pub use source::value_of;

milvusdm_plugin_api::export_plugin! {
    name: "memory",
    summary: "known rows in memory",
    docs: "",
    source: source::MemorySource,
    sink: sink::MemorySink,
}

/// Runs a task and gives its report; the plan must be makeable.
pub fn run(task: &serde_json::Value) -> RunReport {
    run_with(task, &Control::new())
}

/// The same under a control of the test's.
pub fn run_with(task: &serde_json::Value, control: &std::sync::Arc<Control>) -> RunReport {
    let task = Task::parse(&task.to_string(), "task.yaml").expect("the task is valid");
    let registry = Registry::linked().expect("plugins describe themselves");
    let plan = Plan::make(&task, &registry, control, Run::Unkept).expect("the plan can be made");
    milvusdm::engine::run(&plan, control, None)
}
