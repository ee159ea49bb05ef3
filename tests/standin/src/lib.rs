// SPDX-License-Identifier: Apache-2.0
//! A server that behaves as Milvus 1.1 does, for tests: what is done through it is what a real one
//! would have, including what a real one gets wrong and clients have to know. It is held against
//! calls recorded from a real server. Nothing is built or optimised here, and nothing survives the
//! machine.
#![forbid(unsafe_code)]

mod calls;
mod catalog;
mod clock;
mod codec;
mod contents;
mod engine;
mod faults;
mod gate;
mod insertion;
mod intake;
mod journal;
mod line;
mod metric;
mod options;
mod refusal;
mod rows;
mod server;

pub use calls::Call;
pub use catalog::IdMode;
pub use codec::RawCodec;
pub use contents::{CollectionContents, PartitionContents};
pub use faults::{Effect, Fault, When};
pub use metric::Metric;
pub use milvusdm_proto::milvus1::ErrorCode;
pub use options::StandinOptions;
pub use refusal::Refusal;
pub use rows::{Rows, Vectors};
pub use server::Standin;
