// SPDX-License-Identifier: Apache-2.0
//! Dumps: whole collections in a folder of HDF5 files, with a manifest of everything that is known
//! of them, from which they can be put back.
//!
//! ```text
//! DIR/manifest.json                what is in here: names, rows, digests, definitions
//! DIR/<collection>/<partition>.h5  the rows; h5py opens them as they are
//! ```
//! The manifest is written last and in one step: a folder without one is no dump.

mod entry;
mod fingerprint;
mod manifest;
mod source;

pub use entry::{Entry, modified, sha256};
pub use fingerprint::of as fingerprint;
pub use manifest::{FILE, Leaving, Manifest};
pub use source::resolved;

use std::collections::BTreeMap;

use crate::hash::Sums;

/// Collection and partition.
pub type Name = (String, Option<String>);

/// `collection` or `collection/partition`.
pub fn full_name((collection, partition): &Name) -> String {
    match partition {
        Some(partition) => format!("{collection}/{partition}"),
        None => collection.clone(),
    }
}

/// A dataset that need not be moved if the source's is what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchanged {
    /// What the source's dataset was.
    pub fingerprint: String,
    /// When the file was last written to, before it was found to be whole.
    pub modified: u64,
}

/// What was dumped of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Dumped {
    /// Rows.
    pub rows: u64,
    /// Their hashes, as far as they were made and are of today's kind.
    pub sums: Option<Sums>,
    /// Digest of the file.
    pub sha256: String,
}

/// What a plan has to know of dumps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Of datasets in a dump that is brought up to date, whose files are whole.
    pub unchanged: BTreeMap<Name, Unchanged>,
    /// Of datasets in a dump: what their files do not say.
    pub described: BTreeMap<Name, milvusdm_plugin_api::model::Descriptor>,
    /// Of the same: what was dumped.
    pub dumped: BTreeMap<Name, Dumped>,
}
