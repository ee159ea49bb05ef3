// SPDX-License-Identifier: Apache-2.0
//! Finds the binary under test and what is built with it, and refuses to test an old one.
//!
//! `MILVUSDM_BIN` names another binary, for example an installed one.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The binary under test.
pub fn milvusdm_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("MILVUSDM_BIN") {
        Some(named) => {
            let binary = PathBuf::from(named);
            assert!(
                binary.is_file(),
                "MILVUSDM_BIN names {}, which is no file",
                binary.display()
            );
            binary
        }
        None => built("milvusdm"),
    })
}

/// What cargo built beside these tests under that name.
#[track_caller]
pub fn built(name: &str) -> PathBuf {
    let file = profile_folder().join(name);
    assert!(
        file.is_file(),
        "there is no {}: build it first (`make test` does)",
        file.display()
    );
    let built = modified(&file);
    for source in dependencies(&file) {
        assert!(
            !source.exists() || modified(&source) <= built,
            "{} is older than {}: build it first (`make test` does)",
            file.display(),
            source.display()
        );
    }
    file
}

/// The one with the plugin that breaks on purpose linked in.
pub fn faulty_binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_milvusdm-faulty"))
}

/// The sources of a binary, from the list that cargo keeps beside it.
fn dependencies(binary: &Path) -> Vec<PathBuf> {
    let list = std::fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources);
    let sources = sources.replace("\\ ", "\0");
    sources
        .split_whitespace()
        .map(|source| source.replace('\0', " ").into())
        .collect()
}

fn modified(path: &Path) -> SystemTime {
    path.metadata()
        .and_then(|metadata| metadata.modified())
        .expect("a file's time")
}

/// `target/release`, from where this very program stands: `target/release/deps/e2e-…`.
pub(super) fn profile_folder() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    own.parent()
        .and_then(Path::parent)
        .expect("a folder above this program")
        .to_owned()
}

/// The Python with h5py and numpy that `make setup` installs.
pub fn python() -> PathBuf {
    let python = match std::env::var_os("MILVUSDM_TEST_PYTHON") {
        Some(named) => PathBuf::from(named),
        None => profile_folder()
            .with_file_name("test-python")
            .join("bin/python"),
    };
    assert!(
        python.exists(),
        "there is no {}: run `make setup` first, or name a Python with h5py in MILVUSDM_TEST_PYTHON",
        python.display()
    );
    python
}

/// The top of the repository.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the tests stand in the repository")
        .to_owned()
}
