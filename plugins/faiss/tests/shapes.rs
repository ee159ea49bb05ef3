// SPDX-License-Identifier: Apache-2.0
//! Indexes of any shape, written byte by byte: what was put in comes out, in batches of any size,
//! from any row on, and from splits of any number.

#[path = "common/build.rs"]
mod build;
mod common;

use std::fs::File;
use std::os::unix::fs::FileExt;

use build::Bytes;
use common::{Rows, open, read_all, read_split, request};
use proptest::prelude::*;
use serde_json::json;

fn vector(row: u64, dim: u32) -> Vec<u8> {
    let float = |d: u32| f32::from_bits((row as u32).wrapping_mul(2_654_435_761) ^ d << 7);
    (0..dim).flat_map(|d| float(d).to_le_bytes()).collect()
}

fn id(row: u64) -> i64 {
    (row as i64).wrapping_mul(0x9E37_79B9_7F4A_7C15u64 as i64)
}

/// Reads a file whole, in small batches, and from some row on.
fn check(bytes: &Bytes, wanted: &Rows, batch_bytes: u64, first: u64) {
    let file = tempfile::Builder::new()
        .suffix(".index")
        .tempfile()
        .unwrap();
    std::fs::write(file.path(), &bytes.0).unwrap();
    let source = open(file.path(), &json!({})).unwrap();
    let (dataset, rows) = read_all(&source, 1 << 24).unwrap();
    assert_eq!(&rows, wanted);
    assert_eq!(&read_all(&source, batch_bytes).unwrap().1, wanted);
    let splits = source.splits(&dataset.key).unwrap();
    let found: u64 = splits.iter().map(|split| split.found.unwrap()).sum();
    assert_eq!(found, wanted.ids.len() as u64);
    if let Some(split) = splits.first() {
        let first = first % (split.found.unwrap() + 1);
        let rest = read_split(&source, &dataset, split, &request(batch_bytes, first)).unwrap();
        assert_eq!(rest.ids, wanted.ids[first as usize..]);
        assert_eq!(rest.vectors, wanted.vectors[first as usize..]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn flat_indexes(
        dim in 1u32..70, rows in 0u64..400, metric in prop::sample::select(vec![0, 1, 2, 4]),
        batch in 1u64..9000, first in any::<u64>(), mapped in any::<bool>(),
    ) {
        let vectors: Vec<_> = (0..rows).map(|row| vector(row, dim)).collect();
        let mut bytes = Bytes::flat(dim, &vectors, metric);
        let mut ids: Vec<i64> = (0..rows as i64).collect();
        if mapped {
            ids = (0..rows).map(id).collect();
            bytes = bytes.id_map(dim, &ids, metric);
        }
        check(&bytes, &Rows { ids, vectors }, batch, first);
    }

    #[test]
    fn inverted_files(
        dim in 1u32..40, sizes in prop::collection::vec(prop_oneof![Just(0u64), 0u64..5, 0u64..90], 1..60),
        sparse in any::<bool>(), batch in 1u64..9000, first in any::<u64>(), mapped in any::<bool>(),
    ) {
        let total: u64 = sizes.iter().sum();
        let mut row = 0;
        let mut wanted = Rows::default();
        // Below an id map, ids are numbers of rows, in any order.
        let inner = |row: u64| (total - 1 - row) as i64;
        let lists: Vec<Vec<_>> = sizes
            .iter()
            .map(|size| {
                (0..*size)
                    .map(|_| {
                        let own = if mapped { inner(row) } else { id(row) };
                        wanted.ids.push(if mapped { id(own as u64) } else { own });
                        wanted.vectors.push(vector(row, dim));
                        row += 1;
                        (own, vector(row - 1, dim))
                    })
                    .collect()
            })
            .collect();
        let mut bytes = Bytes::ivf(dim, &lists, sparse);
        if mapped {
            let ids: Vec<i64> = (0..total).map(id).collect();
            bytes = bytes.id_map(dim, &ids, 1);
        }
        check(&bytes, &wanted, batch, first);
    }
}

/// A hole of zeros in a file costs no disk, so large files can be looked at.
fn sparse_file(head: &Bytes, length: u64, tail: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new()
        .suffix(".index")
        .tempfile()
        .unwrap();
    let open: &File = file.as_file();
    open.set_len(length + tail.len() as u64).unwrap();
    open.write_all_at(&head.0, 0).unwrap();
    open.write_all_at(tail, length).unwrap();
    file
}

#[test]
fn a_large_flat_index_is_cut_into_ranges_of_rows() {
    let (dim, rows) = (256u32, 300_000u64);
    let mut head = Bytes::index(b"IxF2", dim, rows, 1);
    head.u64(rows * u64::from(dim));
    let length = head.0.len() as u64 + rows * u64::from(dim) * 4;
    let file = sparse_file(&head, length, &[]);
    let source = open(file.path(), &json!({})).unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let splits = source.splits(&dataset.key).unwrap();
    assert!(splits.len() >= 4, "{}", splits.len());
    let mut next = 0;
    for split in &splits {
        let rows = read_split(&source, &dataset, split, &request(8 << 20, 0)).unwrap();
        for id in rows.ids {
            assert_eq!(id, next);
            next += 1;
        }
    }
    assert_eq!(next as u64, rows);
}

#[test]
fn a_long_list_is_cut_and_short_ones_are_put_together() {
    // One list of 200 MB of zeros between short ones.
    let (dim, long) = (1000u32, 50_000u64);
    let sizes = [3u64, 0, long, 5, 2];
    let rows: u64 = sizes.iter().sum();
    let mut head = Bytes::index(b"IwFl", dim, rows, 1);
    let centroids = vec![vec![0; dim as usize * 4]; sizes.len()];
    head.u64(5).u64(1).put(&Bytes::flat(dim, &centroids, 1).0);
    head.put(&[0])
        .u64(0)
        .put(b"ilar")
        .u64(5)
        .u64(u64::from(dim) * 4)
        .put(b"full")
        .u64(5);
    for size in sizes {
        head.u64(size);
    }
    let list_bytes = u64::from(dim) * 4;
    head.put(&vec![0; 3 * list_bytes as usize]);
    for id in [100i64, 101, 102] {
        head.put(&id.to_le_bytes());
    }
    let length = head.0.len() as u64 + long * list_bytes;
    let mut tail = Bytes::default();
    for id in 0..long {
        tail.u64(id);
    }
    for (rows, first) in [(5u64, 200i64), (2, 300)] {
        tail.put(&vec![0; (rows * list_bytes) as usize]);
        for id in first..first + rows as i64 {
            tail.put(&id.to_le_bytes());
        }
    }
    let file = sparse_file(&head, length, &tail.0);
    let source = open(file.path(), &json!({})).unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let splits = source.splits(&dataset.key).unwrap();
    let names: Vec<&str> = splits.iter().map(|split| split.id.as_str()).collect();
    assert!(splits.len() >= 4, "{names:?}");
    assert_eq!(splits[0].found, Some(3), "{names:?}");
    let mut ids = Vec::new();
    for split in &splits {
        ids.extend(
            read_split(&source, &dataset, split, &request(8 << 20, 0))
                .unwrap()
                .ids,
        );
    }
    let wanted: Vec<i64> = (100..103)
        .chain(0..long as i64)
        .chain(200..205)
        .chain(300..302)
        .collect();
    assert_eq!(ids, wanted);
    // In the middle of the long list.
    let split = &splits[2];
    let whole = read_split(&source, &dataset, split, &request(8 << 20, 0))
        .unwrap()
        .ids;
    let rest = read_split(&source, &dataset, split, &request(100_000, 7000))
        .unwrap()
        .ids;
    assert_eq!(rest, whole[7000..]);
}

#[test]
fn several_files_are_several_collections() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in [("a.index", 3u64), ("b.faiss", 0), ("c.index", 2)] {
        let vectors: Vec<_> = (0..rows).map(|row| vector(row, 2)).collect();
        std::fs::write(folder.path().join(name), Bytes::flat(2, &vectors, 1).0).unwrap();
    }
    let source = open(folder.path(), &json!({})).unwrap();
    let datasets = source.datasets().unwrap();
    let rows: Vec<(&str, u64)> = datasets
        .iter()
        .map(|d| {
            (
                d.descriptor.collection.as_str(),
                d.descriptor.rows.unwrap().value,
            )
        })
        .collect();
    assert_eq!(rows, [("a", 3), ("b", 0), ("c", 2)]);
    assert!(source.splits("b").unwrap().is_empty());
    let split = source.splits("c").unwrap().remove(0);
    let rows = read_split(&source, &datasets[2], &split, &request(1, 0)).unwrap();
    assert_eq!(rows.ids, [0, 1]);
    assert!(source.splits("d").is_err());
}
