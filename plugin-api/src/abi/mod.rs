// SPDX-License-Identifier: Apache-2.0
//! The plugin boundary: one `#[repr(C)]` table of functions, and both sides of each call.
//!
//! Control crosses as JSON documents, data as Arrow C Data. [`table`] is the contract,
//! [`export`] the plugin's side of it (trampolines around the safe traits), [`client`] the
//! host's side (safe handles), [`c_data`] the batches. Linked-in plugins go the same way as
//! loaded ones, which come through one of two [`doors`] and the gate behind both. This is the only module of the crate with unsafe code; plugin authors never
//! name anything in it.
#![allow(unsafe_code)]

pub mod c_data;
mod c_import;
pub mod c_schema;
pub mod client;
pub mod doors;
pub mod export;
mod gate;
mod guard;
mod hashes;
mod layout;
pub mod note;
pub mod plain;
pub mod table;

pub use client::{PluginHandle, ReaderHandle, SinkHandle, SourceHandle, WriterHandle};
pub use table::PluginTable;
