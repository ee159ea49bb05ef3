// SPDX-License-Identifier: Apache-2.0
//! Reads rows of a dataset: past the library where its bytes stand in the file as they stand in
//! memory, through it otherwise.

use std::ops::Range;
use std::os::unix::fs::FileExt;

use arrow_buffer::{Buffer, MutableBuffer};
use hdf5::H5Type;
use milvusdm_plugin_api::{Error, Result};

use super::dataset::{Storage, StoredDataset};
use super::heap::{self, Heaps, Reference};
use super::stored::{Number, StoredType, with_number};
use super::text;

impl StoredDataset {
    /// Elements of one row.
    pub fn width(&self) -> u64 {
        self.shape().iter().skip(1).product()
    }

    /// The offset of the first row, if rows can be read past the library as `number`s.
    pub fn direct_offset(&self, number: Number) -> Option<u64> {
        match (self.stored(), self.storage()) {
            (
                StoredType::Number {
                    number: stored,
                    is_native: true,
                    ..
                },
                Storage::Contiguous { offset },
            ) if *stored == number => Some(offset),
            _ => None,
        }
    }

    /// Reads `rows` of a dataset of one or two dimensions as `number`s, row after row.
    ///
    /// The library converts between numbers; the caller chooses one that holds every value.
    ///
    /// # Errors
    /// `Io`, `Format`; rows outside the dataset are `Format` too.
    pub fn read_numbers(&self, number: Number, rows: Range<u64>) -> Result<Buffer> {
        let elements = self.check_rows(&rows)?;
        if let Some(offset) = self.direct_offset(number) {
            let row_bytes = self.width() * number.bytes() as u64;
            let mut buffer = MutableBuffer::from_len_zeroed(elements * number.bytes());
            self.read_direct(
                offset + rows.start * row_bytes,
                &rows,
                buffer.as_slice_mut(),
            )?;
            return Ok(buffer.into());
        }
        let buffer = with_number!(number, T => self.slice::<T>(&rows).map(Buffer::from_vec));
        let buffer = buffer.map_err(|e| self.failed(&rows, &e))?;
        if matches!(
            self.stored(),
            StoredType::Number {
                is_doubtful: true,
                ..
            }
        ) {
            self.check_halves(&rows)?;
        }
        Ok(buffer)
    }

    /// Reads `rows` into `target` past the library; its length must be theirs.
    ///
    /// # Errors
    /// `Io`, or `Format` where the file ends early.
    pub fn read_direct(&self, offset: u64, rows: &Range<u64>, target: &mut [u8]) -> Result<()> {
        self.file.raw().read_exact_at(target, offset).map_err(|e| {
            Error::io(
                format!("reading {} bytes of dataset `{}`", target.len(), self.path),
                &e,
            )
            .with("file", self.file.path().display())
            .with("offset", offset)
            .with("row", rows.start)
        })
    }

    /// Reads `rows` of h5py's bools as bytes 0 and 1.
    ///
    /// # Errors
    /// `Format`, also for any other value.
    pub fn read_bools(&self, rows: Range<u64>) -> Result<Vec<u8>> {
        self.check_rows(&rows)?;
        let values = self
            .slice::<u8>(&rows)
            .map_err(|e| self.failed(&rows, &e))?;
        match values.iter().position(|v| *v > 1) {
            None => Ok(values),
            Some(at) => {
                let row = rows.start + at as u64 / self.width().max(1);
                Err(self.bad_row(row, "a bool that is neither 0 nor 1"))
            }
        }
    }

    /// Bytes that a string takes in memory while it is read, where all take the same.
    pub fn fixed_text_bytes(&self) -> Option<u64> {
        match self.stored() {
            StoredType::Text {
                fixed_bytes: Some(bytes),
                ..
            } => Some(text::room(*bytes) as u64),
            _ => None,
        }
    }

    /// Reads the strings of `rows` and hands each to `take`, in order, as long as it answers
    /// `true`.
    ///
    /// # Errors
    /// `Format`, naming the row, for what is damaged or not UTF-8; what `take` answers.
    pub fn read_texts(
        &self,
        rows: Range<u64>,
        heaps: &mut Heaps,
        take: &mut dyn FnMut(&str) -> Result<bool>,
    ) -> Result<()> {
        self.check_rows(&rows)?;
        let StoredType::Text {
            fixed_bytes,
            is_utf8,
        } = *self.stored()
        else {
            return Err(self.file.format_error(format!(
                "dataset `{}` holds {}, wanted strings",
                self.path,
                self.stored()
            )));
        };
        let mut text = |row, bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => take(text),
            Err(_) => Err(self.bad_row(row, "a string that is not UTF-8")),
        };
        if let (None, Storage::Contiguous { offset }) = (fixed_bytes, self.storage())
            && self.file.is_plain()
        {
            return self.read_references(rows, offset, heaps, &mut text);
        }
        let mut row = rows.start;
        let mut outcome = Ok(true);
        let range = rows.start as usize..rows.end as usize;
        text::read(
            &self.handle,
            fixed_bytes,
            is_utf8,
            Some(range),
            &mut |bytes| {
                if matches!(outcome, Ok(true)) {
                    outcome = text(row, bytes);
                }
                row += 1;
            },
        )
        .map_err(|e| self.failed(&rows, &e))?;
        outcome.map(|_| ())
    }

    fn read_references(
        &self,
        rows: Range<u64>,
        offset: u64,
        heaps: &mut Heaps,
        take: &mut dyn FnMut(u64, &[u8]) -> Result<bool>,
    ) -> Result<()> {
        let count = rows.end - rows.start;
        let mut references = vec![0; (count * heap::REFERENCE_BYTES) as usize];
        let at = offset + rows.start * heap::REFERENCE_BYTES;
        self.read_direct(at, &rows, &mut references)?;
        let each = references.chunks_exact(heap::REFERENCE_BYTES as usize);
        for (row, bytes) in rows.zip(each) {
            let reference = Reference::of(bytes)
                .ok_or_else(|| self.bad_row(row, "a reference to no string"))?;
            let goes_on = heaps
                .read(&self.file, &reference, |bytes| take(row, bytes))
                .map_err(|e| match e.context_value("row") {
                    Some(_) => e,
                    None => e.with("dataset", &self.path).with("row", row),
                })?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Refuses rows that are not there, and products that don't fit; gives their elements.
    fn check_rows(&self, rows: &Range<u64>) -> Result<usize> {
        let elements = rows
            .end
            .checked_sub(rows.start)
            .filter(|_| rows.end <= self.rows() && self.shape().len() <= 2)
            .and_then(|n| n.checked_mul(self.width()))
            .filter(|n| n.checked_mul(8).is_some_and(|b| b <= isize::MAX as u64))
            .and_then(|n| usize::try_from(n).ok());
        elements.ok_or_else(|| {
            self.file.format_error(format!(
                "rows {} to {} of dataset `{}` ({}) can't be read",
                rows.start,
                rows.end,
                self.path,
                self.shape_text()
            ))
        })
    }

    fn slice<T: H5Type>(&self, rows: &Range<u64>) -> hdf5::Result<Vec<T>> {
        let range = rows.start as usize..rows.end as usize;
        if range.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match self.shape().len() {
            1 => {
                self.handle
                    .read_slice_1d::<T, _>(range)?
                    .into_raw_vec_and_offset()
                    .0
            }
            _ => {
                self.handle
                    .read_slice_2d::<T, _>((range, ..))?
                    .into_raw_vec_and_offset()
                    .0
            }
        })
    }

    /// Compares halves with what a wider reading says.
    fn check_halves(&self, rows: &Range<u64>) -> Result<()> {
        let failed = |e: hdf5::Error| self.failed(rows, &e);
        let halves = self.slice::<half::f16>(rows).map_err(failed)?;
        let singles = self.slice::<f32>(rows).map_err(failed)?;
        let differs = |(h, s): (&half::f16, &f32)| h.to_f32() != *s && !(h.is_nan() && s.is_nan());
        match halves.iter().zip(&singles).position(differs) {
            None => Ok(()),
            Some(at) => {
                let row = rows.start + at as u64 / self.width().max(1);
                Err(self.bad_row(row, "a 2-byte float that is no IEEE half"))
            }
        }
    }

    fn bad_row(&self, row: u64, what: &str) -> Error {
        self.file
            .format_error(format!("dataset `{}` holds {what}", self.path))
            .with("row", row)
    }

    fn failed(&self, rows: &Range<u64>, cause: &hdf5::Error) -> Error {
        super::library_error(
            format!("reading dataset `{}`", self.path),
            self.file.path(),
            cause,
        )
        .with("rows", format!("{}..{}", rows.start, rows.end))
    }
}
