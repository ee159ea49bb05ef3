// SPDX-License-Identifier: Apache-2.0
//! Reads the `.fvecs`, `.bvecs` and `.ivecs` files in which sets of vectors to search in, queries
//! and true neighbours are handed around.
//!
//! An example of a plugin that lives outside milvusdm: its own build, and the crate
//! `milvusdm-plugin-api` as the only thing that it knows of it. `docs.md` has the options.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(not(target_endian = "little"))]
compile_error!("the files hold little-endian numbers, which are read into memory as they are");

mod file;
mod format;
mod options;
mod paths;
mod reader;
mod source;

pub use options::{FormatOption, Ids, Integers, OneOrMany, Options};
pub use source::VecsSource;

milvusdm_plugin_api::export_plugin! {
    name: "vecs",
    summary: "reads .fvecs, .bvecs and .ivecs files",
    docs: include_str!("../docs.md"),
    source: VecsSource,
}
