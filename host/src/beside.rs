// SPDX-License-Identifier: Apache-2.0
//! A small file that is made beside its place and put there when it is whole.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

const SUFFIX: &str = ".partial";
/// Longest name that is repeated in that of a file in the making.
const MAX_NAME_BYTES: usize = 200;

/// A file in the making; dropped, it leaves nothing.
#[derive(Debug)]
pub struct Beside {
    file: NamedTempFile,
    place: PathBuf,
}

impl Beside {
    /// Makes an empty one, and removes those that killed processes left. A link stays one.
    ///
    /// # Errors
    /// What the system answers; `InvalidInput` where something is that is no regular file.
    pub fn create(place: &Path) -> io::Result<Self> {
        let place = &followed(place)?;
        let prefix = prefix(place);
        let folder = folder_of(place);
        sweep(folder, &prefix)?;
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(SUFFIX)
            // Whoever may read a file made here may read it: the umask decides.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        // Where a file system has no locks, it may be swept away, which its end tells.
        let _ = file.as_file().try_lock();
        let place = place.to_owned();
        Ok(Self { file, place })
    }

    /// Where it is to be.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Writes it and puts it in its place, durably.
    ///
    /// # Errors
    /// What the system answers.
    pub fn publish(mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.as_file().sync_all()?;
        self.file.persist(&self.place).map_err(|e| e.error)?;
        File::open(folder_of(&self.place))?.sync_all()
    }
}

/// How those of a place are called. A name may be as long as a file system takes, and theirs is longer.
fn prefix(place: &Path) -> String {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    format!(".{}.", &name[..name.floor_char_boundary(MAX_NAME_BYTES)])
}

/// Where a file really is.
fn followed(place: &Path) -> io::Result<PathBuf> {
    let place = match fs::read_link(place) {
        Ok(to) => folder_of(place).join(to),
        Err(_) => place.to_owned(),
    };
    match fs::metadata(&place) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        )),
        Ok(_) => place.canonicalize(),
        Err(_) => Ok(place),
    }
}

fn folder_of(place: &Path) -> &Path {
    match place.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Removes what nobody holds any more.
fn sweep(folder: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(prefix) || !name.ends_with(SUFFIX) {
            continue;
        }
        let file = File::open(entry.path());
        if file.is_ok_and(|file| file.try_lock().is_ok()) {
            // What can't be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_its_place_as_a_whole_and_sweeps_away_what_others_left() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.json");
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        fs::write(folder.path().join(".a.json.x1.partial"), "").unwrap();
        fs::write(folder.path().join(".b.json.x1.partial"), "").unwrap();
        let first = Beside::create(&place).unwrap();
        let second = Beside::create(&place).unwrap();
        assert_eq!(names().len(), 3, "one that is held stays");
        first.publish("one").unwrap();
        drop(second);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("a.json", &link).unwrap();
        Beside::create(&link).unwrap().publish("two").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "two");
        fs::remove_file(&link).unwrap();
        for odd in [Path::new("/dev/null"), folder.path()] {
            Beside::create(odd).unwrap_err();
        }
        assert_eq!(names(), [".b.json.x1.partial", "a.json"]);
    }

    #[test]
    fn a_name_may_be_as_long_as_a_file_system_takes() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("\u{e4}".repeat(127));
        Beside::create(&place).unwrap().publish("one").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "one");
    }
}
