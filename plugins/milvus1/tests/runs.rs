// SPDX-License-Identifier: Apache-2.0
//! Rows are moved in runs between deleted ones; a reader that asks row by row gets the same.

mod common;

use common::make::{Home, Wal, vector};
use common::{Rows, open, read_split, request};
use milvusdm_plugin_api::ReadRequest;
use proptest::prelude::*;
use serde_json::json;

const DIM: usize = 3;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_deletes_batches_and_first_rows_give_what_the_naive_way_gives(
        rows in 0usize..400,
        deleted in prop::collection::vec(0usize..400, 0..400),
        in_wal in prop::collection::vec(prop::collection::vec(0i64..500, 1..30), 0..6),
        wal_deleted in prop::collection::vec(0i64..500, 2..60),
        batch_rows in 1u64..200,
        first_row in 0u64..450,
        wide in any::<bool>(),
    ) {
        // Wide vectors make for windows of few rows.
        let dim = if wide { 5000 } else { DIM };
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(&scratch.path().join("m"));
        home.table("c", "", "", dim as i64, 0);
        let ids: Vec<i64> = (0..rows as i64).collect();
        let deleted: Vec<i32> = deleted.iter().filter(|r| **r < rows).map(|r| *r as i32).collect();
        home.segment("c", "1", dim, &ids, &deleted);
        let mut wal = Wal::new();
        for ids in &in_wal {
            wal.insert("c", "", dim, ids);
        }
        wal.delete("c", "", &wal_deleted);
        wal.write(&home.path);

        let live = |id: &i64| !wal_deleted.contains(id);
        let row = |id: i64| (id, vector(id, dim));
        let segment: Rows = ids.iter().copied()
            .filter(|id| !deleted.contains(&(*id as i32)) && live(id)).map(row).collect();
        let log: Rows = in_wal.iter().flatten().copied().filter(live).map(row).collect();

        let source = open(&home.path, &json!({})).unwrap();
        let dataset = source.datasets().unwrap().remove(0);
        let request = ReadRequest { max_batch_rows: Some(batch_rows), ..request(1 << 20, first_row) };
        for split in source.splits(&dataset.key).unwrap() {
            let (found, _) = read_split(&source, &dataset, &split, &request).unwrap();
            let wanted = if split.id == "wal" { &log } else { &segment };
            let rest = wanted.get(first_row as usize..).unwrap_or_default();
            prop_assert_eq!(found.len(), rest.len());
            prop_assert!(found == rest, "split {}", split.id);
        }
    }
}
