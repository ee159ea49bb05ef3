// SPDX-License-Identifier: Apache-2.0
//! Fuzz targets: the parsers on any bytes, and whole directories whose files were tampered with.
//! `cargo test` runs a bounded number of inputs; `cargo bolero test` runs them with a
//! coverage-guided engine.

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{copy, golden, open, read_all};
use milvusdm_plugin_api::ErrorKind;
use milvusdm_plugin_milvus1::cold::deleted::Deleted;
use milvusdm_plugin_milvus1::cold::segment;
use milvusdm_plugin_milvus1::cold::wal::record::{HEADER_BYTES, Header, Lsn, META_BYTES, last_lsn};
use serde_json::json;

#[test]
fn the_header_of_a_segment_file_may_be_any_bytes() {
    bolero::check!()
        .with_test_time(Duration::from_secs(2))
        .with_type::<(u64, [u8; 8], u64)>()
        .for_each(|(file_bytes, header, unit)| {
            if let Ok(bytes) = segment::payload(*file_bytes, *header, *unit) {
                assert!(bytes <= *file_bytes);
            }
        });
}

#[test]
fn deleted_offsets_may_be_any_bytes() {
    bolero::check!()
        .with_test_time(Duration::from_secs(2))
        .with_type::<(u16, Vec<u8>)>()
        .for_each(|(rows, bytes)| {
            let mut deleted = Deleted::none_of(u64::from(*rows));
            let _ = segment::mark(bytes, 0, &mut deleted);
            assert!(deleted.count() <= u64::from(*rows));
        });
}

#[test]
fn headers_of_the_log_may_be_any_bytes() {
    bolero::check!()
        .with_test_time(Duration::from_secs(2))
        .with_type::<([u8; HEADER_BYTES], u64, u64)>()
        .for_each(|(bytes, start, end)| {
            if let Ok(header) = Header::parse(bytes, Lsn(*start), Lsn(*end)) {
                assert!(header.lsn <= Lsn(*end) && header.lsn > Lsn(*start));
            }
        });
}

#[test]
fn the_end_of_the_log_may_be_any_bytes() {
    bolero::check!()
        .with_test_time(Duration::from_secs(1))
        .with_type::<[u8; META_BYTES]>()
        .for_each(|bytes| {
            let end = last_lsn(bytes);
            assert_eq!(Lsn::new(end.file(), end.offset()), end);
        });
}

/// Which file, what is written over it, and where it is cut.
type Tampering = (u8, Vec<(u16, u64, u8)>, Option<u16>);

fn tampered(whole: &[u8], (_, edits, cut): &Tampering) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for (at, number, width) in edits.iter().filter(|_| !whole.is_empty()) {
        let at = *at as usize % bytes.len();
        let number = number.to_le_bytes();
        let width = [1, 2, 4, 8][*width as usize % 4].min(bytes.len() - at);
        bytes[at..at + width].copy_from_slice(&number[..width]);
    }
    if let Some(cut) = cut {
        bytes.truncate(*cut as usize);
    }
    bytes
}

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn directories_that_were_tampered_with_are_read_or_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let home = scratch.path().join("m");
    copy(&golden().join("wal"), &home);
    let mut all = Vec::new();
    files(&home, &mut all);
    all.sort();
    let whole: Vec<Vec<u8>> = all.iter().map(|f| fs::read(f).unwrap()).collect();
    bolero::check!()
        .with_iterations(1_500)
        .with_test_time(Duration::from_secs(20))
        .with_type::<Tampering>()
        .for_each(|tampering| {
            let which = tampering.0 as usize % all.len();
            fs::write(&all[which], tampered(&whole[which], tampering)).unwrap();
            for options in [json!({}), json!({"on_error": "skip_segment"})] {
                let read = open(&home, &options).and_then(|source| {
                    read_all(&source)?;
                    source.inspect()
                });
                if let Err(error) = read {
                    let is_fault = matches!(error.kind(), ErrorKind::Panic | ErrorKind::Internal);
                    assert!(!is_fault, "{error}");
                }
            }
            fs::write(&all[which], &whole[which]).unwrap();
        });
}
