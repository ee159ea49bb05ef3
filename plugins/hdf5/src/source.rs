// SPDX-License-Identifier: Apache-2.0
//! Lists what is in the files and cuts it into splits.
//!
//! `found` comes from the shape of the vectors in the file's header; the reader counts on its
//! own. Files are looked at once, when the source is opened; a file that changed since is
//! refused when it is read.

use std::ops::Range;
use std::path::PathBuf;

use arrow_schema::SchemaRef;
use milvusdm_plugin_api::model::{Descriptor, IdInfo, IdPolicy, RowCount, Unique};
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, Inspection, Node, ReadRequest, Result, Services,
    Source, Split,
};
use serde_json::{Value, json};

use crate::column::Column;
use crate::contents::Contents;
use crate::inspect;
use crate::names::{self, DEFAULT_PARTITION};
use crate::options::SourceOptions;
use crate::paths::{self, Place};
use crate::reader::SplitReader;

/// Vector bytes of a split.
const SPLIT_BYTES: u64 = 64 << 20;

/// Most splits of a file, about.
const MAX_SPLITS: u64 = 1 << 16;

/// Reads vectors from HDF5 files.
#[derive(Debug)]
pub struct Hdf5Source {
    options: SourceOptions,
    services: Services,
    datasets: Vec<Found>,
}

/// A dataset and the files that it is made of.
#[derive(Debug)]
struct Found {
    dataset: Dataset,
    files: Vec<FoundFile>,
    /// Filled in once all files are known.
    splits: Vec<Split>,
}

/// A file, as it was when it was looked at.
#[derive(Debug, Clone)]
struct FoundFile {
    path: PathBuf,
    fingerprint: String,
    rows: u64,
    vector_bytes: u64,
    row_bytes: u64,
    chunk_rows: u64,
    decoding_bytes: u64,
    tree: Node,
}

impl Source for Hdf5Source {
    type Options = SourceOptions;

    fn open(options: SourceOptions, services: Services) -> Result<Self> {
        options.check()?;
        let mut source = Self {
            options,
            services,
            datasets: Vec::new(),
        };
        for place in paths::find(source.options.path.as_slice())? {
            source.services.check_cancelled()?;
            source.add(place)?;
        }
        for found in &mut source.datasets {
            found.describe();
        }
        Ok(source)
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        Ok(self
            .datasets
            .iter()
            .map(|found| found.dataset.clone())
            .collect())
    }

    fn splits(&self, dataset_key: &str) -> Result<Vec<Split>> {
        Ok(self.found(dataset_key)?.splits.clone())
    }

    fn read(
        &self,
        dataset_key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        let found = self.found(dataset_key)?;
        let (file, rows) = found.locate(split)?;
        let contents = Contents::reopen(&file.path, &self.options, &file.fingerprint)?;
        let start = rows
            .start
            .checked_add(request.first_row)
            .filter(|row| *row <= rows.end)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    format!(
                        "split `{}` has {} rows, can't pass over {}",
                        split.id,
                        rows.end - rows.start,
                        request.first_row
                    ),
                )
            })?;
        let reader = SplitReader::new(
            &contents,
            found.dataset.schema.clone(),
            start..rows.end,
            request,
            &self.services,
        )?;
        Ok(Box::new(reader))
    }

    fn inspect(&self) -> Result<Inspection> {
        let files = self.datasets.iter().flat_map(|found| &found.files);
        Ok(Inspection {
            trees: files.map(|file| file.tree.clone()).collect(),
            notices: Vec::new(),
        })
    }
}

impl Hdf5Source {
    fn found(&self, key: &str) -> Result<&Found> {
        self.datasets
            .iter()
            .find(|found| found.dataset.key == key)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::NotFound,
                    format!("there is no dataset `{key}` in the source"),
                )
            })
    }

    /// Looks at a file and adds it to its dataset.
    fn add(&mut self, place: Place) -> Result<()> {
        let contents = Contents::open(&place.path, &self.options)?;
        let (collection, partition) = match &contents.collection {
            Some(collection) => (collection.clone(), contents.partition.clone()),
            None => (
                place.collection,
                contents.partition.clone().or(place.partition),
            ),
        };
        let key = key(&collection, partition.as_deref());
        let schema = contents.schema()?;
        let file = FoundFile::of(&contents, place.path);
        if let Some(found) = self
            .datasets
            .iter_mut()
            .find(|found| found.dataset.key == key)
        {
            found.check_same(&schema, &file)?;
            if found.dataset.descriptor.indexes != contents.indexes {
                found.dataset.descriptor.indexes.clear();
            }
            found.files.push(file);
            return Ok(());
        }
        let policy = if contents.ids.is_some() {
            IdPolicy::Given
        } else {
            IdPolicy::None
        };
        let descriptor = Descriptor {
            system: crate::NAME.to_owned(),
            partition_default: partition.as_deref() == Some(DEFAULT_PARTITION),
            collection,
            partition,
            id: IdInfo {
                policy,
                unique: Unique::Unknown,
            },
            indexes: contents.indexes,
            ..Descriptor::default()
        };
        self.datasets.push(Found {
            dataset: Dataset {
                key,
                schema,
                descriptor,
            },
            files: vec![file],
            splits: Vec::new(),
        });
        Ok(())
    }
}

/// The key of a dataset; names may hold slashes, so they are escaped.
fn key(collection: &str, partition: Option<&str>) -> String {
    let collection = names::escape(collection);
    match partition {
        Some(partition) => format!("{collection}/{}", names::escape(partition)),
        None => collection,
    }
}

impl Found {
    /// Files of one dataset must agree in their columns.
    fn check_same(&self, schema: &SchemaRef, file: &FoundFile) -> Result<()> {
        let known = &self.dataset.schema;
        if *known == *schema {
            return Ok(());
        }
        let describe = |schema: &SchemaRef| {
            let fields = schema.fields().iter().map(|f| {
                let metadata = f
                    .metadata()
                    .iter()
                    .map(|(k, v)| format!("{}={v}", k.trim_start_matches("milvusdm.")));
                let mut metadata: Vec<String> = metadata.collect();
                metadata.sort();
                format!("{}: {} {}", f.name(), f.data_type(), metadata.join(" "))
            });
            fields.collect::<Vec<_>>().join("; ")
        };
        let first = self
            .files
            .first()
            .map(|f| f.path.display().to_string())
            .unwrap_or_default();
        Err(Error::new(
            ErrorKind::Format,
            format!(
                "two files of `{}` have different columns",
                self.dataset.descriptor.full_name()
            ),
        )
        .with("file", first)
        .with("has", describe(known))
        .with("file", file.path.display())
        .with("has", describe(schema))
        .help("read them in two runs, or rename one of them"))
    }

    /// Fills in the numbers, once all files are known.
    fn describe(&mut self) {
        let sum =
            |of: fn(&FoundFile) -> u64| self.files.iter().map(of).fold(0u64, u64::saturating_add);
        let fingerprints: Vec<&str> = self.files.iter().map(|f| f.fingerprint.as_str()).collect();
        let files: Vec<String> = self
            .files
            .iter()
            .map(|f| f.path.display().to_string())
            .collect();
        let (rows, bytes) = (sum(|f| f.rows), sum(|f| f.rows.saturating_mul(f.row_bytes)));
        let fingerprint = format!(
            "{:032x}",
            twox_hash::XxHash3_128::oneshot(fingerprints.join("\n").as_bytes())
        );
        let descriptor = &mut self.dataset.descriptor;
        descriptor.rows = Some(RowCount {
            value: rows,
            exact: true,
        });
        descriptor.bytes = Some(bytes);
        descriptor.fingerprint = Some(fingerprint);
        descriptor
            .properties
            .insert(crate::NAME.to_owned(), json!({ "files": files }));
        self.splits = self.cut();
    }

    /// The file and rows of a split that was given out before.
    fn locate(&self, split: &Split) -> Result<(&FoundFile, Range<u64>)> {
        let unknown = || {
            Error::new(
                ErrorKind::Config,
                format!(
                    "`{}` has no split `{}`",
                    self.dataset.descriptor.full_name(),
                    split.id
                ),
            )
        };
        let known = self.splits.iter().find(|s| s.id == split.id);
        let known = known.ok_or_else(unknown)?;
        let number = |name: &str| {
            let value = known.payload.get(name).and_then(Value::as_u64);
            value.ok_or_else(unknown)
        };
        let file = usize::try_from(number("file")?).ok();
        let file = file.and_then(|i| self.files.get(i)).ok_or_else(unknown)?;
        if known.fingerprint != split.fingerprint {
            return Err(Error::new(
                ErrorKind::Format,
                "the file changed since the run was planned",
            )
            .with("file", file.path.display())
            .with("found", &known.fingerprint)
            .with("planned", &split.fingerprint)
            .help("plan the run again"));
        }
        Ok((file, number("first")?..number("end")?))
    }

    fn cut(&self) -> Vec<Split> {
        let mut splits = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            // A file may claim rows that take no room in it.
            let least = file.rows.div_ceil(MAX_SPLITS);
            let rows = (SPLIT_BYTES / file.vector_bytes.max(1)).max(least);
            let rows = (rows / file.chunk_rows * file.chunk_rows)
                .max(file.chunk_rows)
                .max(1);
            let mut first = 0;
            while first < file.rows {
                let end = first.saturating_add(rows).min(file.rows);
                let name = format!("rows:{first}-{end}");
                splits.push(Split {
                    id: if self.files.len() > 1 {
                        format!("file:{index}:{name}")
                    } else {
                        name
                    },
                    found: Some(end - first),
                    live: Some(end - first),
                    bytes: (end - first).saturating_mul(file.row_bytes),
                    held_bytes: file.decoding_bytes,
                    fingerprint: file.fingerprint.clone(),
                    payload: json!({ "file": index, "first": first, "end": end }),
                });
                first = end;
            }
        }
        splits
    }
}

impl FoundFile {
    fn of(contents: &Contents, path: PathBuf) -> Self {
        // Strings are guessed; their lengths are known only by reading.
        let row_bytes = contents
            .all()
            .map(|c| c.row_bytes().unwrap_or(32))
            .fold(0u64, u64::saturating_add);
        Self {
            path,
            fingerprint: contents.file.fingerprint(),
            rows: contents.rows(),
            vector_bytes: contents.vectors.row_bytes().unwrap_or(1),
            row_bytes,
            chunk_rows: contents.vectors.chunk_rows(),
            decoding_bytes: contents
                .all()
                .map(Column::decoding_bytes)
                .fold(0u64, u64::saturating_add),
            tree: inspect::tree(contents),
        }
    }
}
