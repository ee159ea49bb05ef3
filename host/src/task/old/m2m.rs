// SPDX-License-Identifier: Apache-2.0
//! `M2M`: collections of a data directory of Milvus 1.x into a server.
//!
//! What stood on the to-do list of MilvusDM 1.0 is here too, as keys in its spirit:
//! `exclude_collection`, `source_collection: '*'`, and the two names that merge.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::fault::Fault;
use super::draft::Draft;
use super::keys::{Collections, MysqlParameter, OldMode, Port, Version};
use super::source::Source;
use super::{Purpose, expect_milvus_1, target};

/// The keys of `M2M`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct M2m {
    milvus_version: Option<Version>,
    #[serde(rename = "milvus-version")]
    milvus_version_too: Option<Version>,
    /// The folder with `db`.
    source_milvus_path: String,
    /// Empty: `db/meta.sqlite`.
    mysql_parameter: Option<MysqlParameter>,
    source_collection: Collections,
    /// What is left out of that.
    exclude_collection: Option<Collections>,
    dest_host: String,
    dest_port: Port,
    mode: OldMode,
    /// One collection for everything; empty: names stay.
    dest_collection_name: Option<String>,
    /// One partition for everything; empty: names stay.
    dest_partition_name: Option<String>,
}

pub(super) fn translate(old: M2m, draft: &mut Draft, purpose: Purpose<'_>) -> Result<(), Fault> {
    expect_milvus_1(old.milvus_version.as_ref(), &draft.at("milvus_version"))?;
    expect_milvus_1(old.milvus_version_too.as_ref(), &draft.at("milvus-version"))?;
    let source = Source {
        path: &old.source_milvus_path,
        mysql: old.mysql_parameter.as_ref(),
        include: &old.source_collection,
        exclude: old.exclude_collection.as_ref(),
    };
    source.write(draft, purpose)?;
    target::server(draft, &old.dest_host, &old.dest_port)?;
    draft.note("sink", target::INDEXES_GO_ALONG);
    let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let collection = named(&old.dest_collection_name);
    let partition = named(&old.dest_partition_name);
    let is_whole = partition.is_none() && source.takes_whole_collections();
    merge(draft, collection.as_deref(), partition.as_deref());
    target::mode(draft, old.mode, is_whole);
    Ok(())
}

/// Sends everything to one collection, to one partition of each, or both.
fn merge(draft: &mut Draft, collection: Option<&str>, partition: Option<&str>) {
    let (to, from) = match (collection, partition) {
        (None, None) => return,
        (Some(collection), None) => (target::template(collection), "dest_collection_name"),
        (None, Some(partition)) => (
            format!("{{collection}}/{}", target::template(partition)),
            "dest_partition_name",
        ),
        (Some(collection), Some(partition)) => (
            format!(
                "{}/{}",
                target::template(collection),
                target::template(partition)
            ),
            "dest_collection_name",
        ),
    };
    draft.set_text("map", &to, from);
}
