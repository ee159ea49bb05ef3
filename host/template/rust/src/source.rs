// SPDX-License-Identifier: Apache-2.0
//! What is there: one collection, its columns, and the pieces that it is read in.

use std::fs::{self, Metadata};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::arrow::schema::{DataType, SchemaRef};
use milvusdm_plugin_api::model::{
    Descriptor, Elem, IdInfo, IdPolicy, RowCount, SchemaBuilder, Unique, VectorType,
};
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, ReadRequest, Result, Services, Source, Split,
};

use crate::reader::RawReader;

/// Largest dimension that milvusdm carries.
const MAX_DIM: u32 = 1_048_576;
/// Bytes of a split, about: pieces of this size are read at the same time.
const SPLIT_BYTES: u64 = 64 << 20;

/// What a task says under `source:`. The comments are what users read.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The file.
    #[schemars(extend("x-positional" = true))]
    pub path: PathBuf,
    /// Numbers of each vector, 1 to 1048576.
    pub dim: u32,
}

/// An open file of vectors.
#[derive(Debug)]
pub struct RawSource {
    path: PathBuf,
    dim: u32,
    rows: u64,
    fingerprint: String,
    schema: SchemaRef,
    services: Services,
}

impl Source for RawSource {
    type Options = Options;

    fn open(options: Options, services: Services) -> Result<Self> {
        let Options { path, dim } = options;
        if !(1..=MAX_DIM).contains(&dim) {
            let message = format!("option `dim` is {dim}, wanted 1 to {MAX_DIM}");
            return Err(Error::new(ErrorKind::Config, message).with("option", "dim"));
        }
        let metadata = examine(&path)?;
        let row_bytes = u64::from(dim) * 4;
        let (rows, rest) = (metadata.len() / row_bytes, metadata.len() % row_bytes);
        if rest > 0 {
            let missing = row_bytes - rest;
            return Err(Error::new(
                ErrorKind::Format,
                format!("the file ends inside a row: {missing} bytes of it are missing"),
            )
            .with("file", path.display())
            .with("row", rows)
            .with("found", format_args!("{} bytes", metadata.len()))
            .with("expected", format_args!("a multiple of {row_bytes}"))
            .help("is `dim` right, and the file whole?"));
        }
        Ok(Self {
            schema: SchemaBuilder::new()
                .id("id", DataType::Int64)
                .vector("vector", &VectorType::dense(Elem::F32, dim))?
                .finish()?,
            fingerprint: fingerprint(&metadata, dim),
            path,
            dim,
            rows,
            services,
        })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        let name = self.name();
        let descriptor = Descriptor {
            system: "{{name}}".to_owned(),
            collection: name.clone(),
            rows: Some(RowCount {
                value: self.rows,
                exact: true,
            }),
            // Rows are numbered: the file has no ids.
            id: IdInfo {
                policy: IdPolicy::Auto,
                unique: Unique::Yes,
            },
            fingerprint: Some(self.fingerprint.clone()),
            ..Descriptor::default()
        };
        Ok(vec![Dataset {
            key: name,
            schema: self.schema.clone(),
            descriptor,
        }])
    }

    fn splits(&self, dataset_key: &str) -> Result<Vec<Split>> {
        self.check_key(dataset_key)?;
        let splits = self.ranges().map(|rows| Split {
            id: split_id(&rows),
            // Counted by the file's size, apart from the reading: that is how milvusdm notices a
            // reader that loses rows.
            found: Some(rows.end - rows.start),
            live: Some(rows.end - rows.start),
            bytes: (rows.end - rows.start) * self.row_bytes(),
            fingerprint: self.fingerprint.clone(),
            ..Split::default()
        });
        Ok(splits.collect())
    }

    fn read(
        &self,
        dataset_key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        self.check_key(dataset_key)?;
        let rows = self.ranges().find(|rows| split_id(rows) == split.id);
        let rows = rows.ok_or_else(|| {
            let message = format!("`{dataset_key}` has no split `{}`", split.id);
            Error::new(ErrorKind::Config, message).help("plan the task anew")
        })?;
        // Opening what is no regular file could wait for ever.
        examine(&self.path)?;
        Ok(Box::new(RawReader::open(
            &self.path,
            self.fingerprint.clone(),
            self.dim,
            self.schema.clone(),
            rows.start.saturating_add(request.first_row).min(rows.end)..rows.end,
            request.rows_per_batch(self.row_bytes()),
            self.services.clone(),
        )?))
    }
}

impl RawSource {
    /// The collection is called as the file is without its ending.
    fn name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }

    fn check_key(&self, key: &str) -> Result<()> {
        if key == self.name() {
            return Ok(());
        }
        let message = format!("there is no collection `{key}`");
        Err(Error::new(ErrorKind::NotFound, message).with("file", self.path.display()))
    }

    /// Bytes of a row as it is given out: the vector, and an id.
    fn row_bytes(&self) -> u64 {
        u64::from(self.dim) * 4 + 8
    }

    /// The rows of each split.
    fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        let (rows, each) = (self.rows, (SPLIT_BYTES / self.row_bytes()).max(1));
        (0..rows.div_ceil(each)).map(move |i| i * each..((i + 1) * each).min(rows))
    }
}

fn split_id(rows: &Range<u64>) -> String {
    format!("rows:{}-{}", rows.start, rows.end)
}

fn examine(path: &Path) -> Result<Metadata> {
    let metadata = fs::metadata(path)
        .map_err(|e| Error::io("can't examine the file", &e).with("file", path.display()))?;
    if metadata.is_file() {
        return Ok(metadata);
    }
    let message = "expected a regular file, found another thing";
    Err(Error::new(ErrorKind::Unsupported, message).with("file", path.display()))
}

/// Changes when the file does.
pub(crate) fn fingerprint(metadata: &Metadata, dim: u32) -> String {
    let (size, mtime, nsec) = (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    format!("dim={dim} size={size} mtime={mtime}.{nsec:09}")
}
