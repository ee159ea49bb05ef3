// SPDX-License-Identifier: Apache-2.0
//! Looks at the file that rows are to be appended to, and copies its rows into the new one.
//!
//! Appending writes old and new rows beside the file and then takes its place, so whatever the
//! copy could not hold would be lost: a file with such content is refused.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use arrow_array::ArrayRef;
use milvusdm_plugin_api::{BatchReader, Error, ErrorKind, ReadRequest, Result, Services};

use crate::column::{Column, Reading};
use crate::contents::{Attributes, Contents};
use crate::h5::{Element, Number};
use crate::options::{SinkOptions, SourceOptions};
use crate::plan::{FilePlan, PlanColumn};
use crate::reader::SplitReader;

/// Bytes of old rows that are copied at once.
const COPY_BYTES: u64 = 4 << 20;

/// A file that rows are appended to.
#[derive(Debug)]
pub struct Existing {
    contents: Contents,
    inode: u64,
}

/// Opens a target that is there, as the source would.
///
/// # Errors
/// As [`Contents::open`].
pub fn open_target(path: &Path, options: &SinkOptions, has_ids: bool) -> Result<Contents> {
    let root = |name: &str| Some(format!("/{name}"));
    let source = SourceOptions {
        vectors: root(&options.vectors),
        ids: root(&options.ids).filter(|_| has_ids),
        // Opening decodes nothing.
        max_chunk_mib: u32::MAX,
        ..SourceOptions::at("")
    };
    Contents::open(path, &source)
}

impl Existing {
    /// Opens the file, and refuses it unless rows of `plan` can follow its own.
    ///
    /// # Errors
    /// `Unsupported` naming the difference, or as [`Contents::open`].
    pub fn open(path: &Path, options: &SinkOptions, plan: &FilePlan) -> Result<Self> {
        let has_ids = plan.columns.iter().any(|c| c.dataset.name == options.ids);
        let contents = open_target(path, options, has_ids)?;
        let inode = contents.file.metadata().ino();
        let existing = Self { contents, inode };
        existing.check_columns(plan)?;
        existing.check_vectors(plan)?;
        existing.check_rest()?;
        existing.check_chunks()?;
        Ok(existing)
    }

    /// Rows of the file.
    pub fn rows(&self) -> u64 {
        self.contents.rows()
    }

    /// Bytes that copying its rows holds, beside the rows.
    pub fn decoding_bytes(&self) -> u64 {
        let columns = self.contents.all().map(Column::decoding_bytes);
        columns.fold(0, u64::saturating_add)
    }

    /// Keeps what the file says of itself: its metric where the new rows bring none, and its
    /// indexes.
    pub fn complete(&self, plan: &mut FilePlan) {
        let vector = &self.contents.vector_type;
        if plan.vector.metric.is_none() {
            plan.vector.metric.clone_from(&vector.metric);
            plan.vector.metric_arg = vector.metric_arg;
        }
        if !self.contents.indexes.is_empty() {
            plan.indexes.clone_from(&self.contents.indexes);
        }
    }

    fn refuse(&self, why: String) -> Error {
        Error::new(ErrorKind::Unsupported, format!("can't append: {why}"))
            .with("file", self.contents.file.path().display())
            .help("write to another target, or use `mode: overwrite`")
    }

    /// Both have the same datasets, of the same elements.
    fn check_columns(&self, plan: &FilePlan) -> Result<()> {
        for column in &plan.columns {
            let there = self.elements(column).ok_or_else(|| {
                self.refuse(format!("the file has no dataset `{}`", column.dataset.name))
            })?;
            let new = (column.dataset.element, column.dataset.width.unwrap_or(1));
            if there != new {
                return Err(self.refuse(format!(
                    "dataset `{}` holds {} x {} in the file, {} x {} are to come",
                    column.dataset.name, there.1, there.0, new.1, new.0
                )));
            }
        }
        let is_planned = |path: &str| {
            plan.columns
                .iter()
                .any(|c| path.strip_prefix('/') == Some(&c.dataset.name))
        };
        match self.contents.all().find(|c| !is_planned(c.stored.path())) {
            None => Ok(()),
            Some(extra) => Err(self.refuse(format!(
                "the file has a dataset `{}`, for which no values are to come",
                extra.stored.path()
            ))),
        }
    }

    /// What a column's rows are in the file, once read.
    fn elements(&self, column: &PlanColumn) -> Option<(Element, u64)> {
        let there = self.position(column)?;
        let there = self.contents.all().nth(there)?;
        let width = there.stored.width();
        Some(match there.reading {
            Reading::Numbers(number) => (Element::Number(number), width),
            Reading::WideInts(_) => (Element::Number(Number::F64), width),
            Reading::Packed { .. } => (Element::Number(Number::U8), width),
            Reading::PackBools => (Element::Number(Number::U8), width.div_ceil(8)),
            Reading::Bools => (Element::Bool, width),
            Reading::Texts => (Element::Text, width),
        })
    }

    /// The position of a planned column among those of the file.
    fn position(&self, column: &PlanColumn) -> Option<usize> {
        let mut all = self.contents.all();
        all.position(|c| c.stored.path().strip_prefix('/') == Some(&column.dataset.name))
    }

    fn check_vectors(&self, plan: &FilePlan) -> Result<()> {
        let (there, new) = (&self.contents.vector_type, &plan.vector);
        let text = |v: &milvusdm_plugin_api::model::VectorType| {
            let order = v.bit_order.map(|o| format!(", bit order {o}"));
            format!(
                "{} {} x {}{}",
                v.kind,
                v.dim,
                v.elem,
                order.unwrap_or_default()
            )
        };
        if (there.kind, there.elem, there.dim, there.bit_order)
            != (new.kind, new.elem, new.dim, new.bit_order)
        {
            return Err(self.refuse(format!(
                "vectors are {} in the file, {} are to come",
                text(there),
                text(new)
            )));
        }
        match (&there.metric, &new.metric) {
            (Some(there), Some(new)) if there != new => Err(self.refuse(format!(
                "the file's metric is `{there}`, that of the rows to come `{new}`"
            ))),
            _ => Ok(()),
        }
    }

    /// Nothing else is in the file.
    fn check_rest(&self) -> Result<()> {
        if let Some(ignored) = self.contents.ignored.first() {
            return Err(self.refuse(format!(
                "the file also holds {ignored}, which would be lost"
            )));
        }
        let mut names = self.contents.file.attribute_names().iter();
        match names.find(|name| !Attributes::NAMES.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(self.refuse(format!(
                "the file also has a root attribute `{name}`, which would be lost"
            ))),
        }
    }

    /// Copying decodes rows of chunks as a whole, beside the task's memory.
    fn check_chunks(&self) -> Result<()> {
        let most = SourceOptions::at("").limits().chunk_bytes;
        let bands = || self.contents.all().map(|c| c.stored.band_bytes());
        let total = bands().fold(0, u64::saturating_add);
        if total <= most {
            return Ok(());
        }
        let largest = self.contents.all().max_by_key(|c| c.stored.band_bytes());
        Err(self
            .refuse(format!(
                "a row of the file's compressed chunks takes {total} bytes to be decoded, more than {most} are not allowed"
            ))
            .with("largest", largest.map_or("", |c| c.stored.path()))
            .help("rewrite the file with smaller chunks first (`h5repack -l`), or write to another target"))
    }

    /// Reads all rows and hands them to `write`, in the order of the plan's columns.
    ///
    /// # Errors
    /// What reading and `write` answer; `Cancelled`.
    pub fn copy(
        &self,
        plan: &FilePlan,
        services: &Services,
        write: &mut dyn FnMut(&[ArrayRef]) -> Result<()>,
    ) -> Result<()> {
        let changed = || Error::new(ErrorKind::Internal, "a column is no longer in the file");
        let positions: Option<Vec<usize>> = plan.columns.iter().map(|c| self.position(c)).collect();
        let positions = positions.ok_or_else(changed)?;
        let request = ReadRequest {
            first_row: 0,
            max_batch_bytes: COPY_BYTES,
            max_batch_rows: None,
        };
        let schema = self.contents.schema()?;
        let rows = self.rows();
        let mut reader = SplitReader::new(&self.contents, schema, 0..rows, &request, services)?;
        let mut done = 0;
        while let Some(batch) = reader.next()? {
            let arrays: Option<Vec<ArrayRef>> = positions
                .iter()
                .map(|at| batch.columns().get(*at).cloned())
                .collect();
            write(&arrays.ok_or_else(changed)?)?;
            done += batch.num_rows() as u64;
            services.progress("copying the rows that are there", done, rows);
        }
        Ok(())
    }

    /// Refuses to replace a file that changed since it was opened.
    ///
    /// # Errors
    /// `Exists`.
    pub fn check_unchanged(&self, path: &Path) -> Result<()> {
        let now = std::fs::metadata(path).map_err(|e| {
            Error::io("looking at the file that is appended to", &e).with("file", path.display())
        })?;
        if now.ino() == self.inode
            && crate::h5::fingerprint(&now) == self.contents.file.fingerprint()
        {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Exists,
            "the file changed while rows were appended to it",
        )
        .with("file", path.display())
        .help("run the task again"))
    }
}
