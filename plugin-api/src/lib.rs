// SPDX-License-Identifier: Apache-2.0
//! What a milvusdm plugin implements: sources and sinks of vector data.
//!
//! A plugin author writes a [`Source`] and / or a [`Sink`] over Arrow record batches and one
//! [`export_plugin!`] line. The [`model`] says what columns mean; [`abi`] carries it all through
//! one table of C functions and is never touched by an author; [`testkit`] is the behaviour
//! suite that every plugin passes.
#![deny(missing_docs)]

pub mod abi;
mod buffers;
mod error;
mod files;
mod forward;
pub mod model;
mod plugin;
mod services;
mod sink;
mod source;
pub mod testkit;

pub use buffers::BufferPool;
pub use error::{Error, ErrorKind, Result};
pub use files::FileStamp;
pub use plugin::{
    NoSink, NoSource, PanicStrategy, Plugin, PluginIdentity, PluginInfo, Registration,
    TrampolineTable, is_plugin_name,
};
pub use services::{HostCalls, LogLevel, Services};
pub use sink::{
    FinishAck, Found, Mode, Rejected, Resumed, Sink, TargetPart, TargetRequest, TargetSpec,
    TargetState, TargetWriter, WriteAck, WriteAt,
};
pub use source::{BatchReader, Dataset, Inspection, Node, ReadAccount, ReadRequest, Source, Split};

/// The Arrow crates that the API speaks in, so that an author needs no version of their own.
pub mod arrow {
    pub use arrow_array as array;
    pub use arrow_buffer as buffer;
    pub use arrow_data as data;
    pub use arrow_schema as schema;
}

#[doc(hidden)]
pub use inventory;
pub use schemars;

/// The README's example is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;
