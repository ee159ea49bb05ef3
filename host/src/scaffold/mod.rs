// SPDX-License-Identifier: Apache-2.0
//! Writes the project of a new plugin: one that builds, passes its own tests and can be run
//! before its author has changed a line.
//!
//! All that it needs is in the binary: the templates, the crate for plugins, the versions that
//! both are tested with. A project appears whole or not at all.

mod name;
mod place;
mod template;

use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use self::place::{File, Place};
use self::template::Values;
use crate::program::Program;

/// What the binary carries; `build.rs` collects it.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/scaffold.rs"));
}

/// Where the copy of the crate for plugins goes, within a project.
const API_FOLDER: &str = "plugin-api";
/// Where a project in C has its headers; the same name within the crate for plugins.
const HEADERS: &str = "include";

/// The language of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Over the crate `milvusdm-plugin-api`.
    Rust,
    /// Over the header `milvusdm_plugin.h`.
    C,
}

/// A project to be written.
#[derive(Debug, Clone)]
pub struct Project<'a> {
    /// The plugin's name.
    pub name: &'a str,
    /// Its language.
    pub language: Language,
    /// A folder with the crate for plugins, in place of the binary's own copy.
    pub api: Option<&'a Path>,
    /// The folder that the project's folder is made in.
    pub parent: &'a Path,
}

/// A project that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its folder.
    pub folder: PathBuf,
    /// Its files, within the folder.
    pub files: Vec<String>,
    /// Version of the crate for plugins.
    pub api_version: String,
    /// The commands that build, test and run it, in its folder.
    pub next: Vec<String>,
}

impl Project<'_> {
    /// Writes the project; `built_in` are the names that are taken.
    ///
    /// # Errors
    /// `Config` for a name that is none or is taken, `Exists` where its folder is there already,
    /// `NotFound` where `api` is not what it should be, `Io`. Nothing is left behind.
    pub fn write(&self, built_in: &[&str]) -> Result<Written> {
        name::check(self.name, built_in)?;
        let (files, api_version) = match self.language {
            Language::Rust => self.rust()?,
            Language::C => self.c()?,
        };
        let place = Place::new(self.parent, self.name)?;
        let folder = place.fill(&files)?;
        Ok(Written {
            folder,
            files: files.into_iter().map(|file| file.path).collect(),
            api_version,
            next: self.next(),
        })
    }

    fn rust(&self) -> Result<(Vec<File>, String)> {
        let (api_path, version) = match self.api {
            Some(path) => given_api(path)?,
            None => (PathBuf::from(API_FOLDER), embedded::API_VERSION.to_owned()),
        };
        let values = Values::new(self.name, &api_path, &version)?;
        let mut files = values.fill(embedded::RUST)?;
        if self.api.is_none() {
            files.extend(embedded::API.iter().map(|(path, bytes)| File {
                path: format!("{API_FOLDER}/{path}"),
                bytes: bytes.to_vec(),
            }));
        }
        // Cargo drops from it what the project doesn't use, and keeps the versions of the rest.
        files.push(File {
            path: "Cargo.lock".to_owned(),
            bytes: embedded::LOCK.as_bytes().to_vec(),
        });
        Ok((files, version))
    }

    fn c(&self) -> Result<(Vec<File>, String)> {
        let (headers, version) = match self.api {
            Some(path) => {
                let (path, version) = given_api(path)?;
                (place::read_folder(&path.join(HEADERS), HEADERS)?, version)
            }
            None => (embedded_headers(), embedded::API_VERSION.to_owned()),
        };
        let values = Values::new(self.name, Path::new(API_FOLDER), &version)?;
        let mut files = values.fill(embedded::C)?;
        files.extend(headers);
        Ok((files, version))
    }

    fn next(&self) -> Vec<String> {
        let name = self.name;
        let (build, test, file, sample) = match self.language {
            Language::Rust => (
                "cargo build --release",
                "cargo test --release",
                format!("target/release/libmilvusdm_{name}.so"),
                "sample/points.f32",
            ),
            Language::C => (
                "make",
                "make test",
                format!("./libmilvusdm_{name}.so"),
                "sample.raw",
            ),
        };
        let program = Program::current().name;
        let run = format!("{program} inspect --allow-plugin {file} '{name}:{sample}?dim=4'");
        vec![build.to_owned(), test.to_owned(), run]
    }
}

fn embedded_headers() -> Vec<File> {
    let headers = embedded::API.iter().filter(|(path, _)| {
        let first = path.split('/').next();
        first == Some(HEADERS)
    });
    let file = |(path, bytes): &(&str, &[u8])| File {
        path: (*path).to_owned(),
        bytes: bytes.to_vec(),
    };
    headers.map(file).collect()
}

/// The folder of a crate for plugins, absolute, and the crate's version.
fn given_api(path: &Path) -> Result<(PathBuf, String)> {
    let wanted = "wanted the folder of the crate `milvusdm-plugin-api`";
    let refuse = |error: Error| error.with("option", "--api").help(wanted);
    let folder = path.canonicalize().map_err(|e| {
        refuse(Error::io("can't find the crate for plugins", &e).with("folder", path.display()))
    })?;
    let manifest = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).map_err(|e| {
        refuse(Error::io("can't read the crate's manifest", &e).with("file", manifest.display()))
    })?;
    let parsed: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let error = Error::new(ErrorKind::Format, "the crate's manifest is no TOML");
        refuse(
            error
                .with("file", manifest.display())
                .caused_by(e.message()),
        )
    })?;
    let value = |key: &str| parsed.get("package").and_then(|p| p.get(key)?.as_str());
    match (value("name"), value("version")) {
        (Some("milvusdm-plugin-api"), Some(version)) => Ok((folder, version.to_owned())),
        (name, _) => {
            let found = name.unwrap_or("a manifest without a name");
            let message = format!("found the crate `{found}` where the one for plugins should be");
            Err(refuse(
                Error::new(ErrorKind::Config, message).with("file", manifest.display()),
            ))
        }
    }
}

#[cfg(test)]
mod tests;
