// SPDX-License-Identifier: Apache-2.0
//! Where plugins are looked for.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::access::Consent;

/// Plugins that an administrator installed for everybody; they need no pin.
const SYSTEM: &str = "/usr/lib/milvusdm/plugins";
/// Below the home of the user.
const HOME: &str = ".local/lib/milvusdm/plugins";
/// Further folders, separated by colons.
const VARIABLE: &str = "MILVUSDM_PLUGIN_PATH";

/// Who named a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `--plugin-dir`.
    Flag,
    /// `MILVUSDM_PLUGIN_PATH`.
    Environment,
    /// The user's own folder.
    Home,
    /// The system's folder.
    System,
}

impl Origin {
    pub(super) fn consent(self) -> Consent {
        match self {
            Self::System => Consent::System,
            Self::Flag | Self::Environment | Self::Home => Consent::Pinned,
        }
    }
}

/// A folder of the search list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder, absolute.
    pub dir: PathBuf,
    /// Who named it.
    pub origin: Origin,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.origin {
            Origin::Flag => " (--plugin-dir)",
            Origin::Environment => " (MILVUSDM_PLUGIN_PATH)",
            Origin::Home | Origin::System => "",
        };
        write!(f, "{}{by}", self.dir.display())
    }
}

impl Place {
    /// Whether there is such a folder; what is in the way otherwise.
    pub(super) fn state(&self) -> Result<(), String> {
        match std::fs::read_dir(&self.dir) {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err("no such folder".to_owned()),
            Err(e) => Err(e.to_string()),
        }
    }

    /// The plugin files in it, by name.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| name_of(path).is_some())
            .collect();
        files.sort();
        files
    }
}

/// The search list of this process.
pub(super) fn list(flags: &[PathBuf]) -> Vec<Place> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    from(flags, set(VARIABLE), set("HOME"))
}

/// The working directory is never searched by itself: whoever starts milvusdm in a folder of
/// somebody else's would run that person's code. A flag is typed, so it may be relative.
fn from(flags: &[PathBuf], variable: Option<OsString>, home: Option<OsString>) -> Vec<Place> {
    let flags = flags.iter().map(|dir| Place {
        dir: std::path::absolute(dir).unwrap_or_else(|_| dir.clone()),
        origin: Origin::Flag,
    });
    let variable = variable.unwrap_or_default();
    let environment = std::env::split_paths(&variable).filter(|dir| {
        if dir.is_relative() && !dir.as_os_str().is_empty() {
            tracing::warn!(
                "{VARIABLE} names the relative folder `{}`, which is not searched; write an absolute path.",
                dir.display()
            );
        }
        dir.is_absolute()
    });
    let environment = environment.map(|dir| Place {
        dir,
        origin: Origin::Environment,
    });
    let home = home.map(PathBuf::from).filter(|home| home.is_absolute());
    let home = home.map(|home| Place {
        dir: home.join(HOME),
        origin: Origin::Home,
    });
    let system = Place {
        dir: SYSTEM.into(),
        origin: Origin::System,
    };
    let mut places: Vec<Place> = Vec::new();
    for place in flags.chain(environment).chain(home).chain([system]) {
        if places.iter().all(|known| known.dir != place.dir) {
            places.push(place);
        }
    }
    places
}

/// What the file of a plugin is called.
pub fn file_name(name: &str) -> String {
    format!("libmilvusdm_{name}.so")
}

/// The plugin that a file name says it holds.
pub fn name_of(path: &Path) -> Option<String> {
    let name = path
        .file_name()?
        .to_str()?
        .strip_prefix("libmilvusdm_")?
        .strip_suffix(".so")?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_flag_environment_home_system_each_folder_once() {
        let flags = ["/a".into(), "rel".into()];
        let places = from(
            &flags,
            Some("/b::rel2:/a:/c".into()),
            Some("/home/u".into()),
        );
        let shown: Vec<String> = places.iter().map(ToString::to_string).collect();
        let rel = std::path::absolute("rel").unwrap();
        assert_eq!(
            shown,
            [
                "/a (--plugin-dir)",
                &format!("{} (--plugin-dir)", rel.display()),
                "/b (MILVUSDM_PLUGIN_PATH)",
                "/c (MILVUSDM_PLUGIN_PATH)",
                "/home/u/.local/lib/milvusdm/plugins",
                "/usr/lib/milvusdm/plugins",
            ]
        );
    }

    #[test]
    fn file_names_tell_the_plugin() {
        assert_eq!(
            name_of(Path::new("/x/libmilvusdm_vecs.so")).as_deref(),
            Some("vecs")
        );
        for other in [
            "/x/libmilvusdm_.so",
            "/x/vecs.so",
            "/x/libmilvusdm_vecs.so.1",
            "/",
        ] {
            assert_eq!(name_of(Path::new(other)), None, "{other}");
        }
        assert_eq!(file_name("vecs"), "libmilvusdm_vecs.so");
    }
}
