// SPDX-License-Identifier: Apache-2.0
//! Any damage to a library is refused or overlooked; it never ends the process.

use std::io::{Seek as _, Write as _};
use std::process::Command;
use std::sync::OnceLock;

use super::*;

/// A small whole library: one door and a note.
fn library() -> &'static [u8] {
    static LIBRARY: OnceLock<Vec<u8>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (source, file) = (folder.path().join("x.c"), folder.path().join("x.so"));
        let note = r#"
            #include "milvusdm_plugin.h"
            MILVUSDM_PLUGIN_NOTE("small", "1.2.3");
            const struct milvusdm_plugin_table *milvusdm_plugin_init_v1(void) { return NULL; }
        "#;
        std::fs::write(&source, note).unwrap();
        let header = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugin-api/include");
        let output = Command::new("gcc")
            .args([
                "-shared",
                "-fPIC",
                "-fvisibility=hidden",
                "-I",
                header,
                "-o",
            ])
            .args([&file, &source])
            .output()
            .expect("gcc is installed");
        assert!(output.status.success(), "{output:?}");
        std::fs::read(file).unwrap()
    })
}

fn judge(bytes: &[u8]) -> Result<Facts> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    preflight(&file, bytes.len() as u64)
}

/// The library, with a number of so many bytes written over what stands at that place.
fn forged(at: usize, value: &[u8]) -> Result<Facts> {
    let mut bytes = library().to_vec();
    bytes[at..at + value.len()].copy_from_slice(value);
    judge(&bytes)
}

#[test]
fn a_whole_library_passes_with_what_its_note_says() {
    let facts = judge(library()).unwrap();
    assert!(facts.plain && !facts.root_module);
    let note = facts.note.unwrap();
    assert_eq!(
        (note.name.as_str(), note.version.as_str()),
        ("small", "1.2.3")
    );
    assert_eq!(note.api, "1.0");
}

#[test]
fn headers_of_another_kind_are_named() {
    for (at, value, kind, parts) in [
        (
            0,
            &b"text"[..],
            ErrorKind::Format,
            &["wanted an ELF library"][..],
        ),
        (
            4,
            &[1],
            ErrorKind::Format,
            &["not a whole 64-bit ELF library"],
        ),
        (
            5,
            &[2],
            ErrorKind::Unsupported,
            &["another machine", "Big-endian"],
        ),
        (
            16,
            &[2, 0],
            ErrorKind::Format,
            &["ELF type 2", "shared library (3)"],
        ),
        (
            18,
            &[8, 0],
            ErrorKind::Unsupported,
            &["machine 8", "wanted"],
        ),
        (56, &[0xff, 0xff], ErrorKind::Format, &[]),
        (40, &[0xff; 8], ErrorKind::Format, &["cut off"]),
    ] {
        let error = forged(at, value).unwrap_err();
        assert_eq!(error.kind(), kind, "{at}: {error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{at}: {error}");
        }
    }
}

#[test]
fn a_library_that_is_cut_off_is_refused_wherever_it_is_cut() {
    let whole = library();
    for end in 0..whole.len() {
        // All of the beginning, where the headers are; every 97th byte of the rest.
        if end > 2048 && !end.is_multiple_of(97) && end + 64 < whole.len() {
            continue;
        }
        let error = judge(&whole[..end]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{end}: {error}");
    }
    judge(whole).unwrap();
}

#[test]
fn an_empty_file_and_a_text_are_named_as_what_they_are() {
    assert!(judge(b"").unwrap_err().message().contains("is empty"));
    let text = judge(b"#!/bin/sh\necho hello\n").unwrap_err();
    assert!(text.message().contains("`#!/bin/sh"), "{text}");
    let bytes = judge(&[0xff; 4]).unwrap_err();
    assert!(bytes.message().contains("[ff, ff, ff, ff]"), "{bytes}");
}

/// Any bytes written anywhere: judged, without a panic, and nothing is read beyond the file.
#[test]
fn libraries_with_any_damage_are_judged() {
    bolero::check!()
        .with_type::<(Vec<(u16, u8)>, Option<u16>)>()
        .for_each(|(damages, end)| {
            let mut bytes = library().to_vec();
            for (at, value) in damages {
                // Half of the damage goes into the header and the table of segments.
                let range = if at % 2 == 0 { 768 } else { bytes.len() };
                let at = usize::from(*at) % range;
                bytes[at] = *value;
            }
            if let Some(end) = end {
                bytes.truncate(usize::from(*end));
            }
            let _ = judge(&bytes);
        });
}
