// SPDX-License-Identifier: Apache-2.0
//! Fuzz targets: the parser, and everything behind it, on golden files that were tampered with and
//! on bytes of any kind. `cargo test` runs a bounded number of inputs; `cargo bolero test` runs
//! them with a coverage-guided engine.

#[path = "common/build.rs"]
mod build;
mod common;
#[path = "common/hostile.rs"]
mod hostile;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use common::golden;
use milvusdm_plugin_api::ErrorKind;
use milvusdm_plugin_faiss::format;
use serde_json::json;

/// Every golden file, and files with centroids of combined quantizers.
fn corpus() -> &'static [Vec<u8>] {
    static CORPUS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    CORPUS.get_or_init(|| {
        let mut files: Vec<PathBuf> = std::fs::read_dir(golden())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "index"));
        files.sort();
        let golden = files.iter().map(|file| std::fs::read(file).unwrap());
        let written = hostile::good().into_iter().chain(hostile::hostile());
        golden.chain(written.map(|(_, bytes)| bytes.0)).collect()
    })
}

/// What is done to a golden file.
type Tampering = (u8, Vec<(u16, u64, u8)>, Option<u16>);

fn tampered((file, edits, cut): &Tampering) -> Vec<u8> {
    let corpus = corpus();
    let mut bytes = corpus[*file as usize % corpus.len()].clone();
    for (at, number, width) in edits {
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

#[test]
fn the_parser_takes_any_bytes() {
    bolero::check!()
        .with_iterations(20_000)
        .with_test_time(Duration::from_secs(10))
        .for_each(|bytes: &[u8]| {
            let _ = format::parse(&bytes.to_vec());
        });
}

#[test]
fn the_parser_takes_tampered_files() {
    bolero::check!()
        .with_iterations(20_000)
        .with_test_time(Duration::from_secs(10))
        .with_type::<Tampering>()
        .for_each(|tampering| {
            let bytes = tampered(tampering);
            if let Ok(parsed) = format::parse(&bytes) {
                // What the tree says must lie inside of the file.
                assert!(parsed.trailing_bytes <= bytes.len() as u64);
                assert!(!parsed.root.nested().is_empty());
            }
        });
}

#[test]
fn readers_take_tampered_files() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("tampered.index");
    bolero::check!()
        .with_iterations(2_000)
        .with_test_time(Duration::from_secs(15))
        .with_type::<Tampering>()
        .for_each(|tampering| {
            std::fs::write(&path, tampered(tampering)).unwrap();
            for lossy in ["allow", "refuse"] {
                let options = json!({ "lossy": lossy });
                if let Err(error) = common::drain_file(&path, &options) {
                    assert!(
                        !matches!(error.kind(), ErrorKind::Panic | ErrorKind::Internal),
                        "{error}"
                    );
                }
            }
        });
}
