// SPDX-License-Identifier: Apache-2.0
//! The wire contracts that milvusdm's plugins speak.
#![forbid(unsafe_code)]

/// Milvus 0.10 and 1.x: `milvus1.proto`.
#[allow(missing_docs)]
pub mod milvus1 {
    tonic::include_proto!("milvus.grpc");
}
