// SPDX-License-Identifier: Apache-2.0
//! The source: a collection for each file, cut into ranges of rows.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use milvusdm_plugin_api::arrow::schema::{DataType, Field, SchemaRef};
use milvusdm_plugin_api::model::{
    Descriptor, Elem, IdInfo, IdPolicy, RowCount, SchemaBuilder, Unique, VectorType, keys,
};
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, ReadRequest, Result, Services, Source, Split,
};

use crate::file::VecsFile;
use crate::format::{Format, Layout};
use crate::options::{FormatOption, Ids, Options};
use crate::reader::{Carry, VecsReader};
use crate::{paths, reader};

/// Bytes of a split, about.
const SPLIT_BYTES: u64 = 64 << 20;

/// Reads files of vectors.
#[derive(Debug)]
pub struct VecsSource {
    services: Services,
    collections: Vec<Collection>,
    by_name: HashMap<String, usize>,
}

/// A file, and what it is for the host.
#[derive(Debug)]
struct Collection {
    name: String,
    file: VecsFile,
    carry: Carry,
    schema: SchemaRef,
    /// The first row's id; `None` if rows have none.
    first_id: Option<i64>,
}

impl Source for VecsSource {
    type Options = Options;

    fn open(options: Options, services: Services) -> Result<Self> {
        options.check()?;
        let mut collections = Vec::new();
        let mut by_name = HashMap::new();
        for place in paths::find(options.path.as_slice())? {
            services.check_cancelled()?;
            by_name.insert(place.collection.clone(), collections.len());
            collections.push(Collection::open(place.collection, &place.path, &options)?);
        }
        Ok(Self {
            services,
            collections,
            by_name,
        })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        Ok(self.collections.iter().map(Collection::dataset).collect())
    }

    fn splits(&self, dataset_key: &str) -> Result<Vec<Split>> {
        let collection = self.collection(dataset_key)?;
        Ok(collection
            .ranges()
            .map(|rows| collection.split(&rows))
            .collect())
    }

    fn read(
        &self,
        dataset_key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        let collection = self.collection(dataset_key)?;
        let rows = collection.rows_of(split)?;
        Ok(Box::new(VecsReader::new(
            collection.file.open()?,
            collection.file.layout,
            collection.carry,
            collection.schema.clone(),
            collection.first_id,
            rows,
            request,
            self.services.clone(),
        )))
    }
}

impl VecsSource {
    fn collection(&self, key: &str) -> Result<&Collection> {
        let found = self.by_name.get(key).and_then(|i| self.collections.get(*i));
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no collection `{key}`"),
            )
        })
    }
}

impl Collection {
    fn open(name: String, path: &Path, options: &Options) -> Result<Self> {
        let format = match options.format {
            FormatOption::Fvecs => Format::Fvecs,
            FormatOption::Bvecs => Format::Bvecs,
            FormatOption::Ivecs => Format::Ivecs,
            FormatOption::Auto => Format::of_ending(path).ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    "the file's ending is none of `.fvecs`, `.bvecs`, `.ivecs`",
                )
                .with("option", "path")
                .with("file", path.display())
                .help("say what is in it with the option `format`")
            })?,
        };
        let file = VecsFile::look(path, format)?;
        let carry = Carry::of(format, options.integers);
        let first_id = match options.ids {
            Ids::Row => Some(first_id(options.first_id, &file)?),
            Ids::None => None,
        };
        Ok(Self {
            name,
            schema: schema(carry, &file.layout, first_id.is_some())?,
            file,
            carry,
            first_id,
        })
    }

    fn dataset(&self) -> Dataset {
        let layout = &self.file.layout;
        let id = match self.first_id {
            Some(_) => IdInfo {
                policy: IdPolicy::Auto,
                unique: Unique::Yes,
            },
            None => IdInfo::default(),
        };
        let descriptor = Descriptor {
            system: "vecs".to_owned(),
            collection: self.name.clone(),
            rows: Some(RowCount {
                value: layout.rows,
                exact: true,
            }),
            bytes: Some(layout.rows.saturating_mul(self.row_bytes())),
            id,
            fingerprint: Some(self.file.fingerprint()),
            ..Descriptor::default()
        };
        Dataset {
            key: self.name.clone(),
            schema: self.schema.clone(),
            descriptor,
        }
    }

    /// Bytes of a row as it is given out.
    fn row_bytes(&self) -> u64 {
        reader::row_bytes(self.carry, &self.file.layout, self.first_id.is_some())
    }

    fn split_rows(&self) -> u64 {
        (SPLIT_BYTES / self.row_bytes()).max(1)
    }

    fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        let (rows, each) = (self.file.layout.rows, self.split_rows());
        (0..rows.div_ceil(each)).map(move |i| i * each..((i + 1) * each).min(rows))
    }

    fn split(&self, rows: &Range<u64>) -> Split {
        let count = rows.end - rows.start;
        Split {
            id: split_id(rows),
            found: Some(count),
            live: Some(count),
            bytes: count.saturating_mul(self.row_bytes()),
            held_bytes: reader::held_bytes(&self.file.layout),
            fingerprint: self.file.fingerprint(),
            ..Split::default()
        }
    }

    /// The rows of a split that [`split`](Self::split) gave.
    fn rows_of(&self, split: &Split) -> Result<Range<u64>> {
        let (rows, each) = (self.file.layout.rows, self.split_rows());
        let first = split
            .id
            .strip_prefix("rows:")
            .and_then(|id| id.split('-').next());
        let first = first.and_then(|first| first.parse().ok());
        let range = first.map(|first: u64| first..first.saturating_add(each).min(rows));
        range
            .filter(|r| r.start < rows && r.start % each == 0 && split_id(r) == split.id)
            .ok_or_else(|| {
                let (name, id) = (&self.name, &split.id);
                Error::new(
                    ErrorKind::Config,
                    format!("collection `{name}` has no split `{id}`"),
                )
                .with("file", self.file.path.display())
                .help("the file changed since the task was planned; run it anew")
            })
    }
}

fn split_id(rows: &Range<u64>) -> String {
    format!("rows:{}-{}", rows.start, rows.end)
}

/// Refuses ids past the largest one.
fn first_id(first: i64, file: &VecsFile) -> Result<i64> {
    let rows = file.layout.rows;
    let last = i64::try_from(rows)
        .ok()
        .and_then(|rows| first.checked_add(rows - 1));
    match last {
        Some(_) => Ok(first),
        None => Err(Error::new(
            ErrorKind::Config,
            format!("the file's {rows} rows, numbered from {first}, pass the largest id"),
        )
        .with("option", "first_id")
        .with("file", file.path.display())
        .help(format!(
            "the largest id is {}; choose a smaller `first_id`",
            i64::MAX
        ))),
    }
}

fn schema(carry: Carry, layout: &Layout, has_ids: bool) -> Result<SchemaRef> {
    let schema = match has_ids {
        true => SchemaBuilder::new().id("id", DataType::Int64),
        false => SchemaBuilder::new(),
    };
    let elem = match carry {
        Carry::Floats | Carry::IntegersAsF32 => Elem::F32,
        Carry::Bytes => Elem::U8,
        Carry::IntegersAsF64 => Elem::F64,
        Carry::Lists => {
            let item = Field::new("item", DataType::Int32, false);
            let length = (keys::MAX_LENGTH.to_owned(), layout.dim.to_string());
            let field = Field::new_list("values", item, false).with_metadata([length]);
            return schema.field(field).finish();
        }
    };
    schema
        .vector("vector", &VectorType::dense(elem, layout.dim))?
        .finish()
}
