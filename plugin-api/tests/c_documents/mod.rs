// SPDX-License-Identifier: Apache-2.0
//! The documents that the header shows are documents that the host takes, with every member.

use milvusdm_plugin_api::model::{Capabilities, Descriptor};
use milvusdm_plugin_api::{
    Error, FinishAck, Inspection, PluginInfo, ReadAccount, ReadRequest, Split, TargetSpec,
    TargetState, WriteAck,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The document that the header shows under that name.
fn shown(name: &str) -> Value {
    let heading = format!("\n * {name}");
    let is_heading = |text: &str| text.starts_with(". ") || text.starts_with(" (from the host). ");
    let mut parts = super::HEADER
        .split(&heading)
        .skip(1)
        .filter(|text| is_heading(text));
    let text = parts
        .next()
        .unwrap_or_else(|| panic!("no document `{name}`"));
    assert_eq!(parts.next(), None, "`{name}` twice");
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with(" *     {"));
    let document: String = lines
        .take_while(|line| line.starts_with(" *     "))
        .map(|line| line.trim_start_matches(" *"))
        .collect();
    serde_json::from_str(&document).unwrap_or_else(|e| panic!("{name}: {e}: {document}"))
}

/// Members of objects, at any depth, as paths.
fn members(value: &Value, path: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = format!("{path}.{name}");
                members(value, &path, into);
                into.push(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, path, into)),
        _ => {}
    }
}

/// Reads the document as that type: nothing in it may be passed over, and nothing missing that the
/// type has.
fn holds<T: DeserializeOwned + Serialize>(name: &str, of: Value, full: &T) {
    let read: T = serde_json::from_value(of.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let (mut found, mut kept) = (Vec::new(), Vec::new());
    members(&of, "", &mut found);
    members(&serde_json::to_value(read).unwrap(), "", &mut kept);
    for path in &found {
        // What is the same as absent is not written again.
        let is_default = ["retryable", "partition", "functions"]
            .iter()
            .any(|n| path.ends_with(n));
        assert!(
            kept.contains(path) || is_default,
            "{name}: the host passes over `{path}`"
        );
    }
    let mut wanted = Vec::new();
    members(&serde_json::to_value(full).unwrap(), "", &mut wanted);
    for path in wanted {
        assert!(
            found.contains(&path),
            "{name}: the header does not show `{path}`"
        );
    }
}

#[test]
fn documents_in_the_header_are_what_the_host_reads() {
    let error = Error::new(milvusdm_plugin_api::ErrorKind::Format, "m")
        .with("file", "a")
        .help("h")
        .caused_by("c")
        .retryable();
    holds("Error", shown("Error"), &error);
    let info: PluginInfo = serde_json::from_value(json!({"name": "a", "version": "1"})).unwrap();
    holds("PluginInfo", shown("PluginInfo"), &info);
    let dataset = shown("DatasetDoc");
    assert!(dataset["key"].is_string());
    holds(
        "Descriptor",
        dataset["descriptor"].clone(),
        &Descriptor::default(),
    );
    holds("Split", shown("Split"), &Split::default());
    let request = ReadRequest {
        first_row: 1,
        max_batch_bytes: 1,
        max_batch_rows: Some(1),
    };
    holds("ReadRequest", shown("ReadRequest"), &request);
    holds("ReadAccount", shown("ReadAccount"), &ReadAccount::default());
    holds("Inspection", shown("Inspection"), &Inspection::default());
    holds(
        "Capabilities",
        shown("Capabilities"),
        &Capabilities::default(),
    );
    holds_spec();
    holds("TargetState", shown("TargetState"), &TargetState::default());
    holds("WriteAck", shown("WriteAck"), &WriteAck::default());
    holds("FinishAck", shown("FinishAck"), &FinishAck::default());
}

/// Of a target all that is its own; its descriptor is the dataset's.
fn holds_spec() {
    let of = shown("TargetSpec");
    let spec: TargetSpec = serde_json::from_value(of.clone()).unwrap();
    assert_eq!(spec.descriptor.system, "pairs");
    let all = serde_json::to_value(TargetSpec::default()).unwrap();
    for name in all.as_object().unwrap().keys() {
        assert!(
            of.get(name).is_some(),
            "TargetSpec: the header does not show `{name}`"
        );
    }
}
