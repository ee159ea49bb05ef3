// SPDX-License-Identifier: Apache-2.0
//! `docs.md` names every option of the source, and its tasks are read.

mod common;

use std::collections::BTreeSet;

use milvusdm_plugin_milvus1::Milvus1SourceOptions;

#[test]
fn the_table_of_options_is_that_of_the_schema() {
    let info = common::plugin().info().unwrap();
    let schema = info.source_options.unwrap();
    let options = schema["properties"].as_object().unwrap();
    let wanted: BTreeSet<&str> = options.keys().map(String::as_str).collect();
    let section = info.docs.split("## Options").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    assert_eq!(documented, wanted);
    assert_eq!(options["path"]["x-positional"], true);
    for (name, option) in options {
        assert!(
            option["description"].is_string(),
            "{name} has no description"
        );
    }
}

#[test]
fn the_documented_sources_are_read() {
    let docs = common::plugin().info().unwrap().docs;
    let lines = docs
        .lines()
        .filter_map(|l| l.strip_prefix("source: {plugin: milvus1, "));
    let mut sources = 0;
    for line in lines {
        let members = line.trim_end_matches('}').split(", ");
        let json: Vec<String> = members
            .map(|m| {
                let (key, value) = m.split_once(": ").unwrap();
                format!("{key:?}: {:?}", value.trim_matches('"'))
            })
            .collect();
        let options: Milvus1SourceOptions =
            serde_json::from_str(&format!("{{{}}}", json.join(","))).unwrap();
        options.place().unwrap();
        sources += 1;
    }
    assert_eq!(sources, 3);
}
