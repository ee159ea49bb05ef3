// SPDX-License-Identifier: Apache-2.0
//! Plugins and hosts of different versions of the plugin API.
//!
//! There is no other version yet, so they are made: the project of a new plugin is built with a
//! copy of the API in which the table of functions was changed as a later release may change it
//! (an entry appended), or as none ever may.

use std::path::Path;

use crate::support::{Outcome, Outside, Space, milvusdm, text};

/// The project of a new plugin whose copy of the API is edited, each of `edits` in one file.
/// Cargo takes copies of one version for one crate, so that each has a version of its own.
fn drifted(name: &str, edits: &[(&str, &str, &str)]) -> Outside {
    let plugin = Outside::new_plugin(name, &[]);
    for (file, from, to) in edits {
        let path = plugin.path(&format!("plugin-api/{file}"));
        let before = std::fs::read_to_string(&path).expect("a file of the copy");
        let after = before.replace(from, to);
        assert_ne!(before, after, "{file} has no `{from}`");
        std::fs::write(&path, after).expect("a file of the copy");
    }
    // Only the API is compiled anew; nobody waits for what it does.
    let manifest = plugin.path("Cargo.toml");
    let before = std::fs::read_to_string(&manifest).expect("the manifest");
    let quick = "[profile.release.package.milvusdm-plugin-api]\nopt-level = 0\n";
    std::fs::write(&manifest, format!("{before}\n{quick}")).expect("the manifest");
    plugin
}

fn check(space: &Space, plugin: &Outside, name: &str) -> Outcome {
    check_file(space, plugin, name, &plugin.build(name))
}

/// The same, with a file whose first door is walled up: its symbol goes by another name, so that
/// the host enters by the second.
fn check_by_the_plain_door(space: &Space, plugin: &Outside, name: &str) -> Outcome {
    let mut library = std::fs::read(plugin.build(name)).expect("the plugin");
    let door = b"_1as_0lib_1header_0root_bmodule_bloader\0";
    let places: Vec<usize> = library
        .windows(door.len())
        .enumerate()
        .filter_map(|(at, bytes)| (bytes == door).then_some(at))
        .collect();
    assert!(!places.is_empty(), "the first door is not where it was");
    places.iter().for_each(|at| library[*at] = b'-');
    let file = space.write(&format!("libmilvusdm_{name}.so"), library);
    check_file(space, plugin, name, &file)
}

fn check_file(space: &Space, plugin: &Outside, name: &str, file: &Path) -> Outcome {
    let sample = format!("{name}:{}?dim=4", text(plugin.path("sample/points.f32")));
    milvusdm(
        space,
        &["plugins", "check", &text(file), "--source", &sample],
    )
    .run()
}

const TABLE: &str = "src/abi/table.rs";
const TRAMPOLINES: &str = "src/abi/export/source.rs";
const MANIFEST: &str = "Cargo.toml";
const VERSION: &str = "version = \"1.0.0\"";
const LAST: &str = "    writer_close: (*mut Opaque),\n";
const APPENDED: &str =
    "    writer_close: (*mut Opaque),\n    /// New.\n    appended: (*mut Opaque, *mut Doc),\n";

/// Enters an older plugin through both doors of a newer API.
const GATE: &str = r#"
use std::ffi::c_void;
use std::mem::{ManuallyDrop, transmute};
use std::ptr::NonNull;

use libloading::os::unix::Library;
use milvusdm_plugin_api::abi::{PluginHandle, PluginTable, doors};

#[test]
fn an_older_plugin_enters_by_both_doors() {
    assert_eq!(PluginTable::ENTRIES.last(), Some(&"appended"));
    let file = std::env::var("OLDER_PLUGIN").unwrap();
    let library = ManuallyDrop::new(unsafe { Library::new(file) }.unwrap());
    let symbol = |name: &str| {
        let symbol = unsafe { library.get::<*mut c_void>(name.as_bytes()) }.unwrap();
        NonNull::new(symbol.into_raw()).unwrap()
    };
    let root = unsafe { PluginHandle::enter_root_module(symbol(doors::ROOT_MODULE)) };
    assert_eq!(root.unwrap().info().unwrap().name, "drift_base");
    let plain: extern "C" fn() -> *const PluginTable =
        unsafe { transmute(symbol(doors::PLAIN)) };
    let plain = unsafe { PluginHandle::enter_plain(plain()) };
    assert_eq!(plain.unwrap().info().unwrap().name, "drift_base");
}
"#;

#[test]
fn an_appended_entry_keeps_neither_side_out() {
    let space = Space::new();
    let older = {
        let base = drifted("drift_base", &[]);
        check(&space, &base, "drift_base").exits(0);
        base.build("drift_base")
    };
    let edits = [
        (TABLE, LAST, APPENDED),
        (TABLE, "API_MINOR: u16 = 0", "API_MINOR: u16 = 1"),
        (MANIFEST, VERSION, "version = \"1.1.0\""),
    ];
    let newer = drifted("drift_appended", &edits);
    // This host is the older side.
    check(&space, &newer, "drift_appended")
        .exits(0)
        .prints(&["for API 1.1", "entered by the root module door"]);
    check_by_the_plain_door(&space, &newer, "drift_appended")
        .exits(0)
        .prints(&["for API 1.1", "entered by the plain door"]);
    // The newer side is a test of the project.
    let manifest = newer.path("Cargo.toml");
    let before = std::fs::read_to_string(&manifest).expect("the manifest");
    let with = before.replace(
        "[dev-dependencies]\n",
        "[dev-dependencies]\nlibloading = \"0.9\"\n",
    );
    std::fs::write(&manifest, with).expect("the manifest");
    std::fs::write(newer.path("tests/gate.rs"), GATE).expect("a test");
    let older = format!("OLDER_PLUGIN={}", text(older));
    let test = ["cargo", "test", "--release", "--offline", "--test", "gate"];
    let printed = newer.run("env", &[&[older.as_str()], &test[..]].concat());
    assert!(
        printed.contains("an_older_plugin_enters_by_both_doors ... ok"),
        "{printed}"
    );
}

/// Claims that neither door lets such a plugin in, and that the second says what differs.
#[track_caller]
fn is_refused_by_both_doors(name: &str, edits: &[(&str, &str, &str)], differs: &str) {
    let space = Space::new();
    let plugin = drifted(name, edits);
    let outcomes = [
        check(&space, &plugin, name)
            .exits(3)
            .says(&["its table is laid out otherwise"]),
        check_by_the_plain_door(&space, &plugin, name)
            .exits(3)
            .says(&[differs]),
    ];
    for outcome in outcomes {
        let outcome = outcome.says(&["does not fit this host", "build it again"]);
        let longest = outcome.stderr.lines().map(str::len).max().unwrap_or(0);
        assert!(longest < 800, "abi_stable's pages are cut:\n{outcome}");
    }
}

const ACCOUNT: &str = "    /// `ReadAccount` as JSON: reader, document, error.\n    reader_account: (*mut Opaque, *mut Doc, *mut Doc),\n";

#[test]
fn a_table_with_two_entries_swapped_is_refused_in_few_words() {
    let next = "    /// The next batch: reader, batch, error. `END` at the end.\n    reader_next: (*mut Opaque, *mut FfiArray, *mut Doc),\n";
    let (both, swapped) = (format!("{next}{ACCOUNT}"), format!("{ACCOUNT}{next}"));
    let edits = [
        (TABLE, both.as_str(), swapped.as_str()),
        (MANIFEST, VERSION, "version = \"1.0.1\""),
    ];
    let differs = "entry 8 of its table is not what version 1.0 calls `reader_next`";
    is_refused_by_both_doors("drift_swapped", &edits, differs);
}

#[test]
fn a_table_with_another_argument_is_refused_in_few_words() {
    let entry = "fn reader_account(\n    reader: *mut Opaque,";
    let (listed, defined) = (
        ACCOUNT.replace("*mut Opaque", "*const Opaque"),
        entry.replace("*mut", "*const"),
    );
    let edits = [
        (TABLE, ACCOUNT, listed.as_str()),
        (TRAMPOLINES, entry, defined.as_str()),
        (
            TRAMPOLINES,
            "borrow::<ReaderBox>(reader)",
            "borrow::<ReaderBox>(reader.cast_mut())",
        ),
        (MANIFEST, VERSION, "version = \"1.0.2\""),
    ];
    let differs = "entry 9 of its table is not what version 1.0 calls `reader_account`";
    is_refused_by_both_doors("drift_retyped", &edits, differs);
}

#[test]
fn a_table_without_an_entry_that_it_must_have_is_refused_in_few_words() {
    let flush = "    /// Makes what was written durable: writer, error.\n    writer_flush: (*mut Opaque, *mut Doc),\n";
    let call = "        let flush = entry!(self.handle.table, writer_flush)?;\n        // SAFETY: a live handle.\n        call(|error| unsafe { flush(self.handle.raw, error) })\n";
    let edits = [
        (TABLE, flush, ""),
        (TABLE, "BASE_ENTRIES: u32 = 21", "BASE_ENTRIES: u32 = 20"),
        (
            "src/abi/export/mod.rs",
            "        writer_flush: Some(sink::writer_flush),\n",
            "",
        ),
        (
            "src/abi/client/mod.rs",
            "            entry!(self.table, writer_flush)?;\n",
            "",
        ),
        ("src/abi/client/sink.rs", call, "        Ok(())\n"),
        (MANIFEST, VERSION, "version = \"1.0.3\""),
    ];
    let differs = "its table has 20 entries, version 1.0 had 21";
    is_refused_by_both_doors("drift_removed", &edits, differs);
}
