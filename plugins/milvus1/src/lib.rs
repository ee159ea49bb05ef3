// SPDX-License-Identifier: Apache-2.0
//! The `milvus1` plugin: Milvus 0.7 to 1.1, its data directories and servers.
//!
//! `docs.md` has the options, and what is read and what is not.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(not(target_endian = "little"))]
compile_error!("Milvus files hold little-endian numbers, which are read into memory as they are");

pub mod cold;
pub mod index_type;
pub mod metric;
mod online;
mod options;
mod server;
mod sink;
mod source;

pub use options::{Element, MetadataPlace, Milvus1SourceOptions, OnError, Place, WalPolicy};
pub use server::Patience;
pub use sink::{
    IndexChoice, IndexDefinitionOption, IndexOption, MetricOption, Milvus1Sink, Milvus1SinkOptions,
    NonFinite,
};
pub use source::Milvus1Source;

/// The plugin's name in task files.
pub const NAME: &str = "milvus1";

milvusdm_plugin_api::export_plugin! {
    name: "milvus1",
    summary: "reads and writes Milvus 1.x: data directories and servers",
    docs: include_str!("../docs.md"),
    source: Milvus1Source,
    sink: Milvus1Sink,
}
