// SPDX-License-Identifier: Apache-2.0
//! Creates files and datasets through the library.
//!
//! Equal content must give equal bytes, so object times are off, chunks are only ever written
//! whole and in order, and no space is left that the library does not fill or the file system
//! does not give as zeros. The oldest format that holds the content is written, for the sake of
//! old readers.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use hdf5::dataset::{AllocTime, FillTime};
use hdf5::plist::link_create::CharEncoding;
use hdf5::types::{FloatSize, IntSize, TypeDescriptor, VarLenUnicode};
use hdf5::{Extent, Extents, H5Type};
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::grow::{GrowingDataset, TextDataset};
use super::stored::Number;
use super::{unlocked, write_error as failed};

/// Datasets from this size on begin at a multiple of [`ALIGNMENT`].
const ALIGN_FROM_BYTES: u64 = 64 << 10;
/// A page, so that writes past the library are of whole pages.
const ALIGNMENT: u64 = 4096;

/// How chunks are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// Deflate at a level from 1 to 9.
    Gzip(u8),
    /// LZF, as h5py has it.
    Lzf,
}

/// What the elements of a new dataset are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Numbers, little-endian.
    Number(Number),
    /// h5py's bools.
    Bool,
    /// UTF-8 strings of any length.
    Text,
}

impl Element {
    /// Bytes of one element in its dataset; a string's own bytes are elsewhere.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Number(number) => number.bytes() as u64,
            Self::Bool => 1,
            Self::Text => 16,
        }
    }

    fn descriptor(self) -> TypeDescriptor {
        use TypeDescriptor::{Float, Integer, Unsigned};
        match self {
            Self::Bool => TypeDescriptor::Boolean,
            Self::Text => TypeDescriptor::VarLenUnicode,
            Self::Number(number) => match number {
                Number::I8 => Integer(IntSize::U1),
                Number::I16 => Integer(IntSize::U2),
                Number::I32 => Integer(IntSize::U4),
                Number::I64 => Integer(IntSize::U8),
                Number::U8 => Unsigned(IntSize::U1),
                Number::U16 => Unsigned(IntSize::U2),
                Number::U32 => Unsigned(IntSize::U4),
                Number::U64 => Unsigned(IntSize::U8),
                Number::F16 => Float(FloatSize::U2),
                Number::F32 => Float(FloatSize::U4),
                Number::F64 => Float(FloatSize::U8),
            },
        }
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Bool => f.write_str("bool"),
            Self::Text => f.write_str("string"),
        }
    }
}

/// A dataset to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDataset {
    /// Its name in the root group.
    pub name: String,
    /// What its elements are.
    pub element: Element,
    /// Elements of a row, for datasets of two dimensions.
    pub width: Option<u64>,
}

impl NewDataset {
    /// Bytes of a row.
    pub fn row_bytes(&self) -> u64 {
        self.element.bytes().saturating_mul(self.width.unwrap_or(1))
    }

    fn extents(&self, rows: Extent) -> Result<Extents> {
        let mut extents = vec![rows];
        if let Some(width) = self.width {
            extents.push(Extent::fixed(size(width)?));
        }
        Ok(Extents::simple(extents))
    }
}

/// How a dataset that grows is cut into chunks.
#[derive(Debug, Clone, Copy)]
pub struct Chunking {
    /// Rows of a chunk.
    pub rows: u64,
    /// How chunks are packed.
    pub compression: Compression,
    /// Whether bytes are shuffled before.
    pub shuffle: bool,
}

/// The value of a root attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// 64 signed bits.
    Int(i64),
    /// 64 bits.
    Float(f64),
    /// UTF-8.
    Text(String),
}

/// A file that is being written.
#[derive(Debug)]
pub struct NewFile {
    handle: hdf5::File,
    path: PathBuf,
}

impl NewFile {
    /// Makes an empty file, over whatever is at `path`.
    ///
    /// # Errors
    /// `Io`.
    pub fn create(path: &Path, attributes: &[(&str, AttributeValue)]) -> Result<Self> {
        let create = || {
            hdf5::File::with_options()
                .with_fapl(|fapl| fapl.alignment(ALIGN_FROM_BYTES, ALIGNMENT))
                .with_fcpl(|fcpl| fcpl.obj_track_times(false))
                .create(path)
        };
        let handle = unlocked(create).map_err(|e| failed("creating an HDF5 file", path, &e))?;
        let file = Self {
            handle,
            path: path.to_owned(),
        };
        for (name, value) in attributes {
            file.write_attribute(name, value)?;
        }
        Ok(file)
    }

    /// Opens a file that was made and not closed, to write on.
    ///
    /// # Errors
    /// `Io`, also where the library can't read it.
    pub fn reopen(path: &Path) -> Result<Self> {
        let handle = unlocked(|| hdf5::File::open_rw(path))
            .map_err(|e| failed("opening an HDF5 file to go on with", path, &e))?;
        Ok(Self {
            handle,
            path: path.to_owned(),
        })
    }

    /// The offset of the first row of a dataset that was [reserved](Self::reserve) before.
    ///
    /// # Errors
    /// `Format` if it is another one, or is not there.
    pub fn reserved(&self, dataset: &NewDataset, rows: u64) -> Result<Option<u64>> {
        let look = || -> hdf5::Result<_> {
            let found = self.handle.dataset(&dataset.name)?;
            let element = found.dtype()?.to_descriptor()?;
            Ok((found.shape(), element, found.offset()))
        };
        let (shape, element, offset) =
            look().map_err(|e| failed(format!("looking at `{}`", dataset.name), &self.path, &e))?;
        let mut wanted = vec![size(rows)?];
        if let Some(width) = dataset.width {
            wanted.push(size(width)?);
        }
        if shape != wanted || element != dataset.element.descriptor() {
            return Err(Error::new(
                ErrorKind::Format,
                format!(
                    "dataset `{}` is {shape:?}, this run made {wanted:?}",
                    dataset.name
                ),
            )
            .with("file", self.path.display())
            .help("something else wrote this file; begin anew"));
        }
        Ok(offset)
    }

    fn write_attribute(&self, name: &str, value: &AttributeValue) -> Result<()> {
        let write = || match value {
            AttributeValue::Int(value) => self.scalar_attribute(name, value),
            AttributeValue::Float(value) => self.scalar_attribute(name, value),
            AttributeValue::Text(text) => {
                let text = VarLenUnicode::from_str(text).map_err(|e| e.to_string())?;
                self.scalar_attribute(name, &text)
            }
        };
        write().map_err(|e| failed(format!("writing attribute `{name}`"), &self.path, &e))
    }

    fn scalar_attribute<T: H5Type>(&self, name: &str, value: &T) -> hdf5::Result<()> {
        self.handle
            .new_attr::<T>()
            .create(name)?
            .write_scalar(value)
    }

    fn builder(&self, dataset: &NewDataset) -> hdf5::DatasetBuilder {
        let builder = self.handle.new_dataset_builder().obj_track_times(false);
        if dataset.name.is_ascii() {
            builder
        } else {
            builder.char_encoding(CharEncoding::Utf8)
        }
    }

    fn made<T>(&self, dataset: &NewDataset, result: hdf5::Result<T>) -> Result<T> {
        result.map_err(|e| {
            failed(
                format!("creating dataset `{}`", dataset.name),
                &self.path,
                &e,
            )
        })
    }

    /// Makes room for a dataset of so many rows in one piece, and gives the offset of the first;
    /// `None` without rows. The room is left as it is: every byte has to be written.
    ///
    /// # Errors
    /// `Io`.
    pub fn reserve(&self, dataset: &NewDataset, rows: u64) -> Result<Option<u64>> {
        let extents = dataset.extents(Extent::fixed(size(rows)?))?;
        let handle = self
            .builder(dataset)
            .empty_as(&dataset.element.descriptor())
            .shape(extents)
            .no_chunk()
            .alloc_time(Some(AllocTime::Early))
            .fill_time(FillTime::Never)
            .create(dataset.name.as_str());
        let handle = self.made(dataset, handle)?;
        match handle.offset() {
            Some(offset) => Ok(Some(offset)),
            None if rows == 0 => Ok(None),
            None => Err(Error::new(
                ErrorKind::Internal,
                format!("dataset `{}` was created without room", dataset.name),
            )),
        }
    }

    /// Makes a dataset that grows by whole chunks.
    ///
    /// # Errors
    /// `Io`.
    pub fn grow(&self, dataset: &NewDataset, chunking: Chunking) -> Result<GrowingDataset> {
        let mut chunk = vec![size(chunking.rows)?];
        if let Some(width) = dataset.width {
            chunk.push(size(width)?);
        }
        let mut builder = self.builder(dataset).chunk(chunk);
        if chunking.shuffle {
            builder = builder.shuffle();
        }
        builder = match chunking.compression {
            Compression::None => builder,
            Compression::Gzip(level) => builder.deflate(level),
            Compression::Lzf => builder.lzf(),
        };
        let handle = builder
            .empty_as(&dataset.element.descriptor())
            .shape(dataset.extents(Extent::resizable(0))?)
            .create(dataset.name.as_str());
        let handle = self.made(dataset, handle)?;
        Ok(GrowingDataset::new(handle, &self.path, dataset))
    }

    /// Makes a dataset of so many strings.
    ///
    /// # Errors
    /// `Io`.
    pub fn texts(&self, dataset: &NewDataset, rows: u64) -> Result<TextDataset> {
        let handle = self
            .builder(dataset)
            .empty_as(&dataset.element.descriptor())
            .shape(dataset.extents(Extent::fixed(size(rows)?))?)
            .no_chunk()
            .create(dataset.name.as_str());
        let handle = self.made(dataset, handle)?;
        Ok(TextDataset::new(handle, &self.path, dataset))
    }

    /// Counts the rows, as the datasets say.
    ///
    /// # Errors
    /// `Internal` if they do not agree.
    pub fn count(&self) -> Result<u64> {
        let count = || -> hdf5::Result<Option<u64>> {
            let mut rows = None;
            for dataset in self.handle.datasets()? {
                let found = dataset.space()?.shape().first().map(|rows| *rows as u64);
                if *rows.get_or_insert(found) != found {
                    return Err("datasets have different numbers of rows".into());
                }
            }
            Ok(rows.flatten())
        };
        let rows = count().map_err(|e| failed("counting rows", &self.path, &e))?;
        rows.ok_or_else(|| Error::new(ErrorKind::Internal, "the file holds no dataset"))
    }

    /// Hands what the library holds back to the operating system.
    ///
    /// # Errors
    /// `Io`.
    pub fn flush(&self) -> Result<()> {
        self.handle
            .flush()
            .map_err(|e| failed("flushing an HDF5 file", &self.path, &e))
    }

    /// Writes everything out and closes the file; its datasets must have been dropped.
    ///
    /// # Errors
    /// `Io`.
    pub fn close(self) -> Result<()> {
        self.flush()?;
        let path = self.path;
        self.handle
            .close()
            .map_err(|e| failed("closing an HDF5 file", &path, &e))
    }
}

fn size(n: u64) -> Result<usize> {
    usize::try_from(n).map_err(|_| {
        Error::new(
            ErrorKind::Unsupported,
            format!("{n} rows are too many for this machine"),
        )
    })
}
