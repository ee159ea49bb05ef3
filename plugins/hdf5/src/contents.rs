// SPDX-License-Identifier: Apache-2.0
//! Says what the datasets of one file are: vectors, ids, columns, or none of these.
//!
//! Understood: MilvusDM's names (`embeddings`, `ids`), the ann-benchmarks layout (`train`; root
//! attribute `distance`), and any names that the options give. Nothing is read here but headers
//! and root attributes.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Field, SchemaRef};
use milvusdm_plugin_api::model::{IndexDefinition, SchemaBuilder, VectorType};
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::column::{Column, Reading};
use crate::h5::{EntryKind, H5File, Limits, Number, StoredDataset, StoredType};
use crate::options::{Columns, SourceOptions};
use crate::{FORMAT_VERSION, IDS, VECTORS, metric, vectors};

/// What one file holds.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The file, open.
    pub file: Arc<H5File>,
    /// Collection, as a root attribute says.
    pub collection: Option<String>,
    /// Partition, as a root attribute says.
    pub partition: Option<String>,
    /// Definitions of indexes, as a root attribute says.
    pub indexes: Vec<IndexDefinition>,
    /// What the vectors are.
    pub vector_type: VectorType,
    /// The vectors.
    pub vectors: Column,
    /// The ids, if there are any.
    pub ids: Option<Column>,
    /// Further columns, in the order of their names.
    pub columns: Vec<Column>,
    /// What is beside the vectors and not read, with shape and type.
    pub ignored: Vec<String>,
}

/// What root attributes say of the whole file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes {
    /// Whether the file is of MilvusDM's own format.
    pub is_own: bool,
    /// Collection.
    pub collection: Option<String>,
    /// Partition.
    pub partition: Option<String>,
    /// Metric, canonical.
    pub metric: Option<String>,
    /// The metric's argument.
    pub metric_arg: Option<f64>,
    /// Elements of a vector, for binary ones bits.
    pub dim: Option<i64>,
    /// Order of bits.
    pub bit_order: Option<String>,
    /// Definitions of indexes.
    pub indexes: Vec<IndexDefinition>,
}

impl Attributes {
    /// The attributes of MilvusDM's own files.
    pub const NAMES: [&str; 8] = [
        "milvusdm_format",
        "collection",
        "partition",
        "metric",
        "metric_arg",
        "dim",
        "bit_order",
        "indexes",
    ];

    fn read(file: &H5File, options: &SourceOptions) -> Result<Self> {
        let version = file.int_attribute("milvusdm_format")?;
        if let Some(version) = version.filter(|v| *v != FORMAT_VERSION) {
            return Err(file
                .unsupported(format!(
                    "root attribute `milvusdm_format` is {version}, this version reads {FORMAT_VERSION}"
                ))
                .help("update milvusdm"));
        }
        let is_own = version.is_some();
        let text = |name| meant(is_own, file.text_attribute(name));
        let named = match &options.metric {
            Some(metric) => Some(metric.clone()),
            None => match text("metric")? {
                Some(metric) => Some(metric),
                None => text("distance")?,
            },
        };
        Ok(Self {
            is_own,
            collection: text("collection")?.filter(|name| is_own || !name.is_empty()),
            partition: text("partition")?,
            metric: named
                .filter(|m| !m.trim().is_empty())
                .map(|m| metric::canonical(&m)),
            metric_arg: meant(is_own, file.float_attribute("metric_arg"))?,
            dim: meant(is_own, file.int_attribute("dim"))?,
            bit_order: text("bit_order")?,
            indexes: match is_own {
                true => indexes(file)?,
                false => Vec::new(),
            },
        })
    }
}

/// The definitions of indexes in a file of our format.
fn indexes(file: &H5File) -> Result<Vec<IndexDefinition>> {
    let text = file.text_attribute("indexes")?;
    let indexes = text.map(|text| serde_json::from_str(&text)).transpose();
    indexes.map(Option::unwrap_or_default).map_err(|e| {
        file.format_error(format!(
            "root attribute `indexes` is no list of index definitions: {e}"
        ))
    })
}

/// In a file that is not of our format, an attribute of another type means something else.
fn meant<T>(is_own: bool, read: Result<Option<T>>) -> Result<Option<T>> {
    match read {
        Err(e) if !is_own && e.kind() == ErrorKind::Unsupported => Ok(None),
        read => read,
    }
}

impl Contents {
    /// Opens a file and says what it holds.
    ///
    /// # Errors
    /// `NotFound` where the vectors or a named dataset are missing, `Unsupported` and `Format`
    /// for what can't be carried; each names what was found.
    pub fn open(path: &Path, options: &SourceOptions) -> Result<Self> {
        Self::of(H5File::open(path)?, options, &options.limits())
    }

    /// Opens a file that was looked at before, if it is still the same: large chunk indexes are
    /// not gone through again.
    ///
    /// # Errors
    /// As [`open`](Self::open); `Format` if the file changed.
    pub fn reopen(path: &Path, options: &SourceOptions, fingerprint: &str) -> Result<Self> {
        let file = H5File::open(path)?;
        if file.fingerprint() != fingerprint {
            return Err(file
                .format_error("the file changed since the run was planned")
                .with("found", file.fingerprint())
                .with("planned", fingerprint)
                .help("plan the run again"));
        }
        let limits = Limits {
            is_known: true,
            ..options.limits()
        };
        Self::of(file, options, &limits)
    }

    fn of(file: H5File, options: &SourceOptions, limits: &Limits) -> Result<Self> {
        let file = Arc::new(file);
        let attributes = Attributes::read(&file, options)?;
        let vectors_path = vectors_path(&file, options)?;
        let stored = StoredDataset::open(&file, &vectors_path, limits)
            .map_err(|e| of_option(e, "vectors".to_owned()))?;
        let (vector_type, reading) = vectors::interpret(&file, &stored, &attributes, options)?;
        let ids = match ids_path(&file, &vectors_path, options)? {
            Some(path) => Some(
                id_column(&file, &path, stored.rows(), limits)
                    .map_err(|e| of_option(e, "ids".to_owned()))?,
            ),
            None => None,
        };
        let mut contents = Self {
            file,
            collection: attributes.collection,
            partition: attributes.partition,
            indexes: attributes.indexes,
            vector_type,
            vectors: Column::new("vector", stored, reading),
            ids,
            columns: Vec::new(),
            ignored: Vec::new(),
        };
        match options.columns() {
            Columns::None => {}
            Columns::Named(paths) => contents.add_named(&paths, limits)?,
            Columns::Auto => contents.add_all(options, limits)?,
        }
        contents.rename_clashes();
        Ok(contents)
    }

    /// Rows.
    pub fn rows(&self) -> u64 {
        self.vectors.rows()
    }

    /// Every column: id, vectors, further ones.
    pub fn all(&self) -> impl Iterator<Item = &Column> {
        self.ids.iter().chain([&self.vectors]).chain(&self.columns)
    }

    /// The schema of batches.
    ///
    /// # Errors
    /// `Format` where names or metadata break the data model.
    pub fn schema(&self) -> Result<SchemaRef> {
        let mut builder = SchemaBuilder::new();
        if let Some(ids) = &self.ids {
            builder = builder.id(&ids.name, ids.reading.data_type().unwrap_or(DataType::Null));
        }
        builder = builder.vector(&self.vectors.name, &self.vector_type)?;
        for column in &self.columns {
            let data_type = column.reading.data_type().unwrap_or(DataType::Null);
            builder = builder.field(Field::new(&column.name, data_type, false));
        }
        builder
            .finish()
            .map_err(|e| e.with("file", self.file.path().display()))
    }

    fn add_named(&mut self, paths: &[String], limits: &Limits) -> Result<()> {
        let (group, _) = split_path(self.vectors.stored.path());
        for (at, path) in paths.iter().enumerate() {
            let path = if path.starts_with('/') {
                path.clone()
            } else {
                format!("{group}/{path}")
            };
            let stored = StoredDataset::open(&self.file, &path, limits)
                .map_err(|e| of_option(e, format!("columns[{at}]")))?;
            let column = scalar_column(&self.file, stored, self.rows())?;
            self.columns.push(column);
        }
        Ok(())
    }

    /// Takes every 1-D dataset beside the vectors.
    fn add_all(&mut self, options: &SourceOptions, limits: &Limits) -> Result<()> {
        let vectors = self.vectors.stored.path().to_owned();
        let (parent, _) = self.file.parent(&vectors)?;
        let (folder, _) = split_path(&vectors);
        let taken = [
            Some(vectors.clone()),
            self.ids.as_ref().map(|ids| ids.stored.path().to_owned()),
        ];
        let is_none = options.ids.as_deref() == Some("none");
        for entry in self.file.entries(&parent)? {
            let path = format!("{folder}/{}", entry.name);
            let is_unread_ids = is_none && entry.name == IDS;
            if taken.iter().flatten().any(|t| same_path(t, &path)) {
                continue;
            }
            if entry.kind != EntryKind::Dataset || is_unread_ids {
                self.ignored
                    .push(format!("`{path}` ({:?})", entry.kind).to_lowercase());
                continue;
            }
            match self.file.shape_of(&path)? {
                Some((1, _)) => {
                    let stored = StoredDataset::open(&self.file, &path, limits)?;
                    let column = scalar_column(&self.file, stored, self.rows());
                    self.columns.push(column.map_err(|e| {
                        e.help("list the columns to read with the option `columns`, or set `columns: none`")
                    })?);
                }
                Some((_, described)) => self.ignored.push(described),
                None => self.ignored.push(format!("`{path}` (virtual)")),
            }
        }
        Ok(())
    }

    /// `vector` and `id` give way to columns of that name.
    fn rename_clashes(&mut self) {
        let is_taken = |name: &str| self.columns.iter().any(|c| c.name == name);
        if is_taken("vector") {
            self.vectors.name = VECTORS.to_owned();
        }
        let id_taken = is_taken("id");
        if let Some(ids) = self.ids.as_mut().filter(|_| id_taken) {
            ids.name = IDS.to_owned();
        }
    }
}

/// A path that can't be a dataset's is the option's fault, not the file's.
fn of_option(error: Error, option: String) -> Error {
    match error.kind() {
        ErrorKind::Config => error.with("option", option),
        _ => error,
    }
}

/// Folder and last part: `/a/b` is `/a` and `b`, `/train` is nothing and `train`.
fn split_path(path: &str) -> (&str, &str) {
    path.trim_end_matches('/')
        .rsplit_once('/')
        .unwrap_or(("", path))
}

fn same_path(a: &str, b: &str) -> bool {
    let parts = |p: &str| {
        p.split('/')
            .filter(|s| !s.is_empty() && *s != ".")
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    parts(a) == parts(b)
}

fn vectors_path(file: &H5File, options: &SourceOptions) -> Result<String> {
    if let Some(path) = &options.vectors {
        return Ok(if path.starts_with('/') {
            path.clone()
        } else {
            format!("/{path}")
        });
    }
    let entries = file.entries(file.root())?;
    let has = |name: &str| entries.iter().any(|e| e.name == name);
    if !has(VECTORS) && has("train") {
        return Ok("/train".to_owned());
    }
    Ok(format!("/{VECTORS}"))
}

fn ids_path(file: &H5File, vectors: &str, options: &SourceOptions) -> Result<Option<String>> {
    let (folder, _) = split_path(vectors);
    match options.ids.as_deref() {
        Some("none") => return Ok(None),
        Some(path) if path.starts_with('/') => return Ok(Some(path.to_owned())),
        Some(path) => return Ok(Some(format!("/{path}"))),
        None => {}
    }
    let (group, _) = file.parent(vectors)?;
    let is_there = file.entries(&group)?.iter().any(|e| e.name == IDS);
    Ok(is_there.then(|| format!("{folder}/{IDS}")))
}

fn id_column(file: &Arc<H5File>, path: &str, rows: u64, limits: &Limits) -> Result<Column> {
    let stored = StoredDataset::open(file, path, limits)?;
    let is_flat = stored.shape().len() == 1 || (stored.shape().len() == 2 && stored.width() == 1);
    let reading = match stored.stored() {
        StoredType::Number {
            number: Number::U64,
            ..
        } => Some(Reading::Numbers(Number::U64)),
        StoredType::Number { number, .. } if number.is_int() => Some(Reading::Numbers(Number::I64)),
        StoredType::Text { .. } if stored.shape().len() == 1 => Some(Reading::Texts),
        _ => None,
    };
    let Some(reading) = reading.filter(|_| is_flat) else {
        return Err(file
            .unsupported(format!(
                "ids `{path}` are {}, wanted one integer or string a row",
                stored.shape_text()
            ))
            .help("name the right dataset with the option `ids`, or set `ids: none`"));
    };
    check_rows(file, &stored, rows, "ids")?;
    Ok(Column::new("id", stored, reading))
}

fn scalar_column(file: &H5File, stored: StoredDataset, rows: u64) -> Result<Column> {
    let (_, name) = split_path(stored.path());
    let name = name.to_owned();
    let reading = match stored.stored() {
        StoredType::Number { number, .. } => Reading::Numbers(*number),
        StoredType::Bool => Reading::Bools,
        StoredType::Text { .. } => Reading::Texts,
        StoredType::Other(_) => {
            return Err(file.unsupported(format!(
                "column `{name}` is {}, wanted numbers, bools or strings",
                stored.shape_text()
            )));
        }
    };
    if stored.shape().len() != 1 {
        return Err(file.unsupported(format!(
            "column `{name}` is {}, wanted one value a row",
            stored.shape_text()
        )));
    }
    check_rows(file, &stored, rows, "column")?;
    Ok(Column::new(&name, stored, reading))
}

fn check_rows(file: &H5File, stored: &StoredDataset, rows: u64, what: &str) -> Result<()> {
    if stored.rows() == rows {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Format,
        format!(
            "{what} `{}` have {} rows, the vectors {rows}",
            stored.path(),
            stored.rows()
        ),
    )
    .with("file", file.path().display()))
}
