// SPDX-License-Identifier: Apache-2.0
//! Reads Faiss index files, without linking Faiss.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod format;
