// SPDX-License-Identifier: Apache-2.0
//! Adds rows to datasets through the library, in order.

use std::path::{Path, PathBuf};

use arrow_buffer::MutableBuffer;
use hdf5::H5Type;
use hdf5::types::VarLenUnicode;
use milvusdm_plugin_api::Result;
use ndarray::{ArrayView1, ArrayView2};

use super::create::{Element, NewDataset};
use super::stored::with_number;
use super::write_error as failed;

/// A dataset that rows are added to, chunk by chunk.
#[derive(Debug)]
pub struct GrowingDataset {
    handle: hdf5::Dataset,
    path: PathBuf,
    dataset: NewDataset,
    rows: u64,
}

impl GrowingDataset {
    pub(super) fn new(handle: hdf5::Dataset, path: &Path, dataset: &NewDataset) -> Self {
        Self {
            handle,
            path: path.to_owned(),
            dataset: dataset.clone(),
            rows: 0,
        }
    }

    /// Adds rows; all calls but the last must bring whole chunks. Strings can't be added.
    ///
    /// # Errors
    /// `Io`.
    pub fn add(&mut self, rows: u64, bytes: &MutableBuffer) -> Result<()> {
        let end = self.rows.saturating_add(rows);
        let write = || match self.dataset.element {
            Element::Number(number) => {
                with_number!(number, T => self.extend(end, bytes.typed_data::<T>()))
            }
            Element::Bool => {
                let bools: Vec<bool> = bytes.iter().map(|byte| *byte != 0).collect();
                self.extend(end, &bools)
            }
            Element::Text => Err("strings have no chunks".into()),
        };
        write().map_err(|e| {
            failed(
                format!("writing dataset `{}`", self.dataset.name),
                &self.path,
                &e,
            )
            .with("row", self.rows)
        })?;
        self.rows = end;
        Ok(())
    }

    fn extend<T: H5Type>(&self, end: u64, values: &[T]) -> hdf5::Result<()> {
        let (start, end) = (index(self.rows)?, index(end)?);
        let rows = end - start;
        match self.dataset.width {
            None => {
                self.handle.resize(end)?;
                self.handle
                    .write_slice(ArrayView1::from(values), start..end)
            }
            Some(width) => {
                let width = index(width)?;
                self.handle.resize((end, width))?;
                let view = ArrayView2::from_shape((rows, width), values)?;
                self.handle.write_slice(view, (start..end, ..))
            }
        }
    }
}

/// A dataset that strings are written to, in order.
#[derive(Debug)]
pub struct TextDataset {
    handle: hdf5::Dataset,
    path: PathBuf,
    name: String,
    row: u64,
}

impl TextDataset {
    pub(super) fn new(handle: hdf5::Dataset, path: &Path, dataset: &NewDataset) -> Self {
        Self {
            handle,
            path: path.to_owned(),
            name: dataset.name.clone(),
            row: 0,
        }
    }

    /// Writes the next strings.
    ///
    /// # Errors
    /// `Io`.
    pub fn add(&mut self, texts: &[VarLenUnicode]) -> Result<()> {
        let end = self.row.saturating_add(texts.len() as u64);
        let write = || {
            let range = index(self.row)?..index(end)?;
            self.handle.write_slice(ArrayView1::from(texts), range)
        };
        write().map_err(|e| {
            failed(format!("writing dataset `{}`", self.name), &self.path, &e).with("row", self.row)
        })?;
        self.row = end;
        Ok(())
    }
}

fn index(n: u64) -> hdf5::Result<usize> {
    usize::try_from(n).map_err(|_| format!("row {n} can't be addressed").into())
}
