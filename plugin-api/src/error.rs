// SPDX-License-Identifier: Apache-2.0
//! The one error type of plugins and host.
//!
//! A message says what was being done, to which thing, where in it, what was found, what was
//! wanted, and the cure if there is one; see [`Error::new`]. It crosses the plugin boundary as
//! a JSON document, so nothing in it may be a Rust object of the other side.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is; decides the exit code, never whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The task, an option or a combination of them is wrong.
    Config,
    /// A file, collection or plugin that was named is not there.
    NotFound,
    /// Permission was refused, by the file system or a server.
    Denied,
    /// The target exists already, or a task of the same name runs.
    Exists,
    /// The bytes that were read are not what the format says.
    Format,
    /// The input is legal, but this build can't carry it (or not without an option).
    Unsupported,
    /// The operating system failed a read or write.
    Io,
    /// A server answered with an error, or not at all.
    Remote,
    /// A plugin broke its contract.
    Plugin,
    /// A plugin's code panicked.
    Panic,
    /// The host asked to stop.
    Cancelled,
    /// A fault of ours.
    #[serde(other)]
    Internal,
}

/// A failure with kind, message, context and whether trying again can help.
///
/// ```
/// use milvusdm_plugin_api::{Error, ErrorKind};
/// let e = Error::new(ErrorKind::Format, "code size 512 does not match dimension 64 (expected 256)")
///     .with("file", "a.index")
///     .with("offset", 33)
///     .help("is this an `IxF2` index?");
/// assert_eq!(
///     e.to_string(),
///     "code size 512 does not match dimension 64 (expected 256) (file: a.index, offset: 33); is this an `IxF2` index?"
/// );
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Inner {
    kind: ErrorKind,
    message: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    retryable: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    context: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

impl Error {
    /// Makes an error; `message` is lower case, without a final period.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            retryable: false,
            context: Vec::new(),
            help: None,
            cause: None,
        }))
    }

    /// Wraps an operating-system error; its kind follows the system's code.
    pub fn io(doing: impl Into<String>, cause: &std::io::Error) -> Self {
        let kind = match cause.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                ErrorKind::Denied
            }
            std::io::ErrorKind::AlreadyExists => ErrorKind::Exists,
            _ => ErrorKind::Io,
        };
        Self::new(kind, doing).caused_by(cause)
    }

    /// Adds where it happened: a file, an offset, a row, an option.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.0.context.push((key.to_owned(), value.to_string()));
        self
    }

    /// As [`with`](Self::with), in front of the context that is there.
    #[must_use]
    pub fn with_first(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.0
            .context
            .insert(0, (key.to_owned(), value.to_string()));
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Keeps the text of the failure underneath.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Marks the failure as one that may pass when tried again.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The message alone, without context, cause or help.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it happened, in the order it was added.
    pub fn context(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.context.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// The value of one context key.
    pub fn context_value(&self, key: &str) -> Option<&str> {
        self.context().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// What to do next, if there is advice.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The text of the failure underneath, if there is one.
    pub fn cause_text(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// Replaces every text of the error, so that a secret can be masked before it is shown.
    #[must_use]
    pub fn map_text(mut self, mask: impl Fn(&str) -> String) -> Self {
        let inner = &mut *self.0;
        inner.message = mask(&inner.message);
        for (_, value) in &mut inner.context {
            *value = mask(value);
        }
        inner.help = inner.help.as_deref().map(&mask);
        inner.cause = inner.cause.as_deref().map(&mask);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (i, (key, value)) in self.context().enumerate() {
            write!(f, "{}{key}: {value}", if i == 0 { " (" } else { ", " })?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        if let Some(cause) = &self.0.cause {
            write!(f, ": {cause}")?;
        }
        if let Some(help) = &self.0.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_trip_through_json() {
        let error = Error::new(ErrorKind::Format, "bad count")
            .with("file", "a")
            .caused_by("short read")
            .help("copy it again")
            .retryable();
        let text = serde_json::to_string(&error).unwrap();
        let back: Error = serde_json::from_str(&text).unwrap();
        assert_eq!(back.to_string(), error.to_string());
        assert_eq!(back.kind(), ErrorKind::Format);
        assert!(back.is_retryable());
    }

    #[test]
    fn a_kind_from_the_future_is_read_as_internal() {
        let back: Error =
            serde_json::from_str(r#"{"kind":"quantum","message":"m","new":1}"#).unwrap();
        assert_eq!(back.kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_read_only_file_system_counts_as_denied() {
        let io = std::io::Error::from(std::io::ErrorKind::ReadOnlyFilesystem);
        assert_eq!(Error::io("create `x`", &io).kind(), ErrorKind::Denied);
    }
}
