// SPDX-License-Identifier: Apache-2.0
//! Turns the .proto files into Rust; protox does it without a protoc on the machine.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let contracts = ["milvus1.proto"];
    let files = protox::compile(contracts, ["."])?;
    tonic_prost_build::configure()
        .build_server(std::env::var_os("CARGO_FEATURE_SERVER").is_some())
        // Binary vectors are parts of the received message, not copies of them.
        .bytes(".")
        .compile_fds(files)?;
    Ok(())
}
