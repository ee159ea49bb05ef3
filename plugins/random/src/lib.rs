// SPDX-License-Identifier: Apache-2.0
//! A source of random vectors, for speed tests and first tries: no file, no network, the same
//! rows for the same options on every machine.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod generate;
mod options;
mod reader;
mod source;

pub use options::{RandomOptions, Shape};
pub use source::RandomSource;

/// The plugin's name in task files.
pub const RANDOM: &str = "random";

milvusdm_plugin_api::export_plugin! {
    name: RANDOM,
    summary: "makes random vectors, for speed tests",
    docs: include_str!("../docs.md"),
    source: RandomSource,
}
