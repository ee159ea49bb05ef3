// SPDX-License-Identifier: Apache-2.0
//! Brings a target to its end: the strings that were kept aside, the last chunk, the disk; then
//! counts what is there.

use std::str::FromStr;

use hdf5::types::VarLenUnicode;
use milvusdm_plugin_api::{Error, ErrorKind, LogLevel, Result, Services};

use crate::append;
use crate::h5::{Element, NewDataset, NewFile};
use crate::partial::Partial;
use crate::room::{self, Room};
use crate::spool::Spool;
use crate::writer::NewTarget;

/// Strings that are handed to the library at once.
const TEXTS_AT_ONCE: usize = 1024;
/// Their bytes, about.
const TEXT_BYTES_AT_ONCE: usize = 1 << 20;

/// A target whose rows have all come.
#[derive(Debug)]
pub struct Closing<'a> {
    /// What it is.
    pub target: &'a NewTarget,
    /// The strings, if it has any.
    pub spool: Option<&'a Spool>,
    /// The file.
    pub partial: &'a Partial,
    /// Asked whether to stop.
    pub services: &'a Services,
}

impl Closing<'_> {
    /// Writes the strings and closes the file; gives its rows, as its datasets say, and bytes.
    ///
    /// # Errors
    /// `Io`, `Cancelled`, `Internal`.
    pub fn close(&self, file: NewFile, rows: u64) -> Result<(u64, u64)> {
        self.keep_room(rows)?;
        for (at, column) in self.target.plan.columns.iter().enumerate() {
            if let (Element::Text, Some(spool)) = (column.dataset.element, self.spool) {
                self.text_column(&file, spool, at, &column.dataset, rows)?;
            }
        }
        let counted = file.count()?;
        file.close()?;
        self.partial.take_back()?;
        room::give_back(self.partial.file()?)?;
        let bytes = sync(self.partial).inspect_err(|_| {
            // What the disk lost is not told again: no run may take the file for whole.
            let _ = self.partial.file().map(|file| file.set_len(0));
        })?;
        Ok((self.read_back(counted)?, bytes))
    }

    /// The library must find room for the strings, however its heaps are filled.
    fn keep_room(&self, rows: u64) -> Result<()> {
        /// A reference in the dataset, a header and padding in the heap.
        const BYTES_BESIDE: u64 = 64;
        let Some(spool) = self.spool else {
            return Ok(());
        };
        let columns = self.target.plan.text_columns() as u64;
        let bytes = spool.bytes().saturating_mul(2);
        let beside = columns.saturating_mul(rows).saturating_mul(BYTES_BESIDE);
        Room::new(self.target.plan.columns.len())
            .keep(self.partial.file()?, bytes.saturating_add(beside))
    }

    /// Cuts by number and length of strings alone, so that equal strings give equal bytes.
    fn text_column(
        &self,
        file: &NewFile,
        spool: &Spool,
        at: usize,
        dataset: &NewDataset,
        rows: u64,
    ) -> Result<()> {
        let mut dataset = file.texts(dataset, rows)?;
        let mut texts: Vec<VarLenUnicode> = Vec::with_capacity(TEXTS_AT_ONCE);
        let mut bytes = 0;
        spool.replay(at, &mut |text| {
            bytes += text.len();
            texts.push(VarLenUnicode::from_str(text).map_err(|e| {
                Error::new(ErrorKind::Internal, "a string holds a NUL byte").caused_by(e)
            })?);
            if texts.len() >= TEXTS_AT_ONCE || bytes >= TEXT_BYTES_AT_ONCE {
                self.services.check_cancelled()?;
                dataset.add(&texts)?;
                texts.clear();
                bytes = 0;
            }
            Ok(())
        })?;
        dataset.add(&texts)
    }

    /// Opens the closed file as a source would, and counts its rows again.
    fn read_back(&self, counted: u64) -> Result<u64> {
        let (options, columns) = (&self.target.options, &self.target.plan.columns);
        let has_ids = columns.iter().any(|c| c.dataset.name == options.ids);
        let contents = match append::open_target(self.partial.path()?, options, has_ids) {
            Ok(contents) => contents,
            Err(e) if e.is_retryable() => {
                // A process that this one started keeps the file's lock with its handles.
                let message =
                    format!("The file could not be read back and is taken as it is: {e}.");
                self.services.log(LogLevel::Warn, &message);
                return Ok(counted);
            }
            Err(e) => {
                return Err(
                    Error::new(ErrorKind::Internal, "reading back what was written").caused_by(e),
                );
            }
        };
        let found = (contents.all().count(), contents.rows());
        if found != (columns.len(), counted) {
            return Err(Error::new(
                ErrorKind::Internal,
                format!(
                    "{} datasets of {counted} rows were written, {} of {} are there",
                    columns.len(),
                    found.0,
                    found.1
                ),
            ));
        }
        Ok(counted)
    }
}

/// Makes the file durable, and gives its bytes.
///
/// # Errors
/// `Io`.
pub fn sync(partial: &Partial) -> Result<u64> {
    let file = partial.file()?;
    file.sync_all()
        .and_then(|()| file.metadata())
        .map(|metadata| metadata.len())
        .map_err(|e| Error::io("making the file durable", &e))
}
