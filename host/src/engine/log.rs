// SPDX-License-Identifier: Apache-2.0
//! Tells the journal how far the splits of a target came.
//!
//! Writers may acknowledge the pieces of a split out of order; a mark only moves over pieces that
//! are acknowledged without a gap before them. It is written a few times a second: what a killed
//! process did not write down is found again at the target, or moved once more.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use milvusdm_plugin_api::{Error, ErrorKind, ReadAccount, Result};

use crate::calls::Writer;
use crate::hash::Sums;
use crate::journal::{Journal, Mark, Stage};
use crate::plan::PlannedTarget;

/// How often marks are written.
const EVERY: Duration = Duration::from_millis(50);
/// How often a target that is written at its places is made durable.
const FLUSH_EVERY: Duration = Duration::from_secs(10);

/// The journal's view of one target.
#[derive(Debug)]
pub(super) struct Log<'a> {
    journal: &'a Journal,
    /// Position of the target in the journal.
    target: usize,
    state: Mutex<State>,
    /// Held by the thread that makes the target durable.
    flushed: Mutex<Flushed>,
}

/// When a target was last made durable, and how far it had come.
#[derive(Debug)]
struct Flushed {
    at: Instant,
    marks: Vec<(usize, Mark)>,
    /// Nothing of it is known to be lost.
    is_sound: bool,
}

#[derive(Debug)]
struct State {
    splits: Vec<Way>,
    written: Instant,
}

/// How far a split is.
#[derive(Debug, Default)]
struct Way {
    /// What the next process may rely on.
    mark: Mark,
    /// The same, up to a place in the middle of a batch where reading can't begin.
    reached: Mark,
    /// Sent rows up to there.
    sent: u64,
    /// Pieces that are acknowledged, behind one that is not, by the rows sent before them.
    ahead: BTreeMap<u64, Piece>,
    /// What the reader said at its end, and how many rows it had sent by then.
    end: Option<(ReadAccount, u64, u64)>,
    is_dirty: bool,
}

/// A piece of a batch that the sink is done with.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Rows.
    pub rows: u64,
    /// Rows that reading gave up to its end; `None` if reading can't begin there.
    pub through: Option<u64>,
    /// Rows that the sink took.
    pub written: u64,
    /// Rows that the sink or conversions rejected.
    pub rejected: u64,
    /// Bytes.
    pub bytes: u64,
    /// Hashes of the rows that the sink took.
    pub sums: Option<Sums>,
}

impl<'a> Log<'a> {
    /// A view of the target at that position in the journal.
    pub(super) fn new(journal: &'a Journal, position: usize, target: &PlannedTarget) -> Self {
        let count = target.parts.iter().map(|part| part.splits.len()).sum();
        let way = |split| {
            let mut mark = target.start.mark(split).clone();
            if mark.through == 0 {
                // Of nothing, the sums are known.
                mark.sums = Some(Sums::default());
            }
            Way {
                reached: mark.clone(),
                mark,
                ..Way::default()
            }
        };
        let now = Instant::now();
        Self {
            journal,
            target: position,
            state: Mutex::new(State {
                splits: (0..count).map(way).collect(),
                written: now,
            }),
            flushed: Mutex::new(Flushed {
                at: now,
                marks: Vec::new(),
                is_sound: true,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far the target came, on the disk.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn stage(&self, stage: &Stage) -> Result<()> {
        self.journal.stage(self.target, stage, true)
    }

    /// Notes that the target is ready for rows.
    ///
    /// The disk is not waited for if `is_hidden`: rows have places, and none is to be seen before
    /// the end. After a power cut that loses the note they are written again.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn prepared(&self, is_hidden: bool) -> Result<()> {
        self.journal
            .stage(self.target, &Stage::Prepared, !is_hidden)
    }

    /// Notes a piece that the sink is done with; `sent_before` rows of its split were sent before
    /// it, by this process.
    ///
    /// # Errors
    /// `Io` if the journal can't be written.
    pub(super) fn acknowledged(&self, split: usize, sent_before: u64, piece: Piece) -> Result<()> {
        let mut state = self.lock();
        if let Some(way) = state.splits.get_mut(split) {
            way.ahead.insert(sent_before, piece);
            way.advance();
        }
        match state.written.elapsed() >= EVERY {
            true => self.write(&mut state),
            false => Ok(()),
        }
    }

    /// Notes that a split was read to its end: `given` rows, of which `sent` were sent and
    /// `rejected` were not.
    ///
    /// # Errors
    /// As [`acknowledged`](Self::acknowledged).
    pub(super) fn read(
        &self,
        split: usize,
        account: &ReadAccount,
        given: u64,
        sent: u64,
        rejected: u64,
    ) -> Result<()> {
        let mut state = self.lock();
        if let Some(way) = state.splits.get_mut(split) {
            way.reached.rejected = way.reached.rejected.saturating_add(rejected);
            way.end = Some((account.clone(), given, sent));
            way.advance();
        }
        Ok(())
    }

    /// Writes down what is not yet written.
    ///
    /// # Errors
    /// As [`acknowledged`](Self::acknowledged).
    pub(super) fn settle(&self) -> Result<()> {
        self.write(&mut self.lock())
    }

    fn write(&self, state: &mut State) -> Result<()> {
        let dirty = state.splits.iter_mut().enumerate();
        let dirty = dirty.filter_map(|(split, way)| {
            std::mem::take(&mut way.is_dirty).then(|| (split, way.mark.clone()))
        });
        let marks: Vec<(usize, Mark)> = dirty.collect();
        state.written = Instant::now();
        match marks.is_empty() {
            true => Ok(()),
            false => self.journal.marks(self.target, &marks, false),
        }
    }

    /// Makes the target durable, if that is due and no other thread is at it.
    ///
    /// # Errors
    /// What the sink answers; `Io` if the journal can't be written.
    pub(super) fn flush_if_due(&self, writer: &Writer) -> Result<()> {
        match self.flushed.try_lock() {
            Ok(mut flushed) if flushed.at.elapsed() >= FLUSH_EVERY => {
                self.flush_behind(&mut flushed, writer)
            }
            _ => Ok(()),
        }
    }

    /// Makes the target durable, as far as it is acknowledged now.
    ///
    /// # Errors
    /// As [`flush_if_due`](Self::flush_if_due).
    pub(super) fn flush(&self, writer: &Writer) -> Result<()> {
        self.flush_behind(&mut self.flushed(), writer)
    }

    /// Whether making the target durable never failed but for a stop or a server.
    pub(super) fn is_sound(&self) -> bool {
        self.flushed().is_sound
    }

    fn flushed(&self) -> MutexGuard<'_, Flushed> {
        self.flushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush_behind(&self, flushed: &mut Flushed, writer: &Writer) -> Result<()> {
        let ways = self.lock();
        let marks = ways.splits.iter().map(|way| way.mark.clone()).enumerate();
        let marks: Vec<(usize, Mark)> = marks.filter(|(_, mark)| mark.through > 0).collect();
        drop(ways);
        if marks == flushed.marks {
            return Ok(());
        }
        if !flushed.is_sound {
            return Err(Error::new(
                ErrorKind::Io,
                "what was written could not be made durable before",
            ));
        }
        writer.flush().inspect_err(|error| {
            if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Remote) {
                return;
            }
            // A disk tells only once what it lost: the next time, all would seem to be well. No
            // other process is to rely on it either.
            flushed.is_sound = false;
            let stage = self.journal.stage(self.target, &Stage::Preparing, false);
            if let Err(error) = stage {
                tracing::warn!("Noting that what was written is lost failed: {error}.");
            }
        })?;
        self.journal.marks(self.target, &marks, true)?;
        flushed.at = Instant::now();
        flushed.marks = marks;
        Ok(())
    }
}

impl Way {
    /// Moves over every piece that follows without a gap.
    fn advance(&mut self) {
        while let Some(piece) = self.ahead.remove(&self.sent) {
            let reached = &mut self.reached;
            self.sent = self.sent.saturating_add(piece.rows);
            reached.written = reached.written.saturating_add(piece.written);
            reached.rejected = reached.rejected.saturating_add(piece.rejected);
            reached.bytes = reached.bytes.saturating_add(piece.bytes);
            match (&mut reached.sums, piece.sums) {
                (Some(sums), Some(more)) => *sums += more,
                (sums, _) => *sums = None,
            }
            if let Some(through) = piece.through {
                reached.through = through;
                self.mark = reached.clone();
                self.is_dirty = true;
            }
        }
        if let Some((account, given, sent)) = &self.end
            && *sent == self.sent
        {
            self.reached.through = *given;
            self.reached.account = Some(account.clone());
            self.mark = self.reached.clone();
            self.is_dirty = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(rows: u64, through: Option<u64>) -> Piece {
        Piece {
            rows,
            through,
            written: rows,
            rejected: 0,
            bytes: rows,
            sums: None,
        }
    }

    #[test]
    fn a_mark_waits_for_what_is_missing_before_it() {
        let mut way = Way::default();
        way.ahead.insert(10, piece(5, Some(15)));
        way.advance();
        assert_eq!(way.mark, Mark::default());
        way.ahead.insert(0, piece(10, Some(10)));
        way.advance();
        assert_eq!((way.mark.through, way.mark.written), (15, 15));
    }

    #[test]
    fn a_mark_stands_only_where_reading_can_begin() {
        let mut way = Way::default();
        way.ahead.insert(0, piece(4, None));
        way.advance();
        assert_eq!(way.mark, Mark::default());
        let last = Piece {
            rejected: 2,
            ..piece(3, Some(9))
        };
        way.ahead.insert(4, last);
        way.advance();
        assert_eq!(
            (way.mark.through, way.mark.written, way.mark.rejected),
            (9, 7, 2)
        );
    }

    #[test]
    fn a_split_is_done_when_all_that_was_sent_is_acknowledged() {
        let mut way = Way {
            end: Some((ReadAccount::default(), 12, 10)),
            ..Way::default()
        };
        way.advance();
        assert_eq!(way.mark.account, None);
        way.ahead.insert(0, piece(10, Some(10)));
        way.advance();
        assert_eq!((way.mark.through, way.mark.account.is_some()), (12, true));
    }
}
