// SPDX-License-Identifier: Apache-2.0
//! Opens a file read-only and finds objects in it without leaving it.
//!
//! libhdf5 follows external links of its own accord, so every step of a path is looked at
//! before it is taken. What a soft link says can't be read through the safe interface; it is
//! followed only in a file without external links.

use std::fs::{File, Metadata};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hdf5::{Group, LinkType, LocationType};
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::stored::StoredType;
use super::{library_error, unlocked};

/// Deepest group that is looked into.
const MAX_DEPTH: usize = 32;
/// Most links that a search for external links looks at.
const MAX_LINKS: usize = 100_000;
/// Most objects that a message lists.
const MAX_LISTED: usize = 20;
/// Chunk cache of each open dataset, in bytes.
const CHUNK_CACHE_BYTES: usize = 4 << 20;

/// An HDF5 file, open for reading.
#[derive(Debug)]
pub struct H5File {
    path: PathBuf,
    pub(super) handle: hdf5::File,
    raw: File,
    metadata: Metadata,
    pub(super) attributes: Vec<String>,
    is_plain: bool,
    has_external_links: OnceLock<bool>,
}

/// What a link of a group leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A dataset of this file.
    Dataset,
    /// A group of this file.
    Group,
    /// A soft link, not followed.
    Soft,
    /// A link into another file, never followed.
    External,
    /// A named type, or an object that can't be opened.
    Other,
}

/// A link of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the group.
    pub name: String,
    /// What it leads to.
    pub kind: EntryKind,
}

/// Changes when a file is written to or replaced.
pub fn fingerprint(metadata: &Metadata) -> String {
    format!(
        "{}:{}.{:09}",
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec()
    )
}

impl H5File {
    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Io` from the system; `Format` if it is no HDF5 file.
    pub fn open(path: &Path) -> Result<Self> {
        let doing =
            |e: &std::io::Error| Error::io("opening an HDF5 file", e).with("file", path.display());
        // Looked at first: opening a pipe would wait for its writer.
        let found = std::fs::metadata(path).map_err(|e| doing(&e))?;
        if !found.is_file() {
            return Err(
                Error::new(ErrorKind::Config, "an HDF5 file must be a regular file")
                    .with("file", path.display()),
            );
        }
        let raw = File::open(path).map_err(|e| doing(&e))?;
        let metadata = raw.metadata().map_err(|e| doing(&e))?;
        let open = |name: &Path| {
            hdf5::File::with_options()
                .with_fapl(|fapl| fapl.chunk_cache(12_421, CHUNK_CACHE_BYTES, 0.75))
                .open(name)
        };
        let handle = unlocked(|| match path.to_str() {
            Some(_) => open(path),
            // The library's interface takes UTF-8 names only.
            None => open(Path::new(&format!("/proc/self/fd/{}", raw.as_raw_fd()))),
        })
        .map_err(|e| {
            library_error("opening an HDF5 file", path, &e).with("bytes", metadata.len())
        })?;
        // A file that was put in the place of another between the two would mix them.
        let now = std::fs::metadata(path).map_err(|e| doing(&e))?;
        if (now.dev(), now.ino()) != (metadata.dev(), metadata.ino()) {
            return Err(Error::new(
                ErrorKind::Format,
                "the file was replaced while it was opened",
            )
            .with("file", path.display())
            .help("run again once nothing writes it"));
        }
        let attributes = handle
            .attr_names()
            .map_err(|e| library_error("listing the root attributes", path, &e))?;
        let is_plain = handle.fcpl().is_ok_and(|plist| {
            let sizes = plist.sizes();
            (sizes.sizeof_addr, sizes.sizeof_size, plist.userblock()) == (8, 8, 0)
        });
        Ok(Self {
            path: path.to_owned(),
            handle,
            is_plain,
            raw,
            metadata,
            attributes,
            has_external_links: OnceLock::new(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.metadata.len()
    }

    /// Changes when the file is written to or replaced.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.metadata)
    }

    /// Refuses what was read of a file that was written to since it was opened; one that was
    /// replaced is read on as it was.
    ///
    /// # Errors
    /// `Format`, `Io`.
    pub fn check_unchanged(&self) -> Result<()> {
        let now = self.raw.metadata().map_err(|e| {
            Error::io("looking at a file that is read", &e).with("file", self.path.display())
        })?;
        let (now, opened) = (fingerprint(&now), self.fingerprint());
        if now == opened {
            return Ok(());
        }
        Err(self
            .format_error("the file changed while it was read")
            .with("found", now)
            .with("opened", opened)
            .help("run again once nothing writes it"))
    }

    /// What the system says of it, as of its opening.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The names of the root group's attributes.
    pub fn attribute_names(&self) -> &[String] {
        &self.attributes
    }

    /// The same file, for reading past the library.
    pub fn raw(&self) -> &File {
        &self.raw
    }

    /// Whether addresses and lengths in the file are of 8 bytes and count from its first one.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// A `Format` error that names the file.
    pub fn format_error(&self, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Format, message).with("file", self.path.display())
    }

    /// An `Unsupported` error that names the file.
    pub fn unsupported(&self, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Unsupported, message).with("file", self.path.display())
    }

    fn config(&self, message: String) -> Error {
        Error::new(ErrorKind::Config, message).with("file", self.path.display())
    }

    pub(super) fn library(&self, doing: impl Into<String>, cause: &hdf5::Error) -> Error {
        library_error(doing, &self.path, cause)
    }

    /// The links of a group, in the order of their names.
    ///
    /// # Errors
    /// `Format` if the group is damaged.
    pub fn entries(&self, group: &Group) -> Result<Vec<Entry>> {
        let mut entries = group
            .iter_visit_default(Vec::new(), |group, name, info, entries| {
                let kind = match info.link_type {
                    LinkType::Soft => EntryKind::Soft,
                    LinkType::External => EntryKind::External,
                    // Such a name would be taken for a path, which may lead anywhere.
                    LinkType::Hard if name.contains('/') || name == "." => EntryKind::Other,
                    LinkType::Hard => match group.loc_type_by_name(name) {
                        Ok(LocationType::Dataset) => EntryKind::Dataset,
                        Ok(LocationType::Group) => EntryKind::Group,
                        _ => EntryKind::Other,
                    },
                };
                entries.push(Entry {
                    name: name.to_owned(),
                    kind,
                });
                true
            })
            .map_err(|e| self.library("listing a group", &e))?;
        entries.sort_by(|a: &Entry, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// The root group.
    pub fn root(&self) -> &Group {
        &self.handle
    }

    /// Opens the group that holds `path`, and gives the last part of it; `/train` is in the root.
    ///
    /// # Errors
    /// `NotFound` with a list of what is there, `Unsupported` for links that lead elsewhere.
    pub fn parent(&self, path: &str) -> Result<(Group, String)> {
        let mut parts: Vec<&str> = path
            .split('/')
            .filter(|p| !p.is_empty() && *p != ".")
            .collect();
        let Some(last) = parts.pop() else {
            return Err(self.config(format!("`{path}` names no dataset")));
        };
        if parts.len() > MAX_DEPTH {
            return Err(self.config(format!("`{path}` is deeper than {MAX_DEPTH} groups")));
        }
        let mut group = self
            .handle
            .group("/")
            .map_err(|e| self.library("opening the root group", &e))?;
        for part in parts {
            if self.kind_in(&group, part, path)? != EntryKind::Group {
                return Err(self.not_found(path));
            }
            group = group
                .group(part)
                .map_err(|e| self.library(format!("opening group `{part}` of `{path}`"), &e))?;
        }
        Ok((group, last.to_owned()))
    }

    /// Opens a dataset by its path, following no link out of the file.
    ///
    /// # Errors
    /// As [`parent`](Self::parent), and `Format` if the library can't open it.
    pub fn find(&self, path: &str) -> Result<hdf5::Dataset> {
        let (group, name) = self.parent(path)?;
        if self.kind_in(&group, &name, path)? != EntryKind::Dataset {
            return Err(self.not_found(path));
        }
        group
            .dataset(&name)
            .map_err(|e| self.library(format!("opening dataset `{path}`"), &e))
    }

    /// What `name` in `group` is, soft links followed where that is safe.
    fn kind_in(&self, group: &Group, name: &str, path: &str) -> Result<EntryKind> {
        let link = group
            .iter_visit_default(None, |_, found, info, link| {
                if found == name {
                    *link = Some(info.link_type);
                }
                link.is_none()
            })
            .map_err(|e| self.library(format!("looking for `{path}`"), &e))?;
        match link {
            None => return Err(self.not_found(path)),
            Some(LinkType::External) => {
                return Err(self.unsupported(format!(
                    "`{path}` leads into another file (external link at `{name}`), which is not followed"
                ))
                .help("name that other file as the source"));
            }
            Some(LinkType::Soft) if self.has_external_links()? => {
                return Err(self.unsupported(format!(
                    "`{path}` is a soft link in a file that also has external links, which is not followed"
                ))
                .help("name the dataset by the path that the link leads to"));
            }
            Some(LinkType::Soft | LinkType::Hard) => {}
        }
        match group.loc_type_by_name(name) {
            Ok(LocationType::Dataset) => Ok(EntryKind::Dataset),
            Ok(LocationType::Group) => Ok(EntryKind::Group),
            Ok(_) => Ok(EntryKind::Other),
            Err(e) => Err(self.library(format!("looking at `{path}`"), &e)),
        }
    }

    /// Whether any link of the file leads out of it; `true` where the file is too large to tell.
    fn has_external_links(&self) -> Result<bool> {
        if let Some(known) = self.has_external_links.get() {
            return Ok(*known);
        }
        let mut seen = 0;
        let mut found = false;
        self.walk(self.root(), "", 0, &mut |_, entry| {
            seen += 1;
            found |= entry.kind == EntryKind::External || seen > MAX_LINKS;
            !found
        })?;
        Ok(*self.has_external_links.get_or_init(|| found))
    }

    /// Visits every object that hard links lead to; `visit` returns whether to go on.
    fn walk(
        &self,
        group: &Group,
        path: &str,
        depth: usize,
        visit: &mut dyn FnMut(&str, &Entry) -> bool,
    ) -> Result<bool> {
        for entry in self.entries(group)? {
            let full = format!("{path}/{}", entry.name);
            if !visit(&full, &entry) {
                return Ok(false);
            }
            if entry.kind == EntryKind::Group && depth < MAX_DEPTH {
                let inner = group
                    .group(&entry.name)
                    .map_err(|e| self.library(format!("opening group `{full}`"), &e))?;
                if !self.walk(&inner, &full, depth + 1, visit)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Says in one line which datasets are in the file.
    pub fn listing(&self) -> String {
        let mut found = Vec::new();
        let mut more = 0;
        let walked = self.walk(self.root(), "", 0, &mut |path, entry| {
            match entry.kind {
                EntryKind::Group => {}
                _ if found.len() >= MAX_LISTED => more += 1,
                EntryKind::Dataset => found.push(self.describe(path)),
                EntryKind::Soft => found.push(format!("`{path}` (soft link)")),
                EntryKind::External => found.push(format!("`{path}` (external link)")),
                EntryKind::Other => found.push(format!("`{path}` (no dataset)")),
            }
            more < 1000
        });
        match (walked, found.is_empty()) {
            (Err(_), true) => "the file's groups can't be listed".to_owned(),
            (_, true) => "the file holds no dataset".to_owned(),
            _ if more > 0 => format!("the file holds {} and {more} more", found.join(", ")),
            _ => format!("the file holds {}", found.join(", ")),
        }
    }

    /// Dimensions of a dataset and a description; `None` for a virtual one. `path` must have come
    /// from [`entries`](Self::entries).
    ///
    /// # Errors
    /// `Format` if it is damaged.
    pub fn shape_of(&self, path: &str) -> Result<Option<(usize, String)>> {
        let dataset = self.find(path)?;
        let look = || -> hdf5::Result<Option<usize>> {
            match dataset.dcpl()?.get_layout()? {
                hdf5::dataset::Layout::Virtual => Ok(None),
                _ => Ok(Some(dataset.space()?.shape().len())),
            }
        };
        let found = look().map_err(|e| self.library(format!("looking at dataset `{path}`"), &e))?;
        Ok(found.map(|dimensions| (dimensions, self.describe(path))))
    }

    fn describe(&self, path: &str) -> String {
        let described = self.handle.dataset(path).and_then(|dataset| {
            let shape: Vec<String> = match dataset.dcpl()?.get_layout()? {
                hdf5::dataset::Layout::Virtual => return Ok(format!("`{path}` (virtual)")),
                _ => dataset
                    .space()?
                    .shape()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            };
            let stored = StoredType::of(&dataset.dtype()?);
            Ok(format!("`{path}` ({} {stored})", shape.join(" x ")))
        });
        described.unwrap_or_else(|_| format!("`{path}` (damaged)"))
    }

    fn not_found(&self, path: &str) -> Error {
        Error::new(ErrorKind::NotFound, format!("there is no dataset `{path}`"))
            .with("file", self.path.display())
            .help(format!(
                "{}; name the right ones with the options `vectors` and `ids`",
                self.listing()
            ))
    }
}
