// SPDX-License-Identifier: Apache-2.0
//! The `milvusdm` command.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    milvusdm::App::host().main()
}
