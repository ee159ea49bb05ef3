// SPDX-License-Identifier: Apache-2.0
//! `plugins new`: writes the project of a plugin and says what to do with it.

use std::fmt::Write as _;

use milvusdm_plugin_api::{Error, ErrorKind};
use serde::Serialize;

use super::args::{NewArgs, PluginLanguage};
use super::session::{Answer, Session};
use super::text;
use crate::failure::{DONE, ENDPOINT, Failure};
use crate::report::VERSION;
use crate::scaffold::{Language, Project, Written};

/// `plugins new --json`.
#[derive(Debug, Serialize)]
struct NewDocument<'a> {
    version: u32,
    project: NewProject<'a>,
    exit: u8,
}

#[derive(Debug, Serialize)]
struct NewProject<'a> {
    name: &'a str,
    lang: &'static str,
    folder: String,
    /// Version of the crate for plugins that it is built with.
    api_version: &'a str,
    files: &'a [String],
    /// Commands that test, build and run it, in its folder.
    next: &'a [String],
}

/// Writes a project.
pub(super) fn new(session: &Session, args: &NewArgs) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let linked = registry.all_linked();
    let built_in: Vec<&str> = linked.map(|entry| entry.info.name.as_str()).collect();
    let project = Project {
        name: &args.name,
        language: match args.lang {
            PluginLanguage::Rust => Language::Rust,
            PluginLanguage::C => Language::C,
        },
        api: args.api.as_deref(),
        parent: &args.dir,
    };
    let written = project.write(&built_in).map_err(failure)?;
    let document = NewDocument {
        version: VERSION,
        project: NewProject {
            name: &args.name,
            lang: match args.lang {
                PluginLanguage::Rust => "rust",
                PluginLanguage::C => "c",
            },
            folder: written.folder.display().to_string(),
            api_version: &written.api_version,
            files: &written.files,
            next: &written.next,
        },
        exit: DONE,
    };
    session.answer(&document, DONE, |_| in_text(&args.name, &written))
}

/// A disk that fails is no fault of the command line.
fn failure(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Denied => Failure {
            error,
            exit: ENDPOINT,
        },
        _ => Failure::task(error),
    }
}

fn in_text(name: &str, written: &Written) -> String {
    let folder = text::line(&written.folder.display().to_string());
    let mut shown = format!(
        "Wrote the plugin `{name}` into {folder} ({} files, plugin API {}). Next, in that folder:\n",
        written.files.len(),
        text::line(&written.api_version)
    );
    for command in &written.next {
        let _ = writeln!(shown, "  {command}");
    }
    shown
}
