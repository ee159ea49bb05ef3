// SPDX-License-Identifier: Apache-2.0
//! What a task says under `source:`; checked before any file is touched.

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One text, or several.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several, in order.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them, in order.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Which vectors are taken from an index that transforms them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Those that were put in: the transforms are turned back.
    #[default]
    Original,
    /// Those that the index keeps, bit by bit.
    Stored,
}

/// What to do with an index that does not keep whole vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lossy {
    /// Refuse it, saying what would be lost.
    #[default]
    Refuse,
    /// Give out what can be decoded.
    Allow,
}

/// Options of the Faiss source.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceOptions {
    /// An index file, a folder (its `*.index` and `*.faiss`), a glob pattern, or a list of these:
    /// `data/*.index`. Each file is a collection, called as the file is without its ending.
    #[schemars(extend("x-positional" = true))]
    pub path: OneOrMany,
    /// Which vectors are taken where an index transforms them (PCA, OPQ, rotations, …):
    /// `original`, with the transforms turned back, or `stored`.
    #[serde(default)]
    pub space: Space,
    /// What to do with an index that keeps only approximations (SQ, PQ, residual quantizers,
    /// projections): `refuse`, or `allow` to take what can be decoded.
    #[serde(default)]
    pub lossy: Lossy,
    /// The file with on-disk inverted lists, where it does not stand beside the index under the
    /// name that the index says: `/fast/merged.ivfdata`. Only with a single index.
    #[serde(default)]
    pub lists: Option<String>,
}

impl SourceOptions {
    /// Only a path, everything else as by default.
    pub fn at(path: &str) -> Self {
        Self {
            path: OneOrMany::One(path.to_owned()),
            space: Space::default(),
            lossy: Lossy::default(),
            lists: None,
        }
    }

    /// Refuses what does not fit together.
    ///
    /// # Errors
    /// `Config`, naming the option.
    pub fn check(&self) -> Result<()> {
        let paths = self.path.as_slice();
        if paths.is_empty() || paths.iter().any(String::is_empty) {
            return Err(Error::new(
                ErrorKind::Config,
                "option `path` is empty, wanted an index file, a folder or a pattern",
            )
            .with("option", "path"));
        }
        if self.lists.as_ref().is_some_and(String::is_empty) {
            return Err(Error::new(
                ErrorKind::Config,
                "option `lists` is empty, wanted the file with the on-disk inverted lists",
            )
            .with("option", "lists"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_careful_and_misspelt_options_are_refused() {
        let options: SourceOptions = serde_json::from_str(r#"{"path":"a.index"}"#).unwrap();
        assert_eq!(options.space, Space::Original);
        assert_eq!(options.lossy, Lossy::Refuse);
        let error =
            serde_json::from_str::<SourceOptions>(r#"{"path":"a","losy":"allow"}"#).unwrap_err();
        assert!(error.to_string().contains("losy"));
        let options = [
            (r#"{"path":[]}"#, "path"),
            (r#"{"path":"a","lists":""}"#, "lists"),
        ];
        for (text, option) in options {
            let options: SourceOptions = serde_json::from_str(text).unwrap();
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert_eq!(error.context_value("option"), Some(option));
        }
    }
}
