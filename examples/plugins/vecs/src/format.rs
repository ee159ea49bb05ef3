// SPDX-License-Identifier: Apache-2.0
//! What the bytes mean: rows of a 32-bit dimension and as many elements, all of one length.
//!
//! It opens no files and knows no options.

use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

/// Bytes of the dimension in front of each row.
pub(crate) const HEAD_BYTES: u64 = 4;
/// Largest dimension of a vector.
const MAX_DIM: i32 = 1_048_576;

/// What a file's elements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// 32-bit floats.
    Fvecs,
    /// Unsigned bytes.
    Bvecs,
    /// 32-bit integers.
    Ivecs,
}

impl Format {
    /// What the file's ending says, if it says anything.
    pub fn of_ending(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "fvecs" => Some(Self::Fvecs),
            "bvecs" => Some(Self::Bvecs),
            "ivecs" => Some(Self::Ivecs),
            _ => None,
        }
    }

    /// Its name in options and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fvecs => "fvecs",
            Self::Bvecs => "bvecs",
            Self::Ivecs => "ivecs",
        }
    }

    /// Bytes of one element.
    pub fn element_bytes(self) -> u64 {
        match self {
            Self::Fvecs | Self::Ivecs => 4,
            Self::Bvecs => 1,
        }
    }
}

/// How the rows of one file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// What the elements are.
    pub format: Format,
    /// Elements of every row.
    pub dim: u32,
    /// Rows that are there, by the file's size.
    pub rows: u64,
}

impl Layout {
    /// Reads the layout off the first row's dimension and the file's size.
    ///
    /// # Errors
    /// `Format` where the dimension is none, or the size holds no whole number of rows.
    pub fn of(format: Format, head: [u8; 4], size: u64) -> Result<Self> {
        let found = i32::from_le_bytes(head);
        let dim = u32::try_from(found)
            .ok()
            .filter(|_| (1..=MAX_DIM).contains(&found));
        let Some(dim) = dim else {
            let name = format.name();
            return Err(Error::new(
                ErrorKind::Format,
                format!("the first row's dimension is {found}, expected 1 to {MAX_DIM}"),
            )
            .with("offset", 0)
            .help(format!("is this a file in the format `{name}`?")));
        };
        let mut layout = Self {
            format,
            dim,
            rows: 0,
        };
        let (stride, rest) = (layout.stride(), size % layout.stride());
        layout.rows = size / stride;
        if rest > 0 {
            return Err(layout.cut(size, stride - rest));
        }
        Ok(layout)
    }

    /// Bytes of a row's elements.
    pub fn row_bytes(&self) -> u64 {
        u64::from(self.dim) * self.format.element_bytes()
    }

    /// Bytes from one row to the next.
    pub fn stride(&self) -> u64 {
        HEAD_BYTES + self.row_bytes()
    }

    /// What stands in front of every row.
    pub fn head(&self) -> [u8; 4] {
        self.dim.to_le_bytes()
    }

    /// Where a row starts. A row of the file is below its size, which a file's offsets can hold.
    pub fn offset(&self, row: u64) -> u64 {
        row.saturating_mul(self.stride())
    }

    fn cut(&self, size: u64, missing: u64) -> Error {
        let (stride, dim) = (self.stride(), self.dim);
        Error::new(
            ErrorKind::Format,
            format!("the file ends inside a row: {missing} bytes of it are missing"),
        )
        .with("row", self.rows)
        .with("offset", self.offset(self.rows))
        .with("found", format_args!("{size} bytes"))
        .with(
            "expected",
            format_args!("a multiple of {stride}, for rows of dimension {dim}"),
        )
        .help(format!(
            "copy the file again if it was cut; is it in the format `{}`?",
            self.format.name()
        ))
    }

    /// An error for a row whose dimension is not that of the first.
    pub fn other_dim(&self, row: u64, head: [u8; 4]) -> Error {
        Error::new(
            ErrorKind::Format,
            "a row has not the dimension of the first row",
        )
        .with("row", row)
        .with("offset", self.offset(row))
        .with("found", i32::from_le_bytes(head))
        .with("expected", self.dim)
        .help(format!(
            "all rows of a collection have one dimension; is this a file in the format `{}`?",
            self.format.name()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_by_the_size() {
        let layout = Layout::of(Format::Bvecs, [3, 0, 0, 0], 70).unwrap();
        assert_eq!((layout.dim, layout.rows), (3, 10));
        assert_eq!((layout.row_bytes(), layout.stride()), (3, 7));
        assert_eq!(layout.offset(4), 28);
    }

    #[test]
    fn a_file_that_was_cut_says_what_is_missing() {
        let error = Layout::of(Format::Fvecs, [4, 0, 0, 0], 45).unwrap_err();
        assert_eq!(
            error.message(),
            "the file ends inside a row: 15 bytes of it are missing"
        );
        assert_eq!(error.context_value("row"), Some("2"));
        assert_eq!(error.context_value("offset"), Some("40"));
    }

    #[test]
    fn a_dimension_that_is_none_is_refused() {
        for head in [0i32, -1, MAX_DIM + 1, i32::MIN, i32::MAX] {
            let error = Layout::of(Format::Ivecs, head.to_le_bytes(), 1 << 40).unwrap_err();
            assert!(error.message().contains(&format!("is {head},")), "{error}");
        }
    }

    #[test]
    fn endings_are_told_apart_whatever_their_case() {
        let of = |name: &str| Format::of_ending(Path::new(name));
        assert_eq!(of("a/sift.fvecs"), Some(Format::Fvecs));
        assert_eq!(of("SIFT.BVECS"), Some(Format::Bvecs));
        assert_eq!(of("truth.ivecs"), Some(Format::Ivecs));
        assert_eq!((of("sift.vecs"), of(".fvecs")), (None, None));
    }
}
