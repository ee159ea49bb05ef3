// SPDX-License-Identifier: Apache-2.0
//! Leaves debug information and symbols out of the file: the host hashes and copies all of it at
//! each load, and they would be nine tenths of it.
#![allow(clippy::print_stdout)] // How a build script speaks to cargo.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-Wl,--strip-all");
}
