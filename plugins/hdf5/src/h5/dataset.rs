// SPDX-License-Identifier: Apache-2.0
//! An open dataset: shape, element type, where its bytes are; refused if it can't be read
//! within bounds.

use std::sync::Arc;

use hdf5::dataset::Layout;
use hdf5::filters::Filter;
use milvusdm_plugin_api::Result;

use super::file::H5File;
use super::heap::REFERENCE_BYTES;
use super::stored::StoredType;
use super::text::MAX_FIXED_BYTES;

/// What a dataset may ask of us.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest filtered chunk, and largest row of such chunks, in bytes; it is decoded as a whole.
    pub chunk_bytes: u64,
    /// Whether rows that were never written may be read as the fill value.
    pub allow_unwritten: bool,
    /// Whether the same file was opened before, so that its chunk indexes are known to be good.
    pub is_known: bool,
}

/// Where a dataset's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In one piece, at this offset of the file.
    Contiguous {
        /// Of the first element.
        offset: u64,
    },
    /// In the object's header, or not in the file at all (no rows, or only the fill value).
    Inline,
    /// In chunks of so many rows.
    Chunked {
        /// Rows of a chunk.
        rows: u64,
        /// Whether a chunk must be decoded as a whole.
        is_filtered: bool,
    },
}

impl std::fmt::Display for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Contiguous { offset } => write!(f, "contiguous at offset {offset}"),
            Self::Inline => f.write_str("compact or not allocated"),
            Self::Chunked { rows, is_filtered } => {
                let packed = if *is_filtered { "compressed " } else { "" };
                write!(f, "{packed}chunks of {rows} rows")
            }
        }
    }
}

/// An open dataset of one or more dimensions.
#[derive(Debug, Clone)]
pub struct StoredDataset {
    pub(super) file: Arc<H5File>,
    pub(super) path: String,
    pub(super) handle: hdf5::Dataset,
    shape: Vec<u64>,
    stored: StoredType,
    /// Bytes of an element in the file.
    element_bytes: u64,
    storage: Storage,
    /// Bytes of a row of compressed chunks.
    band_bytes: u64,
}

impl StoredDataset {
    /// Opens a dataset by its path in the file; the datasets's bytes are not touched.
    ///
    /// # Errors
    /// `NotFound`, `Unsupported` (other files' data, unknown filters, chunks that are too large)
    /// or `Format` (sizes that don't fit into the file).
    pub fn open(file: &Arc<H5File>, path: &str, limits: &Limits) -> Result<Self> {
        let handle = file.find(path)?;
        let inspect = || -> hdf5::Result<_> {
            let plist = handle.dcpl()?;
            let layout = plist.get_layout()?;
            // Asking a virtual dataset for its shape may open the files that it is made of.
            let is_elsewhere = layout == Layout::Virtual || !plist.get_external()?.is_empty();
            Ok((
                layout,
                is_elsewhere,
                plist.get_chunk()?,
                plist.get_filters()?,
            ))
        };
        let doing = || format!("looking at dataset `{path}`");
        let (layout, is_elsewhere, chunk, filters) =
            inspect().map_err(|e| super::library_error(doing(), file.path(), &e))?;
        if is_elsewhere {
            return Err(file
                .unsupported(format!("dataset `{path}` takes its data from other files (virtual or external storage), which are not opened"))
                .help("copy it into one file first, for example with `h5repack`"));
        }
        check_filters(file, path, &filters)?;
        let inspect = || -> hdf5::Result<_> {
            let space = handle.space()?;
            let shape: Vec<u64> = space.shape().iter().map(|d| *d as u64).collect();
            let datatype = handle.dtype()?;
            let stored = StoredType::of(&datatype);
            let element_bytes = match stored {
                // Of strings of any length, the library says the size of a pointer.
                StoredType::Text {
                    fixed_bytes: None, ..
                } if file.is_plain() => REFERENCE_BYTES,
                _ => datatype.size() as u64,
            };
            Ok((space.is_simple(), shape, stored, element_bytes))
        };
        let (is_simple, shape, stored, element_bytes) =
            inspect().map_err(|e| super::library_error(doing(), file.path(), &e))?;
        if shape.is_empty() || !is_simple {
            return Err(
                file.unsupported(format!("dataset `{path}` is a single value, wanted rows"))
            );
        }
        let mut dataset = Self {
            file: Arc::clone(file),
            path: path.to_owned(),
            handle,
            shape,
            stored,
            element_bytes,
            storage: Storage::Inline,
            band_bytes: 0,
        };
        dataset.check_elements()?;
        dataset.storage = match (layout, chunk) {
            (Layout::Chunked, Some(chunk)) => {
                let (storage, band_bytes) = dataset.check_chunks(&chunk, &filters, limits)?;
                dataset.band_bytes = band_bytes;
                storage
            }
            _ if dataset.elements() == Some(0) => Storage::Inline,
            (Layout::Contiguous, _) => dataset.check_contiguous(limits)?,
            _ => Storage::Inline,
        };
        Ok(dataset)
    }

    /// Refuses shapes whose size can't be reckoned, and strings that are too long to be read.
    fn check_elements(&self) -> Result<()> {
        let is_addressable = [0, 1].iter().all(|skip| {
            let mut sizes = self.shape.iter().skip(*skip);
            sizes.try_fold(64u64, |n, d| n.checked_mul(*d)).is_some()
        });
        if !is_addressable {
            return Err(self.too_large());
        }
        match self.stored {
            StoredType::Text {
                fixed_bytes: Some(n),
                ..
            } if n > MAX_FIXED_BYTES => Err(self.file.unsupported(format!(
                "dataset `{}` holds {}, at most {MAX_FIXED_BYTES} are supported",
                self.path, self.stored
            ))),
            _ => Ok(()),
        }
    }

    /// Sizes of all dimensions; the first counts rows.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Rows.
    pub fn rows(&self) -> u64 {
        self.shape.first().copied().unwrap_or(0)
    }

    /// The type of its elements.
    pub fn stored(&self) -> &StoredType {
        &self.stored
    }

    /// Where its bytes are.
    pub fn storage(&self) -> Storage {
        self.storage
    }

    /// Bytes of a row of compressed chunks, which is decoded as a whole; 0 where there are none.
    pub fn band_bytes(&self) -> u64 {
        self.band_bytes
    }

    /// Its path in the file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `10000 x 784 float32`, for messages.
    pub fn shape_text(&self) -> String {
        let shape: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        format!("{} {}", shape.join(" x "), self.stored)
    }

    fn elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d))
    }

    fn too_large(&self) -> milvusdm_plugin_api::Error {
        self.file.format_error(format!(
            "dataset `{}` claims {}, which is more than can be addressed",
            self.path,
            self.shape_text()
        ))
    }

    fn check_contiguous(&self, limits: &Limits) -> Result<Storage> {
        let stored_bytes = self.handle.storage_size();
        let Some(offset) = self.handle.offset() else {
            return match limits.allow_unwritten {
                true => Ok(Storage::Inline),
                false => Err(self.unwritten("it was created, but never written")),
            };
        };
        let elements = self.elements().ok_or_else(|| self.too_large())?;
        let wanted = elements
            .checked_mul(self.element_bytes)
            .ok_or_else(|| self.too_large())?;
        let available = self.file.bytes().saturating_sub(offset);
        if stored_bytes < wanted || available < wanted.max(stored_bytes) {
            return Err(self
                .file
                .format_error(format!(
                    "dataset `{}` ({}) takes {wanted} bytes, but only {} are in the file",
                    self.path,
                    self.shape_text(),
                    available.min(stored_bytes)
                ))
                .with("offset", offset)
                .help("the file is cut short or damaged; copy it again"));
        }
        Ok(Storage::Contiguous { offset })
    }

    /// Adds up what the chunk index says, without reading a chunk; gives a row of chunks' bytes,
    /// where they are compressed.
    fn check_chunks(
        &self,
        chunk: &[usize],
        filters: &[Filter],
        limits: &Limits,
    ) -> Result<(Storage, u64)> {
        let rows = chunk.first().copied().unwrap_or(0) as u64;
        let fits = chunk.len() == self.shape.len() && chunk.iter().all(|c| *c > 0);
        let element = self.element_bytes;
        let bytes = chunk
            .iter()
            .try_fold(element, |n, c| n.checked_mul(*c as u64));
        let (true, Some(chunk_bytes)) = (fits, bytes) else {
            return Err(self
                .file
                .format_error(format!("dataset `{}` has chunks of {chunk:?}", self.path)));
        };
        let is_filtered = !filters.is_empty();
        let band_bytes = match is_filtered {
            true => self.check_band(rows, chunk_bytes, limits)?,
            false => 0,
        };
        let storage = Storage::Chunked { rows, is_filtered };
        if limits.is_known {
            return Ok((storage, band_bytes));
        }
        let (found, worst) = self.visit_chunks(chunk_bytes)?;
        if let Some(what) = worst {
            return Err(self
                .file
                .format_error(format!("dataset `{}`: {what}", self.path))
                .help("the file is cut short or damaged; copy it again"));
        }
        let wanted = self
            .shape
            .iter()
            .zip(chunk)
            .try_fold(1u64, |n, (d, c)| n.checked_mul(d.div_ceil(*c as u64)))
            .ok_or_else(|| self.too_large())?;
        if found < wanted && !limits.allow_unwritten {
            return Err(self.unwritten(&format!("{found} of its {wanted} chunks are in the file")));
        }
        Ok((storage, band_bytes))
    }

    /// Refuses rows of compressed chunks that take too much memory: side by side, they are
    /// decoded for any of their rows. Gives their bytes.
    fn check_band(&self, rows: u64, chunk_bytes: u64, limits: &Limits) -> Result<u64> {
        let mut sizes = self.shape.iter().skip(1);
        let width = sizes.try_fold(self.element_bytes, |n, d| n.checked_mul(*d));
        let band = width
            .and_then(|w| w.checked_mul(rows.min(self.rows())))
            .ok_or_else(|| self.too_large())?
            .max(chunk_bytes);
        if band <= limits.chunk_bytes {
            return Ok(band);
        }
        Err(self
            .file
            .unsupported(format!(
                "dataset `{}` is compressed in chunks of {rows} rows, {band} bytes to be decoded at once, more than {} are not allowed",
                self.path, limits.chunk_bytes
            ))
            .help("raise the option `max_chunk_mib`, or rewrite the file with smaller chunks (`h5repack -l`)"))
    }

    /// Counts the chunks in the file, and says what is wrong with the first bad one.
    fn visit_chunks(&self, chunk_bytes: u64) -> Result<(u64, Option<String>)> {
        // Data that do not shrink grow by a few bytes in each filter.
        let most = chunk_bytes
            .saturating_add(chunk_bytes / 8)
            .saturating_add(65_536);
        let file_bytes = self.file.bytes();
        let mut found = 0u64;
        let mut worst = None;
        let visited = self.handle.chunks_visit(|info| {
            found += 1;
            let is_inside = info.addr.checked_add(info.size).is_some_and(|end| end <= file_bytes);
            if info.size > most || !is_inside {
                worst = Some(format!(
                    "the chunk at row {} has {} bytes at offset {}, wanted at most {most} inside the file's {file_bytes}",
                    info.offset.first().copied().unwrap_or(0),
                    info.size,
                    info.addr
                ));
            }
            i32::from(worst.is_some())
        });
        visited.map_err(|e| {
            super::library_error(
                format!("reading the chunk index of `{}`", self.path),
                self.file.path(),
                &e,
            )
        })?;
        Ok((found, worst))
    }

    fn unwritten(&self, what: &str) -> milvusdm_plugin_api::Error {
        self.file
            .format_error(format!(
                "dataset `{}` ({}) holds rows that were never written: {what}",
                self.path,
                self.shape_text()
            ))
            .help("if its fill value is meant, set the option `unwritten: fill`")
    }
}

fn check_filters(file: &H5File, path: &str, filters: &[Filter]) -> Result<()> {
    for filter in filters {
        let is_known = matches!(
            filter,
            Filter::Deflate(_)
                | Filter::Shuffle
                | Filter::Fletcher32
                | Filter::LZF
                | Filter::NBit
                | Filter::ScaleOffset(_)
        );
        if !is_known || !filter.decode_enabled() {
            let name = match filter.id() {
                4 => "szip",
                32_001 => "blosc",
                32_004 => "lz4",
                32_008 => "bitshuffle",
                32_015 => "zstd",
                _ => "unknown",
            };
            return Err(file
                .unsupported(format!(
                    "dataset `{path}` is compressed with filter {} ({name}); gzip, shuffle, lzf, fletcher32, nbit and scale-offset are supported",
                    filter.id()
                ))
                .help("rewrite it with gzip, for example with `h5repack -f GZIP=4`"));
        }
    }
    Ok(())
}
