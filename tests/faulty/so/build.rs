// SPDX-License-Identifier: Apache-2.0
//! Leaves debug information out of the file: the host hashes and copies all of it at each load,
//! and it would be nine tenths of it. The names of functions stay, for backtraces.
#![allow(clippy::print_stdout)] // How a build script speaks to cargo.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-Wl,--strip-debug");
}
