// SPDX-License-Identifier: Apache-2.0
//! Takes away what a run made that failed: only what the run made itself, and only while nobody
//! else's rows are in it.

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::collections::{Collection, Collections};
use super::delivery::Delivery;
use super::wanted::Wanted;
use crate::server::{CollectionInfo, DEFAULT_PARTITION, Server};

impl Collections {
    /// Takes back what was made for a target, with the rows in it.
    ///
    /// # Errors
    /// `Remote` where rows of this run stay, or may have stayed.
    pub fn take_back(&self, server: &Server, target: &Wanted, delivery: &Delivery) -> Result<()> {
        let mut collections = self.lock();
        let Some(collection) = collections.get_mut(&target.to.collection) else {
            return Ok(());
        };
        let left = Left {
            server,
            target,
            delivery,
        };
        left.take(collection)
    }
}

/// What a target left.
struct Left<'a> {
    server: &'a Server,
    target: &'a Wanted,
    delivery: &'a Delivery,
}

impl Left<'_> {
    fn take(&self, collection: &mut Collection) -> Result<()> {
        let name = &self.target.to.collection;
        if collection.is_new && !collection.is_finished {
            let Some(now) = self.now()? else {
                return Ok(());
            };
            let is_ours = |tag: &str| tag == DEFAULT_PARTITION || collection.made.contains(tag);
            let rows: u64 = now.partitions.iter().map(|p| p.row_count).sum();
            if !now.partitions.iter().all(|p| is_ours(&p.tag)) || !self.are_ours(rows) {
                return Err(self.stay("rows of another writer are in it"));
            }
            self.server.drop_collection(name)?;
            collection.forget();
            return Ok(());
        }
        let tag = self.target.to.partition.as_deref();
        match tag.filter(|tag| collection.made.contains(*tag)) {
            Some(tag) => {
                let Some(rows) = self.rows()? else {
                    return Ok(());
                };
                if !self.are_ours(rows) {
                    return Err(self.stay("rows of another writer are in it"));
                }
                self.server.drop_partition(name, tag)?;
                collection.made.remove(tag);
                Ok(())
            }
            None => self.expect_nothing(),
        }
    }

    /// That nothing of this run is in what was there before: it can't be told from other rows.
    fn expect_nothing(&self) -> Result<()> {
        match (self.delivery.stored(), self.delivery.unsure()) {
            (0, 0) => Ok(()),
            (0, _) if self.rows()? == Some(self.delivery.rows_before()) => Ok(()),
            _ => Err(self.stay("Milvus 1.x can't tell them from others")),
        }
    }

    /// Whether so many rows are just those of this run.
    fn are_ours(&self, rows: u64) -> bool {
        let stored = self.delivery.stored();
        !self.delivery.is_disputed() && (rows == stored || rows == stored + self.delivery.unsure())
    }

    fn now(&self) -> Result<Option<CollectionInfo>> {
        let name = &self.target.to.collection;
        if !self.server.has_collection(name)? {
            return Ok(None);
        }
        self.server.flush(name)?;
        self.server.collection(name)
    }

    /// Rows of the target as they are now; `None` if it is gone.
    fn rows(&self) -> Result<Option<u64>> {
        let now = self.now()?;
        let partition = now
            .as_ref()
            .and_then(|now| now.partition(self.target.to.partition.as_deref()));
        Ok(partition.map(|partition| partition.row_count))
    }

    fn stay(&self, why: &str) -> Error {
        let rows = match (self.delivery.stored(), self.delivery.unsure()) {
            (stored, 0) => format!("{stored} rows"),
            (stored, unsure) => format!("{stored} to {} rows", stored + unsure),
        };
        Error::new(ErrorKind::Remote, format!("{rows} of this run stay: {why}")).with(
            "target",
            format!("{}/{}", self.server.address(), self.target.name()),
        )
    }
}
