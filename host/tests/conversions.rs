// SPDX-License-Identifier: Apache-2.0
//! Conversions through the whole engine: what is allowed, refused, rejected and listed.

mod memory;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use memory::{assert_done, capabilities, ids, planned_ids, run, stored, task, with};
use serde_json::json;

#[test]
fn rounding_needs_permission_and_what_does_not_fit_is_rejected() {
    let narrow = json!({"vectors": [{"kind": "dense", "elem": ["f32"], "max_count": 1}]});
    let mut task = task(
        "narrow",
        &json!([{"name": "a", "splits": [5]}]),
        &with(capabilities(), narrow),
    );
    task["source"]["elem"] = "f64".into();
    task["source"]["dim"] = 1.into();
    let refused = run(&task);
    assert_eq!(refused.exit, 2);
    assert!(
        refused.refusals[0]
            .error
            .to_string()
            .contains("vector: cast"),
        "{:?}",
        refused.refusals
    );
    task["convert"] = json!({"columns": {"vector": "cast"}});
    assert_done(&run(&task), 5);
    task["source"]["sin"] = "too large".into();
    let report = run(&task);
    assert_eq!(
        (report.exit, report.ledger.written, report.ledger.rejected),
        (1, 4, 1)
    );
    assert_eq!(report.rejected_rows[0].id.as_deref(), Some("3"));
}

#[test]
fn ids_beyond_the_sinks_type_are_rejected_one_by_one() {
    let mut task = task(
        "ids",
        &json!([{"name": "a", "splits": [4]}]),
        &with(capabilities(), json!({"id_types": ["Int64"]})),
    );
    task["source"]["ids"] = "uint64".into();
    assert_done(&run(&task), 4);
    assert_eq!(ids(&stored("ids", "a").unwrap()), planned_ids(&[4]));
    task["source"]["sin"] = "huge ids".into();
    let report = run(&task);
    assert_eq!(
        (report.exit, report.ledger.written, report.ledger.rejected),
        (1, 2, 2)
    );
    assert_eq!(ids(&stored("ids", "a").unwrap()), [0, 2]);
}

#[test]
fn nulls_that_the_sink_can_not_hold_are_rejected_and_dropped_columns_are_listed() {
    let datasets = json!([{"name": "a", "splits": [6]}]);
    let mut task = task(
        "nulls",
        &datasets,
        &with(capabilities(), json!({"nullable": false})),
    );
    task["source"]["columns"] = json!({"note": "text?", "price": "f64"});
    let report = run(&task);
    assert_eq!(
        (report.exit, report.ledger.written, report.ledger.rejected),
        (1, 4, 2)
    );
    task["convert"] = json!({"columns": {"note": "drop"}});
    let report = run(&task);
    assert_done(&report, 6);
    let dropped = &report.targets[0].conversions[0];
    assert_eq!(
        (dropped.column.as_str(), dropped.to.as_deref()),
        ("note", None)
    );
}

#[test]
fn uuids_stand_for_ids_and_keep_them_beside() {
    let mut task = task(
        "uuid",
        &json!([{"name": "a", "splits": [2]}]),
        &with(
            capabilities(),
            json!({"id_types": ["Utf8"], "scalar_types": ["Int64"]}),
        ),
    );
    assert_eq!(run(&task).exit, 2);
    task["convert"] = json!({"ids": "uuid5"});
    assert_done(&run(&task), 2);
    let stored = stored("uuid", "a").unwrap();
    let batch = &stored.batches[0].1;
    let uuids = batch.column_by_name("id").unwrap().as_string::<i32>();
    assert!(uuids.value(0) != uuids.value(1) && uuids.value(0).len() == 36);
    let kept = batch
        .column_by_name("_source_id")
        .unwrap()
        .as_primitive::<Int64Type>();
    assert_eq!(kept.values().to_vec(), planned_ids(&[2]));
}

#[test]
fn ids_that_the_target_is_to_make_are_left_out_even_where_it_could_hold_them() {
    for (policy, rows_have_ids) in [(["given", "generate"], false), (["given", "none"], true)] {
        let name = policy[1];
        let mut task = task(
            name,
            &json!([{"name": "a", "splits": [3]}]),
            &with(
                capabilities(),
                json!({"id_types": ["Int64"], "id_policy": policy}),
            ),
        );
        task["convert"] = json!({"ids": "generate"});
        let report = run(&task);
        assert_done(&report, 3);
        let stored = stored(name, "a").unwrap();
        let has_ids = stored.batches[0].1.column_by_name("id").is_some();
        assert_eq!(has_ids, rows_have_ids, "{policy:?}");
        let dropped = report.targets[0].conversions.iter();
        let dropped = dropped.filter(|conversion| conversion.to.is_none()).count();
        assert_eq!(
            dropped,
            usize::from(!rows_have_ids),
            "it is said: {report:?}"
        );
    }
}
