// SPDX-License-Identifier: Apache-2.0
//! A deduplicated index with more duplicates than are sorted in memory: all rows come out, each
//! once, and neither memory nor reading grows with the number of splits.

#[path = "common/build.rs"]
mod build;
mod common;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use build::Bytes;
use common::{check_peak, open, read_file, request};
use milvusdm_plugin_api::ErrorKind;
use serde_json::json;

/// The id of the stored vector that a duplicate equals; vector `n` is the number `n`.
fn stored(duplicate: u64, rows: u64) -> u64 {
    duplicate.wrapping_mul(0x9E37_79B9_7F4A_7C15) % rows
}

/// The id of a row in a list: in no order.
fn id(row: u64, rows: u64) -> u64 {
    (row * 7919 + 13) % rows
}

/// An index of one dimension and one list; writes it piece by piece.
fn write(path: &Path, rows: u64, pairs: u64, more: &[[u64; 2]]) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let pairs_and_more = pairs + more.len() as u64;
    let mut head = Bytes::index(b"IwFd", 1, rows + pairs_and_more, 1);
    head.u64(1).u64(1).put(&Bytes::flat(1, &[vec![0; 4]], 1).0);
    head.put(&[0]).u64(0).u64(2 * pairs_and_more);
    out.write_all(&head.0).unwrap();
    let pairs = (0..pairs).map(|d| [stored(d, rows), rows + d]);
    for number in pairs.chain(more.iter().copied()).flatten() {
        out.write_all(&number.to_le_bytes()).unwrap();
    }
    let mut head = Bytes::default();
    head.put(b"ilar")
        .u64(1)
        .u64(4)
        .put(b"full")
        .u64(1)
        .u64(rows);
    out.write_all(&head.0).unwrap();
    for row in 0..rows {
        let vector = id(row, rows) as f32;
        out.write_all(&vector.to_le_bytes()).unwrap();
    }
    for row in 0..rows {
        out.write_all(&id(row, rows).to_le_bytes()).unwrap();
    }
    out.flush().unwrap();
}

/// Bytes that this process has read.
fn read_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.unwrap().parse().unwrap()
}

#[test]
fn many_duplicates_are_read_in_few_passes_and_little_memory() {
    const ROWS: u64 = 1_500_000;
    const PAIRS: u64 = 1_500_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dedup.index");
    write(&path, ROWS, PAIRS, &[]);
    let file_bytes = std::fs::metadata(&path).unwrap().len();
    let before = read_bytes();
    let source = open(&path, &json!({})).unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let splits = source.splits(&dataset.key).unwrap();
    let pairs = splits
        .iter()
        .filter(|split| split.id.starts_with("duplicates:"));
    assert!(pairs.clone().count() > 10);
    assert!(splits.iter().all(|split| split.held_bytes < 1 << 20));
    let mut seen = vec![false; (ROWS + PAIRS) as usize];
    for split in &splits {
        let mut reader = source.read(&dataset, split, &request(1 << 20, 0)).unwrap();
        while let Some(batch) = reader.next().unwrap() {
            let ids = batch.column(0).as_primitive::<Int64Type>();
            let vectors = batch.column(1).as_fixed_size_list().values().clone();
            let vectors = vectors.as_primitive::<Float32Type>();
            for (id, number) in ids.values().iter().zip(vectors.values()) {
                let id = *id as u64;
                assert!(
                    !std::mem::replace(&mut seen[id as usize], true),
                    "{id} twice"
                );
                let wanted = id.checked_sub(ROWS).map_or(id, |d| stored(d, ROWS));
                assert_eq!(*number, wanted as f32, "{id}");
            }
        }
    }
    assert!(seen.iter().all(|seen| *seen));
    let read = read_bytes() - before;
    assert!(
        read < 5 * file_bytes,
        "{read} bytes read of a file of {file_bytes}"
    );
    // Any row is a start.
    let split = &splits[splits.len() - 1];
    let mut reader = source.read(&dataset, split, &request(1, 5)).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().num_rows(), 1);
    check_peak();
}

#[test]
fn duplicates_of_nothing_are_refused_before_the_first_row() {
    let folder = tempfile::tempdir().unwrap();
    for pairs in [10, 200_000] {
        let path = folder.path().join(format!("{pairs}.index"));
        write(&path, 1000, pairs, &[[1000, 7]]);
        let source = open(&path, &json!({})).unwrap();
        let dataset = source.datasets().unwrap().remove(0);
        let error = source.splits(&dataset.key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{error}");
        assert!(error.to_string().contains("in no inverted list"), "{error}");
        assert!(error.context_value("offset").is_some(), "{error}");
        write(&path, 1000, pairs, &[[999, 7]]);
        assert_eq!(
            read_file(&path, &json!({})).unwrap().1.ids.len() as u64,
            1001 + pairs
        );
    }
}

#[test]
fn duplicates_of_an_id_that_is_there_twice_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twice.index");
    write(&path, 1000, 0, &[[999, 7]]);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    // Two ids of the list become that of the last pair.
    for at in [end - 8, end - 808] {
        bytes[at..at + 8].copy_from_slice(&999u64.to_le_bytes());
    }
    std::fs::write(&path, &bytes).unwrap();
    let error = read_file(&path, &json!({})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("id 999 is in the inverted lists twice"),
        "{text}"
    );
}
