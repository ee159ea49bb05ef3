// SPDX-License-Identifier: Apache-2.0
//! A sink that counts rows and keeps none, to measure how fast a source is.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod options;
mod sink;

pub use options::NullOptions;
pub use sink::NullSink;

/// The plugin's name in task files.
pub const NULL: &str = "null";

milvusdm_plugin_api::export_plugin! {
    name: NULL,
    summary: "counts rows and keeps none, for speed tests",
    docs: include_str!("../docs.md"),
    sink: NullSink,
}
