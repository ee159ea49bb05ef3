// SPDX-License-Identifier: Apache-2.0
//! How the server says no: a code and a text inside a reply whose gRPC status is OK.

use milvusdm_proto::milvus1::{ErrorCode, Status, VectorIds};
use prost::Message;
use prost::bytes::Bytes;

use crate::calls::Call;

/// A code and a text that a client gets instead of what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Kind of error.
    pub code: ErrorCode,
    /// What is wrong.
    pub reason: String,
}

/// What a call gives, or why not.
pub(crate) type Answer<T> = Result<T, Refusal>;

/// Refuses with a code and a text.
pub(crate) fn refuse<T>(code: ErrorCode, reason: impl Into<String>) -> Answer<T> {
    Err(Refusal {
        code,
        reason: reason.into(),
    })
}

/// The status of a call that went well.
pub(crate) fn ok() -> Option<Status> {
    Some(done())
}

/// The reply of a call that went well and gives nothing.
pub(crate) fn done() -> Status {
    Status {
        error_code: ErrorCode::Success.into(),
        reason: "OK".to_owned(),
    }
}

pub(crate) fn no_collection<T>(name: &str) -> Answer<T> {
    refuse(
        ErrorCode::CollectionNotExists,
        format!(
            "Collection {name} does not exist. Use milvus.has_collection to verify whether the \
             collection exists. You also can check whether the collection name exists."
        ),
    )
}

pub(crate) fn no_partition<T>(collection: &str, tag: &str) -> Answer<T> {
    refuse(
        ErrorCode::UnexpectedError,
        format!("Collection {collection}'s partition {tag} not found"),
    )
}

impl Refusal {
    /// The reply to a call; a refused insert gives back the ids that it was sent.
    pub(crate) fn reply(self, call: Call, sent: Vec<i64>) -> Bytes {
        let status = Status {
            error_code: self.code.into(),
            reason: self.reason,
        };
        let reply = if call.replies_status() {
            status.encode_to_vec()
        } else {
            // All other replies hold their status in field 1.
            let reply = VectorIds {
                status: Some(status),
                vector_id_array: sent,
            };
            reply.encode_to_vec()
        };
        reply.into()
    }
}
