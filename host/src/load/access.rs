// SPDX-License-Identifier: Apache-2.0
//! Who may have written a plugin file: code that others can change does not run.
//!
//! The file and every folder above it belong to root or to this user. Writable for everybody:
//! never. Writable for a group: only if the user names the file for this run. Where a folder lets
//! only owners rename and remove (the sticky bit), what stands in it is judged by itself.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::trace::Trace;

const EVERYBODY: u32 = 0o002;
const GROUP: u32 = 0o020;
/// Of a folder: only a file's owner may rename or remove it.
const STICKY: u32 = 0o1000;

/// As many as the system follows.
const MAX_LINKS: usize = 40;

/// Why a file's code may be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// An administrator put it into the system's folder.
    System,
    /// Its content has to be pinned.
    Pinned,
    /// The user names it for this run.
    Named,
}

/// A path as it is typed in a shell.
pub(super) fn quoted(path: &Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}

/// An open file whose access is in order.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) file: File,
    /// Its links resolved.
    pub(super) path: PathBuf,
}

/// Opens a plugin file if only people with a right to it can have written it.
pub(super) fn open(path: &Path, consent: Consent, trace: &mut Trace<'_>) -> Result<Checked> {
    let failed = |e: &std::io::Error| {
        Error::io("open the plugin file", e)
            .with("file", path.display())
            .help("wanted the path of a plugin's file, `libmilvusdm_NAME.so`")
    };
    let resolved = path.canonicalize().map_err(|e| failed(&e))?;
    let rules = Rules::of(consent);
    // The folders of links count as well: who may change a link chooses the file.
    for name in links(path).map_err(|e| failed(&e))? {
        rules.check_folders(&name)?;
    }
    rules.check_folders(&resolved)?;
    // What is no regular file is not even opened: some devices and pipes do something then.
    check_type(&resolved.metadata().map_err(|e| failed(&e))?, &resolved)?;
    let file = File::options()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(&resolved)
        .map_err(|e| failed(&e))?;
    let metadata = file.metadata().map_err(|e| failed(&e))?;
    check_type(&metadata, &resolved)?;
    rules.check("file", &metadata, &resolved)?;
    let mode = metadata.mode() & 0o7777;
    trace.pass(
        "access",
        format!("owner {}, mode {mode:04o}", metadata.uid()),
    );
    Ok(Checked {
        file,
        path: resolved,
    })
}

/// Checks a folder from which a library brings in others; of one that is not there, the folder
/// in which it could be made.
pub(super) fn check_search(folder: &Path, consent: Consent) -> Result<()> {
    let existing = folder.ancestors().find(|folder| folder.exists());
    let inside = existing.unwrap_or(Path::new("/")).join("library");
    Rules::of(consent).check_folders(&inside)
}

/// A path and, while it is a link, what it leads to.
fn links(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut names = vec![std::path::absolute(path)?];
    while let Some(last) = names.last().filter(|_| names.len() <= MAX_LINKS) {
        let Ok(target) = std::fs::read_link(last) else {
            break;
        };
        let folder = last.parent().unwrap_or(Path::new("/"));
        names.push(folder.join(target));
    }
    Ok(names)
}

fn check_type(metadata: &Metadata, path: &Path) -> Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let found = if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else {
        "a device or socket"
    };
    let message = format!("this is {found}, wanted a plugin file");
    Err(Error::new(ErrorKind::Config, message).with("file", path.display()))
}

/// What is allowed under a consent.
#[derive(Debug, Clone, Copy)]
struct Rules {
    consent: Consent,
    /// This user.
    user: u32,
}

impl Rules {
    fn of(consent: Consent) -> Self {
        Self {
            consent,
            user: rustix::process::geteuid().as_raw(),
        }
    }

    /// The folder of a file, and those above it.
    fn check_folders(self, path: &Path) -> Result<()> {
        for (height, folder) in path.ancestors().skip(1).enumerate() {
            let metadata = folder.metadata().map_err(|e| {
                Error::io("look at the plugin's folder", &e).with("folder", folder.display())
            })?;
            let is_shared_safely = height > 0 && metadata.mode() & STICKY != 0;
            if !is_shared_safely {
                self.check("folder", &metadata, folder)?;
            }
        }
        Ok(())
    }

    fn check(self, what: &str, metadata: &Metadata, path: &Path) -> Result<()> {
        let (owner, mode) = (metadata.uid(), metadata.mode());
        let is_owned = owner == 0 || (owner == self.user && self.consent != Consent::System);
        if !is_owned {
            let owners = match self.consent {
                Consent::System => "root".to_owned(),
                _ => format!("root or you (uid {})", self.user),
            };
            let message = format!("the plugin's {what} belongs to uid {owner}, wanted {owners}");
            return Err(Error::new(ErrorKind::Denied, message)
                .with(what, path.display())
                .help("make a copy that is your own"));
        }
        if mode & EVERYBODY != 0 {
            return Err(self.refused(what, "everybody may write to it", "o-w", path));
        }
        if mode & GROUP != 0 && self.consent != Consent::Named {
            let error = self.refused(what, "its group may write to it", "g-w", path);
            return Err(error);
        }
        Ok(())
    }

    fn refused(self, what: &str, why: &str, change: &str, path: &Path) -> Error {
        let mut help = format!("`chmod {change} {}` takes that away", quoted(path));
        if change == "g-w" {
            help += "; `--allow-plugin` and the file take it as it is, for one run";
        }
        let message = format!("the plugin's {what} is not safe: {why}");
        Error::new(ErrorKind::Denied, message)
            .with(what, path.display())
            .help(help)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn opened(path: &Path, consent: Consent) -> Result<PathBuf> {
        open(path, consent, &mut Trace::new(path)).map(|checked| checked.path)
    }

    #[test]
    fn who_may_write_decides() {
        let space = tempfile::tempdir().unwrap();
        let folder = space.path().join("plugins");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("libmilvusdm_x.so");
        std::fs::write(&file, "x").unwrap();
        for (folder_mode, file_mode, pinned, named) in [
            (0o755, 0o644, true, true),
            (0o700, 0o600, true, true),
            (0o755, 0o664, false, true),
            (0o775, 0o644, false, true),
            (0o755, 0o646, false, false),
            (0o757, 0o644, false, false),
            (0o1777, 0o644, false, false),
        ] {
            set(&file, file_mode);
            set(&folder, folder_mode);
            for (consent, good) in [(Consent::Pinned, pinned), (Consent::Named, named)] {
                let found = opened(&file, consent);
                let case = format!("{folder_mode:o} {file_mode:o} {consent:?}: {found:?}");
                assert_eq!(found.is_ok(), good, "{case}");
                if let Err(error) = found {
                    assert_eq!(error.kind(), ErrorKind::Denied, "{case}");
                    assert!(error.help_text().unwrap().contains("chmod"), "{case}");
                }
            }
        }
    }

    #[test]
    fn a_link_is_judged_by_both_folders() {
        let space = tempfile::tempdir().unwrap();
        let (links, files) = (space.path().join("links"), space.path().join("files"));
        std::fs::create_dir(&links).unwrap();
        std::fs::create_dir(&files).unwrap();
        std::fs::write(files.join("a.so"), "x").unwrap();
        let link = links.join("b.so");
        std::os::unix::fs::symlink(files.join("a.so"), &link).unwrap();
        assert_eq!(
            opened(&link, Consent::Pinned).unwrap(),
            files.join("a.so").canonicalize().unwrap()
        );
        set(&links, 0o777);
        assert!(opened(&link, Consent::Named).is_err());
        set(&links, 0o755);
        let between = space.path().join("between");
        std::fs::create_dir(&between).unwrap();
        std::os::unix::fs::symlink("../links/b.so", between.join("c.so")).unwrap();
        let first = space.path().join("d.so");
        std::os::unix::fs::symlink("between/c.so", &first).unwrap();
        assert!(opened(&first, Consent::Pinned).is_ok());
        set(&between, 0o777);
        assert!(opened(&first, Consent::Named).is_err());
        set(&files, 0o777);
        assert!(opened(&link, Consent::Named).is_err());
    }

    #[test]
    fn a_folder_above_that_everybody_may_change_is_refused() {
        let space = tempfile::tempdir().unwrap();
        let above = space.path().join("above");
        let folder = above.join("plugins");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("x.so");
        std::fs::write(&file, "x").unwrap();
        set(&above, 0o777);
        assert!(opened(&file, Consent::Named).is_err());
        // As the folder for temporary files is.
        set(&above, 0o1777);
        assert!(opened(&file, Consent::Named).is_ok());
        set(&above, 0o775);
        assert!(opened(&file, Consent::Pinned).is_err());
        assert!(opened(&file, Consent::Named).is_ok());
    }

    #[test]
    fn what_is_no_file_is_named() {
        let space = tempfile::tempdir().unwrap();
        // The folder of temporary files, in which the space stands, is everybody's.
        let inner = space.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let folder = opened(&inner, Consent::Named).unwrap_err();
        assert!(folder.message().contains("a folder"), "{folder}");
        let missing = opened(&space.path().join("no.so"), Consent::Named).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let device = opened(Path::new("/dev/null"), Consent::Named).unwrap_err();
        assert!(device.message().contains("a device"), "{device}");
    }

    #[test]
    fn the_systems_plugins_are_roots() {
        let space = tempfile::tempdir().unwrap();
        let metadata = space.path().metadata().unwrap();
        let rules = Rules {
            consent: Consent::System,
            user: metadata.uid(),
        };
        let checked = rules.check("folder", &metadata, space.path());
        assert_eq!(checked.is_ok(), metadata.uid() == 0);
        let stranger = Rules {
            consent: Consent::Pinned,
            user: metadata.uid() + 1,
        };
        let checked = stranger.check("folder", &metadata, space.path());
        assert_eq!(checked.is_ok(), metadata.uid() == 0);
    }
}
