// SPDX-License-Identifier: Apache-2.0
//! Damaged files are refused with file, place, what was found and what was wanted; nothing in a
//! file makes the reader panic, hang or allocate without bounds.
#![allow(missing_docs)]

mod common;

use common::{Place, data, file_of, open, read, request};
use milvusdm_plugin_api::{Error, ErrorKind, Services};
use proptest::prelude::*;
use serde_json::{Value, json};

fn refused(options: &Value) -> Error {
    read(options, &request(0, 1 << 20)).unwrap_err()
}

fn floats(rows: usize, dim: usize) -> Vec<Vec<[u8; 4]>> {
    vec![vec![1f32.to_le_bytes(); dim]; rows]
}

#[test]
fn a_file_that_was_cut_says_how_much_is_missing() {
    let whole = std::fs::read(data("points.fvecs")).unwrap();
    for missing in 1..20 {
        let place = Place::with("points.fvecs", &whole[..whole.len() - missing]);
        let error = open(&place.options(json!({}))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        let wanted = format!("{missing} bytes of it are missing");
        assert!(error.message().contains(&wanted), "{error}");
        for (key, value) in [("row", "9"), ("offset", "180")] {
            assert_eq!(error.context_value(key), Some(value), "{error}");
        }
        assert!(
            error
                .context_value("file")
                .unwrap()
                .ends_with("points.fvecs")
        );
    }
}

#[test]
fn a_row_of_another_dimension_is_refused_with_its_place() {
    let dim = 64;
    let mut bytes = file_of(&floats(5000, dim));
    let offset = 3210 * (4 + 4 * dim);
    bytes[offset..offset + 4].copy_from_slice(&63i32.to_le_bytes());
    let place = Place::with("x.fvecs", &bytes);
    let error = refused(&place.options(json!({})));
    assert_eq!(error.kind(), ErrorKind::Format);
    let wanted = [
        ("row", "3210"),
        ("offset", &offset.to_string()),
        ("found", "63"),
        ("expected", "64"),
    ];
    for (key, value) in wanted {
        assert_eq!(error.context_value(key), Some(value), "{error}");
    }
    assert!(error.to_string().contains("x.fvecs"), "{error}");
}

#[test]
fn a_file_of_another_format_is_noticed_when_it_is_opened() {
    // Bytes taken for floats: the second row is not where it should be.
    let rows = vec![vec![[7u8]; 128]; 129];
    let place = Place::with("bytes.fvecs", &file_of(&rows));
    let error = open(&place.options(json!({}))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.to_string().contains("`fvecs`"), "{error}");
}

#[test]
fn dimensions_that_are_none_are_refused() {
    for dim in [0i32, -1, 1_048_577, i32::MAX, i32::MIN] {
        let place = Place::with("x.bvecs", &[dim.to_le_bytes(), [0; 4]].concat());
        let error = open(&place.options(json!({}))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.message().contains(&dim.to_string()), "{error}");
    }
    for size in 0..4 {
        let place = Place::with("x.bvecs", &[1, 0, 0][..size]);
        let error = open(&place.options(json!({}))).unwrap_err();
        assert!(
            error.message().contains(&format!("{size} bytes")),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_regular_file_is_refused() {
    for path in ["/dev/zero", "/"] {
        let error = open(&json!({"path": path, "format": "fvecs"})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_ends_the_reading() {
    let place = Place::with("x.fvecs", &file_of(&floats(1000, 16)));
    let source = open(&place.options(json!({}))).unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let split = source.splits("x").unwrap().remove(0);
    let mut reader = source.read(&dataset, &split, &request(0, 4096)).unwrap();
    assert!(reader.next().unwrap().is_some());
    // Cut: the rest is not there.
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&place.path)
        .unwrap();
    file.set_len(68 * 100).unwrap();
    let error = std::iter::repeat_with(|| reader.next())
        .find_map(Result::err)
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.to_string().contains("x.fvecs"), "{error}");
    // Replaced: a new reader does not mix two files.
    let Err(error) = source.read(&dataset, &split, &request(0, 4096)) else {
        panic!("a file that was cut is read");
    };
    assert!(error.message().contains("changed"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        dim in prop::option::of(0u8..12),
        format in prop::sample::select(vec!["fvecs", "bvecs", "ivecs"]),
        integers in prop::sample::select(vec!["f32", "f64", "list"]),
    ) {
        let mut bytes = bytes;
        // A first row that may be one, more often than chance has it.
        if let (Some(dim), Some(head)) = (dim, bytes.first_chunk_mut::<4>()) {
            *head = [dim, 0, 0, 0];
        }
        let place = Place::with("any", &bytes);
        let options = place.options(json!({"format": format, "integers": integers}));
        match read(&options, &request(0, 64)) {
            Ok(batches) => {
                let rows: usize = batches.iter().map(|b| b.num_rows()).sum();
                prop_assert!(rows >= 1 && rows * 5 <= bytes.len());
            }
            Err(error) => prop_assert!(
                matches!(error.kind(), ErrorKind::Format | ErrorKind::Unsupported),
                "{error:?}"
            ),
        }
    }

    #[test]
    fn any_split_is_one_that_was_given_or_refused(id in "rows:[0-9]{1,3}-[0-9]{1,3}|\\PC*") {
        let source = common::plugin()
            .open_source(&json!({"path": data("points.fvecs")}), Services::detached())
            .unwrap();
        let dataset = source.datasets().unwrap().remove(0);
        let mut split = source.splits("points").unwrap().remove(0);
        let is_given = split.id == id;
        split.id = id;
        prop_assert_eq!(source.read(&dataset, &split, &request(0, 64)).is_ok(), is_given);
    }
}
