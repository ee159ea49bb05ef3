// SPDX-License-Identifier: Apache-2.0
//! Tells whether a dataset is what it was.

use std::collections::BTreeMap;

use milvusdm_plugin_api::{Dataset, Split};
use serde_json::json;
use twox_hash::XxHash3_128;

use crate::convert::Recipe;

/// Changes when the dataset's rows, columns or definitions do, or what is made of them.
pub fn of(dataset: &Dataset, splits: &[Split], recipe: &Recipe) -> String {
    let splits = splits
        .iter()
        .map(|split| json!([split.id, split.fingerprint]));
    let fields = recipe.target().fields().iter().map(|field| {
        let metadata: BTreeMap<_, _> = field.metadata().iter().collect();
        json!([field.name(), field.data_type().to_string(), metadata])
    });
    let descriptor = &dataset.descriptor;
    let all = json!({
        "splits": splits.collect::<Vec<_>>(),
        "columns": fields.collect::<Vec<_>>(),
        "id": descriptor.id,
        "indexes": descriptor.indexes,
        "properties": descriptor.properties,
    });
    format!("{:032x}", XxHash3_128::oneshot(all.to_string().as_bytes()))
}
