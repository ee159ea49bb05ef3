// SPDX-License-Identifier: Apache-2.0
//! Tasks over the memory plugin, and what to expect of them.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use milvusdm::report::RunReport;
use serde_json::{Value, json};

use super::{Stored, value_of};

/// A sink that holds everything here, in order.
pub fn capabilities() -> Value {
    json!({
        "id_types": ["Int64", "UInt64", "Utf8"], "id_policy": ["given", "none"],
        "vectors": [{"kind": "dense", "elem": ["f32", "f64"], "max_count": 1}],
        "scalar_types": ["Utf8", "Float64", "Int8"], "nullable": true,
        "ordered_append": true, "transactional_publish": true,
    })
}

pub fn with(mut base: Value, members: Value) -> Value {
    for (key, value) in members.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

/// A task that moves `datasets` into the store of that name.
pub fn task(store: &str, datasets: &Value, capabilities: &Value) -> Value {
    json!({
        "source": {"plugin": "memory", "datasets": datasets, "dim": 4},
        "sink": {"plugin": "memory", "store": store, "capabilities": capabilities.to_string()},
    })
}

pub fn one(store: &str, splits: &[u64]) -> Value {
    task(
        store,
        &json!([{"name": "a", "splits": splits}]),
        &capabilities(),
    )
}

pub fn ids(stored: &Stored) -> Vec<i64> {
    stored
        .batches
        .iter()
        .flat_map(|(_, batch)| {
            batch
                .column_by_name("id")
                .unwrap()
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        })
        .collect()
}

pub fn planned_ids(splits: &[u64]) -> Vec<i64> {
    let rows = splits.iter().enumerate();
    rows.flat_map(|(split, rows)| (0..*rows).map(move |row| value_of(0, split, row)))
        .collect()
}

pub fn assert_done(report: &RunReport, rows: u64) {
    assert_eq!(report.exit, 0, "{:?} {:?}", report.error, report.refusals);
    assert_eq!(
        (report.ledger.found, report.ledger.written),
        (Some(rows), rows)
    );
    assert!(report.ledger.is_balanced());
}
