// SPDX-License-Identifier: Apache-2.0
//! Plugin files that are damaged, or no plugins at all: told as what they are, whoever asks. Only
//! the process that `plugins check` starts for a file may die of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _};
use object::{Endianness, elf};
use serde_json::Value;

use crate::support::{Outcome, Space, milvusdm, plugin_file, sins, text};

/// Files that are judged in one run: each costs a name in the list only.
const AT_ONCE: usize = 600;

/// Has `plugins list` judge these contents, each as a file of its own; gives why each is
/// refused.
#[track_caller]
fn judged(contents: &[Vec<u8>]) -> Vec<Value> {
    let mut judged = Vec::new();
    for contents in contents.chunks(AT_ONCE) {
        let space = Space::new();
        for (number, content) in contents.iter().enumerate() {
            space.write(&format!("plugins/libmilvusdm_{number:05}.so"), content);
        }
        let args = ["plugins", "list", "--json", "--plugin-dir", "plugins"];
        let document = milvusdm(&space, &args).run().exits(0).json();
        let files = document["files"].as_array().expect("a list");
        assert_eq!(files.len(), contents.len());
        judged.extend(files.iter().map(|file| file["refused"].clone()));
    }
    judged
}

/// A library without debug information and names, so that it is small.
#[track_caller]
fn stripped(file: &Path) -> Vec<u8> {
    let space = Space::new();
    let to = space.path("stripped.so");
    let strip = Command::new("strip").arg("-o").args([&to, file]).status();
    assert!(strip.expect("strip, of binutils, is installed").success());
    std::fs::read(to).expect("a file of ours")
}

/// Where the parts of a library begin and end.
struct Parts {
    segments: Vec<(u64, u64)>,
    sections: Vec<(u64, u64)>,
    /// Of the headers themselves, and of the dynamic section.
    tables: Vec<(u64, u64)>,
}

fn parts(library: &[u8]) -> Parts {
    type Header = elf::FileHeader64<Endianness>;
    let header = Header::parse(library).expect("a library of ours");
    let endian = header.endian().expect("a library of ours");
    let programs = header
        .program_headers(endian, library)
        .expect("a library of ours");
    let sections = header
        .section_headers(endian, library)
        .expect("a library of ours");
    let segments: Vec<(u64, u64)> = programs
        .iter()
        .map(|program| program.file_range(endian))
        .collect();
    let dynamic = programs
        .iter()
        .find(|program| program.p_type(endian) == elf::PT_DYNAMIC)
        .map(|program| program.file_range(endian));
    let table = |start: u64, count: usize, bytes: u64| (start, count as u64 * bytes);
    Parts {
        tables: vec![
            (0, 64),
            table(header.e_phoff(endian), programs.len(), 56),
            dynamic.expect("a dynamic section"),
            table(header.e_shoff(endian), sections.len(), 64),
        ],
        sections: sections
            .iter()
            .filter_map(|section| section.file_range(endian))
            .collect(),
        segments,
    }
}

#[test]
fn a_library_that_is_cut_off_anywhere_is_refused() {
    for library in [
        std::fs::read(sins()).expect("the plugin"),
        stripped(&plugin_file("null")),
    ] {
        let Parts {
            segments,
            sections,
            tables,
        } = parts(&library);
        let mut ends: Vec<usize> = [segments, sections, tables]
            .concat()
            .iter()
            .flat_map(|(start, bytes)| [*start, start + bytes])
            .flat_map(|end| [end.saturating_sub(1), end, end + 1])
            .map(|end| end as usize)
            .filter(|end| *end < library.len())
            .chain([0, 1, 2, 16, 63, 100, library.len() - 1])
            .collect();
        ends.sort_unstable();
        ends.dedup();
        assert!(ends.len() > 60, "{ends:?}");
        let contents: Vec<Vec<u8>> = ends.iter().map(|end| library[..*end].to_vec()).collect();
        for (refused, end) in judged(&contents).iter().zip(&ends) {
            assert_eq!(refused["kind"], "format", "cut at {end}: {refused}");
        }
    }
}

/// As `plugins check` and `run` would be asked for it; both must end by themselves.
#[track_caller]
fn check(space: &Space, file: &Path) -> Outcome {
    milvusdm(space, &["plugins", "check", &text(file), "--json"]).run()
}

#[test]
fn single_bytes_that_flip_never_end_the_process_that_was_asked() {
    let library = std::fs::read(sins()).expect("the plugin");
    let mut places: Vec<usize> = parts(&library)
        .tables
        .iter()
        .flat_map(|(start, bytes)| *start as usize..(start + bytes) as usize)
        .collect();
    places.sort_unstable();
    places.dedup();
    let flips: Vec<(usize, u8)> = places
        .iter()
        .flat_map(|at| [(*at, 0xff), (*at, 1 << (at % 8))])
        .collect();
    let flipped = |(at, bits): (usize, u8)| {
        let mut content = library.clone();
        content[at] ^= bits;
        content
    };
    let contents: Vec<Vec<u8>> = flips.iter().map(|flip| flipped(*flip)).collect();
    let judged = judged(&contents);
    let reach_dlopen: Vec<(usize, u8)> = flips
        .iter()
        .zip(&judged)
        .filter(|(_, refused)| refused["kind"] == "denied")
        .map(|(flip, _)| *flip)
        .collect();
    assert!(reach_dlopen.len() > 100 && reach_dlopen.len() < flips.len() - 100);

    // What runs is what is trusted, and not what it became.
    let space = Space::new();
    let file = space.copy(sins(), "plugins/libmilvusdm_sins.so");
    milvusdm(&space, &["plugins", "trust", &text(&file)])
        .run()
        .exits(0);
    for flip in reach_dlopen.iter().step_by(reach_dlopen.len() / 10) {
        std::fs::write(&file, flipped(*flip)).expect("a file of ours");
        let args = ["inspect", "sins:", "--plugin-dir", "plugins"];
        milvusdm(&space, &args)
            .run()
            .exits(2)
            .says(&["it has changed since"]);
    }
    // Whoever lets such a file be tried is told what came of it. Of the dynamic section each
    // third byte, of the rest a few: that is where the system's loader stumbles.
    let (start, bytes) = parts(&library).tables[2];
    let is_dynamic = |at: usize| (start..start + bytes).contains(&(at as u64));
    let (dynamic, rest): (Vec<_>, Vec<_>) = reach_dlopen
        .iter()
        .copied()
        .partition(|(at, _)| is_dynamic(*at));
    let mut verdicts = std::collections::BTreeMap::new();
    for flip in dynamic.iter().step_by(3).chain(rest.iter().step_by(40)) {
        std::fs::write(&file, flipped(*flip)).expect("a file of ours");
        let outcome = check(&space, &file);
        assert!(
            matches!(outcome.code, Some(0 | 2 | 3)),
            "{flip:?}: {outcome}"
        );
        let verdict = outcome.json()["verdict"]
            .as_str()
            .expect("a verdict")
            .to_owned();
        assert_eq!(
            verdict == "good",
            outcome.code == Some(0),
            "{flip:?}: {outcome}"
        );
        *verdicts.entry(verdict).or_insert(0) += 1;
    }
    assert!(
        verdicts.contains_key("crashes") && verdicts.contains_key("good"),
        "{verdicts:?}"
    );
}

#[test]
fn what_is_no_plugin_is_told_as_what_it_is() {
    let space = Space::new();
    let library = std::fs::read(sins()).expect("the plugin");
    let forged = |at: usize, value: &[u8]| {
        let mut content = library.clone();
        content[at..at + value.len()].copy_from_slice(value);
        content
    };
    let file = space.path("libmilvusdm_sins.so");
    let empty = {
        let source = space.write("empty.c", "");
        let status = Command::new("gcc")
            .args(["-shared", "-o"])
            .args([&file, &source])
            .status();
        assert!(status.expect("gcc is installed").success());
        std::fs::read(&file).expect("a file of ours")
    };
    for (content, part) in [
        (b"".to_vec(), "the file is empty, wanted an ELF library"),
        (b"\x7f".to_vec(), "begins with [7f]"),
        (
            b"#!/bin/sh\nexit 0\n".to_vec(),
            "is text, beginning with `#!/bin/sh",
        ),
        (b"\x7fELF".to_vec(), "not a whole 64-bit ELF library"),
        (forged(4, &[1]), "not a whole 64-bit ELF library"),
        (forged(5, &[2]), "is for another machine"),
        (
            forged(18, &[0xb7, 0]),
            "is for another machine (ELF machine 183",
        ),
        (
            forged(16, &[2, 0]),
            "of ELF type 2, wanted a shared library (3)",
        ),
        (
            empty,
            "is no plugin: it exports neither `milvusdm_plugin_init_v1`",
        ),
        (
            std::fs::read(libc()).expect("the C library"),
            "is no plugin",
        ),
    ] {
        std::fs::write(&file, content).expect("a file of ours");
        let outcome = check(&space, &file).exits(3).says(&[part]);
        assert_eq!(outcome.json()["verdict"], "refused", "{outcome}");
        let args = ["inspect", "sins:", "--allow-plugin", &text(&file)];
        let outcome = milvusdm(&space, &args).run();
        outcome.exits(3).says(&[part, "can't be loaded"]);
    }
}

/// The C library that this very program runs with.
fn libc() -> PathBuf {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the maps of this process");
    let lines = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5));
    let mut paths = lines.filter(|path| path.contains("/libc.so") || path.contains("/libc-"));
    paths.next().expect("a C library").into()
}

#[test]
fn a_constructor_that_crashes_or_ends_the_process_takes_only_the_checks_child_along() {
    let space = Space::new();
    for (sin, parts) in [
        (
            "constructor:crashes",
            &["the plugin crashes", "SIGILL", "ran its constructors"][..],
        ),
        (
            "constructor:exits",
            &[
                "ends the process that it runs in (exit status: 0)",
                "ran its constructors",
            ],
        ),
        (
            "table:door_exits",
            &["ends the process", "its door was entered"],
        ),
        (
            "info:exits",
            &["ends the process", "it was asked what it is"],
        ),
        (
            "info:crashes",
            &["the plugin crashes", "SIGSEGV", "it was asked what it is"],
        ),
    ] {
        let args = ["plugins", "check", &text(sins()), "--json"];
        let outcome = milvusdm(&space, &args)
            .env("SIN", sin)
            .run()
            .exits(3)
            .says(parts);
        assert_eq!(outcome.json()["verdict"], "crashes", "{outcome}");
    }
    // In its behaviour too.
    let args = [
        "plugins",
        "check",
        &text(sins()),
        "--json",
        "--source",
        "sins:",
    ];
    for (sin, parts) in [
        (
            "source_open:exits",
            &["ends the process", "its sample was looked into"][..],
        ),
        (
            "reader_next:crashes",
            &["SIGSEGV", "its behaviour was tried (`sins source`)"],
        ),
    ] {
        let outcome = milvusdm(&space, &args)
            .env("SIN", sin)
            .run()
            .exits(3)
            .says(parts);
        assert_eq!(outcome.json()["verdict"], "crashes", "{outcome}");
    }
}

#[test]
fn a_plugin_that_hangs_is_given_up_by_the_check() {
    let space = Space::new();
    let cases = [
        ("constructor:hangs", "ran its constructors"),
        ("info:sleeps", "it was asked what it is"),
        ("source_open:sleeps", "its sample was looked into"),
        ("destructor:hangs", "its process was coming to its end"),
    ];
    // Side by side: each takes as long as the check is patient.
    std::thread::scope(|scope| {
        for (sin, part) in cases {
            let space = &space;
            scope.spawn(move || {
                let args = [
                    "plugins",
                    "check",
                    &text(sins()),
                    "--json",
                    "--source",
                    "sins:",
                ];
                let outcome = milvusdm(space, &args).env("SIN", sin).run().exits(3);
                let outcome = outcome.says(&["the plugin hangs", "30 s", part]);
                assert_eq!(outcome.json()["verdict"], "hangs", "{sin}: {outcome}");
            });
        }
    });
}

#[test]
fn a_check_of_a_good_plugin_says_what_it_is_and_what_to_do_next() {
    let space = Space::new();
    let args = ["plugins", "check", &text(sins())];
    let outcome = milvusdm(&space, &args).run().exits(0);
    outcome.prints(&[
        "good; `sins` 1.2.3 reads and writes: sins on purpose",
        "entered by the plain door",
        "Its behaviour was not tried",
        "It is not trusted yet: `milvusdm plugins trust",
    ]);
    // This one keeps too little of the contract to be good with a sample.
    let args = ["plugins", "check", &text(sins()), "--source", "sins:"];
    let outcome = milvusdm(&space, &args).run().exits(3);
    outcome
        .prints(&[
            "misbehaves",
            "FAILED   an unknown option is refused by name",
        ])
        .says(&["the plugin breaks its contract"]);
}
