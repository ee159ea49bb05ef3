// SPDX-License-Identifier: Apache-2.0
//! Where a task's journal is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use twox_hash::XxHash3_128;

/// What a journal is about: the same words find it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A task file.
    File(PathBuf),
    /// The arguments of a command.
    Arguments(Vec<String>),
}

impl Subject {
    fn key(&self) -> Vec<u8> {
        match self {
            Self::File(path) => {
                // A file that is gone has no journal to go on with either.
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let path = path.canonicalize().unwrap_or(path);
                path.into_os_string().into_encoded_bytes()
            }
            Self::Arguments(arguments) => {
                let here = std::env::current_dir().unwrap_or_default();
                let mut key = here.into_os_string().into_encoded_bytes();
                for argument in arguments {
                    key.push(0);
                    key.extend_from_slice(argument.as_bytes());
                }
                key
            }
        }
    }

    /// Whether it is about a task file.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// The journal in that folder, or in the one where MilvusDM keeps its own files.
    ///
    /// # Errors
    /// `Config` where no folder is known.
    pub fn journal(&self, folder: Option<&Path>) -> Result<PathBuf> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => default_folder(|name| std::env::var_os(name)).ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    "there is no place for the journal, which lets a run be resumed",
                )
                .help("name a folder with `--state DIR`, or set HOME or MILVUSDM_PATH")
            })?,
        };
        Ok(folder.join(format!(
            "{:032x}.journal",
            XxHash3_128::oneshot(&self.key())
        )))
    }
}

fn default_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let own = set("MILVUSDM_PATH").map(PathBuf::from);
    let home = own.or_else(|| Some(PathBuf::from(set("HOME")?).join("milvusdm")));
    home.map(|home| home.join("state"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_task_has_the_same_journal_however_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let task = folder.path().join("task.yaml");
        std::fs::write(&task, "").unwrap();
        let link = folder.path().join("link.yaml");
        std::os::unix::fs::symlink(&task, &link).unwrap();
        let of = |path: &Path| {
            Subject::File(path.to_owned())
                .journal(Some(Path::new("s")))
                .unwrap()
        };
        assert_eq!(of(&task), of(&folder.path().join("./task.yaml")));
        assert_eq!(of(&task), of(&link));
        assert_ne!(of(&task), of(&folder.path().join("other.yaml")));
        assert!(of(&task).starts_with("s"));
    }

    #[test]
    fn arguments_are_told_apart() {
        let of = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Subject::Arguments(words)
                .journal(Some(Path::new("")))
                .unwrap()
        };
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
    }

    #[test]
    fn the_folder_is_that_of_milvusdm_or_of_the_user() {
        let home = |name: &str| (name == "HOME").then(|| "/home/me".into());
        assert_eq!(default_folder(home), Some("/home/me/milvusdm/state".into()));
        let own = |name: &str| Some(if name == "HOME" { "/home/me" } else { "/data" }.into());
        assert_eq!(default_folder(own), Some("/data/state".into()));
        assert_eq!(default_folder(|_| None), None);
        assert_eq!(default_folder(|_| Some("".into())), None);
    }
}
