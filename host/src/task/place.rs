// SPDX-License-Identifier: Apache-2.0
//! A range of characters in a text, and what an error is about: a value, or its key.

use saphyr_parser::{Marker, Span};

/// A range of characters; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
    /// Where it ends (exclusive).
    pub end_line: usize,
    pub end_column: usize,
}

/// Whether an error is about a value or about the key it stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

impl Place {
    /// A place of one character.
    pub(super) fn at(line: usize, column: usize) -> Self {
        Self {
            line,
            column,
            end_line: line,
            end_column: column.saturating_add(1),
        }
    }

    /// A place in a text of one line, as a range of characters counted from 0.
    pub(super) fn in_line(from: usize, to: usize) -> Self {
        let (column, end_column) = (from.saturating_add(1), to.saturating_add(1));
        Self {
            line: 1,
            column,
            end_line: 1,
            end_column,
        }
    }

    /// The place after the last character of `text`; lines end with LF, CR LF or CR.
    pub(super) fn after(text: &str) -> Self {
        let unified = text.replace("\r\n", "\n").replace('\r', "\n");
        let last = unified.rsplit('\n').next().unwrap_or_default();
        Self::at(unified.matches('\n').count() + 1, last.chars().count() + 1)
    }

    pub(super) fn of_marker(mark: &Marker) -> Self {
        Self::at(mark.line().max(1), mark.col().saturating_add(1))
    }

    pub(super) fn of_span(span: Span) -> Self {
        let (start, end) = (Self::of_marker(&span.start), Self::of_marker(&span.end));
        Self {
            end_line: end.line,
            end_column: end.column,
            ..start
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.line == self.end_line && self.column >= self.end_column
    }
}
