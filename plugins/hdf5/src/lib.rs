// SPDX-License-Identifier: Apache-2.0
//! The `hdf5` plugin: reads vectors from HDF5 files of any layout, writes MilvusDM's.
//!
//! `docs.md` has the options and the layout of files.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod append;
mod cells;
mod column;
mod contents;
mod convert;
mod direct;
mod finish;
mod folders;
mod growing;
mod h5;
mod inspect;
mod metric;
mod names;
mod options;
mod partial;
mod paths;
mod plan;
mod ranges;
mod reader;
mod room;
mod sink;
mod source;
mod spool;
mod target;
mod vectors;
mod writer;

pub use options::{
    Binary, Compression, OneOrMany, SinkOptions, SourceOptions, Unwritten, WideInts,
};
pub use sink::Hdf5Sink;
pub use source::Hdf5Source;

/// The plugin's name in task files.
pub const NAME: &str = "hdf5";
/// Name of the dataset with the vectors, in MilvusDM's files.
pub const VECTORS: &str = "embeddings";
/// Name of the dataset with the ids, in MilvusDM's files.
pub const IDS: &str = "ids";
/// Root attribute `milvusdm_format` of the files that are written and understood.
pub const FORMAT_VERSION: i64 = 1;

milvusdm_plugin_api::export_plugin! {
    name: NAME,
    summary: "reads and writes HDF5 files, as MilvusDM, h5py and ann-benchmarks have them",
    docs: include_str!("../docs.md"),
    source: Hdf5Source,
    sink: Hdf5Sink,
}
