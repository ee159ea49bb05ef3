// SPDX-License-Identifier: Apache-2.0
//! Golden files with a few bytes changed: whatever they say now, the answer comes soon, and without
//! a panic or much memory.

#[path = "common/build.rs"]
mod build;
mod common;
#[path = "common/hostile.rs"]
mod hostile;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{check_peak, drain_file, golden, limit_memory};
use milvusdm_plugin_api::ErrorKind;
use serde_json::json;

/// Flips bytes of every golden file, and of files with centroids of combined quantizers: whatever comes of it, it comes soon and without a panic or a
/// large allocation. (The plugin's table turns a panic into an error of that kind.)
#[test]
fn flipped_bytes_never_panic() {
    limit_memory();
    let scratch = tempfile::tempdir().unwrap();
    let mut random = 0x2545_F491_4F6C_DD1Du64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    fs::copy(
        golden().join("ivf6_ondisk.ivfdata"),
        scratch.path().join("ivf6_ondisk.ivfdata"),
    )
    .unwrap();
    let path = scratch.path().join("flipped.index");
    let mut files: Vec<PathBuf> = fs::read_dir(golden())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "index"));
    files.sort();
    assert_eq!(files.len(), 108);
    let golden = files
        .iter()
        .map(|file| (file.display().to_string(), fs::read(file).unwrap()));
    let written = hostile::good().into_iter().chain(hostile::hostile());
    let written = written.map(|(name, bytes)| (name.to_owned(), bytes.0));
    for (name, whole) in golden.chain(written) {
        for round in 0..60 {
            let mut bytes = whole.clone();
            // Headers are at the front more often than not.
            let reach = if round % 3 == 0 {
                bytes.len()
            } else {
                bytes.len().min(300)
            };
            for _ in 0..1 + next() % 3 {
                let at = next() as usize % reach;
                bytes[at] = match next() % 4 {
                    0 => 0xFF,
                    1 => 0,
                    2 => bytes[at] ^ 1 << (next() % 8),
                    _ => next() as u8,
                };
            }
            fs::write(&path, &bytes).unwrap();
            let started = Instant::now();
            let space = if round % 2 == 0 { "original" } else { "stored" };
            let options = json!({ "lossy": "allow", "space": space });
            if let Err(error) = drain_file(&path, &options) {
                let is_ours = matches!(error.kind(), ErrorKind::Panic | ErrorKind::Internal);
                assert!(!is_ours, "{name}, round {round}: {error}");
            }
            assert!(started.elapsed() < Duration::from_secs(2), "{name}");
        }
    }
    check_peak();
}
