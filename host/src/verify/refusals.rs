// SPDX-License-Identifier: Apache-2.0
//! What keeps targets from being compared, and what comparing rows does not show.

use arrow_schema::Schema;
use milvusdm_plugin_api::model::schema::{Column, classify};
use milvusdm_plugin_api::{Dataset, Error, ErrorKind};

use super::TargetVerdict;
use crate::failure::REFUSED;
use crate::plan::{Plan, PlannedTarget};
use crate::registry::Entry;
use crate::report::Refusal;

/// Why targets of this plan can't be compared, whatever is there.
pub fn refusals(plan: &Plan, sink: &Entry) -> Vec<Refusal> {
    let name = &sink.info.name;
    let can = &plan.capabilities.read_back;
    if !(can.scan || can.by_id) || sink.info.source_options.is_none() {
        let message = format!(
            "the sink `{name}` can't be read back, so there is nothing to compare the source with"
        );
        return vec![refusal("", Error::new(ErrorKind::Unsupported, message))];
    }
    let altered = &plan.capabilities.alters_vectors;
    let is_altered = |target: &&PlannedTarget| {
        metrics(&target.request.schema).any(|(_, metric)| match metric {
            Some(metric) => altered.contains_key(&metric),
            None => !altered.is_empty(),
        })
    };
    let targets = plan.targets.iter().filter(is_altered);
    let refused = targets.map(|target| {
        let message = format!(
            "the sink `{name}` alters vectors under the metric of this target, and this version can compare unaltered ones only"
        );
        refusal(&target.name(), Error::new(ErrorKind::Unsupported, message))
    });
    refused.collect()
}

/// The vector columns, each with its metric.
fn metrics(schema: &Schema) -> impl Iterator<Item = (&str, Option<String>)> {
    schema
        .fields()
        .iter()
        .filter_map(|field| match classify(field) {
            Column::Vector(vector) => Some((field.name().as_str(), vector.metric)),
            _ => None,
        })
}

/// Rows are equal under any metric; searches are not.
pub(super) fn note_metrics(target: &PlannedTarget, found: &Dataset, verdict: &mut TargetVerdict) {
    for (name, wanted) in metrics(&target.request.schema) {
        let mut there = metrics(&found.schema);
        let metric = there.find_map(|(other, metric)| metric.filter(|_| other == name));
        if let (Some(wanted), Some(metric)) = (wanted, metric)
            && wanted != metric
        {
            verdict.notices.push(format!(
                "the metric of `{name}` is {metric} at the target, {wanted} at the source: its rows are compared, searches will differ"
            ));
        }
    }
}

pub(super) fn refusal(about: &str, error: Error) -> Refusal {
    Refusal {
        about: about.to_owned(),
        error,
        exit: REFUSED,
    }
}
