// SPDX-License-Identifier: Apache-2.0
//! A plugin that breaks on purpose, in every entry of its table and in many ways.
//!
//! The tests link it into a milvusdm of their own (`milvusdm-faulty`) and load it as a file
//! (`so/`), so that a host is seen to bear the same from both.
#![forbid(unsafe_code)]

mod breakdown;
mod sink;
mod source;
mod voice;

const FAULTY: &str = "faulty";

milvusdm_plugin_api::export_plugin! {
    name: FAULTY,
    summary: "breaks on purpose, for tests",
    docs: "# faulty\n\nBreaks as the option `fault` says, in the entry that the option `at` names.\n",
    source: source::FaultySource,
    sink: sink::FaultySink,
}
