// SPDX-License-Identifier: Apache-2.0
//! Speed of the random source by element type, read through the plugin table in 8 MiB batches.
#![allow(missing_docs, clippy::print_stdout)]

use std::time::Instant;

use milvusdm_plugin_api::{ReadRequest, Services};
use milvusdm_plugin_random::PLUGIN_TABLE;
use serde_json::json;

const BYTES: u64 = 2 << 30;

fn main() {
    for (kind, elem, bytes) in [
        ("dense", "f32", 4),
        ("dense", "f64", 8),
        ("dense", "f16", 2),
        ("dense", "bf16", 2),
        ("dense", "u8", 1),
        ("binary", "bit", 1),
    ] {
        let dim = if kind == "binary" { 1024 } else { 128 };
        let row_bytes = if kind == "binary" { 128 } else { 128 * bytes };
        let options = json!({
            "rows": BYTES / row_bytes, "dim": dim, "kind": kind, "elem": elem, "ids": false,
            "splits": 1
        });
        let plugin = PLUGIN_TABLE.handle();
        let source = plugin
            .open_source(&options, Services::detached())
            .expect("options are valid");
        let dataset = source.datasets().expect("datasets").remove(0);
        let split = source.splits(&dataset.key).expect("splits").remove(0);
        let request = ReadRequest {
            first_row: 0,
            max_batch_bytes: 8 << 20,
            max_batch_rows: None,
        };
        let mut reader = source.read(&dataset, &split, &request).expect("a reader");
        let start = Instant::now();
        let mut rows = 0;
        while let Some(batch) = reader.next().expect("a batch") {
            rows += batch.num_rows() as u64;
        }
        let seconds = start.elapsed().as_secs_f64();
        let rate = (rows * row_bytes) as f64 / seconds / 1e9;
        println!("{kind} {elem}: {rate:.1} GB/s ({rows} rows in {seconds:.2} s)");
    }
}
