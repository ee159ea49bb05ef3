// SPDX-License-Identifier: Apache-2.0
//! `H2M`: HDF5 files into a collection or partition of Milvus 1.x.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::fault::Fault;
use super::super::glob::literal_path;
use super::draft::Draft;
use super::keys::{CollectionParameter, OldMode, OneOrMany, Port, Version};
use super::target::Target;
use super::{Purpose, expect_milvus_1};

/// The keys of `H2M`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct H2m {
    milvus_version: Option<Version>,
    #[serde(rename = "milvus-version")]
    milvus_version_too: Option<Version>,
    /// The files.
    data_path: Option<OneOrMany>,
    /// Or the folder with `*.h5`.
    data_dir: Option<String>,
    dest_host: String,
    dest_port: Port,
    mode: OldMode,
    dest_collection_name: String,
    /// Empty: the default partition.
    dest_partition_name: Option<String>,
    collection_parameter: CollectionParameter,
}

pub(super) fn translate(old: H2m, draft: &mut Draft, purpose: Purpose<'_>) -> Result<(), Fault> {
    expect_milvus_1(old.milvus_version.as_ref(), &draft.at("milvus_version"))?;
    expect_milvus_1(old.milvus_version_too.as_ref(), &draft.at("milvus-version"))?;
    draft.set("source/plugin", "hdf5", "");
    files(&old, draft)?;
    // What MilvusDM 1.0 read, and nothing else: a file without vectors of that name must not
    // pass for one with others.
    draft.set("source/vectors", "embeddings", "");
    draft.set("source/columns", "none", "");
    draft.note(
        "source",
        "files have `embeddings` and, if they have ids, `ids`, as MilvusDM 1.0 wanted them; leave `vectors` and `columns` out for other files",
    );
    Target {
        host: &old.dest_host,
        port: &old.dest_port,
        mode: old.mode,
        collection: &old.dest_collection_name,
        partition: old.dest_partition_name.as_deref(),
        parameter: &old.collection_parameter,
        takes_indexes: true,
    }
    .write(draft, purpose)
}

/// One of the two keys for files.
fn files(old: &H2m, draft: &mut Draft) -> Result<(), Fault> {
    let named = old.data_path.as_ref().map(OneOrMany::each);
    let named = named.unwrap_or_default();
    let named: Vec<_> = named
        .into_iter()
        .filter(|(path, _)| !path.is_empty())
        .collect();
    let folder = old.data_dir.as_deref().filter(|folder| !folder.is_empty());
    match (folder, named.is_empty()) {
        (Some(folder), true) => {
            // Only the folder itself was searched, and only for this ending.
            let pattern = format!("{}/*.h5", literal_path(folder.trim_end_matches('/')));
            draft.set_text("source/path", &pattern, "data_dir");
            Ok(())
        }
        (None, false) => {
            let paths = named.into_iter();
            let paths = paths.map(|(path, below)| (path.to_owned(), format!("data_path{below}")));
            draft.set_list("source/path", &paths.collect::<Vec<_>>(), "data_path");
            Ok(())
        }
        (Some(_), false) => Err(Fault::of_value(
            &draft.at("data_dir"),
            "`data_path` and `data_dir` both say something, wanted one of them",
        )
        .help("leave the other one empty")),
        (None, true) => Err(Fault::of_key(
            &draft.at(""),
            "neither `data_path` nor `data_dir` says where the files are".to_owned(),
        )
        .help("write `data_path: [/data/a.h5]` or `data_dir: /data`")),
    }
}
