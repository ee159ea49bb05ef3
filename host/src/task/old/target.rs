// SPDX-License-Identifier: Apache-2.0
//! The end that is a server of Milvus 1.x.

use super::super::fault::Fault;
use super::super::names::DEFAULT_PARTITION;
use super::draft::Draft;
use super::keys::{CollectionParameter, OldMode, Port};
use super::{Purpose, expect_text};

/// What a task says of the indexes that its sources define.
pub(super) const INDEXES_GO_ALONG: &str =
    "the definitions of indexes go along; `index: none` leaves them";

/// A collection of a server, or a partition of it, as F2M and H2M name it.
pub(super) struct Target<'a> {
    pub host: &'a str,
    pub port: &'a Port,
    pub mode: OldMode,
    pub collection: &'a str,
    pub partition: Option<&'a str>,
    pub parameter: &'a CollectionParameter,
    /// Whether what the files say of indexes is meant for this server: those that MilvusDM wrote.
    pub takes_indexes: bool,
}

impl Target<'_> {
    /// Sends everything there.
    pub(super) fn write(&self, draft: &mut Draft, purpose: Purpose<'_>) -> Result<(), Fault> {
        expect_text(self.collection, &draft.at("dest_collection_name"))?;
        server(draft, self.host, self.port)?;
        let parameter = self.parameter;
        let of = |key: &str| format!("collection_parameter/{key}");
        draft.set("sink/dimension", parameter.dimension, &of("dimension"));
        let size = parameter.index_file_size;
        if let Some(size) = size {
            draft.set("sink/index_file_size", size, &of("index_file_size"));
        }
        draft.set_text("sink/metric", &parameter.metric_type, &of("metric_type"));
        match self.takes_indexes {
            true => draft.note("sink", INDEXES_GO_ALONG),
            false => {
                draft.set("sink/index", "none", "dest_collection_name");
                draft.note(
                    "sink",
                    "`index: none`: MilvusDM 1.0 made no index; an index that is there stays",
                );
            }
        }
        if let Some(folder) = id_folder(purpose) {
            draft.set("sink/ids", folder, "dest_collection_name");
            draft.note(
                "sink",
                "`ids`: the ids that were written, one a line, a file for each source file",
            );
        }
        let partition = self.partition.filter(|partition| !partition.is_empty());
        let from = match partition {
            Some(_) => "dest_partition_name",
            None => "dest_collection_name",
        };
        let partition = partition.unwrap_or(DEFAULT_PARTITION);
        let to = format!("{}/{}", template(self.collection), template(partition));
        draft.set_text("map", &to, from);
        mode(draft, self.mode, partition == DEFAULT_PARTITION);
        Ok(())
    }
}

/// The server.
pub(super) fn server(draft: &mut Draft, host: &str, port: &Port) -> Result<(), Fault> {
    expect_text(host, &draft.at("dest_host"))?;
    let port = port.number(&draft.at("dest_port"))?;
    let host = match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    draft.set("sink/plugin", "milvus1", "");
    draft.set_text("sink/uri", &format!("grpc://{host}:{port}"), "dest_host");
    Ok(())
}

/// What to do where the target exists; `is_whole` if the task names no partition, so that
/// replacing it replaces the collection.
pub(super) fn mode(draft: &mut Draft, mode: OldMode, is_whole: bool) {
    if mode == OldMode::Overwrite && is_whole {
        draft.set("sink/drop_partitions", true, "mode");
        draft.note(
            "sink",
            "`drop_partitions`: `overwrite` without a partition drops the whole collection, as in MilvusDM 1.0",
        );
    }
    draft.set("mode", mode.name(), "mode");
    let text = match mode {
        OldMode::Skip => {
            "a target is a partition; MilvusDM 1.0 passed over whole collections in H2M, and failed in F2M and M2M"
        }
        OldMode::Append => {
            "`fail` refuses a target that is there; a task that is run twice has its rows there twice, and `skip` finishes one that failed"
        }
        OldMode::Overwrite => "every target is looked at before the first is replaced",
    };
    draft.note("mode", text);
}

/// A name in `map`, where braces mark placeholders.
pub(super) fn template(name: &str) -> String {
    name.replace('{', "{{").replace('}', "}}")
}

/// Where MilvusDM 1.0 kept the ids that it wrote.
fn id_folder(purpose: Purpose<'_>) -> Option<&'static str> {
    if purpose.is_set("MILVUSDM_PATH") {
        return Some("${MILVUSDM_PATH}/ids");
    }
    purpose.is_set("HOME").then_some("${HOME}/milvusdm/ids")
}
