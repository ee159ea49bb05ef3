// SPDX-License-Identifier: Apache-2.0
//! How fast inserts are taken: clients are measured against this server, which must not be what
//! slows them. One request, encoded once, is sent again and again.

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Write;
use std::time::Instant;

use common::{Client, fine, quiet};
use milvusdm_proto::milvus1 as wire;
use milvusdm_standin::{Standin, StandinOptions};
use prost::Message;
use prost::bytes::Bytes;

const DIMENSION: usize = 128;

fn main() {
    for (discards, total_mib) in [(true, 4096), (false, 1024)] {
        for request_mib in [4, 32, 128] {
            let standin = Standin::start(StandinOptions {
                discards,
                ..quiet()
            });
            let standin = standin.expect("a server");
            let calls = total_mib / request_mib;
            let rate = measure(&standin, request_mib, calls);
            let mode = if discards { "discarding" } else { "keeping" };
            let mut out = std::io::stdout();
            writeln!(out, "{mode}, {request_mib} MiB a call: {rate:.0} MiB/s").expect("stdout");
        }
    }
}

fn measure(standin: &Standin, request_mib: usize, calls: usize) -> f64 {
    let client = Client::of(standin);
    assert_eq!(client.create("c", DIMENSION as i64, 1), fine());
    let rows = (request_mib << 20) / (DIMENSION * 4);
    let row = wire::RowRecord {
        float_data: vec![0.5; DIMENSION],
        ..Default::default()
    };
    let request = wire::InsertParam {
        collection_name: "c".to_owned(),
        row_record_array: vec![row; rows],
        row_id_array: (0..rows as i64).collect(),
        ..Default::default()
    };
    let request = Bytes::from(request.encode_to_vec());
    let start = Instant::now();
    for _ in 0..calls {
        let reply = client.bytes("Insert", request.clone()).expect("a reply");
        assert!(reply.len() > rows);
    }
    let seconds = start.elapsed().as_secs_f64();
    client.flush("c");
    assert_eq!(client.count("c"), (rows * calls) as i64);
    (calls * request_mib) as f64 / seconds
}
