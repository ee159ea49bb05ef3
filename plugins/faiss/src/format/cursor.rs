// SPDX-License-Identifier: Apache-2.0
//! A cursor that walks an index file from its counts alone.
//!
//! Every length is checked against the bytes that are left before anything else is done with it,
//! and nothing but a window of fixed size is ever held in memory.

use std::fmt;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::read_at::ReadAt;
use super::window::Window;

/// Deepest nesting of indexes and transforms; Faiss itself stops at 50 (index_read.cpp).
pub const MAX_DEPTH: u32 = 50;
/// Most indexes and transforms in one file; real ones have fewer than twenty.
const MAX_NODES: u32 = 10_000;

/// A vector in the file: `count` elements of `elem_bytes` from `at` on (`WRITEVECTOR`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first element.
    pub at: u64,
    /// Elements.
    pub count: u64,
    /// Bytes of an element.
    pub elem_bytes: u64,
}

impl Span {
    /// Bytes of all elements; can't overflow, since they lie inside the file.
    pub fn bytes(&self) -> u64 {
        self.count.saturating_mul(self.elem_bytes)
    }
}

/// An error about the bytes at `offset`.
pub fn damaged(offset: u64, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Format, message).with("offset", offset)
}

/// Walks a file from its start to its end.
pub struct Cursor<'a> {
    file: &'a dyn ReadAt,
    position: u64,
    window: Window,
    nodes: u32,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first byte.
    pub fn new(file: &'a dyn ReadAt) -> Self {
        Self::at(file, 0)
    }

    /// A cursor at a byte.
    pub fn at(file: &'a dyn ReadAt, position: u64) -> Self {
        Self {
            file,
            position,
            window: Window::default(),
            nodes: 0,
        }
    }

    /// Where the next byte is read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes from here to the end.
    pub fn left(&self) -> u64 {
        self.file.len().saturating_sub(self.position)
    }

    /// The file underneath.
    pub fn file(&self) -> &'a dyn ReadAt {
        self.file
    }

    /// Counts a part of the tree at `depth`, before it is entered.
    ///
    /// # Errors
    /// `Format` if it lies too deep or if there are too many.
    pub fn enter(&mut self, depth: u32) -> Result<()> {
        self.nodes += 1;
        if depth > MAX_DEPTH {
            return Err(damaged(
                self.position,
                format!("indexes are nested more than {MAX_DEPTH} deep"),
            ));
        }
        if self.nodes > MAX_NODES {
            return Err(damaged(
                self.position,
                format!("the file holds more than {MAX_NODES} nested indexes"),
            ));
        }
        Ok(())
    }

    fn truncated(&self, wanted: impl fmt::Display, what: &(impl fmt::Display + ?Sized)) -> Error {
        damaged(
            self.position,
            format!(
                "the file ends inside {what}: wanted {wanted} bytes, {} are left",
                self.left()
            ),
        )
        .help("the file is cut short or damaged; copy it again from where it was written")
    }

    /// Passes over `bytes` bytes of `what`.
    ///
    /// # Errors
    /// `Format` if fewer are left.
    pub fn skip(&mut self, bytes: u64, what: &(impl fmt::Display + ?Sized)) -> Result<u64> {
        let start = self.position;
        if bytes > self.left() {
            return Err(self.truncated(bytes, what));
        }
        self.position += bytes;
        Ok(start)
    }

    /// Passes over `count` elements of `elem_bytes` each.
    ///
    /// # Errors
    /// `Format` if fewer are left, an overflowing product included.
    pub fn span(&mut self, count: u64, elem_bytes: u64, what: &str) -> Result<Span> {
        let bytes = count
            .checked_mul(elem_bytes)
            .ok_or_else(|| self.truncated(format_args!("{count} x {elem_bytes}"), what))?;
        let at = self.skip(bytes, what)?;
        Ok(Span {
            at,
            count,
            elem_bytes,
        })
    }

    /// Passes over a counted vector (io_macros.h `WRITEVECTOR`).
    ///
    /// # Errors
    /// As [`span`](Self::span).
    pub fn vector(&mut self, elem_bytes: u64, what: &str) -> Result<Span> {
        let count = self.u64(what)?;
        self.span(count, elem_bytes, what)
    }

    /// Passes over a vector counted in units of 4 bytes (io_macros.h `WRITEXBVECTOR`).
    ///
    /// # Errors
    /// As [`span`](Self::span).
    pub fn quad_vector(&mut self, what: &str) -> Result<Span> {
        self.vector(4, what)
    }

    fn take<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        if (N as u64) > self.left() {
            return Err(self.truncated(N, what));
        }
        let mut bytes = [0; N];
        self.window
            .read(self.file, self.position, &mut bytes, what)?;
        self.position += N as u64;
        Ok(bytes)
    }

    /// One byte.
    ///
    /// # Errors
    /// `Format` at the end of the file; so for all that follow.
    pub fn u8(&mut self, what: &str) -> Result<u8> {
        Ok(self.take::<1>(what)?[0])
    }

    /// A `bool`, which must be 0 or 1.
    ///
    /// # Errors
    /// `Format` for another value too.
    pub fn bool(&mut self, what: &str) -> Result<bool> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(damaged(
                self.position - 1,
                format!("{what} is {other}, expected 0 or 1"),
            )),
        }
    }

    /// An `int`.
    ///
    /// # Errors
    /// `Format` at the end of the file.
    pub fn i32(&mut self, what: &str) -> Result<i32> {
        Ok(i32::from_le_bytes(self.take(what)?))
    }

    /// A `uint32_t`.
    ///
    /// # Errors
    /// `Format` at the end of the file.
    pub fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(what)?))
    }

    /// An `idx_t`.
    ///
    /// # Errors
    /// `Format` at the end of the file.
    pub fn i64(&mut self, what: &str) -> Result<i64> {
        Ok(i64::from_le_bytes(self.take(what)?))
    }

    /// A `size_t`, 8 bytes as written by 64-bit builds.
    ///
    /// # Errors
    /// `Format` at the end of the file.
    pub fn u64(&mut self, what: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take(what)?))
    }

    /// A `float`.
    ///
    /// # Errors
    /// `Format` at the end of the file.
    pub fn f32(&mut self, what: &str) -> Result<f32> {
        Ok(f32::from_le_bytes(self.take(what)?))
    }

    /// Four characters.
    ///
    /// # Errors
    /// `Format` at the end of the file.
    pub fn fourcc(&mut self, what: &str) -> Result<super::node::Fourcc> {
        Ok(super::node::Fourcc(self.take(what)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_wraps_is_refused() {
        let mut file = (1u64 << 62).to_le_bytes().to_vec();
        file.extend([0; 64]);
        let mut cursor = Cursor::new(&file);
        let error = cursor.quad_vector("codes").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert_eq!(error.context_value("offset"), Some("8"));
    }

    #[test]
    fn values_are_read_across_the_window() {
        let mut file = vec![0; 1021];
        file.extend(7u64.to_le_bytes());
        let mut cursor = Cursor::new(&file);
        cursor.u8("byte").unwrap();
        cursor.skip(1020, "zeros").unwrap();
        assert_eq!(cursor.u64("seven").unwrap(), 7);
        assert_eq!(cursor.left(), 0);
        assert!(cursor.u8("end").is_err());
    }
}
