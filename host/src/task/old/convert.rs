// SPDX-License-Identifier: Apache-2.0
//! An old task as the task of today that it is run as, to be kept in its place.

use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::defaults::Defaults;
use super::super::{Task, env, file, resolve, yaml};
use super::{Channel, Note, Purpose, translate};

/// Width of comments.
const WIDTH: usize = 96;

/// A task of today, made of an old one.
#[derive(Debug, Serialize)]
pub struct Converted {
    /// The channel: `F2M`.
    pub channel: &'static str,
    /// What it moves.
    pub route: &'static str,
    /// The task.
    pub task: Value,
    /// What differs, by the key of the task that it is about.
    pub notes: Vec<NoteView>,
}

/// What a person should know about a key of the task.
#[derive(Debug, Serialize)]
pub struct NoteView {
    /// The key.
    pub key: &'static str,
    /// What to know.
    pub text: String,
}

/// Converts the task file at a path; gives the task that it runs as too, so that its options can
/// be checked.
///
/// # Errors
/// As [`Task::load`]; `Config` for a task of today.
pub fn convert(path: &Path) -> Result<(Converted, Task)> {
    let (text, name) = (file::read(path)?, file::shown_name(path));
    // What is wrong with the file is said by the way that a run takes.
    let task = resolve::task(&text, &name, &Defaults::default(), &env::of_process)?;
    let (document, _) =
        yaml::read(&text).map_err(|refusal| resolve::refused(refusal, &name, &text))?;
    let is_of_today = || {
        Error::new(
            ErrorKind::Config,
            "this is a task of today, wanted one of MilvusDM 1.0: `F2M`, `H2M`, `M2M` or `M2H` at the top",
        )
        .with("file", &name)
        .help("it can be run as it is")
    };
    let fault_free = |fault: super::super::fault::Fault| fault.into_error();
    let channel = Channel::of(&document)
        .map_err(fault_free)?
        .ok_or_else(is_of_today)?;
    let shown = translate(channel, &document, Purpose::Show(&env::of_process));
    let shown = shown.map_err(fault_free)?;
    let view = |Note { key, text }| NoteView { key, text };
    let converted = Converted {
        channel: channel.key(),
        route: channel.route(),
        task: shown.document,
        notes: shown.notes.into_iter().map(view).collect(),
    };
    Ok((converted, task))
}

impl Converted {
    /// The task as YAML, with comments that say what differs.
    ///
    /// # Errors
    /// `Internal` if it can't be written.
    pub fn yaml(&self) -> Result<String> {
        let mut out = String::new();
        comment(
            &mut out,
            &format!(
                "MilvusDM 1.0's {} ({}) as a task of today. Both files run; the comments say what is new.",
                self.channel, self.route
            ),
        );
        for (key, value) in self.task.as_object().into_iter().flatten() {
            for note in self.notes.iter().filter(|note| note.key == key) {
                comment(&mut out, &note.text);
            }
            let part = Map::from_iter([(key.clone(), value.clone())]);
            let part = serde_yaml::to_string(&part).map_err(|e| {
                Error::new(ErrorKind::Internal, "write the task as YAML").caused_by(e)
            })?;
            out.push_str(&part);
        }
        Ok(out)
    }
}

/// Adds lines that are not too long.
fn comment(out: &mut String, text: &str) {
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count() + 1;
        if width == 0 || width + length > WIDTH {
            if width > 0 {
                out.push('\n');
            }
            out.push('#');
            width = 1;
        }
        out.push(' ');
        out.push_str(word);
        width += length;
    }
    out.push('\n');
}
