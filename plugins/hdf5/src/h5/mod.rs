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
mod grow;
mod heap;
mod read;
mod stored;
mod text;

pub use create::{AttributeValue, Chunking, Compression, Element, NewDataset, NewFile};
pub use dataset::{Limits, Storage, StoredDataset};
pub use file::{EntryKind, H5File, fingerprint};
pub use grow::GrowingDataset;
pub use heap::Heaps;
pub use stored::{Number, StoredType};

use std::path::Path;
use std::time::Duration;

use milvusdm_plugin_api::{Error, ErrorKind};

/// What the library says of a file that another open file has locked.
const LOCKED: &str = "unable to lock file";

/// Turns a library error into ours, naming the file.
pub fn library_error(doing: impl Into<String>, path: &Path, cause: &hdf5::Error) -> Error {
    let cause = one_line(cause);
    let error = Error::new(ErrorKind::Format, doing)
        .with("file", path.display())
        .caused_by(&cause);
    if cause.contains("bad version number") || cause.contains("bad superblock version") {
        return error.help(
            "if it was written for HDF5 2 (`libver='latest'`), rewrite it for 1.14: with \
             `h5repack --high=4` of HDF5 2, or in h5py with `libver=('earliest', 'v114')`",
        );
    }
    if cause.contains(LOCKED) {
        return error
            .retryable()
            .help("another program has the file open; wait until it is done");
    }
    error
}

/// The same for a failed write.
fn write_error(doing: impl Into<String>, path: &Path, cause: &hdf5::Error) -> Error {
    Error::new(ErrorKind::Io, doing)
        .with("file", path.display())
        .caused_by(one_line(cause))
}

/// The library puts line ends into its messages.
fn one_line(cause: &hdf5::Error) -> String {
    let text = cause.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Opens a file, again for a while where it is locked: a process that is being started holds the
/// locks of its parent's files for a moment.
fn unlocked<T>(open: impl Fn() -> hdf5::Result<T>) -> hdf5::Result<T> {
    for wait_ms in [1, 10, 50, 200, 500, 1000] {
        match open() {
            Err(e) if e.to_string().contains(LOCKED) => {
                std::thread::sleep(Duration::from_millis(wait_ms));
            }
            opened => return opened,
        }
    }
    open()
}
