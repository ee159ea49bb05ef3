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

pub use entry::{Entry, modified, sha256};
pub use fingerprint::of as fingerprint;
pub use manifest::{FILE, Manifest};

use std::collections::BTreeMap;

use crate::hash::Sums;

/// Collection and partition.
pub type Name = (String, Option<String>);

/// What a plan has to know of dumps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Of datasets that need not be moved: the fingerprint that they had.
    pub unchanged: BTreeMap<Name, String>,
    /// Of datasets in a dump: what their files do not say.
    pub described: BTreeMap<Name, milvusdm_plugin_api::model::Descriptor>,
    /// Of the same: how many rows were dumped, and their hashes.
    pub dumped: BTreeMap<Name, (u64, Option<Sums>)>,
}
