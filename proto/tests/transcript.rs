// SPDX-License-Identifier: Apache-2.0
//! Holds names and field numbers of `milvus1.proto` against calls recorded from a real server: a
//! field with a wrong number or type would be dropped or written elsewhere when encoded anew.

use base64::Engine;
use milvusdm_proto::milvus1::*;
use prost::Message;

struct Recorded {
    method: String,
    request: Vec<u8>,
    reply: Vec<u8>,
}

fn transcript() -> Vec<Recorded> {
    let bytes = |value: &serde_json::Value| {
        let text = value.as_str().expect("text");
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .expect("base64")
    };
    include_str!("../../tests/data/milvus1/grpc_transcript.jsonl")
        .lines()
        .map(|line| {
            let call: serde_json::Value = serde_json::from_str(line).expect("JSON");
            Recorded {
                method: call["method"].as_str().expect("a method").to_owned(),
                request: bytes(&call["request"]),
                reply: bytes(&call["reply"]),
            }
        })
        .collect()
}

fn again<Request, Reply>(call: &Recorded)
where
    Request: Message + Default,
    Reply: Message + Default,
{
    let request = Request::decode(&call.request[..]).expect("a request");
    assert_eq!(request.encode_to_vec(), call.request, "{}", call.method);
    let reply = Reply::decode(&call.reply[..]).expect("a reply");
    assert_eq!(reply.encode_to_vec(), call.reply, "{}", call.method);
}

#[test]
fn recorded_calls_keep_every_byte_when_decoded_and_encoded() {
    let calls = transcript();
    assert_eq!(calls.len(), 95);
    for call in &calls {
        match call.method.as_str() {
            "Cmd" => again::<Command, StringReply>(call),
            "CreateCollection" => again::<CollectionSchema, Status>(call),
            "HasCollection" => again::<CollectionName, BoolReply>(call),
            "DescribeCollection" => again::<CollectionName, CollectionSchema>(call),
            "CountCollection" => again::<CollectionName, CollectionRowCount>(call),
            "ShowCollections" => again::<Command, CollectionNameList>(call),
            "ShowCollectionInfo" => again::<CollectionName, CollectionInfo>(call),
            "DropCollection" => again::<CollectionName, Status>(call),
            "CreatePartition" | "DropPartition" => again::<PartitionParam, Status>(call),
            "HasPartition" => again::<PartitionParam, BoolReply>(call),
            "ShowPartitions" => again::<CollectionName, PartitionList>(call),
            "Insert" => again::<InsertParam, VectorIds>(call),
            "GetVectorIDs" => again::<GetVectorIDsParam, VectorIds>(call),
            "GetVectorsByID" => again::<VectorsIdentity, VectorsData>(call),
            "Flush" => again::<FlushParam, Status>(call),
            "Compact" => again::<CollectionName, Status>(call),
            "DeleteByID" => again::<DeleteByIdParam, Status>(call),
            "CreateIndex" => again::<IndexParam, Status>(call),
            "DescribeIndex" => again::<CollectionName, IndexParam>(call),
            "DropIndex" => again::<CollectionName, Status>(call),
            "Search" => again::<SearchParam, TopKQueryResult>(call),
            other => panic!("the transcript has a call that the contract lacks: {other}"),
        }
    }
}
