// SPDX-License-Identifier: Apache-2.0
//! What the server says went wrong.

use milvusdm_plugin_api::{Error, ErrorKind};
use milvusdm_proto::milvus1 as wire;
use tonic::Code;

use super::Address;

/// `Collection … does not exist`.
const COLLECTION_NOT_EXISTS: i32 = 4;
/// An argument is wrong.
const ILLEGAL_ARGUMENT: i32 = 5;
/// A vector has another dimension than the collection.
const ILLEGAL_DIMENSION: i32 = 7;
/// A row has no vector, or the request is too large.
const ILLEGAL_ROWRECORD: i32 = 11;
/// Ids are missing, or given where the server makes them.
pub const ILLEGAL_VECTOR_ID: i32 = 12;

/// Why the server did not do what it was asked (`Status` of a reply).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `ErrorCode` of status.proto.
    pub code: i32,
    /// The server's own words.
    pub reason: String,
}

impl Refusal {
    /// Whether what was refused are rows, and not the request as such.
    pub fn is_about_rows(&self) -> bool {
        // 1 is the server's word for whatever its table of errors does not have.
        matches!(
            self.code,
            1 | ILLEGAL_ARGUMENT | ILLEGAL_ROWRECORD | ILLEGAL_DIMENSION
        ) && !self.reason.contains("not found")
            && !self.reason.contains("does not exist")
    }

    /// The same as an error.
    pub fn error(&self, address: &Address, doing: &str) -> Error {
        let kind = match self.code {
            COLLECTION_NOT_EXISTS => ErrorKind::NotFound,
            _ => ErrorKind::Remote,
        };
        Error::new(
            kind,
            format!("{doing}: the server refused: {}", self.reason.trim()),
        )
        .with("server", address)
        .with("code", self.code)
    }
}

/// A reply with a `Status` in it, or one that is a `Status`.
pub trait HasStatus {
    /// What the server says of the call; `None` is success.
    fn refusal(&self) -> Option<Refusal>;
}

impl HasStatus for wire::Status {
    fn refusal(&self) -> Option<Refusal> {
        (self.error_code != 0).then(|| Refusal {
            code: self.error_code,
            reason: self.reason.clone(),
        })
    }
}

macro_rules! has_status {
    ($($reply:ident)*) => {
        $(impl HasStatus for wire::$reply {
            fn refusal(&self) -> Option<Refusal> {
                self.status.as_ref().and_then(HasStatus::refusal)
            }
        })*
    };
}

has_status! {
    BoolReply CollectionInfo CollectionNameList CollectionSchema IndexParam PartitionList
    StringReply VectorIds VectorsData
}

/// A call that did not come through. What never left can be tried again; of what broke off on
/// the way nobody knows, so that only the caller can tell whether trying again is safe.
pub(super) fn unreached(address: &Address, doing: &str, status: &tonic::Status) -> Error {
    let grpc = match status.code() {
        Code::Unimplemented => "unimplemented".to_owned(),
        code => format!("{code:?}").to_lowercase(),
    };
    let mut cause = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        cause = format!("{cause}: {error}");
        source = error.source();
    }
    let error = Error::new(
        ErrorKind::Remote,
        format!("{doing}: the server can't be reached"),
    )
    .with("server", address)
    .with("grpc", grpc)
    .caused_by(cause)
    .help("is it running, and is the port its gRPC port (19530 by default)?");
    match status.code() {
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal => error.retryable(),
        _ => error,
    }
}
