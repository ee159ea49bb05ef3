// SPDX-License-Identifier: Apache-2.0
//! The queue between readers and writers of one target, and the shares that bound it.
//!
//! Batches wait in one lane a split. An ordered queue gives them out in plan order, whatever order
//! they come in; an unordered one gives out whatever is there. It never blocks a reader: what
//! bounds it is the reader's [`Share`] of the memory, taken before a batch is read and given back
//! once the sink is done with it. The reader of the next split in order is always able to go on,
//! because all that its share still covers belongs to splits up to that one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;

use super::hashed::Hashed;

/// A batch on its way to the sink.
#[derive(Debug)]
pub(super) struct Item {
    /// The split's position in the target's plan.
    pub split: usize,
    /// Position of the batch, as it was read, among the rows that reading the split gives.
    pub first_row: u64,
    /// Rows of that batch in the pieces before this one.
    pub piece_before: u64,
    /// Position of its first row among the rows of the split that are sent.
    pub sent_before: u64,
    /// Rows of the batch as it was read that are not in it any more; ascending.
    pub removed: Vec<u64>,
    /// Rows that reading gave up to its end; `None` if reading can't begin there.
    pub through: Option<u64>,
    /// Rows that conversions rejected, up to there.
    pub rejected: u64,
    /// The rows.
    pub batch: RecordBatch,
    /// Its rows' hashes, as far as the reader made them; `None` where rows are not hashed.
    pub hashed: Option<Hashed>,
    /// Its bytes.
    pub bytes: u64,
    /// Gives the memory back when the item is dropped; `None` for all but the last piece of a
    /// batch that was cut.
    pub _held: Option<Held>,
}

/// Lanes of batches, one a split.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    splits: usize,
    is_ordered: bool,
}

#[derive(Debug, Default)]
struct State {
    lanes: BTreeMap<usize, Lane>,
    /// Batches that nobody took yet, of all lanes.
    queued: usize,
    /// Writers that found nothing to take.
    waiting: usize,
    /// Splits whose batches are all given out.
    finished: usize,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Lane {
    items: VecDeque<Item>,
    has_ended: bool,
}

impl Queue {
    /// A queue for the batches of that many splits.
    pub(super) fn new(splits: usize, is_ordered: bool) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            splits,
            is_ordered,
        }
    }

    /// Adds a batch; once the queue is closed it is dropped.
    pub(super) fn push(&self, item: Item) {
        let mut state = self.lock();
        if !state.is_closed {
            state
                .lanes
                .entry(item.split)
                .or_default()
                .items
                .push_back(item);
            state.queued += 1;
            self.changed.notify_all();
        }
    }

    /// Says that no more batches of a split will come.
    pub(super) fn end(&self, split: usize) {
        self.lock().lanes.entry(split).or_default().has_ended = true;
        self.changed.notify_all();
    }

    /// The next batch; `None` when all splits are given out, or the queue is closed.
    pub(super) fn pop(&self) -> Option<Item> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(item) = self.take(&mut state) {
                return Some(item);
            }
            if state.finished == self.splits {
                self.changed.notify_all();
                return None;
            }
            state.waiting += 1;
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Whether a writer waits for the next batch of a split.
    pub(super) fn is_wanted(&self, split: usize) -> bool {
        let state = self.lock();
        match self.is_ordered {
            true => {
                let queued = state.lanes.get(&split).map_or(0, |lane| lane.items.len());
                split == state.finished && state.waiting > queued
            }
            false => state.waiting > state.queued,
        }
    }

    /// Drops everything and lets nothing more through.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let lanes = std::mem::take(&mut state.lanes);
        drop(state);
        self.changed.notify_all();
        drop(lanes);
    }

    /// Whether batches wait for those of the splits before them.
    pub(super) fn is_ordered(&self) -> bool {
        self.is_ordered
    }

    /// Whether it was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    fn take(&self, state: &mut State) -> Option<Item> {
        // Lanes that are at their end go; in an ordered queue only the first can be looked at.
        loop {
            let next = state.finished;
            let found = match self.is_ordered {
                true => state.lanes.get_mut(&next).map(|lane| (next, lane)),
                false => state
                    .lanes
                    .iter_mut()
                    .find(|(_, lane)| lane.has_ended || !lane.items.is_empty())
                    .map(|(split, lane)| (*split, lane)),
            };
            let (split, lane) = found?;
            if let Some(item) = lane.items.pop_front() {
                state.queued -= 1;
                return Some(item);
            }
            if !lane.has_ended {
                return None;
            }
            state.lanes.remove(&split);
            state.finished += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one reader may have under way.
#[derive(Debug)]
pub(super) struct Share {
    ceiling: u64,
    used: Mutex<u64>,
    freed: Condvar,
}

/// Memory that is taken from a share until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    share: Arc<Share>,
    bytes: u64,
}

impl Share {
    /// A share of that many bytes.
    pub(super) fn new(ceiling: u64) -> Arc<Self> {
        Arc::new(Self {
            ceiling,
            used: Mutex::new(0),
            freed: Condvar::new(),
        })
    }

    /// Waits until so many bytes are free, or nothing is taken at all: a batch that is larger
    /// than the whole share goes alone. `None` once `is_over`.
    pub(super) fn take(self: &Arc<Self>, bytes: u64, is_over: impl Fn() -> bool) -> Option<Held> {
        const LOOK_UP: std::time::Duration = std::time::Duration::from_millis(50);
        let mut used = self.lock();
        while *used > 0 && used.saturating_add(bytes) > self.ceiling {
            if is_over() {
                return None;
            }
            used = self
                .freed
                .wait_timeout(used, LOOK_UP)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *used = used.saturating_add(bytes);
        drop(used);
        Some(Held {
            share: Arc::clone(self),
            bytes,
        })
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Corrects what was taken to what the batch really takes.
    pub(super) fn set(&mut self, bytes: u64) {
        let mut used = self.share.lock();
        *used = used.saturating_sub(self.bytes).saturating_add(bytes);
        self.bytes = bytes;
        drop(used);
        self.share.freed.notify_all();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut used = self.share.lock();
        *used = used.saturating_sub(self.bytes);
        drop(used);
        self.share.freed.notify_all();
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
