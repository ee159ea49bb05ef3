// SPDX-License-Identifier: Apache-2.0
//! How a task was given, a file or command-line arguments, and where in it an error belongs.
//!
//! A located error has the context `at` (`task.yaml:3:7`, or `argument SRC`) in front, then
//! `snippet`: the line and the caret under it.

use milvusdm_plugin_api::Error;

use super::Side;
use super::env::Written;
use super::fault::Fault;
use super::place::{Part, Place};
use super::places::Places;
use super::pointer;
use super::render;

/// Context key of the place.
const AT: &str = "at";
/// Context key of the line and its caret.
const SNIPPET: &str = "snippet";

#[derive(Debug, Clone)]
pub(super) enum Origin {
    File(FileOrigin),
    Arguments { source: Argument, sink: Argument },
}

/// A task file that was parsed.
#[derive(Clone)]
pub(super) struct FileOrigin {
    pub name: String,
    pub text: String,
    pub places: Places,
    pub written: Written,
}

impl std::fmt::Debug for FileOrigin {
    /// The text may hold passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileOrigin")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A command-line argument that was parsed: `faiss:/data/a.index?lossy=allow`.
#[derive(Clone)]
pub(super) struct Argument {
    /// What the argument is called in the help: `SRC`.
    pub label: &'static str,
    pub text: String,
    /// Where each option stands in the text, by name: its key (if it has one) and its value.
    pub options: Vec<(String, Option<Place>, Place)>,
}

impl std::fmt::Debug for Argument {
    /// The text may hold passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Argument")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl Origin {
    /// Says where the value at `pointer` stands; leaves an error alone that has a place.
    ///
    /// `secrets` are pointers to values that must not be shown.
    pub(super) fn locate(
        &self,
        pointer: &str,
        part: Part,
        error: Error,
        secrets: &[String],
    ) -> Error {
        match self {
            Self::File(file) => file.locate(pointer, part, error, secrets),
            Self::Arguments { source, sink } => match Side::of_pointer(pointer) {
                Some(Side::Source) => source.locate(pointer, part, error, secrets),
                Some(Side::Sink) => sink.locate(pointer, part, error, secrets),
                None => error,
            },
        }
    }

    /// A fault as an error at its place.
    pub(super) fn error(&self, fault: Fault, secrets: &[String]) -> Error {
        let (pointer, part) = (fault.pointer.clone(), fault.part);
        self.locate(&pointer, part, fault.into_error(), secrets)
    }

    /// Which values must be shown as they are written.
    pub(super) fn written(&self) -> Option<&Written> {
        match self {
            Self::File(file) => Some(&file.written),
            Self::Arguments { .. } => None,
        }
    }
}

impl FileOrigin {
    fn locate(&self, pointer: &str, part: Part, error: Error, secrets: &[String]) -> Error {
        let mut hidden = self.places.scalars_under(render::looks_secret);
        hidden.extend(
            secrets
                .iter()
                .map(|secret| self.places.find(secret, Part::Value)),
        );
        let place = self.places.find(pointer, part);
        located(error, &self.name, &self.text, place, Some(&hidden))
    }

    pub(super) fn error(&self, fault: Fault) -> Error {
        let (pointer, part) = (fault.pointer.clone(), fault.part);
        self.locate(&pointer, part, fault.into_error(), &[])
    }
}

impl Argument {
    /// The argument before its options are known.
    pub(super) fn new(label: &'static str, text: &str) -> Self {
        Self {
            label,
            text: text.to_owned(),
            options: Vec::new(),
        }
    }

    fn whole(&self) -> Place {
        Place::in_line(0, self.text.chars().count())
    }

    fn locate(&self, pointer: &str, part: Part, error: Error, secrets: &[String]) -> Error {
        let place = |pointer: &str, part| {
            let name = pointer::segments(pointer).nth(1)?;
            let (_, key, value) = self.options.iter().find(|(option, ..)| *option == name)?;
            Some(if part == Part::Key {
                key.unwrap_or(*value)
            } else {
                *value
            })
        };
        let named = self
            .options
            .iter()
            .filter(|(name, ..)| render::looks_secret(name));
        let mut hidden: Vec<Place> = named.map(|(.., value)| *value).collect();
        hidden.extend(
            secrets
                .iter()
                .filter_map(|secret| place(secret, Part::Value)),
        );
        self.error_beside(
            place(pointer, part).unwrap_or(self.whole()),
            error,
            Some(&hidden),
        )
    }

    pub(super) fn error(&self, fault: Fault, secrets: &[String]) -> Error {
        let (pointer, part) = (fault.pointer.clone(), fault.part);
        self.locate(&pointer, part, fault.into_error(), secrets)
    }

    /// The place of a part of the text that starts at a byte.
    pub(super) fn place(&self, (part, start): (&str, usize)) -> Place {
        let before = self.text.get(..start).unwrap_or_default().chars().count();
        Place::in_line(before, before + part.chars().count())
    }

    /// An error at a place of the text, before its options are known.
    pub(super) fn error_at(&self, place: Place, error: Error) -> Error {
        self.error_beside(place, error, None)
    }

    fn error_beside(&self, place: Place, error: Error, hidden: Option<&[Place]>) -> Error {
        if error.context_value(AT).is_some() {
            return error;
        }
        let snippet = render::argument_snippet(&self.text, place, hidden);
        error
            .with_first(SNIPPET, snippet)
            .with_first(AT, format!("argument {}", self.label))
    }
}

/// An error at a place of a file; `hidden` as in [`render::snippet`].
pub(super) fn located(
    error: Error,
    name: &str,
    text: &str,
    place: Place,
    hidden: Option<&[Place]>,
) -> Error {
    if error.context_value(AT).is_some() {
        return error;
    }
    let at = format!("{name}:{}:{}", place.line, place.column);
    error
        .with_first(SNIPPET, render::snippet(text, place, hidden))
        .with_first(AT, at)
}
