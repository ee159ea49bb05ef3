// SPDX-License-Identifier: Apache-2.0
//! Where an id is: for `inspect`, when a person asks for one row.

use milvusdm_plugin_api::Result;

use super::segment::Segment;
use super::{ColdSource, Looked};

/// A row with the id that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Its collection.
    pub collection: String,
    /// Its partition.
    pub partition: Option<String>,
    /// Its split: the segment's number, or `wal`.
    pub segment: String,
    /// Which row of it, from 0; a server does not tell.
    pub row: Option<u64>,
    /// Whether it is deleted.
    pub is_deleted: bool,
}

impl ColdSource {
    /// Every row with that id, deleted ones too; segments that can't be read are passed over.
    ///
    /// # Errors
    /// `Format`, `Io`, `Cancelled`.
    pub fn locate(&self, wanted: i64) -> Result<Vec<Location>> {
        let mut found = Vec::new();
        for open in &self.parts {
            let at = |segment: String, row: u64, is_deleted: bool| Location {
                collection: open.part.collection.clone(),
                partition: open.part.partition.clone(),
                segment,
                row: Some(row),
                is_deleted,
            };
            for (listed, looked) in &open.segments {
                let Looked::Sound(sound) = looked else {
                    continue;
                };
                let folder = self.tables()?.folder(&open.part.folder)?;
                let segment = Segment::open(&folder, listed, open.part.vector_bytes())?;
                let mut rows = Vec::new();
                segment.each_id(&self.services, |row, id| {
                    if id == wanted {
                        rows.push(row);
                    }
                })?;
                if rows.is_empty() {
                    continue;
                }
                let mut deleted = segment.deleted(&self.services)?;
                for row in &sound.by_wal {
                    deleted.insert(*row);
                }
                found.extend(
                    rows.into_iter()
                        .map(|row| at(listed.id(), row, deleted.contains(row))),
                );
            }
            if let Some(wal) = &open.wal {
                wal.each_id(&self.services, |row, id| {
                    if id == wanted {
                        found.push(at(
                            super::WAL_SPLIT.to_owned(),
                            row,
                            wal.deleted.contains(row),
                        ));
                    }
                })?;
            }
        }
        Ok(found)
    }
}
