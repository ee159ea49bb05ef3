// SPDX-License-Identifier: Apache-2.0
//! A task of today while it is made of an old one.
//!
//! Every value is set together with the pointer of the old value that it comes from: nothing gets
//! into the task of which an error could not say where it stands.

use serde_json::{Map, Value};

use super::super::pointer;

/// Where the values of a task stand in the old file: the new pointer, then the old one. Empty for
/// a task of today, whose values stand where they are.
#[derive(Debug, Clone, Default)]
pub(in crate::task) struct Moved(Vec<(String, String)>);

/// What a person should know about a part of a converted task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::task) struct Note {
    /// The key at the top of the task.
    pub key: &'static str,
    pub text: String,
}

#[derive(Debug)]
pub(super) struct Draft {
    /// The pointer to the channel.
    root: String,
    document: Map<String, Value>,
    moved: Moved,
    notes: Vec<Note>,
}

impl Moved {
    /// The pointer into the file of the value at a pointer into the task: that of the nearest
    /// value around it that was moved, and what is left of the way.
    pub(in crate::task) fn find(&self, pointer: &str) -> String {
        let below = |(new, old): &(String, String)| {
            let rest = pointer.strip_prefix(new.as_str())?;
            let is_below = rest.is_empty() || rest.starts_with('/');
            // What comes from no key of its own stands at the channel.
            let rest = if new.is_empty() { "" } else { rest };
            is_below.then(|| (new.len(), format!("{old}{rest}")))
        };
        let nearest = self.0.iter().filter_map(below);
        let nearest = nearest.max_by_key(|(length, _)| *length);
        nearest.map_or_else(|| pointer.to_owned(), |(_, old)| old)
    }
}

impl Draft {
    pub(super) fn new(root: &str) -> Self {
        Self {
            root: root.to_owned(),
            document: Map::new(),
            moved: Moved(vec![(String::new(), root.to_owned())]),
            notes: Vec::new(),
        }
    }

    /// The pointer to a key of the channel; parts of it are divided by `/`.
    pub(super) fn at(&self, from: &str) -> String {
        match from {
            "" => self.root.clone(),
            from => format!("{}/{from}", self.root),
        }
    }

    /// Sets the value of a key of the task, or of a key in it (`sink/uri`), which comes from a
    /// key of the channel.
    pub(super) fn set(&mut self, to: &str, value: impl Into<Value>, from: &str) {
        let at = self.at(from);
        self.moved.0.push((format!("/{to}"), at));
        let (outer, inner) = match to.split_once('/') {
            None => {
                self.document.insert(to.to_owned(), value.into());
                return;
            }
            Some(parts) => parts,
        };
        let members = self
            .document
            .entry(outer)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(members) = members {
            members.insert(inner.to_owned(), value.into());
        }
    }

    /// As [`Self::set`], for text that is taken as it is written.
    pub(super) fn set_text(&mut self, to: &str, text: &str, from: &str) {
        self.set(to, literal(text), from);
    }

    /// As [`Self::set_text`], for a list of texts, each with where it comes from.
    pub(super) fn set_list(&mut self, to: &str, texts: &[(String, String)], from: &str) {
        let list: Vec<Value> = texts.iter().map(|(text, _)| literal(text).into()).collect();
        self.set(to, list, from);
        for (index, (_, from)) in texts.iter().enumerate() {
            let (new, old) = (pointer::element(&format!("/{to}"), index), self.at(from));
            self.moved.0.push((new, old));
        }
    }

    /// Notes what a person should know about a key of the task.
    pub(super) fn note(&mut self, key: &'static str, text: impl Into<String>) {
        let text = text.into();
        self.notes.push(Note { key, text });
    }

    pub(super) fn finish(self) -> (Value, Moved, Vec<Note>) {
        (Value::Object(self.document), self.moved, self.notes)
    }
}

/// Text that no variable is put into: MilvusDM 1.0 knew none.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
