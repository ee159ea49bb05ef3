// SPDX-License-Identifier: Apache-2.0
//! The `hdf5` plugin: reads vectors from HDF5 files of any layout, writes MilvusDM's.
//!
//! `docs.md` has the options and the layout of files.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod column;
mod contents;
mod h5;
mod metric;
mod names;
mod options;
mod paths;
mod reader;
mod source;
mod vectors;

pub use options::{Binary, Compression, OneOrMany, SinkOptions, SourceOptions, Unwritten, WideInts};
pub use source::Hdf5Source;

/// The plugin's name in task files.
pub const NAME: &str = "hdf5";
/// Name of the dataset with the vectors, in MilvusDM's files.
pub const VECTORS: &str = "embeddings";
/// Name of the dataset with the ids, in MilvusDM's files.
pub const IDS: &str = "ids";
/// Root attribute `milvusdm_format` of the files that are written and understood.
pub const FORMAT_VERSION: i64 = 1;
