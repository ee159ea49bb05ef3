// SPDX-License-Identifier: Apache-2.0
//! The task file as its author wrote it: the one place that says which keys there are.
//!
//! The schema for editors and the check that names the nearest key are both derived from these
//! types; their doc comments are what an editor shows. What a value means (sizes, globs,
//! placeholders) is resolved elsewhere.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU64};

use milvusdm_plugin_api::Mode;
use schemars::JsonSchema;
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
    /// How fast rows are moved at most; as fast as it goes by default.
    pub limit: Option<RawLimit>,
    /// Which plugin is meant where one of that name is linked in and another can be loaded;
    /// `linked` by default.
    pub prefer: Option<Prefer>,
}

/// A plugin and its options.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RawPlugin {
    /// The name of the plugin, as `plugins list` shows it.
    pub plugin: String,
    #[serde(flatten)]
    pub options: Map<String, Value>,
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

/// How fast rows are moved at most.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimit {
    /// Rows a second, at least 1.
    pub rows_per_second: Option<NonZeroU64>,
    /// Bytes a second: `50MB`.
    pub bytes_per_second: Option<RawSize>,
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

/// Which plugin is meant where a name has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// The one that is linked into the program.
    #[default]
    Linked,
    /// The one that is loaded from a file.
    Loaded,
}

/// A size: bytes, or a number with a unit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Size")]
pub(super) enum RawSize {
    /// Bytes.
    Bytes(u64),
    /// A whole number with a unit: `256MiB`, `1GB`.
    Text(String),
}

/// The schema of the task file with options of any plugin.
pub(super) fn envelope_schema() -> Value {
    let mut schema = schemars::schema_for!(RawTask).to_value();
    forbid_null(&mut schema);
    schema
}

/// A key with nothing after it is an error, not the default: whoever emptied the list under
/// `include:` did not ask for everything. serde and schemars take null for every `Option`.
fn forbid_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
            }
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
            }
            members.values_mut().for_each(forbid_null);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_null),
        _ => {}
    }
}
