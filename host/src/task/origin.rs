// SPDX-License-Identifier: Apache-2.0
//! How a task was given, a file or command-line arguments, and where in it an error belongs.
//!
//! A located error has the context `at` (`task.yaml:3:7`, or `argument SRC`) in front, then
//! `snippet`: the line and the caret under it. One about a default, which was not given, is
//! located in the defaults instead.

use milvusdm_plugin_api::Error;

use super::Side;
use super::defaults::Laid;
use super::env::Written;
use super::fault::Fault;
use super::old::Moved;
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
    File(Box<FileOrigin>),
    Arguments(Box<ArgumentsOrigin>),
}

/// Two command-line arguments that were parsed.
#[derive(Debug, Clone)]
pub(super) struct ArgumentsOrigin {
    pub source: Argument,
    pub sink: Argument,
    pub written: Written,
    /// Which values beside source and sink are defaults.
    pub laid: Laid,
}

/// A task file that was parsed.
#[derive(Clone)]
pub(super) struct FileOrigin {
    pub name: String,
    pub text: String,
    pub places: Places,
    pub written: Written,
    pub laid: Laid,
    /// Where values stand that are called otherwise in the file, as in one of MilvusDM 1.0.
    pub moved: Moved,
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
    /// Variables in options that are defaults.
    pub written: Written,
    pub laid: Laid,
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
            Self::Arguments(arguments) => match Side::of_pointer(pointer) {
                Some(Side::Source) => arguments.source.locate(pointer, part, error, secrets),
                Some(Side::Sink) => arguments.sink.locate(pointer, part, error, secrets),
                None => arguments
                    .laid
                    .locate(pointer, part, error, secrets)
                    .unwrap_or_else(|error| error),
            },
        }
    }

    /// A fault as an error at its place.
    pub(super) fn error(&self, fault: Fault, secrets: &[String]) -> Error {
        let (pointer, part) = (fault.pointer.clone(), fault.part);
        let fault = match self {
            Self::File(file) => file.in_its_words(fault),
            Self::Arguments(_) => fault,
        };
        self.locate(&pointer, part, fault.into_error(), secrets)
    }

    /// Which values must be shown as they are written.
    pub(super) fn written(&self) -> &Written {
        match self {
            Self::File(file) => &file.written,
            Self::Arguments(arguments) => &arguments.written,
        }
    }

    /// What the values that are defaults are called.
    pub(super) fn defaults(&self) -> Vec<String> {
        match self {
            Self::File(file) => file.laid.readable(),
            Self::Arguments(arguments) => {
                let of_sides = [
                    &arguments.source.laid,
                    &arguments.sink.laid,
                    &arguments.laid,
                ];
                of_sides.iter().flat_map(|laid| laid.readable()).collect()
            }
        }
    }

    /// The value at `pointer` was replaced by one that the user gave elsewhere.
    pub(super) fn forget(&mut self, pointer: &str) {
        match self {
            Self::File(file) => file.laid.forget(pointer),
            Self::Arguments(arguments) => arguments.laid.forget(pointer),
        }
    }
}

impl FileOrigin {
    fn locate(&self, pointer: &str, part: Part, error: Error, secrets: &[String]) -> Error {
        let error = match self.laid.locate(pointer, part, error, secrets) {
            Ok(located) => return located,
            Err(error) => error,
        };
        let secrets: Vec<String> = secrets.iter().map(|at| self.moved.find(at)).collect();
        let hidden = hidden(&self.places, &secrets);
        let place = self.places.find(&self.moved.find(pointer), part);
        located(error, &self.name, &self.text, place, Some(&hidden))
    }

    pub(super) fn error(&self, fault: Fault) -> Error {
        let (pointer, part) = (fault.pointer.clone(), fault.part);
        self.locate(&pointer, part, self.in_its_words(fault).into_error(), &[])
    }

    /// The fault with the name that the value has in the file.
    fn in_its_words(&self, fault: Fault) -> Fault {
        if self.laid.covers(&fault.pointer) {
            return fault;
        }
        let at = self.moved.find(&fault.pointer);
        fault.renamed(&at)
    }
}

impl Argument {
    /// The argument before its options are known.
    pub(super) fn new(label: &'static str, text: &str) -> Self {
        Self {
            label,
            text: text.to_owned(),
            options: Vec::new(),
            written: Written::default(),
            laid: Laid::default(),
        }
    }

    fn whole(&self) -> Place {
        Place::in_line(0, self.text.chars().count())
    }

    pub(super) fn locate(
        &self,
        pointer: &str,
        part: Part,
        error: Error,
        secrets: &[String],
    ) -> Error {
        let error = match self.laid.locate(pointer, part, error, secrets) {
            Ok(located) => return located,
            Err(error) => error,
        };
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
        if is_located(&error) {
            return error;
        }
        let snippet = render::argument_snippet(&self.text, place, hidden);
        error
            .with_first(SNIPPET, snippet)
            .with_first(AT, format!("argument {}", self.label))
    }
}

/// Whether an error has its place already.
pub(super) fn is_located(error: &Error) -> bool {
    error.context_value(AT).is_some()
}

/// The places of all values that must not be shown: those at `secrets`, and those whose key
/// says so.
pub(super) fn hidden(places: &Places, secrets: &[String]) -> Vec<Place> {
    let mut hidden = places.scalars_under(render::looks_secret);
    let marked = secrets.iter();
    hidden.extend(marked.filter_map(|secret| places.find_exactly(secret)));
    hidden
}

/// An error at a place of a file; `hidden` as in [`render::snippet`].
pub(super) fn located(
    error: Error,
    name: &str,
    text: &str,
    place: Place,
    hidden: Option<&[Place]>,
) -> Error {
    if is_located(&error) {
        return error;
    }
    let at = format!("{name}:{}:{}", place.line, place.column);
    error
        .with_first(SNIPPET, render::snippet(text, place, hidden))
        .with_first(AT, at)
}
