// SPDX-License-Identifier: Apache-2.0
//! A milvusdm with one more plugin linked in, `faulty`, which breaks on purpose.
//!
//! The built-in plugins never reject a row, panic or lie about what they wrote, so exit codes 1,
//! 3 and 5 are shown with this one. It is linked as a vendor links plugins of their own, and takes
//! its defaults from `MILVUSDM_FAULTY_DEFAULTS`.
#![forbid(unsafe_code)]

use milvusdm_plugin_faulty as _;

fn main() -> std::process::ExitCode {
    milvusdm::App::new("milvusdm-faulty", env!("CARGO_PKG_VERSION"))
        .defaults(std::env::var("MILVUSDM_FAULTY_DEFAULTS").unwrap_or_default())
        .main()
}
