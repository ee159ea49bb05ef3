// SPDX-License-Identifier: Apache-2.0
//! Which plugin files the user trusts: by the hash of their content.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::Known;
use super::access::quoted;

const FILE: &str = "milvusdm/trusted_plugins.json";
const VERSION: u32 = 1;
/// Largest list of pins.
const MAX_BYTES: u64 = 16 << 20;

/// A content that is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The plugin's name.
    pub name: String,
    /// Its version, if its note says it.
    #[serde(default)]
    pub version: Option<String>,
    /// The file that was trusted; it may stand elsewhere by now.
    pub file: PathBuf,
}

/// Everything that the user trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    version: u32,
    plugins: Vec<Pin>,
}

impl Pins {
    /// The pins of this user; none if none were ever made.
    ///
    /// # Errors
    /// Where the list can't be read, or others may have written it.
    pub fn read() -> Result<Self> {
        let Some(path) = path() else {
            return Ok(Self::none());
        };
        // Opening a pipe would wait for whoever writes to it.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        match File::options().read(true).custom_flags(flags).open(&path) {
            Ok(file) => Self::from(file, &path),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::none()),
            Err(e) => Err(failed("read", &path, &e)),
        }
    }

    /// No pins at all.
    pub(super) fn none() -> Self {
        Self {
            version: VERSION,
            plugins: Vec::new(),
        }
    }

    fn from(file: File, path: &Path) -> Result<Self> {
        let metadata = file.metadata().map_err(|e| failed("read", path, &e))?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            let most = MAX_BYTES >> 20;
            let message = format!("the list of trusted plugins is no file of up to {most} MiB");
            return Err(Error::new(ErrorKind::Config, message)
                .with("file", path.display())
                .help("look what stands there"));
        }
        let is_ours = [0, rustix::process::geteuid().as_raw()].contains(&metadata.uid());
        if !is_ours || metadata.mode() & 0o022 != 0 {
            let message = "the list of trusted plugins may have been written by others";
            return Err(Error::new(ErrorKind::Denied, message)
                .with("file", path.display())
                .help(format!("look into it, then `chmod go-w {}`", quoted(path))));
        }
        let mut text = String::new();
        file.take(MAX_BYTES)
            .read_to_string(&mut text)
            .map_err(|e| failed("read", path, &e))?;
        let pins: Self = serde_json::from_str(&text).map_err(|e| {
            Error::new(ErrorKind::Config, "the list of trusted plugins is damaged")
                .with("file", path.display())
                .caused_by(e)
                .help("remove it, and trust your plugins again")
        })?;
        match pins.version {
            VERSION => Ok(pins),
            other => {
                let message =
                    format!("the list of trusted plugins has version {other}, wanted {VERSION}");
                Err(Error::new(ErrorKind::Config, message).with("file", path.display()))
            }
        }
    }

    /// The pin of that content.
    pub fn of(&self, sha256: &str) -> Option<&Pin> {
        self.plugins.iter().find(|pin| pin.sha256 == sha256)
    }

    /// Whether another content of that file is trusted.
    pub fn was_trusted(&self, file: &Path) -> bool {
        self.plugins.iter().any(|pin| pin.file == file)
    }

    /// Trusts a file as it is now, in place of what it was before.
    ///
    /// # Errors
    /// `Io` where its content can't be read.
    pub fn add(&mut self, known: &Known) -> Result<Pin> {
        let pin = Pin {
            sha256: known.digest.hexadecimal()?.to_owned(),
            name: known.name.clone(),
            version: known.facts.note.as_ref().map(|note| note.version.clone()),
            file: known.path.clone(),
        };
        self.plugins
            .retain(|known| known.sha256 != pin.sha256 && known.file != pin.file);
        self.plugins.push(pin.clone());
        self.plugins
            .sort_by(|a, b| (&a.name, &a.file).cmp(&(&b.name, &b.file)));
        Ok(pin)
    }

    /// Trusts a file no longer, whatever its content; gives what is taken out.
    pub fn remove(&mut self, file: &Path, sha256: Option<&str>) -> Vec<Pin> {
        let (out, kept) = std::mem::take(&mut self.plugins)
            .into_iter()
            .partition(|pin| pin.file == file || Some(pin.sha256.as_str()) == sha256);
        self.plugins = kept;
        out
    }

    /// Changes the list of this user, while nobody else does; gives where it stands.
    ///
    /// # Errors
    /// As [`read`](Self::read); where there is no folder for it, or it can't be written.
    pub fn change<T>(change: impl FnOnce(&mut Self) -> Result<T>) -> Result<(T, PathBuf)> {
        let path = path().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "there is no folder for the list of trusted plugins",
            )
            .help("set HOME or XDG_CONFIG_HOME")
        })?;
        // What it is a link to is what is replaced.
        let path = path.canonicalize().unwrap_or(path);
        let folder = path.parent().unwrap_or(Path::new("/"));
        let lock = std::fs::create_dir_all(folder).and_then(|()| {
            let folder = File::open(folder)?;
            rustix::fs::flock(&folder, FlockOperation::LockExclusive)?;
            Ok(folder)
        });
        let _lock = lock.map_err(|e| failed("change", &path, &e))?;
        let mut pins = Self::read()?;
        let changed = change(&mut pins)?;
        pins.write(folder, &path)
            .map_err(|e| failed("write", &path, &e))?;
        Ok((changed, path))
    }

    fn write(&self, folder: &Path, path: &Path) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

fn failed(doing: &str, path: &Path, cause: &std::io::Error) -> Error {
    Error::io(format!("{doing} the list of trusted plugins"), cause).with("file", path.display())
}

/// Where the list stands.
fn path() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let home = || {
        Some(
            set("HOME")
                .filter(|path| path.is_absolute())?
                .join(".config"),
        )
    };
    Some(config.or_else(home)?.join(FILE))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn read(text: &str, mode: u32) -> Result<Pins> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(file.path(), permissions).unwrap();
        Pins::from(File::open(file.path()).unwrap(), file.path())
    }

    const LIST: &str = r#"{"version":1,"plugins":[{"sha256":"aa","name":"x","file":"/x.so"}]}"#;

    #[test]
    fn pins_are_found_by_content_and_taken_out_by_file() {
        let mut pins = read(LIST, 0o600).unwrap();
        assert_eq!(pins.of("aa").unwrap().name, "x");
        assert!(pins.of("bb").is_none());
        assert!(pins.was_trusted(Path::new("/x.so")));
        assert_eq!(pins.remove(Path::new("/x.so"), None).len(), 1);
        assert!(pins.of("aa").is_none());
    }

    #[test]
    fn a_list_that_others_may_have_written_or_that_is_damaged_is_refused() {
        assert_eq!(read(LIST, 0o620).unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(read(LIST, 0o602).unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(read("{", 0o600).unwrap_err().kind(), ErrorKind::Config);
        let newer = read(r#"{"version":2,"plugins":[]}"#, 0o600).unwrap_err();
        assert!(newer.message().contains("version 2"), "{newer}");
    }
}
