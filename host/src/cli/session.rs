// SPDX-License-Identifier: Apache-2.0
//! What the commands share: control, stderr, and how output is wanted.

use std::io;
use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind};
use serde::Serialize;
use serde_json::Value;

use super::args::OutputOptions;
use super::terminal::Terminal;
use super::{errors, signals};
use crate::control::Control;
use crate::failure::{ENDPOINT, Failure, INTERNAL, of_signal};
use crate::load;
use crate::plugin_options::PluginOptions;
use crate::registry::Registry;
use crate::task::Defaults;

/// One run of the program.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub control: Arc<Control>,
    pub terminal: Arc<Terminal>,
    pub output: Arc<OutputOptions>,
    pub plugins: Arc<PluginOptions>,
    /// What stands in where a task leaves something out.
    pub defaults: Defaults,
}

/// What a command has to say on stdout, and the exit code.
pub(super) struct Answer {
    pub body: String,
    pub exit: u8,
    /// Done once it was printed.
    last: Option<Box<dyn FnOnce()>>,
}

impl Answer {
    pub fn new(body: String, exit: u8) -> Self {
        let last = None;
        Self { body, exit, last }
    }

    /// Has something done as soon as it was printed, and not if it can't be.
    pub fn when_printed(&mut self, last: impl FnOnce() + 'static) {
        self.last = Some(Box::new(last));
    }
}

impl Session {
    pub fn new(output: OutputOptions, plugins: PluginOptions) -> Self {
        let terminal = Arc::new(Terminal::new());
        Self {
            control: Control::new(),
            terminal,
            output: Arc::new(output),
            plugins: Arc::new(plugins),
            defaults: Defaults::default(),
        }
    }

    /// The session of a program that brings defaults.
    pub fn with_defaults(self, defaults: Defaults) -> Self {
        Self { defaults, ..self }
    }

    /// The plugins that a task can name.
    pub fn registry(&self) -> Result<Registry, Failure> {
        Registry::new(&self.plugins).map_err(Failure::task)
    }

    /// Has these texts masked wherever something is shown.
    pub fn hide(&self, secrets: &[String]) {
        secrets
            .iter()
            .for_each(|secret| self.control.add_secret(secret));
    }

    /// Lets SIGINT and SIGTERM stop the command.
    pub fn heed_signals(&self) -> Result<(), Failure> {
        signals::heed(self).map_err(|e| {
            let error = Error::io("prepare for SIGINT and SIGTERM", &e);
            Failure {
                error,
                exit: INTERNAL,
            }
        })
    }

    /// The answer: as JSON if that is wanted, else what `in_text` makes of it.
    pub fn answer<T: Serialize>(
        &self,
        report: &T,
        exit: u8,
        in_text: impl FnOnce(&T) -> String,
    ) -> Result<Answer, Failure> {
        let body = if self.output.json {
            self.json(&to_value(report)?)
        } else {
            self.control.mask(&in_text(report))
        };
        Ok(Answer::new(body, exit))
    }

    /// A JSON document with its secrets masked.
    pub fn json(&self, document: &Value) -> String {
        let mut document = document.clone();
        mask(&mut document, &self.control);
        // The alternate form of a value is its indented text.
        format!("{document:#}\n")
    }

    /// Shows a failure, on stdout too if JSON was promised there.
    pub fn answer_failure(&self, failure: &Failure) -> Answer {
        let exit = self.exit_of(failure);
        errors::show(self, "", &failure.error, exit);
        let failure = Failure {
            error: failure.error.clone(),
            exit,
        };
        let body = if self.output.json {
            self.json(&errors::document(&failure))
        } else {
            String::new()
        };
        Answer::new(body, exit)
    }

    /// A command that was cancelled ends with the code of the signal that did it.
    pub fn exit_of(&self, failure: &Failure) -> u8 {
        match self.control.signal() {
            Some(signal) if failure.error.kind() == ErrorKind::Cancelled => of_signal(signal),
            _ => failure.exit,
        }
    }

    /// Prints an answer and gives the exit code. A reader that has gone away (`| head`) is none
    /// of our failures.
    pub fn print(&self, answer: Answer) -> u8 {
        match load::print(&answer.body) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                let exit = if answer.exit == 0 {
                    ENDPOINT
                } else {
                    answer.exit
                };
                errors::show(self, "", &Error::io("print the result on stdout", &e), exit);
                exit
            }
            _ => {
                if let Some(last) = answer.last {
                    last();
                }
                answer.exit
            }
        }
    }
}

/// A report as a JSON value.
pub(super) fn to_value<T: Serialize>(report: &T) -> Result<Value, Failure> {
    serde_json::to_value(report).map_err(|e| {
        let error = Error::new(ErrorKind::Internal, "write the report as JSON").caused_by(e);
        Failure {
            error,
            exit: INTERNAL,
        }
    })
}

fn mask(value: &mut Value, control: &Control) {
    match value {
        Value::String(text) => *text = control.mask(text),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, control)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| mask(member, control)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_at_any_depth_of_a_document() {
        let session = Session::new(OutputOptions::default(), PluginOptions::default());
        session.hide(&["hunter2".to_owned(), "new\nline".to_owned()]);
        let document = serde_json::json!({"a": [{"b": "x hunter2 y", "c": "new\nline"}], "n": 7});
        let shown: Value = serde_json::from_str(&session.json(&document)).unwrap();
        assert_eq!(
            shown,
            serde_json::json!({"a": [{"b": "x *** y", "c": "***"}], "n": 7})
        );
    }

    #[test]
    fn a_cancelled_command_ends_with_the_code_of_its_signal() {
        let session = Session::new(OutputOptions::default(), PluginOptions::default());
        let cancelled = Failure::endpoint(Error::new(ErrorKind::Cancelled, "stopped"));
        let other = Failure::endpoint(Error::new(ErrorKind::Io, "broken"));
        assert_eq!(session.exit_of(&cancelled), ENDPOINT);
        session.control.cancel(15);
        assert_eq!(session.exit_of(&cancelled), 143);
        assert_eq!(session.exit_of(&other), ENDPOINT);
    }
}
