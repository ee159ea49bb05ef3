// SPDX-License-Identifier: Apache-2.0
//! What is wrong with a value of the task, before it is known how the task was given.
//!
//! Checks name the value by its pointer; [`super::origin`] knows where that stands.

use milvusdm_plugin_api::{Error, ErrorKind};

use super::place::Part;
use super::pointer;

/// What is wrong, and at which value.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub pointer: String,
    pub part: Part,
    pub message: String,
    pub help: Option<String>,
    pub kind: ErrorKind,
}

impl Fault {
    /// Something wrong with the value at `at`, which the message then names.
    pub(super) fn of_value(at: &str, message: impl AsRef<str>) -> Self {
        let message = format!("{}: {}", pointer::readable(at), message.as_ref());
        Self {
            pointer: at.to_owned(),
            part: Part::Value,
            message,
            help: None,
            kind: ErrorKind::Config,
        }
    }

    /// Something wrong with the key at `at`; the message names it itself.
    pub(super) fn of_key(at: &str, message: String) -> Self {
        Self {
            pointer: at.to_owned(),
            part: Part::Key,
            message,
            help: None,
            kind: ErrorKind::Config,
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// The same with the value called as one at another pointer is, if the message begins so.
    pub(super) fn renamed(self, at: &str) -> Self {
        let begin = format!("{}: ", pointer::readable(&self.pointer));
        match self.message.strip_prefix(&begin) {
            Some(rest) if at != self.pointer => {
                let message = format!("{}: {rest}", pointer::readable(at));
                Self { message, ..self }
            }
            _ => self,
        }
    }

    /// The fault as an error without a place.
    pub(super) fn into_error(self) -> Error {
        let error = Error::new(self.kind, self.message);
        match self.help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}
