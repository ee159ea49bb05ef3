// SPDX-License-Identifier: Apache-2.0
//! Holds the stand-in against calls recorded from a real server. What a server makes up (ids,
//! segment names) is compared by shape, distances to the precision of floats, the rest byte for
//! byte.

mod common;

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use common::{Client, quiet};
use milvusdm_proto::milvus1 as wire;
use milvusdm_standin::{Standin, StandinOptions};
use prost::Message;
use prost::bytes::Bytes;
use serde_json::Value;

#[derive(Clone)]
struct Recorded {
    number: u64,
    scenario: String,
    method: String,
    request: Bytes,
    reply: Bytes,
}

fn transcript() -> Vec<Recorded> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let bytes = |value: &Value| {
        let decoded = base64::engine::general_purpose::STANDARD.decode(text(value));
        Bytes::from(decoded.unwrap())
    };
    include_str!("../../data/milvus1/grpc_transcript.jsonl")
        .lines()
        .map(|line| {
            let call: Value = serde_json::from_str(line).unwrap();
            Recorded {
                number: call["n"].as_u64().unwrap(),
                scenario: text(&call["scenario"]),
                method: text(&call["method"]),
                request: bytes(&call["request"]),
                reply: bytes(&call["reply"]),
            }
        })
        .collect()
}

/// Replays calls for one client that may call its collections otherwise.
struct Player {
    client: Client,
    /// Names in the transcript, and here.
    names: HashMap<&'static str, &'static str>,
    /// Names of segments in the transcript, and here.
    segments: HashMap<String, String>,
    /// Other collections come and go, so lists may hold more, in another order.
    is_alone: bool,
}

const NAMES: [&str; 4] = ["f", "auto", "b", "none"];

impl Player {
    fn new(standin: &Standin, names: [&'static str; 4], is_alone: bool) -> Player {
        Player {
            client: Client::of(standin),
            names: NAMES.into_iter().zip(names).collect(),
            segments: HashMap::new(),
            is_alone,
        }
    }

    fn here(&self, name: &str) -> String {
        (*self.names.get(name).unwrap_or(&name)).to_owned()
    }

    fn request(&self, call: &Recorded) -> Bytes {
        fn changed<M: Message + Default>(bytes: &Bytes, change: impl Fn(&mut M)) -> Bytes {
            let mut message = M::decode(bytes.clone()).unwrap();
            change(&mut message);
            message.encode_to_vec().into()
        }
        let name = |name: &mut String| *name = self.here(name);
        let bytes = &call.request;
        match call.method.as_str() {
            "Cmd" | "ShowCollections" => bytes.clone(),
            "CreateCollection" => changed(bytes, |m: &mut wire::CollectionSchema| {
                name(&mut m.collection_name)
            }),
            "CreateIndex" => changed(bytes, |m: &mut wire::IndexParam| {
                name(&mut m.collection_name)
            }),
            "Flush" => changed(bytes, |m: &mut wire::FlushParam| {
                m.collection_name_array.iter_mut().for_each(name)
            }),
            "GetVectorIDs" => changed(bytes, |m: &mut wire::GetVectorIDsParam| {
                name(&mut m.collection_name);
                let segment = self.segments.get(&m.segment_name);
                m.segment_name = segment.unwrap_or(&m.segment_name).clone();
            }),
            "Insert" => changed(bytes, |m: &mut wire::InsertParam| {
                name(&mut m.collection_name)
            }),
            "Search" => changed(bytes, |m: &mut wire::SearchParam| {
                name(&mut m.collection_name)
            }),
            "DeleteByID" | "GetVectorsByID" => changed(bytes, |m: &mut wire::VectorsIdentity| {
                name(&mut m.collection_name)
            }),
            _ => changed(bytes, |m: &mut wire::PartitionParam| {
                name(&mut m.collection_name)
            }),
        }
    }

    /// What a text would be with the names here.
    fn text(&self, text: &str) -> String {
        NAMES.into_iter().fold(text.to_owned(), |text, name| {
            let here = self.here(name);
            text.replace(
                &format!("Collection {name} "),
                &format!("Collection {here} "),
            )
            .replace(
                &format!("Collection {name}'s "),
                &format!("Collection {here}'s "),
            )
        })
    }

    fn status(&self, status: Option<wire::Status>) -> Option<wire::Status> {
        status.map(|status| wire::Status {
            reason: self.text(&status.reason),
            ..status
        })
    }

    fn play(&mut self, call: &Recorded) {
        let request = self.request(call);
        let mut reply = self.client.bytes(&call.method, request.clone()).unwrap();
        // The recording client waited here until the name of the dropped collection was free.
        while call.number == 92 && String::from_utf8_lossy(&reply).contains("in delete state") {
            std::thread::sleep(Duration::from_millis(20));
            reply = self.client.bytes(&call.method, request.clone()).unwrap();
        }
        self.compare(call, reply);
    }

    fn compare(&mut self, call: &Recorded, reply: Bytes) {
        let at = format!(
            "call {}, {} in `{}`",
            call.number, call.method, call.scenario
        );
        match call.method.as_str() {
            "Insert" => {
                let (mut wanted, mut got): (wire::VectorIds, wire::VectorIds) = both(call, reply);
                wanted.status = self.status(wanted.status);
                anonymous(&mut wanted.vector_id_array);
                anonymous(&mut got.vector_id_array);
                assert_eq!(got, wanted, "{at}");
            }
            "Search" => compare_hits(both(call, reply), &at),
            "ShowCollectionInfo" => self.compare_info(both(call, reply), &at),
            "ShowCollections" => self.compare_lists(both(call, reply), &at),
            "DescribeCollection" => {
                let (mut wanted, got): (wire::CollectionSchema, _) = both(call, reply);
                wanted.status = self.status(wanted.status);
                wanted.collection_name = self.here(&wanted.collection_name);
                assert_eq!(got, wanted, "{at}");
            }
            "DescribeIndex" => {
                let (mut wanted, got): (wire::IndexParam, _) = both(call, reply);
                wanted.collection_name = self.here(&wanted.collection_name);
                assert_eq!(got, wanted, "{at}");
            }
            method => self.compare_texts(method, call, reply, &at),
        }
    }

    fn compare_info(
        &mut self,
        (mut wanted, got): (wire::CollectionInfo, wire::CollectionInfo),
        at: &str,
    ) {
        wanted.status = self.status(wanted.status);
        self.learn_segments(&wanted.json_info, &got.json_info);
        for (there, here) in &self.segments {
            wanted.json_info = wanted.json_info.replace(there, here);
        }
        assert_eq!(got, wanted, "{at}");
    }

    fn compare_lists(
        &self,
        (mut wanted, got): (wire::CollectionNameList, wire::CollectionNameList),
        at: &str,
    ) {
        for name in &mut wanted.collection_names {
            *name = self.here(name);
            assert!(got.collection_names.contains(name), "{at}");
        }
        if self.is_alone {
            assert_eq!(got, wanted, "{at}");
        }
    }

    /// Replies that hold names in their status only.
    fn compare_texts(&self, method: &str, call: &Recorded, reply: Bytes, at: &str) {
        let is_bare = wire::Status::decode(call.reply.clone());
        let wanted = match method {
            "CountCollection" | "ShowPartitions" | "GetVectorsByID" | "GetVectorIDs"
            | "HasCollection" | "HasPartition" | "Cmd" => {
                // The status is field 1, and alone where it has an error in it.
                let mut refused = wire::VectorIds::decode(call.reply.clone()).unwrap_or_default();
                match refused.status.take() {
                    Some(status) if status.error_code != 0 => {
                        refused.status = self.status(Some(status));
                        refused.encode_to_vec().into()
                    }
                    _ => call.reply.clone(),
                }
            }
            _ => self.status(is_bare.ok()).unwrap().encode_to_vec().into(),
        };
        let text = String::from_utf8_lossy(&reply);
        assert_eq!(reply, wanted, "{at}: {text}");
    }

    fn learn_segments(&mut self, wanted: &str, got: &str) {
        if let (Ok(wanted), Ok(got)) = (serde_json::from_str(wanted), serde_json::from_str(got)) {
            let names: (Vec<String>, Vec<String>) = (segments(&wanted), segments(&got));
            assert_eq!(names.0.len(), names.1.len());
            self.segments.extend(names.0.into_iter().zip(names.1));
        }
    }
}

/// The recorded reply and the one that came.
fn both<M: Message + Default>(call: &Recorded, reply: Bytes) -> (M, M) {
    let recorded = M::decode(call.reply.clone()).unwrap();
    (recorded, M::decode(reply).unwrap())
}

fn compare_hits((wanted, got): (wire::TopKQueryResult, wire::TopKQueryResult), at: &str) {
    assert_eq!(
        (got.status, got.row_num),
        (wanted.status, wanted.row_num),
        "{at}"
    );
    assert_eq!(got.ids, wanted.ids, "{at}");
    assert_eq!(got.distances.len(), wanted.distances.len(), "{at}");
    for (got, wanted) in got.distances.iter().zip(&wanted.distances) {
        assert!(
            (got - wanted).abs() <= wanted * 1e-5,
            "{at}: {got}, {wanted}"
        );
    }
}

fn segments(info: &Value) -> Vec<String> {
    let partitions = info["partitions"].as_array().unwrap().iter();
    let segments = partitions.filter_map(|partition| partition["segments"].as_array());
    let names = segments.flatten().map(|segment| &segment["name"]);
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

/// Ids that a server made start at the time of day: keeps only how they follow each other.
fn anonymous(ids: &mut [i64]) {
    const NO_USER_MADE_IT: i64 = 1_500_000_000_000_000_000;
    let first = ids.first().copied().unwrap_or_default();
    if (NO_USER_MADE_IT..1 << 61).contains(&first) {
        ids.iter_mut().for_each(|id| *id -= first);
    }
}

fn start() -> Standin {
    Standin::start(StandinOptions {
        name_blocked: Duration::from_millis(100),
        ..quiet()
    })
    .unwrap()
}

#[test]
fn recorded_calls_get_the_recorded_replies() {
    let standin = start();
    let mut player = Player::new(&standin, NAMES, true);
    for call in transcript() {
        player.play(&call);
    }
}

#[test]
fn recorded_calls_get_the_recorded_replies_under_other_names_and_in_other_orders() {
    let wholes = [
        vec!["auto ids", "binary", "create_collection errors"],
        vec!["binary", "create_collection errors", "auto ids"],
        vec![
            "create_collection errors",
            "server info",
            "binary",
            "auto ids",
        ],
    ];
    for first in wholes {
        let standin = start();
        let names = ["_", "Automatic_1", "bits", "nowhere"];
        let mut player = Player::new(&standin, names, false);
        let is_first = |call: &Recorded| first.contains(&call.scenario.as_str());
        for scenario in &first {
            let calls = transcript().into_iter();
            calls
                .filter(|call| call.scenario == *scenario)
                .for_each(|call| player.play(&call));
        }
        let rest = transcript().into_iter().filter(|call| !is_first(call));
        rest.for_each(|call| player.play(&call));
    }
}

#[test]
fn clients_with_collections_of_their_own_do_not_see_each_other() {
    let standin = start();
    let names = [
        ["a1", "a2", "a3", "a4"],
        ["b1", "b2", "b3", "b4"],
        ["f", "auto", "b", "none"],
    ];
    std::thread::scope(|scope| {
        for names in names {
            let mut player = Player::new(&standin, names, false);
            scope.spawn(move || {
                // Flushing all collections (call 43) would part the segments of the others.
                let calls = transcript().into_iter().filter(|call| call.number != 43);
                calls.for_each(|call| player.play(&call));
            });
        }
    });
    let mut player = Player::new(&standin, ["c1", "c2", "c3", "c4"], false);
    let mut other = Player::new(&standin, ["d1", "d2", "d3", "d4"], false);
    for call in transcript() {
        player.play(&call);
        other.play(&call);
    }
}
