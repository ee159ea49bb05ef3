// SPDX-License-Identifier: Apache-2.0
//! The H2M tasks that M2H leaves: one for each file, which loads it back.
//!
//! Only files that arrived whole get one, and each appears under its name when it is complete.

use std::io;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::beside::Beside;

/// Sizes that a server takes, in MB.
const INDEX_FILE_SIZES: std::ops::RangeInclusive<i64> = 1..=4096;
/// The server's own default.
const INDEX_FILE_SIZE: i64 = 1024;

/// Where to write the tasks.
#[derive(Debug, Clone)]
pub(crate) struct LoadBack {
    /// The folder of the run.
    folder: PathBuf,
}

/// A file that can be loaded back.
#[derive(Debug)]
pub(crate) struct Loadable<'a> {
    /// The HDF5 file, in a folder that is called as its collection is.
    pub file: &'a Path,
    pub collection: &'a str,
    pub partition: Option<&'a str>,
    pub dimension: u32,
    /// Canonical name of the metric.
    pub metric: String,
    /// As the source has it.
    pub index_file_size: Option<i64>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "H2M")]
    keys: Keys<'a>,
}

/// In the order of MilvusDM 1.0.
#[derive(Serialize)]
struct Keys<'a> {
    milvus_version: &'static str,
    data_path: [&'a str; 1],
    data_dir: Option<&'a str>,
    dest_host: &'static str,
    dest_port: u16,
    mode: &'static str,
    dest_collection_name: &'a str,
    dest_partition_name: &'a str,
    collection_parameter: Parameter,
}

#[derive(Serialize)]
struct Parameter {
    dimension: u32,
    index_file_size: i64,
    metric_type: String,
}

impl LoadBack {
    pub(in crate::task) fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { folder }
    }

    /// The folder of another run of the task, if it was one of the same task.
    pub(crate) fn sibling<'a>(&self, folder: &'a str) -> Option<&'a str> {
        let is_sibling = Path::new(folder).parent() == self.folder.parent();
        is_sibling.then_some(folder)
    }

    /// The folder of the tasks.
    pub(crate) fn tasks(&self) -> PathBuf {
        self.folder.join("yamls")
    }

    /// Writes the task for a file, under the names that file and folder have.
    ///
    /// # Errors
    /// `Io`, `Denied`.
    pub(crate) fn write(&self, loadable: &Loadable<'_>) -> Result<()> {
        let collection = loadable.file.parent().and_then(Path::file_name);
        let folder = self.tasks().join(collection.unwrap_or_default());
        let mut name = loadable.file.file_stem().unwrap_or_default().to_owned();
        name.push(".yaml");
        let task = folder.join(name);
        let text = text(loadable)?;
        write_whole(&folder, &task, &text).map_err(|e| {
            Error::io("write the task that loads the file back", &e).with("file", task.display())
        })
    }
}

/// The task, with an absolute path, so that it can be run from anywhere.
fn text(loadable: &Loadable<'_>) -> Result<String> {
    let failed = |e: &dyn std::fmt::Display| {
        Error::new(
            ErrorKind::Internal,
            "write the task that loads the file back",
        )
        .caused_by(e)
    };
    let file = std::path::absolute(loadable.file).map_err(|e| failed(&e))?;
    let file = file
        .to_str()
        .ok_or_else(|| failed(&"its path is no UTF-8 text"))?;
    let size = loadable.index_file_size;
    let document = Document {
        keys: Keys {
            milvus_version: "1.x",
            data_path: [file],
            data_dir: None,
            dest_host: "127.0.0.1",
            dest_port: 19530,
            mode: "skip",
            dest_collection_name: loadable.collection,
            dest_partition_name: loadable.partition.unwrap_or_default(),
            collection_parameter: Parameter {
                dimension: loadable.dimension,
                index_file_size: size
                    .filter(|size| INDEX_FILE_SIZES.contains(size))
                    .unwrap_or(INDEX_FILE_SIZE),
                metric_type: loadable.metric.to_ascii_uppercase(),
            },
        },
    };
    serde_yaml::to_string(&document).map_err(|e| failed(&e))
}

fn write_whole(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    Beside::create(path)?.publish(text)
}
