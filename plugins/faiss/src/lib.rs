// SPDX-License-Identifier: Apache-2.0
//! The `faiss` plugin: reads vectors and ids from Faiss index files, without linking Faiss.
//!
//! `docs.md` has the options, and what is read, what is read with loss, and what is refused.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(not(target_endian = "little"))]
compile_error!("Faiss files hold little-endian numbers, which are read into memory as they are");

mod centroids;
mod decode;
mod decoder;
mod describe;
pub mod format;
mod ids;
mod index;
mod inspect;
mod layout;
mod loss;
mod on_disk;
mod options;
mod paths;
mod reader;
mod rows;
mod source;
mod splits;

pub use options::{Lossy, OneOrMany, SourceOptions, Space};
pub use source::FaissSource;

/// The plugin's name in task files.
pub const NAME: &str = "faiss";

milvusdm_plugin_api::export_plugin! {
    name: "faiss",
    summary: "reads vectors and ids from Faiss index files",
    docs: include_str!("../docs.md"),
    source: FaissSource,
}
