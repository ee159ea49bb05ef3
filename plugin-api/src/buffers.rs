// SPDX-License-Identifier: Apache-2.0
//! Buffers that come back: a reader fills the memory of batches that were let go.
//!
//! A fresh buffer of some MiB costs a page fault every 4 KiB, which is more than the copy into
//! it. The pool keeps a second handle on each buffer it gave out; once the batch is dropped,
//! on whichever side of the plugin boundary, the pool's handle is the only one and the memory is
//! reused, 64-byte aligned, without being zeroed.

use arrow_buffer::{Buffer, MutableBuffer};

/// Buffers given out and, when their batches are gone, given out again.
#[derive(Debug, Default)]
pub struct BufferPool {
    given: Vec<Buffer>,
}

impl BufferPool {
    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// A buffer of `bytes` bytes with unspecified content, for the caller to overwrite whole.
    ///
    /// `bytes` is trusted: check a length from outside before.
    pub fn take(&mut self, bytes: usize) -> MutableBuffer {
        let free = self
            .given
            .iter()
            .position(|b| b.strong_count() == 1 && b.capacity() >= bytes);
        if let Some(position) = free
            && let Ok(mut buffer) = self.given.swap_remove(position).into_mutable()
        {
            // Shrinks or, inside the capacity, grows; only bytes beyond the old length are zeroed.
            buffer.resize(bytes, 0);
            return buffer;
        }
        // Buffers of a size that is no longer asked for.
        self.given.retain(|b| b.strong_count() > 1);
        MutableBuffer::from_len_zeroed(bytes)
    }

    /// Gives the filled buffer out and remembers it.
    pub fn give(&mut self, buffer: MutableBuffer) -> Buffer {
        let buffer = Buffer::from(buffer);
        self.given.push(buffer.clone());
        buffer
    }

    /// Bytes that the pool keeps, in use or not.
    pub fn bytes(&self) -> usize {
        self.given.iter().map(Buffer::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_given_out_again() {
        let mut pool = BufferPool::new();
        let buffer = pool.take(4096);
        let first = pool.give(buffer);
        let address = first.as_ptr();
        let taken = pool.take(4096);
        let second = pool.give(taken);
        assert_ne!(second.as_ptr(), address, "the first is still in use");
        drop(first);
        let taken = pool.take(4000);
        let third = pool.give(taken);
        assert_eq!(third.as_ptr(), address);
        assert_eq!(third.len(), 4000);
        assert_eq!(pool.bytes(), 8192);
    }

    #[test]
    fn a_slice_keeps_its_buffer_busy() {
        let mut pool = BufferPool::new();
        let taken = pool.take(64);
        let whole = pool.give(taken);
        let slice = whole.slice_with_length(8, 8);
        drop(whole);
        let other = pool.take(64);
        assert_ne!(other.as_ptr().wrapping_add(8), slice.as_ptr());
    }
}
