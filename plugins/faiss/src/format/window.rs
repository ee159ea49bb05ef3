// SPDX-License-Identifier: Apache-2.0
//! Reads small pieces of a file through a window that runs ahead of them.
//!
//! Tables of sizes and short lists are read a few bytes at a time; a system call for each would
//! cost more than the bytes. The window grows while pieces follow each other and shrinks when
//! one lies elsewhere, so that neither order reads much more than it needs. A large piece goes
//! straight into its buffer.

use milvusdm_plugin_api::Result;

use super::read_at::{ReadAt, read_at};

const LEAST_BYTES: usize = 1 << 10;
const MOST_BYTES: usize = 256 << 10;
/// Pieces of this size on are read without the window.
const DIRECT_BYTES: usize = 64 << 10;

/// A window onto a file.
#[derive(Debug, Default)]
pub struct Window {
    bytes: Vec<u8>,
    at: u64,
    next_bytes: usize,
}

impl Window {
    /// Fills `out` with the bytes of `file` at `offset`; always of the same file.
    ///
    /// # Errors
    /// As [`read_at`].
    pub fn read(
        &mut self,
        file: &dyn ReadAt,
        offset: u64,
        out: &mut [u8],
        what: &str,
    ) -> Result<()> {
        let held = self.held(offset);
        let head = held.len().min(out.len());
        let (first, rest) = out.split_at_mut(head);
        first.copy_from_slice(held.get(..head).unwrap_or_default());
        if rest.is_empty() {
            return Ok(());
        }
        let offset = offset.saturating_add(head as u64);
        if rest.len() >= DIRECT_BYTES {
            return read_at(file, offset, rest, what);
        }
        self.refill(file, offset, rest.len(), what)?;
        match self.held(offset).get(..rest.len()) {
            Some(bytes) => rest.copy_from_slice(bytes),
            // The file ends before the piece does: let the read say so.
            None => read_at(file, offset, rest, what)?,
        }
        Ok(())
    }

    /// What the window holds from `offset` on.
    fn held(&self, offset: u64) -> &[u8] {
        let start = offset.checked_sub(self.at).map(usize::try_from);
        let Some(Ok(start)) = start else { return &[] };
        self.bytes.get(start..).unwrap_or_default()
    }

    fn refill(&mut self, file: &dyn ReadAt, offset: u64, wanted: usize, what: &str) -> Result<()> {
        let end = self.at.saturating_add(self.bytes.len() as u64);
        let gap = offset.checked_sub(end);
        let follows = gap.is_some_and(|gap| gap <= self.bytes.len() as u64);
        self.next_bytes = match follows {
            true => (self.next_bytes * 2).clamp(LEAST_BYTES, MOST_BYTES),
            false => LEAST_BYTES,
        };
        let left = file.len().saturating_sub(offset);
        let length = (self.next_bytes.max(wanted) as u64).min(left) as usize;
        self.at = offset;
        self.bytes.resize(length, 0);
        let read = read_at(file, offset, &mut self.bytes, what);
        if read.is_err() {
            self.bytes.clear();
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Counted(Vec<u8>, AtomicUsize);

    impl ReadAt for Counted {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.read_exact_at(offset, buf)
        }
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|i| (i * 7 + i / 256) as u8).collect()
    }

    #[test]
    fn small_pieces_in_order_share_reads() {
        let file = Counted(bytes(4 << 20), AtomicUsize::new(0));
        let mut window = Window::default();
        let mut piece = [0; 500];
        for i in 0..8000u64 {
            window.read(&file, i * 500, &mut piece, "pieces").unwrap();
        }
        assert!(file.1.load(Ordering::Relaxed) < 40);
    }

    proptest! {
        #[test]
        fn any_order_of_pieces_gives_the_bytes(
            pieces in prop::collection::vec((0u64..300_000, 0usize..100_000), 1..20)
        ) {
            let file = bytes(300_000);
            let mut window = Window::default();
            for (offset, length) in pieces {
                let mut out = vec![0; length];
                let end = offset as usize + length;
                let read = window.read(&file, offset, &mut out, "a piece");
                prop_assert_eq!(read.is_ok(), end <= file.len());
                if read.is_ok() {
                    prop_assert_eq!(&out, &file[offset as usize..end]);
                }
            }
        }
    }
}
