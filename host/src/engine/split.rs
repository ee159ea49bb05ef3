// SPDX-License-Identifier: Apache-2.0
//! Reads one split as it is to be written: batch by batch, converted, and accounted for.
//!
//! What runs and what verifies read through the same code, so that both see the same rows.

use arrow_array::RecordBatch;
use milvusdm_plugin_api::{
    Dataset, Error, ErrorKind, ReadAccount, ReadRequest, Rejected, Result, Split,
};

use super::unbalanced;
use crate::calls::{Reader, Source};
use crate::convert::{Converted, Recipe};
use crate::ledger::Ledger;

/// A split while it is read.
#[derive(Debug)]
pub(crate) struct SplitReading<'a> {
    plugin: &'a str,
    split: &'a Split,
    /// Absent where rows are taken as they are.
    recipe: Option<&'a Recipe>,
    reader: Reader,
    /// Rows that the reader gave, with those that it was told to pass over.
    given: u64,
}

/// Rows of a split, as the target gets them.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Place of the first of them among the rows that reading the split gives.
    pub first_row: u64,
    /// The rows that fit the target.
    pub batch: RecordBatch,
    /// Those that don't; positions are those before they were taken out.
    pub rejected: Vec<Rejected>,
}

impl<'a> SplitReading<'a> {
    /// Opens a split; `batch_bytes` is the ceiling of a batch after its conversion.
    pub(crate) fn open(
        source: &'a Source,
        (dataset, split): (&Dataset, &'a Split),
        recipe: Option<&'a Recipe>,
        request: ReadRequest,
    ) -> Result<Self> {
        let growth = recipe.map_or(1, |recipe| recipe.growth(&dataset.schema));
        let request = ReadRequest {
            max_batch_bytes: (request.max_batch_bytes / growth).max(1),
            ..request
        };
        Ok(Self {
            plugin: source.plugin(),
            split,
            recipe: recipe.filter(|recipe| !recipe.keeps_all()),
            reader: source.read(dataset, split, &request)?,
            given: request.first_row,
        })
    }

    /// The next rows; a piece may turn out to have none that fit.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>> {
        let Some(batch) = self.reader.next()? else {
            return Ok(None);
        };
        let first_row = self.given;
        self.given = self.given.saturating_add(batch.num_rows() as u64);
        if let Some(live) = self.split.live.filter(|live| self.given > *live) {
            return Err(self.not_as_announced(live));
        }
        let Converted { batch, rejected } = match self.recipe {
            Some(recipe) => recipe.apply(&batch)?,
            None => Converted {
                batch,
                rejected: Vec::new(),
            },
        };
        Ok(Some(Piece {
            first_row,
            batch,
            rejected,
        }))
    }

    /// Rows that reading gave so far.
    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    /// The account of rows that were not given; asked for after the last piece.
    pub(crate) fn account(&self) -> Result<ReadAccount> {
        self.reader.account()
    }

    /// Refuses an account that does not add up to what the split was said to have.
    pub(crate) fn check(&self, account: &ReadAccount) -> Result<()> {
        let mut ledger = Ledger {
            written: self.given,
            ..Ledger::of(self.split.found)
        };
        ledger.take_account(account);
        if !ledger.is_balanced() {
            return Err(unbalanced("this split, as the reader gave it,", &ledger)
                .with("plugin", self.plugin)
                .help("the source changed while it was read, or its plugin miscounts: nothing was finished"));
        }
        match self.split.live {
            Some(live) if live != self.given => Err(self.not_as_announced(live)),
            _ => Ok(()),
        }
    }

    fn not_as_announced(&self, live: u64) -> Error {
        Error::new(
            ErrorKind::Plugin,
            format!(
                "the split was announced with {live} rows, but reading gave {}",
                self.given
            ),
        )
        .with("plugin", self.plugin)
        .help("the source changed while it was read, or its plugin miscounts: nothing was finished")
    }
}
