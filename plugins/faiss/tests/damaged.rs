// SPDX-License-Identifier: Apache-2.0
//! Damaged, cut and hostile files: an error that says where and what, never a panic, a hang, a
//! large allocation, or rows of an inconsistent file.

#[path = "common/build.rs"]
mod build;
mod common;
#[path = "common/hostile.rs"]
mod hostile;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{check_peak, golden, limit_memory, read_file, read_json};
use milvusdm_plugin_api::{Error, ErrorKind};
use serde_json::json;

/// Reads a file that must fail; gives the error.
fn failing(name: &str, file: &Path) -> Error {
    limit_memory();
    let started = Instant::now();
    let error = match read_file(file, &json!({ "lossy": "allow" })) {
        Ok((_, rows)) => panic!("{name}: {} rows from a damaged file", rows.ids.len()),
        Err(error) => error,
    };
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{name}: {:?}",
        started.elapsed()
    );
    assert!(
        error.context_value("file").is_some(),
        "{name}: no file in: {error}"
    );
    error
}

/// What a message has to say, by what is wrong with the file.
fn check_message(name: &str, class: &str, error: &Error) {
    let text = error.to_string();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let is_good = match class {
        "truncated" => has(&["ends inside", "empty"]) && has(&["offset"]),
        "unknown_type" => has(&["unknown", "no Faiss index"]) && has(&["offset"]),
        "inconsistent" => has(&["expected", "can't be", "but", " of "]) && has(&["offset"]),
        "overflow" | "oversized" => {
            has(&["ends inside", "add up", "larger than", "expected"]) && has(&["offset"])
        }
        "too_deep" => has(&["nested more than"]) && has(&["offset"]),
        "not_a_file" => has(&["expected"]) && has(&["directory"]),
        "not_found" => error.kind() == ErrorKind::NotFound,
        "missing_file" => error.kind() == ErrorKind::NotFound && has(&["wanted"]),
        other => panic!("{name}: unknown class {other}"),
    };
    assert!(is_good, "{name}, {class}: {text}");
}

/// Puts what git does not keep (an empty folder, links) beside the damaged files.
fn malformed(folder: &Path) -> PathBuf {
    let from = golden().join("malformed");
    let to = folder.join("malformed");
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    // The decoy that a stored path leads to.
    fs::copy(
        golden().join("ivf6_ondisk.ivfdata"),
        folder.join("ivf6_ondisk.ivfdata"),
    )
    .unwrap();
    let link = |name: &str, target: &str| {
        let _ = fs::remove_file(to.join(name));
        std::os::unix::fs::symlink(target, to.join(name)).unwrap();
    };
    let _ = fs::create_dir(to.join("directory.index"));
    link("symlink_to_directory.index", "directory.index");
    link("symlink_dangling.index", "nowhere.index");
    to
}

#[test]
fn damaged_files_are_refused_with_place_and_reason() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = malformed(scratch.path());
    let list = read_json(&folder.join("malformed.json"));
    let files = list["files"].as_array().unwrap();
    assert_eq!(files.len(), 41);
    for case in files {
        let name = case["file"].as_str().unwrap();
        let path = folder.join(name);
        if case["expect"] == "rows_or_error" {
            let good = case["same_rows_as"].as_str().unwrap();
            let good = golden().join(format!("{good}.index"));
            let (_, wanted) = read_file(&good, &json!({})).unwrap();
            assert_eq!(read_file(&path, &json!({})).unwrap().1, wanted, "{name}");
            continue;
        }
        let error = failing(name, &path);
        check_message(name, case["error_class"].as_str().unwrap(), &error);
    }
    check_peak();
}

#[test]
fn centroids_of_unchecked_quantizers_are_refused_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("residual.index");
    for (name, bytes) in hostile::good() {
        fs::write(&path, &bytes.0).unwrap();
        let (_, rows) = read_file(&path, &json!({ "lossy": "allow" })).unwrap();
        assert_eq!(rows.ids, (0..8).collect::<Vec<_>>(), "{name}");
        assert_eq!(rows.vectors, vec![vec![0; 16]; 8], "{name}");
    }
    for (name, bytes) in hostile::hostile() {
        fs::write(&path, &bytes.0).unwrap();
        for lossy in ["allow", "refuse"] {
            // Before the first row, so that nothing is written.
            let refused = common::open(&path, &json!({ "lossy": lossy })).and_then(|source| {
                let dataset = source.datasets()?.remove(0);
                source.splits(&dataset.key)
            });
            let error = refused.expect_err(name);
            let is_refusal = matches!(error.kind(), ErrorKind::Format | ErrorKind::Unsupported);
            assert!(is_refusal, "{name}: {error}");
            if lossy == "allow" {
                assert!(error.to_string().contains("not trained"), "{name}: {error}");
                failing(name, &path);
            }
        }
    }
    check_peak();
}

#[test]
fn every_cut_of_a_good_file_is_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let list = read_json(&golden().join("malformed/malformed.json"));
    let data = golden().join("ivf6_ondisk.ivfdata");
    fs::copy(data, scratch.path().join("ivf6_ondisk.ivfdata")).unwrap();
    let mut cuts = 0;
    for case in list["truncations"].as_array().unwrap() {
        let name = case["file"].as_str().unwrap();
        let whole = fs::read(golden().join(name)).unwrap();
        let path = scratch.path().join(name);
        for cut in case["cuts"].as_array().unwrap() {
            let length = cut["length"].as_u64().unwrap();
            fs::write(&path, &whole[..length as usize]).unwrap();
            let name = format!("{name} cut to {length}");
            let error = failing(&name, &path);
            assert_eq!(error.kind(), ErrorKind::Format, "{name}: {error}");
            check_message(&name, "truncated", &error);
            cuts += 1;
        }
    }
    assert_eq!(cuts, 616);
}

#[test]
fn on_disk_lists_are_taken_from_beside_the_index_only() {
    let scratch = tempfile::tempdir().unwrap();
    let golden_index = golden().join("ivf6_ondisk.index");
    let golden_data = golden().join("ivf6_ondisk.ivfdata");
    let index = scratch.path().join("a.index");
    fs::copy(&golden_index, &index).unwrap();
    let error = failing("without its lists", &index);
    assert!(error.to_string().contains("option `lists`"), "{error}");

    // A path that the user gives may lie anywhere.
    let (_, wanted) = read_file(&golden_index, &json!({})).unwrap();
    let (_, rows) = read_file(&index, &json!({ "lists": golden_data })).unwrap();
    assert_eq!(rows, wanted);
    let flat = golden().join("flat_l2.index");
    let error = read_file(&flat, &json!({ "lists": golden_data })).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert_eq!(error.context_value("option"), Some("lists"), "{error}");
    for path in [json!([flat, flat]), json!("a***")] {
        let options = json!({ "path": path });
        let error = read_file(&flat, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert_eq!(error.context_value("option"), Some("path"), "{error}");
    }

    // A link beside the index may lead anywhere, too, and nobody said so.
    let beside = scratch.path().join("ivf6_ondisk.ivfdata");
    std::os::unix::fs::symlink(&golden_data, &beside).unwrap();
    failing("with linked lists", &index);
    fs::remove_file(&beside).unwrap();

    let data = fs::read(&golden_data).unwrap();
    // Behind the last list there is unused space.
    fs::write(&beside, &data[..20_591]).unwrap();
    let error = failing("with cut lists", &index);
    assert!(error.to_string().contains("its file has"), "{error}");
    assert!(error.context_value("lists").is_some(), "{error}");
}

#[test]
fn a_file_that_changes_after_it_was_opened_is_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("a.index");
    let whole = fs::read(golden().join("ivf16_flat.index")).unwrap();
    let fresh = || {
        fs::write(&path, &whole).unwrap();
        let source = common::open(&path, &json!({})).unwrap();
        let dataset = source.datasets().unwrap().remove(0);
        let split = source.splits(&dataset.key).unwrap().remove(0);
        (source, dataset, split)
    };
    let request = common::request(1000, 0);

    let (source, dataset, split) = fresh();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let error = source.read(&dataset, &split, &request).unwrap_err();
    assert!(error.to_string().contains("changed"), "{error}");

    for length in [whole.len() - 1, 30] {
        let (source, dataset, split) = fresh();
        let mut reader = source.read(&dataset, &split, &request).unwrap();
        reader.next().unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length as u64)
            .unwrap();
        let error = std::iter::from_fn(|| reader.next().transpose())
            .find_map(Result::err)
            .expect("an error before the end");
        assert_eq!(error.kind(), ErrorKind::Format, "{error}");
    }

    // The plan of another file does not fit.
    let (_, _, split) = fresh();
    let mut other = whole.clone();
    let end = other.len() - 1;
    other[end] ^= 1;
    fs::write(&path, &other).unwrap();
    let source = common::open(&path, &json!({})).unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let error = source.read(&dataset, &split, &request).unwrap_err();
    assert!(error.to_string().contains("planned"), "{error}");
}
