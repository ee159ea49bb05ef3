// SPDX-License-Identifier: Apache-2.0
//! `docs.md` names every option that there is, and no other.

mod common;

use std::collections::BTreeSet;

#[test]
fn the_table_of_options_is_that_of_the_schema() {
    let info = common::plugin().info().unwrap();
    let schema = info.source_options.unwrap();
    let options: BTreeSet<&str> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let table = info
        .docs
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<&str> = table.filter_map(|row| row.split('`').next()).collect();
    assert_eq!(documented, options);
    assert_eq!(schema["properties"]["path"]["x-positional"], true);
    for (name, option) in schema["properties"].as_object().unwrap() {
        assert!(
            option["description"].is_string(),
            "{name} has no description"
        );
    }
}
