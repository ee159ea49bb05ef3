// SPDX-License-Identifier: Apache-2.0
//! What a task says under `source:`; checked before any file is touched.

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// One text, or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
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

/// What the files hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormatOption {
    /// What each file's ending says.
    #[default]
    Auto,
    /// 32-bit floats.
    Fvecs,
    /// Unsigned bytes.
    Bvecs,
    /// 32-bit integers.
    Ivecs,
}

/// What the integers of `.ivecs` files become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Integers {
    /// A vector of 32-bit floats; a number that they can't hold exactly is refused.
    #[default]
    F32,
    /// A vector of 64-bit floats, which hold all of them.
    F64,
    /// A column `values` of lists, which is no vector.
    List,
}

/// Which ids the rows get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ids {
    /// The number of the row in its file, counted from `first_id`.
    #[default]
    Row,
    /// None.
    None,
}

/// Options of the source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// A file, a glob pattern, or a list of these: `sift/*.fvecs`. Each file is a collection,
    /// called as the file is without its ending.
    #[schemars(extend("x-positional" = true))]
    pub path: OneOrMany,
    /// What the files hold: `fvecs` (32-bit floats), `bvecs` (unsigned bytes), `ivecs` (32-bit
    /// integers), or `auto`, which goes by each file's ending.
    #[serde(default)]
    pub format: FormatOption,
    /// What the integers of `ivecs` become: a vector of `f32` (a number that it can't hold
    /// exactly is refused), a vector of `f64`, or a column `values` of lists (`list`).
    #[serde(default)]
    pub integers: Integers,
    /// `row`: each row's id is its number in the file; `none`: rows have no ids.
    #[serde(default)]
    pub ids: Ids,
    /// The id of a file's first row.
    #[serde(default)]
    pub first_id: i64,
}

impl Options {
    /// Refuses options that don't go together.
    ///
    /// # Errors
    /// `Config`, naming the option.
    pub fn check(&self) -> Result<()> {
        let refuse = |option: &str, what: &str| {
            Err(Error::new(ErrorKind::Config, what).with("option", option))
        };
        if self.path.as_slice().is_empty() {
            return refuse("path", "option `path` names no file");
        }
        if self.ids == Ids::None && self.first_id != 0 {
            return refuse(
                "first_id",
                "option `first_id` numbers rows that `ids: none` leaves without ids",
            );
        }
        Ok(())
    }
}
