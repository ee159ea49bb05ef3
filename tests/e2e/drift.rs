// SPDX-License-Identifier: Apache-2.0
//! Plugins and hosts of different versions of the plugin API.
//!
//! There is no other version yet, so they are made: the project of a new plugin is built with a
//! copy of the API in which the table of functions was changed as a later release may change it
//! (an entry appended), or as none ever may.

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
    let file = text(plugin.build(name));
    let sample = format!("{name}:{}?dim=4", text(plugin.path("sample/points.f32")));
    milvusdm(space, &["plugins", "check", &file, "--source", &sample]).run()
}

const TABLE: &str = "src/abi/table.rs";
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

#[test]
fn a_table_that_was_changed_in_its_middle_is_refused_in_few_words() {
    let space = Space::new();
    let account = "    /// `ReadAccount` as JSON: reader, document, error.\n    reader_account: (*mut Opaque, *mut Doc, *mut Doc),\n";
    let next = "    /// The next batch: reader, batch, error. `END` at the end.\n    reader_next: (*mut Opaque, *mut FfiArray, *mut Doc),\n";
    let both = format!("{next}{account}");
    let swapped = format!("{account}{next}");
    let edits = [
        (TABLE, both.as_str(), swapped.as_str()),
        (MANIFEST, VERSION, "version = \"1.0.1\""),
    ];
    let plugin = drifted("drift_swapped", &edits);
    let outcome = check(&space, &plugin, "drift_swapped").exits(3).says(&[
        "does not fit this host",
        "its table is laid out otherwise",
        "build it again",
    ]);
    let longest = outcome.stderr.lines().map(str::len).max().unwrap_or(0);
    assert!(longest < 800, "abi_stable's pages are cut:\n{outcome}");
}
