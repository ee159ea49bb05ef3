// SPDX-License-Identifier: Apache-2.0
//! What is held for decoding: told beforehand, and let go with the last reader that needs it. A
//! folder of indexes must not fill the memory with the tables of all of them.

#[path = "common/build.rs"]
mod build;
mod common;

use build::Bytes;
use common::{check_peak, open, read_split, request};
use serde_json::json;

/// Dimension; its matrix has 4 MiB.
const DIM: u32 = 1024;

/// A flat index of `rows` behind a transform that doubles every number.
fn doubled(rows: &[Vec<u8>]) -> Bytes {
    let mut bytes = Bytes::index(b"IxPT", DIM, rows.len() as u64, 1);
    bytes.put(&1i32.to_le_bytes()).put(b"LTra").put(&[0]);
    let side = DIM as usize;
    let mut matrix = vec![0u8; side * side * 4];
    for k in 0..side {
        let at = (k * side + k) * 4;
        matrix[at..at + 4].copy_from_slice(&2f32.to_le_bytes());
    }
    bytes
        .u64(u64::from(DIM) * u64::from(DIM))
        .put(&matrix)
        .u64(0);
    bytes
        .put(&DIM.to_le_bytes())
        .put(&DIM.to_le_bytes())
        .put(&[1]);
    bytes.put(&Bytes::flat(DIM, rows, 1).0);
    bytes
}

#[test]
fn the_matrices_of_many_indexes_are_not_all_held() {
    const FILES: usize = 24;
    let folder = tempfile::tempdir().unwrap();
    let row: Vec<u8> = (0..DIM)
        .flat_map(|d| (2.0 * d as f32).to_le_bytes())
        .collect();
    let wanted: Vec<u8> = (0..DIM).flat_map(|d| (d as f32).to_le_bytes()).collect();
    for file in 0..FILES {
        let path = folder.path().join(format!("{file:02}.index"));
        std::fs::write(path, doubled(std::slice::from_ref(&row)).0).unwrap();
    }
    let source = open(folder.path(), &json!({})).unwrap();
    let datasets = source.datasets().unwrap();
    assert_eq!(datasets.len(), FILES);
    for dataset in &datasets {
        let splits = source.splits(&dataset.key).unwrap();
        assert_eq!(splits.len(), 1);
        let matrix_bytes = u64::from(DIM) * u64::from(DIM) * 4;
        let held = splits[0].held_bytes;
        assert!(
            (matrix_bytes..matrix_bytes + (64 << 10)).contains(&held),
            "{held}"
        );
        for _ in 0..2 {
            let rows = read_split(&source, dataset, &splits[0], &request(1 << 20, 0)).unwrap();
            assert_eq!(rows.vectors, [wanted.as_slice()]);
        }
    }
    check_peak();
}
