// SPDX-License-Identifier: Apache-2.0
//! What there is to know without a source: plugins, the schema of task files.

use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, PluginInfo, Result};
use serde::Serialize;
use serde_json::Value;

use super::args::TrustArgs;
use super::render;
use super::session::{Answer, Session};
use crate::failure::{DONE, Failure};
use crate::load::{self, Digest, Known, Listed, Loader, Pin, Pins, Trace};
use crate::report::VERSION;
use crate::task;

/// `plugins list --json`.
#[derive(Debug, Serialize)]
pub(super) struct ListDocument {
    version: u32,
    /// The plugins that are linked in.
    pub plugins: Vec<ListedPlugin>,
    /// The files that a name can lead to, in the order in which they are tried.
    pub files: Vec<ListedFile>,
    exit: u8,
}

/// A plugin in short.
#[derive(Debug, Serialize)]
pub(super) struct ListedPlugin {
    pub name: String,
    pub version: String,
    pub summary: String,
    pub reads: bool,
    pub writes: bool,
}

/// A plugin file, by what is known without running it.
#[derive(Debug, Serialize)]
pub(super) struct ListedFile {
    pub file: PathBuf,
    pub name: Option<String>,
    pub version: Option<String>,
    pub sha256: Option<String>,
    /// Why it would not be loaded; null if it would.
    pub refused: Option<Error>,
}

/// `plugins show --json`.
#[derive(Debug, Serialize)]
struct ShowDocument<'a> {
    version: u32,
    plugin: ShownPlugin<'a>,
    exit: u8,
}

#[derive(Debug, Serialize)]
struct ShownPlugin<'a> {
    #[serde(flatten)]
    listed: ListedPlugin,
    /// Its page, in Markdown.
    docs: &'a str,
    /// The file it was loaded from; null if it is linked in.
    file: Option<&'a Path>,
    /// JSON Schema of the options under `source`; null if it does not read.
    source: &'a Option<Value>,
    /// JSON Schema of the options under `sink`; null if it does not write.
    sink: &'a Option<Value>,
}

/// `plugins trust --json`.
#[derive(Debug, Serialize)]
struct TrustDocument {
    version: u32,
    trusted: Vec<Pin>,
    removed: Vec<Pin>,
    /// The record of all that is trusted.
    list: PathBuf,
    exit: u8,
}

impl ListedPlugin {
    fn of(info: &PluginInfo) -> Self {
        Self {
            name: info.name.clone(),
            version: info.version.clone(),
            summary: info.summary.clone(),
            reads: info.source_options.is_some(),
            writes: info.sink_options.is_some(),
        }
    }
}

impl ListedFile {
    fn of(listed: Listed) -> Self {
        let known = listed.known.as_ref();
        let note = known.and_then(|known| known.facts.note.as_ref());
        let name = known.map(|known| known.name.clone());
        let hash = known.map(|known| known.digest.hexadecimal());
        Self {
            name: name.or_else(|| load::name_of(&listed.path)),
            version: note.map(|note| note.version.clone()),
            sha256: hash
                .as_ref()
                .and_then(|hash| Some((*hash.as_ref().ok()?).to_owned())),
            refused: listed.refused.or_else(|| hash?.err()),
            file: listed.path,
        }
    }
}

/// Lists the plugins; runs none of those that come as files.
pub(super) fn list(session: &Session) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let files = registry.loader().map(Loader::list).unwrap_or_default();
    let document = ListDocument {
        version: VERSION,
        plugins: registry
            .all_linked()
            .map(|entry| ListedPlugin::of(&entry.info))
            .collect(),
        files: files.into_iter().map(ListedFile::of).collect(),
        exit: DONE,
    };
    session.answer(&document, DONE, render::list)
}

/// Shows one plugin.
pub(super) fn show(session: &Session, name: &str) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let entry = registry.get(name, None).map_err(Failure::task)?;
    let info = &entry.info;
    let plugin = ShownPlugin {
        listed: ListedPlugin::of(info),
        docs: &info.docs,
        file: entry.file.as_ref().map(|file| file.path.as_path()),
        source: &info.source_options,
        sink: &info.sink_options,
    };
    let document = ShowDocument {
        version: VERSION,
        plugin,
        exit: DONE,
    };
    session.answer(&document, DONE, |_| render::show(&entry))
}

/// Trusts a plugin file, or does so no longer.
pub(super) fn trust(session: &Session, args: &TrustArgs) -> Result<Answer, Failure> {
    let file = args.file.as_path();
    let ((trusted, removed), list) = if args.remove {
        let changed = Pins::change(|pins| Ok((Vec::new(), forget(pins, file)?)));
        changed.map_err(Failure::task)?
    } else {
        let candidate =
            load::examine_for_trust(file, &mut Trace::new(file)).map_err(Failure::task)?;
        let known = candidate.known;
        expect_content(&known, args.sha256.as_deref()).map_err(Failure::task)?;
        let changed = Pins::change(|pins| Ok((vec![pins.add(&known)?], Vec::new())));
        changed.map_err(Failure::task)?
    };
    let document = TrustDocument {
        version: VERSION,
        trusted,
        removed,
        list,
        exit: DONE,
    };
    session.answer(&document, DONE, |document| {
        render::trust(&document.trusted, &document.removed, &document.list)
    })
}

/// That the file is still what was looked at.
fn expect_content(known: &Known, sha256: Option<&str>) -> Result<()> {
    let found = known.digest.hexadecimal()?;
    match sha256 {
        Some(wanted) if !wanted.eq_ignore_ascii_case(found) => {
            let message = format!("found sha256 {found}, wanted {wanted}");
            Err(Error::new(ErrorKind::Denied, message)
                .with("file", known.path.display())
                .help("the file is not the one that was looked at; look at it again"))
        }
        _ => Ok(()),
    }
}

/// A file may be gone or changed by the time it is trusted no longer.
fn forget(pins: &mut Pins, file: &Path) -> Result<Vec<Pin>> {
    let candidate = load::examine_named(file, &mut Trace::new(file)).ok();
    let path = file
        .canonicalize()
        .or_else(|_| std::path::absolute(file))
        .unwrap_or_else(|_| file.to_owned());
    let content = candidate.map(|candidate| candidate.known.digest);
    let content = content.as_ref().map(Digest::hexadecimal).transpose()?;
    let removed = pins.remove(&path, content);
    if removed.is_empty() {
        let message = "this file was not trusted";
        return Err(Error::new(ErrorKind::NotFound, message).with("file", path.display()));
    }
    Ok(removed)
}

/// Prints the JSON Schema of task files.
pub(super) fn schema(session: &Session) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let entries = registry.everything();
    let plugins: Vec<PluginInfo> = entries.iter().map(|entry| entry.info.clone()).collect();
    let schema = task::schema(&plugins, &session.defaults);
    Ok(Answer::new(format!("{schema:#}\n"), DONE))
}
