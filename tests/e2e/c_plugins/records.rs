// SPDX-License-Identifier: Apache-2.0
//! The example `records`: the behaviour suite, exact values, refusals, and its task.

use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::abi::PluginHandle;
use milvusdm_plugin_api::arrow::array::RecordBatch;
use milvusdm_plugin_api::{ErrorKind, ReadRequest, Services, testkit};
use serde_json::{Value, json};

use super::build::{build_records, compilers, load, make, records};
use super::rows::{self, Endian};
use crate::support::{Space, milvusdm, text};

/// The options with a path put in, and others changed.
fn at(path: &Path, mut options: Value, changes: Value) -> Value {
    let own = options.as_object_mut().expect("options");
    own.insert("path".to_owned(), json!(path));
    for (name, value) in changes.as_object().expect("changes") {
        own.insert(name.clone(), value.clone());
    }
    options
}

#[test]
fn the_example_keeps_the_contract_of_a_source_however_it_is_compiled() {
    let space = Space::new();
    let options = rows::options(Endian::Big);
    let whole = rows::file(Endian::Big, 1000);
    let path = space.write("numbers.rec", &whole);
    let short = space.write("short.rec", &whole[..whole.len() - 1]);
    let header = space.write("header.rec", &whole[..rows::HEADER - 1]);
    let mut bytes = whole.clone();
    bytes[1] = b'X';
    let magic = space.write("magic.rec", &bytes);
    let mut bytes = whole;
    bytes[rows::HEADER + 900 * rows::STRIDE + 59] = 2;
    let boolean = space.write("boolean.rec", &bytes);
    let with = |path: &PathBuf| at(path, options.clone(), json!({}));
    for compiler in compilers() {
        let plugin = load(&build_records(compiler));
        let suite = testkit::source(plugin, with(&path))
            .rows(1000)
            .unchanged(&path);
        let suite = suite.missing(with(&space.path("none.rec")));
        let damaged = [&short, &header, &magic, &boolean].map(with);
        let report = damaged
            .into_iter()
            .fold(suite, |suite, options| suite.damaged(options))
            .run();
        report.assert_passed();
        assert_eq!(report.skipped().collect::<Vec<_>>(), [], "{compiler}");
    }
}

#[test]
fn a_file_of_several_splits_and_one_without_rows_keep_it_too() {
    let space = Space::new();
    let plugin = load(&build_records("gcc"));
    // Four records of 20 MiB and some a split; what lies between the columns takes no space.
    let (stride, count) = ((20 << 20) + 1, 10_u32);
    let path = space.path("large.rec");
    let file = std::fs::File::create(&path).expect("a file of ours");
    for row in 0..count {
        let record: Vec<u8> = [row, row + 1]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        file.write_all_at(&record, u64::from(row) * stride)
            .expect("space");
    }
    file.set_len(u64::from(count) * stride).expect("space");
    let options = json!({
        "stride": stride, "id": {"offset": 0, "type": "u32"},
        "vector": {"offset": 4, "type": "u8", "dim": 4},
    });
    let splits = plugin
        .open_source(&at(&path, options.clone(), json!({})), Services::detached())
        .and_then(|source| source.splits("large"))
        .expect("splits");
    let rows: Vec<_> = splits
        .iter()
        .map(|split| split.live.expect("a count"))
        .collect();
    assert_eq!(rows, [3, 3, 3, 1]);
    testkit::source(plugin, at(&path, options.clone(), json!({})))
        .rows(10)
        .run()
        .assert_passed();
    let empty = space.write("empty.rec", "");
    testkit::source(plugin, at(&empty, options, json!({})))
        .rows(0)
        .run()
        .assert_passed();
}

/// Every row of a source that has one dataset.
fn read(plugin: &PluginHandle, options: &Value, request: &ReadRequest) -> Vec<RecordBatch> {
    let source = plugin
        .open_source(options, Services::detached())
        .expect("a source");
    let dataset = source.datasets().expect("datasets").remove(0);
    let mut batches = Vec::new();
    for split in source.splits(&dataset.key).expect("splits") {
        let mut reader = source.read(&dataset, &split, request).expect("a reader");
        while let Some(batch) = reader.next().expect("a batch") {
            batches.push(batch);
        }
    }
    batches
}

#[test]
fn every_type_comes_bit_by_bit_from_both_orders_of_bytes() {
    let space = Space::new();
    let plugin = load(&build_records("gcc"));
    let request = ReadRequest {
        first_row: 0,
        max_batch_bytes: 1 << 20,
        max_batch_rows: Some(13),
    };
    for endian in [Endian::Little, Endian::Big] {
        // More than one chunk of the reader, and no multiple of a byte of bits.
        let count = 4001;
        let path = space.write("all.rec", rows::file(endian, count));
        let options = at(&path, rows::options(endian), json!({}));
        let batches = read(&plugin, &options, &request);
        let mut first = 0;
        let wanted = rows::columns(count);
        for batch in batches {
            for (column, (name, values)) in batch.columns().iter().zip(&wanted) {
                let values = values.slice(first, batch.num_rows());
                assert_eq!(
                    column.to_data(),
                    values.to_data(),
                    "{endian:?} {name} from row {first}"
                );
            }
            first += batch.num_rows();
        }
        assert_eq!(first, count);
        let schema = plugin
            .open_source(&options, Services::detached())
            .and_then(|source| source.datasets())
            .expect("datasets")
            .remove(0)
            .schema;
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(
            names,
            wanted.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        );
        assert_eq!(schema.field(1).metadata()["milvusdm.metric"], "ip");
        assert_eq!(schema.field(7).metadata()["milvusdm.partition_key"], "true");
    }
}

#[test]
fn what_the_options_get_wrong_is_refused_by_name() {
    let space = Space::new();
    let plugin = load(&build_records("gcc"));
    let path = space.write("a.rec", rows::file(Endian::Little, 3));
    let field = |field: Value| json!({ "fields": [field] });
    for (changes, option, part) in [
        (json!({"stride": 0}), "stride", "1 to 67108864"),
        (json!({"stride": "73"}), "stride", "whole number"),
        (json!({"stride": 60.5}), "stride", "whole number"),
        (
            json!({"header": 3}),
            "header",
            "3 bytes, but the magic has 4",
        ),
        (json!({"magic": "MAG"}), "magic_hex", "wanted one of them"),
        (json!({"endian": "network"}), "endian", "little big"),
        (json!({"vector": {"offset": 5}}), "vector.dim", "missing"),
        (
            json!({"vector": {"offset": 5, "dim": 0}}),
            "vector.dim",
            "1 to 1048576",
        ),
        (
            json!({"vector": {"offset": 70, "dim": 1}}),
            "vector.offset",
            "4 bytes at offset 70",
        ),
        (json!({"vector": 5}), "vector", "mapping"),
        (
            json!({"id": {"offset": u64::MAX, "type": "i64"}}),
            "id.offset",
            "0 to 67108864",
        ),
        (
            json!({"id": {"offset": 0, "type": "f32"}}),
            "id.type",
            "i8 u8 i16",
        ),
        (
            field(json!({"name": "", "type": "i8", "offset": 0})),
            "fields[0].name",
            "1 to 255",
        ),
        (
            field(json!({"name": "a\0", "type": "i8", "offset": 0})),
            "fields[0].name",
            "NUL",
        ),
        (
            field(json!({"name": "key", "type": "i8", "offset": 0})),
            "fields[0].name",
            "two columns",
        ),
        (
            field(json!({"name": "x", "type": "f16", "offset": 0})),
            "fields[0].type",
            "bool",
        ),
        (
            field(json!({"name": "x", "type": "i64", "offset": 66})),
            "fields[0].offset",
            "stride",
        ),
        (
            field(json!({"name": "x", "type": "i8", "ofset": 0})),
            "fields[0].ofset",
            "unknown",
        ),
        (
            field(json!({"name": "x", "type": "i8"})),
            "fields[0].offset",
            "missing",
        ),
    ] {
        let options = at(&path, rows::options(Endian::Little), changes);
        let error = plugin
            .open_source(&options, Services::detached())
            .expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::Config, "{options}: {error}");
        assert_eq!(
            error.context_value("option"),
            Some(option),
            "{options}: {error}"
        );
        assert!(error.message().contains(part), "{options}: {error}");
    }
}

#[test]
fn a_file_that_changes_after_planning_is_noticed() {
    let space = Space::new();
    let plugin = load(&build_records("gcc"));
    let path = space.write("a.rec", rows::file(Endian::Little, 50));
    let options = at(&path, rows::options(Endian::Little), json!({}));
    let source = plugin
        .open_source(&options, Services::detached())
        .expect("a source");
    let dataset = source.datasets().expect("datasets").remove(0);
    let split = source.splits(&dataset.key).expect("splits").remove(0);
    let request = ReadRequest {
        first_row: 0,
        max_batch_bytes: 1,
        max_batch_rows: Some(10),
    };
    let mut reader = source.read(&dataset, &split, &request).expect("a reader");
    reader.next().expect("a batch");
    space.write("a.rec", rows::file(Endian::Little, 40));
    let outcome = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            outcome => break outcome,
        }
    };
    assert_eq!(outcome.expect_err("a change").kind(), ErrorKind::Format);
    let again = source
        .read(&dataset, &split, &request)
        .expect_err("a change");
    assert_eq!(again.kind(), ErrorKind::Format);
    let reopened = plugin
        .open_source(&options, Services::detached())
        .expect("a source");
    let planned = reopened
        .read(&dataset, &split, &request)
        .expect_err("another file");
    assert!(
        matches!(planned.kind(), ErrorKind::Config | ErrorKind::Format),
        "{planned}"
    );
}

#[test]
fn the_examples_own_checks_pass_under_the_sanitizers() {
    let space = Space::new();
    let build = format!("BUILD={}", text(space.path("check")));
    let printed = make(&records(), &[&build, "CC=gcc", "check"]);
    assert!(printed.contains("records: all checks passed"), "{printed}");
}

#[test]
fn the_examples_task_runs_as_its_readme_says() {
    let space = Space::new();
    space.folder("examples/plugins");
    let folder = space.folder("examples/plugins/records");
    for entry in std::fs::read_dir(records()).expect("the example") {
        let entry = entry.expect("an entry");
        if entry.path().is_file() {
            std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("a copy");
        }
    }
    symlink(
        crate::support::repository().join("plugin-api"),
        space.path("plugin-api"),
    )
    .expect("a link");
    make(&folder, &[]);
    make(&folder, &["sample"]);
    let library = "examples/plugins/records/build/libmilvusdm_records.so";
    milvusdm(&space, &["plugins", "check", library])
        .run()
        .exits(0);
    // From the folder itself, as its task wants it.
    let command = format!("cd {} && exec \"$0\" \"$@\"", text(&folder));
    let run = milvusdm(
        &space,
        &[
            "--allow-plugin",
            "build/libmilvusdm_records.so",
            "run",
            "task.yaml",
            "--json",
        ],
    )
    .under(&["sh", "-c", &command])
    .run()
    .exits(0)
    .json();
    assert_eq!(run["ledger"]["written"], 1000, "{run:#}");
}

#[test]
fn an_option_that_the_plugin_refuses_is_shown_with_its_line() {
    let space = Space::new();
    let library = text(build_records("gcc"));
    space.write("a.rec", rows::file(Endian::Little, 3));
    space.write(
        "task.yaml",
        "source:\n  plugin: records\n  path: a.rec\n  stride: 73\n  vector: {offset: 70, dim: 1}\nsink: {plugin: 'null'}\n",
    );
    milvusdm(&space, &["--allow-plugin", &library, "plan", "task.yaml"])
        .run()
        .exits(2)
        .says(&["task.yaml:5:", "4 bytes at offset 70 pass the stride of 73"]);
}

#[test]
fn the_example_in_its_docs_is_a_task() {
    let space = Space::new();
    let library = text(build_records("gcc"));
    let docs = std::fs::read_to_string(records().join("docs.md")).expect("the docs");
    let (_, example) = docs.split_once("```yaml\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let path = space.write(
        "products.rec",
        [b"PRD1".to_vec(), vec![0; 12 + 2 * 536]].concat(),
    );
    let task = example.replace("/data/products.rec", &text(path)) + "sink: {plugin: 'null'}\n";
    space.write("task.yaml", task);
    milvusdm(&space, &["--allow-plugin", &library, "plan", "task.yaml"])
        .run()
        .exits(0)
        .prints(&["128 x f32"]);
}
