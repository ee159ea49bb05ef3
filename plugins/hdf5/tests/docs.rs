// SPDX-License-Identifier: Apache-2.0
//! The examples of the plugin's page are options that it takes, and its tables name them all.

mod common;

use milvusdm_plugin_hdf5::{SinkOptions, SourceOptions};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The options of every example under `side`.
fn examples<T: DeserializeOwned>(side: &str) -> Vec<T> {
    let page = include_str!("../docs.md");
    let mut found = Vec::new();
    for block in page.split("```yaml\n").skip(1) {
        let (yaml, _) = block.split_once("```").unwrap();
        let task: Value = serde_yaml::from_str(yaml).unwrap();
        if let Some(options) = task.get(side) {
            let mut options = options.as_object().unwrap().clone();
            assert_eq!(options.remove("plugin"), Some("hdf5".into()));
            let options = serde_json::from_value(Value::Object(options));
            found.push(options.unwrap_or_else(|e| panic!("{yaml}: {e}")));
        }
    }
    assert!(found.len() >= 2, "examples of `{side}`");
    found
}

#[test]
fn every_example_is_understood() {
    for options in examples::<SourceOptions>("source") {
        options.check().unwrap();
    }
    for options in examples::<SinkOptions>("sink") {
        options.check().unwrap();
    }
}

#[test]
fn every_option_is_in_the_tables() {
    let info = common::plugin().info().unwrap();
    for schema in [info.source_options, info.sink_options] {
        let schema = schema.unwrap();
        let options = schema["properties"].as_object().unwrap();
        for (option, described) in options {
            assert!(info.docs.contains(&format!("| `{option}` |")), "{option}");
            assert!(
                described["description"]
                    .as_str()
                    .is_some_and(|d| !d.is_empty()),
                "{option}"
            );
        }
    }
}
