// SPDX-License-Identifier: Apache-2.0
//! From the bytes of a request to the bytes of its reply.

use prost::Message;
use prost::bytes::Bytes;

use milvusdm_proto::milvus1 as wire;

use super::Catalog;
use crate::calls::Call;
use crate::insertion::Insertion;
use crate::refusal::{Answer, ok};

/// What is wrong with the bytes of a request.
type Malformed = String;

/// A reply, and whether the call did what it was asked.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub reply: Bytes,
    pub is_done: bool,
}

impl Outcome {
    fn of(call: Call, answer: Answer<impl Message>) -> Outcome {
        match answer {
            Ok(reply) => Outcome {
                reply: reply.encode_to_vec().into(),
                is_done: true,
            },
            Err(refusal) => Outcome {
                reply: refusal.reply(call, Vec::new()),
                is_done: false,
            },
        }
    }
}

impl Catalog {
    /// Does a call that is no insert.
    pub(crate) fn execute(&mut self, call: Call, request: Bytes) -> Result<Outcome, Malformed> {
        let of = |answer| Outcome::of(call, answer);
        let name = || decode(request.clone()).map(|m: wire::CollectionName| m.collection_name);
        Ok(match call {
            Call::CreateCollection => of(self.create_collection(decode(request)?)),
            Call::DropCollection => of(self.drop_collection(&name()?)),
            Call::CreateIndex => of(self.create_index(decode(request)?)),
            Call::DropIndex => of(self.drop_index(&name()?)),
            Call::CreatePartition => of(self.create_partition(decode(request)?)),
            Call::DropPartition => of(self.drop_partition(decode(request)?)),
            Call::DeleteByID => of(self.delete_by_id(decode(request)?)),
            Call::Flush => {
                let names = decode::<wire::FlushParam>(request)?.collection_name_array;
                of(self.flush(&names))
            }
            Call::Compact => of(self.compact(&name()?)),
            Call::PreloadCollection | Call::ReleaseCollection | Call::ReloadSegments => {
                // The name is field 1 of all of them.
                of(self.touch(&name()?))
            }
            Call::Insert => {
                let parsed = Insertion::parse(&request, !self.rules.discards);
                self.execute_insert(parsed?)
            }
            _ => return self.read(call, request),
        })
    }

    fn read(&self, call: Call, request: Bytes) -> Result<Outcome, Malformed> {
        let name = || decode(request.clone()).map(|m: wire::CollectionName| m.collection_name);
        Ok(match call {
            Call::HasCollection => Outcome::of(call, self.has_collection(&name()?)),
            Call::DescribeCollection => Outcome::of(call, self.describe_collection(&name()?)),
            Call::CountCollection => Outcome::of(call, self.count_collection(&name()?)),
            Call::ShowCollectionInfo => Outcome::of(call, self.show_collection_info(&name()?)),
            Call::DescribeIndex => Outcome::of(call, self.describe_index(&name()?)),
            Call::HasPartition => Outcome::of(call, self.has_partition(decode(request)?)),
            Call::ShowPartitions => Outcome::of(call, self.show_partitions(&name()?)),
            Call::GetVectorsByID => Outcome::of(call, self.vectors_by_id(decode(request)?)),
            Call::GetVectorIDs => Outcome::of(call, self.vector_ids(decode(request)?)),
            Call::Search => Outcome::of(call, self.search(decode(request)?)),
            Call::Cmd => {
                let command = decode::<wire::Command>(request)?.cmd;
                Outcome::of(call, self.cmd(&command))
            }
            _ => Outcome::of(call, self.show_collections()),
        })
    }

    /// Does an insert whose request was read beforehand, while others had the state.
    pub(crate) fn execute_insert(&mut self, insertion: Insertion) -> Outcome {
        // Given back where the insert is refused. Not worth a copy where it isn't, but only the
        // insert itself knows.
        let sent = insertion.ids.clone();
        match self.insert(insertion) {
            Ok(ids) => Outcome::of(
                Call::Insert,
                Ok(wire::VectorIds {
                    status: ok(),
                    vector_id_array: ids,
                }),
            ),
            Err(refusal) => Outcome {
                reply: refusal.reply(Call::Insert, sent),
                is_done: false,
            },
        }
    }

    /// Merges the segments of a collection, if it is still there.
    pub(crate) fn execute_merge(&mut self, name: &str) -> bool {
        self.merge(name).is_ok()
    }
}

fn decode<M: Message + Default>(request: Bytes) -> Result<M, Malformed> {
    M::decode(request).map_err(|error| error.to_string())
}
