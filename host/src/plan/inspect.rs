// SPDX-License-Identifier: Apache-2.0
//! Looks into a source without a task.

use std::sync::Arc;

use milvusdm_plugin_api::ErrorKind;
use serde_json::Value;

use super::refusals::Refusals;
use crate::calls::Source;
use crate::control::Control;
use crate::failure::{DONE, Failure};
use crate::registry::Registry;
use crate::report::{DatasetView, InspectReport, PluginView, VERSION};
use crate::task::PluginTask;

/// What is in a source: datasets, trees, notices. A dataset that can't be read as the options
/// stand is shown all the same, and refused in the report.
///
/// # Errors
/// Where the plugin is unknown or the source can't be opened or listed.
pub fn inspect(
    endpoint: &PluginTask,
    registry: &Registry,
    control: &Arc<Control>,
) -> Result<InspectReport, Failure> {
    let entry = registry
        .get(&endpoint.plugin, None)
        .map_err(Failure::task)?;
    let source = Source::open(&entry, &Value::Object(endpoint.options.clone()), control)
        .map_err(Failure::endpoint)?;
    let (mut datasets, mut refusals) = (Vec::new(), Refusals::default());
    for dataset in source.datasets().map_err(Failure::endpoint)? {
        let view = DatasetView::of(&dataset);
        datasets.push(match source.splits(&dataset) {
            Ok(splits) => view.with_splits(&splits),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                refusals.endpoint(&view.name(), error);
                view
            }
            Err(error) => return Err(Failure::endpoint(error)),
        });
    }
    let inspection = source.inspect().map_err(Failure::endpoint)?;
    let refusals = refusals.into_inner();
    Ok(InspectReport {
        version: VERSION,
        plugin: PluginView::of(&entry),
        datasets,
        trees: inspection.trees,
        notices: inspection.notices,
        exit: refusals
            .iter()
            .map(|refusal| refusal.exit)
            .max()
            .unwrap_or(DONE),
        refusals,
    })
}
