// SPDX-License-Identifier: Apache-2.0
//! Whatever rows are written, the same come back, wherever reading starts and however large its
//! batches are.
#![allow(missing_docs)]

mod common;

use common::{Place, file_of, read};
use milvusdm_plugin_api::ReadRequest;
use milvusdm_plugin_api::arrow::array::cast::AsArray;
use milvusdm_plugin_api::arrow::array::types::Int64Type;
use milvusdm_plugin_api::arrow::array::{Array, RecordBatch};
use proptest::prelude::*;
use serde_json::json;

fn ids(batches: &[RecordBatch]) -> Vec<i64> {
    let columns = batches
        .iter()
        .map(|b| b.column(0).as_primitive::<Int64Type>());
    columns.flat_map(|c| c.values().to_vec()).collect()
}

/// The bytes of the elements of all rows, from either kind of column.
fn elements(batches: &[RecordBatch], element_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for batch in batches {
        let column = batch.column(1);
        let values = match column.as_fixed_size_list_opt() {
            Some(list) => list.values().to_data(),
            None => column.as_list::<i32>().values().to_data(),
        };
        let start = values.offset() * element_bytes;
        let length = values.len() * element_bytes;
        bytes.extend_from_slice(&values.buffers()[0].as_slice()[start..start + length]);
    }
    bytes
}

/// Rows of one dimension.
fn rows<const N: usize>() -> impl Strategy<Value = Vec<Vec<[u8; N]>>> {
    (1usize..20).prop_flat_map(|dim| {
        let row = prop::collection::vec(any::<[u8; N]>(), dim);
        prop::collection::vec(row, 1..60)
    })
}

fn requests() -> impl Strategy<Value = ReadRequest> {
    (0u64..70, 1u64..3000, prop::option::of(1u64..20)).prop_map(|(first_row, bytes, rows)| {
        ReadRequest {
            first_row,
            max_batch_bytes: bytes,
            max_batch_rows: rows,
        }
    })
}

fn comes_back<const N: usize>(
    name: &str,
    rows: &[Vec<[u8; N]>],
    request: &ReadRequest,
    first_id: i64,
) -> Result<(), TestCaseError> {
    let place = Place::with(name, &file_of(rows));
    let options = place.options(json!({"integers": "list", "first_id": first_id}));
    let batches = read(&options, request).unwrap();
    let skipped = rows.len().min(request.first_row as usize);
    let wanted_ids: Vec<i64> = (skipped..rows.len())
        .map(|row| first_id + row as i64)
        .collect();
    prop_assert_eq!(ids(&batches), wanted_ids);
    let wanted: Vec<u8> = rows[skipped..]
        .iter()
        .flatten()
        .flatten()
        .copied()
        .collect();
    prop_assert_eq!(elements(&batches, N), wanted);
    Ok(())
}

proptest! {
    #[test]
    fn floats_come_back(rows in rows::<4>(), request in requests(), first in -1000i64..1000) {
        comes_back("x.fvecs", &rows, &request, first)?;
    }

    #[test]
    fn bytes_come_back(rows in rows::<1>(), request in requests(), first in -1000i64..1000) {
        comes_back("x.bvecs", &rows, &request, first)?;
    }

    #[test]
    fn integers_come_back(rows in rows::<4>(), request in requests(), first in -1000i64..1000) {
        comes_back("x.ivecs", &rows, &request, first)?;
    }
}
