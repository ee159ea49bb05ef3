// SPDX-License-Identifier: Apache-2.0
//! What the process that runs the plugin tells the one that watches it: a JSON document a line,
//! written at once, so that all up to a crash is known.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use milvusdm_plugin_api::{Error, PluginInfo};
use serde::{Deserialize, Serialize};

use crate::load::Step;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// A check was passed.
    Passed(Step),
    /// The SHA-256 of what is tried.
    Sha256(String),
    /// What the plugin says of itself; it is loaded then.
    Info(PluginInfo),
    /// That suite begins.
    Begins(String),
    /// That suite is through.
    Suite(Suite),
    /// What refused the plugin.
    Refused(Error),
    /// All that was asked for was tried.
    Done,
}

/// The report of a behaviour suite.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Suite {
    /// `vecs source`.
    pub subject: String,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// One case of a suite.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Case {
    /// What is asked.
    pub name: String,
    /// `passed`, `skipped`, `failed`.
    pub outcome: String,
    /// Why, if it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Writes lines.
pub(super) struct Teller(File);

impl Teller {
    /// Goes on in a file that is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        File::options().append(true).open(path).map(Self)
    }

    /// Tells one.
    pub fn tell(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.0.write_all(&text)
    }
}

/// Everything that was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub steps: Vec<Step>,
    pub sha256: Option<String>,
    pub info: Option<PluginInfo>,
    /// A suite that has begun and is not through.
    pub under_way: Option<String>,
    pub suites: Vec<Suite>,
    pub refused: Option<Error>,
    pub is_done: bool,
    /// How much was told.
    pub lines: usize,
}

impl Told {
    /// Reads the lines that are whole; a crash may have cut the last.
    ///
    /// # Errors
    /// Where the report itself can't be read, which says nothing of the plugin.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read(path)?;
        let mut told = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            told.lines += 1;
            match serde_json::from_slice(line) {
                Ok(Line::Passed(step)) => told.steps.push(step),
                Ok(Line::Sha256(sha256)) => told.sha256 = Some(sha256),
                Ok(Line::Info(info)) => told.info = Some(info),
                Ok(Line::Begins(suite)) => told.under_way = Some(suite),
                Ok(Line::Suite(suite)) => {
                    told.under_way = None;
                    told.suites.push(suite);
                }
                Ok(Line::Refused(error)) => told.refused = Some(error),
                Ok(Line::Done) => told.is_done = true,
                Err(_) => {}
            }
        }
        Ok(told)
    }

    /// What was being done when no more was told.
    pub fn doing(&self) -> String {
        if self.is_done || self.refused.is_some() {
            return "its process was coming to its end".to_owned();
        }
        if let Some(suite) = &self.under_way {
            return format!("its behaviour was tried (`{suite}`)");
        }
        match self.steps.last().map(|step| step.step.as_str()) {
            Some("dlopen") => "its door was entered".to_owned(),
            Some("door") => "it was asked what it is".to_owned(),
            Some("info") => "its sample was looked into".to_owned(),
            Some("format") => "the system loaded it and ran its constructors".to_owned(),
            _ => "its file was looked at".to_owned(),
        }
    }
}
