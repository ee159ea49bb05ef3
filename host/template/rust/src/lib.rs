// SPDX-License-Identifier: Apache-2.0
//! The `{{name}}` plugin of milvusdm: reads files of raw 32-bit floats.
//!
//! Start at `source.rs`, which says what is there, and `reader.rs`, which reads it.
#![forbid(unsafe_code)]

#[cfg(not(target_endian = "little"))]
compile_error!("the files hold little-endian numbers, which are read into memory as they are");

mod reader;
mod source;

pub use source::{Options, RawSource};

milvusdm_plugin_api::export_plugin! {
    name: "{{name}}",
    summary: "reads files of raw 32-bit floats",
    docs: include_str!("../docs.md"),
    source: RawSource,
}
