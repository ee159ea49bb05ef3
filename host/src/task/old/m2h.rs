// SPDX-License-Identifier: Apache-2.0
//! `M2H`: collections of a data directory of Milvus 1.x into HDF5 files, a new folder for each run.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::fault::Fault;
use super::draft::{Draft, literal};
use super::keys::{Collections, MysqlParameter, Version};
use super::load_back::LoadBack;
use super::source::Source;
use super::{Purpose, expect_milvus_1, expect_text};

/// The keys of `M2H`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct M2h {
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
    /// The folder above those of the runs.
    data_dir: String,
}

pub(super) fn translate(
    old: M2h,
    draft: &mut Draft,
    purpose: Purpose<'_>,
) -> Result<LoadBack, Fault> {
    expect_milvus_1(old.milvus_version.as_ref(), &draft.at("milvus_version"))?;
    expect_milvus_1(old.milvus_version_too.as_ref(), &draft.at("milvus-version"))?;
    expect_text(&old.data_dir, &draft.at("data_dir"))?;
    Source {
        path: &old.source_milvus_path,
        mysql: old.mysql_parameter.as_ref(),
        include: &old.source_collection,
        exclude: old.exclude_collection.as_ref(),
    }
    .write(draft, purpose)?;
    draft.set("sink/plugin", "hdf5", "");
    let base = old.data_dir.trim_end_matches('/');
    let folder = format!("{base}/{}", run_id());
    let shown = match purpose.is_run() {
        true => literal(&folder),
        false => format!("{}/${{RUN_ID}}", literal(base)),
    };
    draft.set("sink/path", shown, "data_dir");
    draft.note("sink", "MilvusDM 1.0 made a new folder for each run: set RUN_ID to a new name, for example with `RUN_ID=$(date +%Y%m%dT%H%M%S)`");
    draft.note("sink", "an M2H task also leaves H2M tasks under `yamls` that load the files back; this one does not, and needs none: `source: {plugin: hdf5, path: …}` reads the whole folder");
    Ok(LoadBack::new(folder))
}

/// A name that no other run has.
fn run_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |now| now.as_secs());
    let random = RandomState::new().build_hasher().finish();
    format!("{seconds}-{random:016x}")
}
