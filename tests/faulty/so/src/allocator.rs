// SPDX-License-Identifier: Apache-2.0
//! An allocator whose blocks begin with a mark: one of another allocator has none.

use std::alloc::{GlobalAlloc, Layout, System};

/// Bytes before each block; no alignment in use is larger.
const HEAD: usize = 64;
const LIVE: u64 = 0x6d69_6c76_7573_646d;
const FREED: u64 = 0xdead_dead_dead_dead;

/// Marks each block, and looks for the mark when it is freed.
pub(crate) struct Marked;

/// The layout of the block with its head; `None` for an alignment that the head can't keep.
fn with_head(layout: Layout) -> Option<Layout> {
    if layout.align() > HEAD {
        return None;
    }
    Layout::from_size_align(layout.size().checked_add(HEAD)?, HEAD).ok()
}

/// Ends the process: freeing what is not ours must not go unseen, and nothing may unwind here.
fn foreign() -> ! {
    std::process::abort()
}

// SAFETY: blocks come from the system's allocator, `HEAD` bytes longer and no less aligned.
unsafe impl GlobalAlloc for Marked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(whole) = with_head(layout) else {
            return std::ptr::null_mut();
        };
        // SAFETY: `whole` has a size above zero.
        let start = unsafe { System.alloc(whole) };
        if start.is_null() {
            return start;
        }
        // SAFETY: the block begins with `HEAD` bytes of ours, aligned to as many.
        unsafe {
            start.cast::<u64>().write(LIVE);
            start.add(HEAD)
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(whole) = with_head(layout) else {
            foreign()
        };
        if !block.addr().is_multiple_of(HEAD) {
            foreign();
        }
        // SAFETY: if the block is ours its head stands before it; if it is not, this reads what
        // the other allocator keeps there.
        unsafe {
            let start = block.sub(HEAD);
            if start.cast::<u64>().read() != LIVE {
                foreign();
            }
            start.cast::<u64>().write(FREED);
            System.dealloc(start, whole);
        }
    }
}
