// SPDX-License-Identifier: Apache-2.0
//! The behaviour suite of the plugin interface, against a server that stands in for Milvus 1.1.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use milvusdm_plugin_api::testkit;
use milvusdm_plugin_milvus1::PLUGIN_TABLE;
use milvusdm_standin::{Standin, StandinOptions};
use serde_json::json;

/// A server for each of the suite's folders.
#[derive(Clone, Default)]
struct Servers(Arc<Mutex<HashMap<PathBuf, Standin>>>);

impl Servers {
    fn uri(&self, folder: &Path) -> String {
        let mut servers = self.0.lock().unwrap();
        let server = servers
            .entry(folder.to_owned())
            .or_insert_with(|| Standin::start(StandinOptions::default()).unwrap());
        server.uri()
    }
}

#[test]
fn the_sink_keeps_its_contract() {
    let servers = Servers::default();
    let read = servers.clone();
    let report = testkit::sink(PLUGIN_TABLE.handle(), move |folder| {
        json!({
            "uri": servers.uri(folder),
            "metric": ["L2", "HAMMING"],
            "rejects": folder.join("rejects"),
            "retries": 2,
        })
    })
    .read_back(move |folder, _| (PLUGIN_TABLE.handle(), json!({ "uri": read.uri(folder) })))
    .run();
    report.assert_passed();
    let mut skipped = report.skipped().map(|(name, _)| name);
    let runs = skipped.find(|name| name.contains("run that died"));
    assert_eq!(runs, None, "{report}");
}
