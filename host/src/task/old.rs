// SPDX-License-Identifier: Apache-2.0
//! Task files of MilvusDM 1.0.
//!
//! They have one channel (`F2M` is Faiss to Milvus) at the top. This is the one place that
//! knows them: it is where they are to be turned into a task of today.

use milvusdm_plugin_api::ErrorKind;
use serde_json::Value;

use super::fault::Fault;
use super::pointer;

/// The channels of MilvusDM 1.0 and what they move.
const CHANNELS: [(&str, &str); 4] = [
    ("F2M", "Faiss to Milvus 1.x"),
    ("H2M", "HDF5 to Milvus 1.x"),
    ("M2M", "Milvus 1.x to Milvus 1.x"),
    ("M2H", "Milvus 1.x to HDF5"),
];

/// Refuses a document whose first key is such a channel: every channel needs the plugin
/// `milvus1`.
pub(super) fn refuse(document: &Value) -> Result<(), Fault> {
    let first = document
        .as_object()
        .and_then(|members| members.keys().next());
    let channel = first.and_then(|first| CHANNELS.iter().find(|(name, _)| name == first));
    let Some((name, route)) = channel else {
        return Ok(());
    };
    let message = format!(
        "this is a MilvusDM 1.0 task, channel {name} ({route}); it needs the plugin `milvus1`, \
         which is not in this build"
    );
    let fault = Fault::of_key(&pointer::member("", name), message);
    let fault = fault.help("write a task with `source` and `sink` for the formats of this build");
    Err(Fault {
        kind: ErrorKind::Unsupported,
        ..fault
    })
}
