// SPDX-License-Identifier: Apache-2.0
//! What a milvusdm plugin implements: sources and sinks of vector data.
#![deny(missing_docs)]

mod error;

pub use error::{Error, ErrorKind, Result};
