// SPDX-License-Identifier: Apache-2.0
//! `F2M`: one Faiss index file into a collection or partition of Milvus 1.x.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::fault::Fault;
use super::draft::Draft;
use super::keys::{CollectionParameter, OldMode, Port, Version};
use super::target::Target;
use super::{Purpose, expect_milvus_1, expect_text};

/// The keys of `F2M`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct F2m {
    milvus_version: Option<Version>,
    #[serde(rename = "milvus-version")]
    milvus_version_too: Option<Version>,
    /// The index file.
    data_path: String,
    dest_host: String,
    dest_port: Port,
    mode: OldMode,
    dest_collection_name: String,
    /// Empty: the default partition.
    dest_partition_name: Option<String>,
    collection_parameter: CollectionParameter,
}

pub(super) fn translate(old: F2m, draft: &mut Draft, purpose: Purpose<'_>) -> Result<(), Fault> {
    expect_milvus_1(old.milvus_version.as_ref(), &draft.at("milvus_version"))?;
    expect_milvus_1(old.milvus_version_too.as_ref(), &draft.at("milvus-version"))?;
    expect_text(&old.data_path, &draft.at("data_path"))?;
    draft.set("source/plugin", "faiss", "");
    draft.set_text("source/path", &old.data_path, "data_path");
    draft.note(
        "source",
        "every index that keeps its vectors is read, not only Flat and IVF-Flat; `dimension` under `sink` is held against the file",
    );
    Target {
        host: &old.dest_host,
        port: &old.dest_port,
        mode: old.mode,
        collection: &old.dest_collection_name,
        partition: old.dest_partition_name.as_deref(),
        parameter: &old.collection_parameter,
        takes_indexes: false,
    }
    .write(draft, purpose)
}
