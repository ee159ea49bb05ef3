// SPDX-License-Identifier: Apache-2.0
//! What a task says under `source:`; checked before any file or server is touched.

use std::fmt;
use std::time::Duration;

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::server::Patience;

/// Most ids that the option `ids` may name.
const MAX_WANTED_IDS: usize = 10_000;

/// What the bytes of a vector are, where no metadata says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Element {
    /// 32-bit floats.
    #[default]
    Float,
    /// Bits.
    Binary,
}

/// Whether rows that are only in the server's write-ahead log are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WalPolicy {
    /// Inserts and deletes that were not flushed are taken from it.
    #[default]
    Replay,
    /// It is not looked at.
    Ignore,
}

/// What happens when a segment can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The run ends before a row is moved.
    #[default]
    Fail,
    /// Its rows are counted as lost, the others are moved.
    SkipSegment,
}

/// Options of the Milvus 1.x source: a data directory (`path`) or a server (`uri`).
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Milvus1SourceOptions {
    /// A data directory, of a server that is stopped: the folder that holds `db` (the server's
    /// `storage.path`), or `db` itself: `/var/lib/milvus`.
    #[schemars(extend("x-positional" = true))]
    pub path: Option<String>,
    /// Where the collections are listed: `sqlite` (`db/meta.sqlite`), a MySQL or MariaDB server
    /// `mysql://user:password@host:port/database` (`?tls=required` encrypts, `?tls=verify` also
    /// checks the server's certificate), or `none`: only the folders are looked at.
    pub metadata: Option<String>,
    /// With `metadata: none`, the dimension of all vectors, where it can't be told from the sizes
    /// of the files: `128`.
    pub dimension: Option<u32>,
    /// With `metadata: none`, what vectors are made of: `float` or `binary`.
    pub element: Option<Element>,
    /// Whether rows that are only in the server's write-ahead log are read: `replay` or `ignore`.
    pub wal: WalPolicy,
    /// The folder of the write-ahead log (the server's `wal.path`): `/var/lib/milvus/wal`. By
    /// default `wal` beside `db`.
    pub wal_path: Option<String>,
    /// What happens when a segment can't be read: `fail`, or `skip_segment` to count its rows as
    /// lost and move the others.
    pub on_error: OnError,
    /// A running server, in place of `path`: `grpc://localhost:19530`.
    pub uri: Option<String>,
    /// For `milvusdm inspect`: the id whose rows are looked for, deleted ones too.
    pub find_id: Option<i64>,
    /// With `uri`, the ids of the rows that are read, at most 10,000, in place of all rows:
    /// `[1, 7, 42]`. Ids that are not there give no row.
    pub ids: Option<Vec<i64>>,
    /// With `uri`, whether the server is asked to flush first: rows that it has not flushed can't
    /// be read.
    pub flush: bool,
    /// With `uri`, seconds that the server may take for an answer.
    pub timeout: u64,
    /// With `uri`, how often a server that can't be reached is tried again.
    pub retries: u32,
}

impl Default for Milvus1SourceOptions {
    fn default() -> Self {
        Self {
            path: None,
            metadata: None,
            dimension: None,
            element: None,
            wal: WalPolicy::default(),
            wal_path: None,
            on_error: OnError::default(),
            uri: None,
            find_id: None,
            ids: None,
            flush: true,
            timeout: Patience::TIMEOUT,
            retries: Patience::RETRIES,
        }
    }
}

impl fmt::Debug for Milvus1SourceOptions {
    /// Without `metadata` and `uri`, which may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Milvus1SourceOptions")
            .field("path", &self.path)
            .field("wal", &self.wal)
            .field("on_error", &self.on_error)
            .finish_non_exhaustive()
    }
}

/// Which of the two kinds of source the options name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A data directory.
    Directory(&'a str),
    /// A server.
    Server(&'a str),
}

/// Where the collections are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum MetadataPlace<'a> {
    /// `db/meta.sqlite`.
    Sqlite,
    /// A server, as a URI with a password in it.
    Mysql(&'a str),
    /// Nowhere: the folders are all there is.
    None,
}

impl Milvus1SourceOptions {
    /// The data directory or server that is to be read.
    ///
    /// # Errors
    /// `Config` unless exactly one of them is named, with the options that go with it.
    pub fn place(&self) -> Result<Place<'_>> {
        match (self.path.as_deref(), self.uri.as_deref()) {
            (Some(path), None) if !path.is_empty() => {
                self.check_directory()?;
                Ok(Place::Directory(path))
            }
            (None, Some(uri)) if !uri.is_empty() => {
                self.check_server()?;
                Ok(Place::Server(uri))
            }
            (Some(_), Some(_)) => Err(wrong(
                "uri",
                "options `path` and `uri` exclude each other, wanted one of them",
            )),
            _ => Err(wrong(
                "path",
                "neither `path` nor `uri` is given, wanted a data directory or a server",
            )),
        }
    }

    /// Where the collections are listed.
    ///
    /// # Errors
    /// `Config` for anything but the forms that there are; what was found is not shown, because
    /// it may hold a password.
    pub fn metadata_place(&self) -> Result<MetadataPlace<'_>> {
        match self.metadata.as_deref() {
            None | Some("sqlite") => Ok(MetadataPlace::Sqlite),
            Some("none") => Ok(MetadataPlace::None),
            Some(uri) if uri.starts_with("mysql://") => Ok(MetadataPlace::Mysql(uri)),
            Some(_) => Err(wrong(
                "metadata",
                "wanted `sqlite`, `none` or `mysql://user:password@host:port/database`",
            )),
        }
    }

    /// How long and how often a server is tried.
    pub fn patience(&self) -> Patience {
        Patience {
            timeout: Duration::from_secs(self.timeout),
            retries: self.retries as usize,
        }
    }

    fn check_directory(&self) -> Result<()> {
        let is_salvage = self.metadata_place()? == MetadataPlace::None;
        for (option, is_given) in [
            ("dimension", self.dimension.is_some()),
            ("element", self.element.is_some()),
        ] {
            if is_given && !is_salvage {
                return Err(wrong(
                    option,
                    "this option goes with `metadata: none` only; else the metadata tells",
                ));
            }
        }
        let given = [
            ("ids", self.ids.is_some()),
            ("flush", !self.flush),
            ("timeout", self.timeout != Patience::TIMEOUT),
            ("retries", self.retries != Patience::RETRIES),
        ];
        if let Some((option, _)) = given.iter().find(|(_, is_given)| *is_given) {
            return Err(wrong(
                option,
                "this option goes with `uri` (a server), not with `path` (a data directory)",
            ));
        }
        if self.dimension == Some(0) {
            return Err(wrong("dimension", "dimension 0, wanted 1 or more"));
        }
        if self.wal_path.is_some() && (self.wal == WalPolicy::Ignore || is_salvage) {
            let message = "`wal_path` is of no use where the write-ahead log is not read";
            return Err(wrong("wal_path", message)
                .help("leave out `wal_path`, or `wal: ignore` and `metadata: none`"));
        }
        Ok(())
    }

    /// Options that only a data directory has.
    fn check_server(&self) -> Result<()> {
        let given = [
            ("metadata", self.metadata.is_some()),
            ("dimension", self.dimension.is_some()),
            ("element", self.element.is_some()),
            ("wal_path", self.wal_path.is_some()),
            ("wal", self.wal != WalPolicy::default()),
            ("on_error", self.on_error != OnError::default()),
        ];
        if self.timeout == 0 {
            return Err(wrong("timeout", "found 0 s, wanted 1 or more"));
        }
        let wanted = self.ids.as_ref().map_or(0, Vec::len);
        if wanted > MAX_WANTED_IDS {
            let message = format!("found {wanted} ids, wanted at most {MAX_WANTED_IDS}");
            return Err(wrong("ids", &message));
        }
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => Err(wrong(
                option,
                "this option goes with `path` (a data directory), not with `uri` (a server)",
            )),
            None => Ok(()),
        }
    }
}

fn wrong(option: &str, message: &str) -> Error {
    Error::new(ErrorKind::Config, message).with("option", option)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Milvus1SourceOptions {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_path_or_a_uri_is_wanted_and_not_both() {
        assert_eq!(
            options(r#"{"path":"/m"}"#).place().unwrap(),
            Place::Directory("/m")
        );
        assert_eq!(
            options(r#"{"uri":"tcp://h:1"}"#).place().unwrap(),
            Place::Server("tcp://h:1")
        );
        for bad in [
            "{}",
            r#"{"path":""}"#,
            r#"{"path":"a","uri":"b"}"#,
            r#"{"path":"a","dimension":4}"#,
            r#"{"path":"a","metadata":"none","dimension":0}"#,
            r#"{"path":"a","metadata":"postgres://u:secret@h/d"}"#,
            r#"{"path":"a","wal":"ignore","wal_path":"w"}"#,
            r#"{"uri":"a","on_error":"skip_segment"}"#,
            r#"{"path":"a","ids":[1]}"#,
            &format!(r#"{{"uri":"a","ids":{:?}}}"#, vec![1; MAX_WANTED_IDS + 1]),
        ] {
            let error = options(bad).place().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
            assert!(error.context_value("option").is_some(), "{bad}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn passwords_are_not_in_the_debug_text() {
        let options = options(r#"{"path":"a","metadata":"mysql://u:secret@h/d"}"#);
        assert!(!format!("{options:?}").contains("secret"));
    }
}
