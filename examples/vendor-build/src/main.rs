// SPDX-License-Identifier: Apache-2.0
//! `acme-move`: milvusdm as a vendor ships it, with a plugin, defaults and a name of their own.
#![forbid(unsafe_code)]

mod lines;

use std::process::ExitCode;

use milvusdm::App;

milvusdm_plugin_api::export_plugin! {
    name: lines::ACME,
    summary: "reads Acme's lines of numbers",
    docs: include_str!("../docs.md"),
    source: lines::LinesSource,
}

fn main() -> ExitCode {
    App::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .defaults(include_str!("../defaults.yaml"))
        .main()
}
