// SPDX-License-Identifier: Apache-2.0
//! The task file as its author wrote it: the one place that says which keys there are.
//!
//! The schema for editors and the check that names the nearest key are both derived from these
//! types; their doc comments are what an editor shows. What a value means (sizes, globs,
//! placeholders) is resolved elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU16;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A milvusdm task: what to move from where to where.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "milvusdm task")]
pub(super) struct RawTask {
    /// Where the data come from: `plugin`, then that plugin's own options.
    pub source: RawPlugin,
    /// Where the data go: `plugin`, then that plugin's own options.
    pub sink: RawPlugin,
    /// Which collections and partitions to move; everything by default.
    pub select: Option<RawSelect>,
    /// What they are called at the target: a list of rules of which the first match wins, or one
    /// name for everything (`map: test/p1`). By default names stay.
    pub map: Option<RawMap>,
    /// Which conversions are allowed where the target can't hold the data as they are.
    pub convert: Option<RawConvert>,
    /// What to do where the target exists already; `fail` by default.
    pub mode: Option<Mode>,
    /// How much memory all batches together may take; `256MiB` by default, at least `16MiB`.
    pub memory: Option<RawSize>,
    /// How many splits are read at once, 1 to 1024; by default chosen from the machine.
    #[schemars(range(min = 1, max = 1024))]
    pub parallel: Option<NonZeroU16>,
}

/// A plugin and its options.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RawPlugin {
    pub plugin: PluginName,
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// The name of a plugin. YAML reads `plugin: null` as no value; the plugin of that name is meant.
#[derive(Debug)]
pub(super) struct PluginName(pub String);

impl<'de> Deserialize<'de> for PluginName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        Ok(Self(name.unwrap_or_else(|| "null".to_owned())))
    }
}

impl JsonSchema for PluginName {
    fn schema_name() -> Cow<'static, str> {
        "PluginName".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The name of the plugin, as `milvusdm plugins list` shows it.",
            "type": ["string", "null"],
        })
    }
}

/// Which collections and partitions to move.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSelect {
    /// Globs of what to take, as `collection` or `collection/partition`. `faces` is all its
    /// partitions, `faces/_default` the default one.
    pub include: Option<Vec<String>>,
    /// Globs of what to leave out of that.
    pub exclude: Option<Vec<String>>,
}

/// One name for everything, or rules.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawMap {
    /// Everything goes there: `collection` or `collection/partition`.
    All(String),
    /// The first rule whose `from` matches names the target.
    Rules(Vec<RawRule>),
}

/// What matches `from` is called `to` at the target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    /// A glob, as `collection` or `collection/partition`.
    pub from: String,
    /// The name at the target, as `collection` or `collection/partition`; `{collection}` and
    /// `{partition}` stand for the source's names, `{{` and `}}` for braces.
    pub to: String,
}

/// Which conversions are allowed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConvert {
    /// What becomes of ids whose type the target can't hold.
    pub ids: Option<IdConversion>,
    /// What becomes of rows with an id that was there before.
    pub duplicates: Option<Duplicates>,
    /// What becomes of columns that the target can't hold, by column name.
    pub columns: Option<BTreeMap<String, ColumnConversion>>,
}

/// What to do where the target exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Refuse the task before anything is written.
    #[default]
    Fail,
    /// Leave out what exists, move the rest.
    Skip,
    /// Add the rows to what is there.
    Append,
    /// Replace what is there.
    Overwrite,
}

/// What becomes of ids whose type the target can't hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IdConversion {
    /// Write them as text; nothing is lost.
    Text,
    /// Derive a UUID (version 5) from each and keep the id in the column `_source_id`.
    Uuid5,
    /// Let the target generate ids.
    Generate,
}

/// What becomes of rows with an id that was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// Fail.
    Error,
    /// Keep the first row, count the others as collapsed.
    First,
    /// Keep the last row, count the others as collapsed.
    Last,
}

/// What becomes of a column that the target can't hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnConversion {
    /// Leave it out.
    Drop,
    /// Pack it into the dynamic column.
    Json,
    /// Narrow it to the nearest type the target has.
    Cast,
    /// Write it as text.
    Text,
}

/// A size: bytes, or a number with a unit.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawSize {
    Bytes(u64),
    Text(String),
}

impl JsonSchema for RawSize {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "integer", "minimum": super::MIN_MEMORY_BYTES},
                {"type": "string", "examples": ["256MiB", "1GB"]},
            ],
        })
    }
}

/// The schema of the task file with options of any plugin.
pub(super) fn envelope_schema() -> Value {
    schemars::schema_for!(RawTask).to_value()
}
