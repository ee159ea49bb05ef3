// SPDX-License-Identifier: Apache-2.0
//! State and journal together: a change is acknowledged when both have it.

use std::io;
use std::path::Path;

use prost::Message;
use prost::bytes::Bytes;

use milvusdm_proto::milvus1::FlushParam;

use crate::calls::Call;
use crate::catalog::{Catalog, Outcome, Rules};
use crate::insertion::Insertion;
use crate::journal::{Change, Entry, Journal};

/// Why a call gives no reply.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The request is not of its message.
    Malformed(String),
    /// The journal can't be written.
    Journal(io::Error),
}

/// What the server knows.
pub(crate) struct Engine {
    pub catalog: Catalog,
    journal: Option<Journal>,
}

impl Engine {
    /// An empty one, or that which was kept in a folder.
    pub(crate) fn open(rules: Rules, folder: Option<&Path>) -> io::Result<Engine> {
        let mut catalog = Catalog::new(rules);
        let Some(folder) = folder else {
            let journal = None;
            return Ok(Engine { catalog, journal });
        };
        catalog.recovering(true);
        let journal = Journal::open(folder, |entry| replay(&mut catalog, entry))?;
        catalog.recovering(false);
        let journal = Some(journal);
        Ok(Engine { catalog, journal })
    }

    /// Whether requests are written down.
    pub(crate) fn has_journal(&self) -> bool {
        self.journal.is_some()
    }

    /// Does a call. `insertion` is an insert's request, read.
    pub(crate) fn perform(
        &mut self,
        call: Call,
        request: Bytes,
        insertion: Option<Insertion>,
    ) -> Result<Outcome, Trouble> {
        let at_us = self.catalog.clock.begin();
        let outcome = match insertion {
            Some(insertion) => self.catalog.execute_insert(insertion),
            None => {
                let outcome = self.catalog.execute(call, request.clone());
                outcome.map_err(Trouble::Malformed)?
            }
        };
        if outcome.is_done && call.is_change() {
            self.note(Change::Call(call), at_us, &request)
                .map_err(Trouble::Journal)?;
        }
        Ok(outcome)
    }

    fn note(&mut self, change: Change, at_us: i64, request: &[u8]) -> io::Result<()> {
        match &mut self.journal {
            Some(journal) => journal.append(change, at_us, request),
            None => Ok(()),
        }
    }

    /// Flushes what waits for it.
    pub(crate) fn flush_dirty(&mut self) -> Result<(), Trouble> {
        let names = self.catalog.dirty();
        if !names.is_empty() {
            let request = FlushParam {
                collection_name_array: names,
            };
            self.perform(Call::Flush, request.encode_to_vec().into(), None)?;
        }
        Ok(())
    }

    /// Merges the segments of some collections.
    pub(crate) fn merge(&mut self, names: Vec<String>) -> io::Result<()> {
        for name in names {
            let at_us = self.catalog.clock.begin();
            if self.catalog.execute_merge(&name) {
                self.note(Change::Merge, at_us, name.as_bytes())?;
            }
        }
        Ok(())
    }
}

fn replay(catalog: &mut Catalog, entry: Entry) -> io::Result<()> {
    let broken = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    catalog.clock.begin_again(entry.at_us);
    match entry.change {
        Change::Call(call) => {
            catalog.execute(call, entry.request).map_err(broken)?;
        }
        Change::Merge => {
            let name = String::from_utf8(entry.request.to_vec());
            catalog.execute_merge(&name.map_err(|error| broken(error.to_string()))?);
        }
    }
    Ok(())
}
