// SPDX-License-Identifier: Apache-2.0
//! Looks into a source without a task.

use std::sync::Arc;

use serde_json::Value;

use crate::calls::Source;
use crate::control::Control;
use crate::failure::{DONE, Failure};
use crate::registry::Registry;
use crate::report::{DatasetView, InspectReport, PluginView, VERSION};
use crate::task::PluginTask;

/// What is in a source: datasets, trees, notices.
///
/// # Errors
/// Where the plugin is unknown or the source can't be opened or listed.
pub fn inspect(
    endpoint: &PluginTask,
    registry: &Registry,
    control: &Arc<Control>,
) -> Result<InspectReport, Failure> {
    let entry = registry.get(&endpoint.plugin).map_err(Failure::task)?;
    let source = Source::open(entry, &Value::Object(endpoint.options.clone()), control)
        .map_err(Failure::endpoint)?;
    let mut datasets = Vec::new();
    for dataset in source.datasets().map_err(Failure::endpoint)? {
        let splits = source.splits(&dataset).map_err(Failure::endpoint)?;
        datasets.push(DatasetView::of(&dataset).with_splits(&splits));
    }
    let inspection = source.inspect().map_err(Failure::endpoint)?;
    Ok(InspectReport {
        version: VERSION,
        plugin: PluginView {
            name: entry.info.name.clone(),
            version: entry.info.version.clone(),
        },
        datasets,
        trees: inspection.trees,
        notices: inspection.notices,
        exit: DONE,
    })
}
