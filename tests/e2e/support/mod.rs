// SPDX-License-Identifier: Apache-2.0
//! What every theme needs: the binary, a place to work in, the data, and real h5py.
//!
//! Nothing here knows what milvusdm should do; that stands in the tests.

mod binary;
pub mod mariadb;
pub mod milvus1;
mod mounts;
mod old;
mod outcome;
mod outside;
mod plugins;
mod python;
mod run;
mod space;
mod standin;
mod standing;

pub use binary::{built, faulty_binary, milvusdm_binary as binary_path, python, repository};
pub use mounts::in_mount_namespace;
pub use old::{OldWorld, golden_rows};
pub use outcome::Outcome;
pub use outside::{Outside, outside_command, outside_projects, outside_target};
pub use plugins::{SINS, compile_c, plugin_file, sins, with_plugins};
pub use python::{read_h5, run_python};
pub use run::{Run, milvusdm, open_binary};
pub use space::{Space, set_mode};
pub use standin::StandinProcess;
pub use standing::Standing;

use std::path::{Path, PathBuf};

/// A file under `tests/data`, absolute.
#[track_caller]
pub fn data(name: &str) -> PathBuf {
    let path = repository().join("tests/data").join(name);
    assert!(
        path.symlink_metadata().is_ok(),
        "there is no {}",
        path.display()
    );
    path
}

/// Whether the tests run as root, as they do in CI.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A path as text; all of ours are UTF-8.
pub fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().expect("a path of ours").to_owned()
}
