// SPDX-License-Identifier: Apache-2.0
//! Random damage never makes our code panic. Alone in its test program: the process that it
//! starts takes over the library's open files, and with them their locks.
#![allow(clippy::print_stdout, reason = "two processes talk through it")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::*;
use serde_json::json;

/// Reads every file of a folder and says what came of it; run by the test below.
#[test]
#[ignore = "started by `damaged_bytes_never_make_us_panic` in a process of its own"]
fn read_damaged_files() {
    let Some(folder) = std::env::var_os("MILVUSDM_TEST_DAMAGED") else {
        return;
    };
    for name in files(Path::new(&folder)) {
        let path = Path::new(&folder).join(&name);
        println!("reading {name}");
        let outcome = match read_all(json!({ "path": path }), 4096) {
            Ok(_) => "read".to_owned(),
            Err(error) => format!("{:?} {error}", error.kind()),
        };
        println!("done {name} {outcome}");
        // Not to be read again after a crash.
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn damaged_bytes_never_make_us_panic() {
    // More on request, for a longer search.
    let cases = std::env::var("MILVUSDM_FUZZ_CASES").map_or(150, |n| n.parse().unwrap());
    let good = tempfile::tempdir().unwrap();
    let bad = tempfile::tempdir().unwrap();
    for path in good_files(good.path()) {
        let whole = std::fs::read(&path).unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        for case in 0..cases {
            let mut bytes = whole.clone();
            for flip in 0..=mix(case, 0) % 4 {
                // Mostly in the first KiB, where the headers are.
                let room = if flip % 2 == 0 {
                    bytes.len().min(2048)
                } else {
                    bytes.len()
                };
                let at = mix(case, flip * 2 + 1) as usize % room;
                bytes[at] = match mix(case, flip * 2 + 2) % 5 {
                    0 => 0xFF,
                    1 => 0,
                    2 => bytes[at].wrapping_add(1),
                    _ => bytes[at] ^ (1 << (at % 8)),
                };
            }
            std::fs::write(bad.path().join(format!("{stem}-{case}.h5")), bytes).unwrap();
        }
    }
    // The library may crash or hang on such files, which costs the file; our own code must not.
    let (all, mut lost) = (files(bad.path()).len(), Vec::new());
    while !files(bad.path()).is_empty() {
        let output = read_in_a_process(bad.path());
        for line in output.lines() {
            assert!(
                !line.contains("Panic") && !line.contains("Internal"),
                "{line}"
            );
        }
        if let Some(name) = output
            .lines()
            .last()
            .and_then(|l| l.strip_prefix("reading "))
        {
            std::fs::remove_file(bad.path().join(name)).unwrap();
            lost.push(name.to_owned());
        }
    }
    println!(
        "the library crashed or hung on {} of {all} files: {lost:?}",
        lost.len()
    );
    assert!(lost.len() * 200 <= all, "{lost:?}");
}

/// Runs the test above as a process of its own; ends it where it hangs.
fn read_in_a_process(folder: &Path) -> String {
    use std::io::Read;
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["read_damaged_files", "--exact", "--ignored", "--nocapture"])
        .env("MILVUSDM_TEST_DAMAGED", folder)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        stdout.read_to_string(&mut output).unwrap();
        output
    });
    // Each file goes away once it was read.
    let (mut left, mut since) = (usize::MAX, Instant::now());
    while child.try_wait().unwrap().is_none() {
        let now = files(folder).len();
        if now != left {
            (left, since) = (now, Instant::now());
        }
        if since.elapsed() > Duration::from_secs(5) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    reader.join().unwrap()
}
