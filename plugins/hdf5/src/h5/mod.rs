// SPDX-License-Identifier: Apache-2.0
//! Everything that calls libhdf5, and what it is asked to believe.
//!
//! libhdf5 parses its own files: a damaged file that makes it misbehave is beyond this crate.
//! What can be checked from outside is checked here before the library acts on it: that no
//! other file is opened on an untrusted file's word (external links, external storage, virtual
//! datasets), that sizes fit into the file, that a chunk fits into memory. Nothing here knows
//! of vectors or collections.

mod attributes;
mod create;
mod dataset;
mod file;
mod read;
mod stored;
mod text;

pub use create::{
    AttributeValue, Chunking, Compression, Element, GrowingDataset, NewDataset, NewFile,
};
pub use dataset::{Limits, Storage, StoredDataset};
pub use file::{EntryKind, H5File, fingerprint};
pub use stored::{Number, StoredType};

use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind};

/// Turns a library error into ours, naming the file.
pub fn library_error(doing: impl Into<String>, path: &Path, cause: &hdf5::Error) -> Error {
    Error::new(ErrorKind::Format, doing)
        .with("file", path.display())
        .caused_by(cause)
}
