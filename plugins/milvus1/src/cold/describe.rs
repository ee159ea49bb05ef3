// SPDX-License-Identifier: Apache-2.0
//! What a partition is as a dataset, and its segments as splits.

use milvusdm_plugin_api::model::{Descriptor, IdInfo, RowCount, Unique};
use milvusdm_plugin_api::{Dataset, Result, Split};

use super::catalog::Listed;
use super::open::told;
use super::{Looked, OpenPart, OpenWal, Sound, WAL_SPLIT};
use crate::options::OnError;

const ID_BYTES: u64 = 8;

impl OpenPart {
    pub(super) fn dataset(&self, on_error: OnError) -> Dataset {
        Dataset {
            key: self.part.folder.clone(),
            schema: self.schema.clone(),
            descriptor: self.descriptor(on_error),
        }
    }

    fn descriptor(&self, on_error: OnError) -> Descriptor {
        let part = &self.part;
        // Of a damaged segment that is not to be passed over nothing is known.
        let splits = self.splits(on_error).ok();
        let live = splits.as_ref().map(|splits| {
            let live = splits.iter().filter_map(|s| s.live);
            live.fold(0, u64::saturating_add)
        });
        let fingerprint = splits.map(|splits| {
            let texts = splits.iter().map(|s| format!("{} {}", s.id, s.fingerprint));
            format!("milvus1/1 {:016x}", hash(texts))
        });
        Descriptor {
            system: crate::NAME.to_owned(),
            collection: part.collection.clone(),
            partition: part.partition.clone(),
            partition_default: part.is_default,
            rows: live.map(|value| RowCount { value, exact: true }),
            deleted: live.map(|_| self.deleted()),
            bytes: live.map(|rows| rows.saturating_mul(self.row_bytes())),
            id: IdInfo {
                policy: part.id_policy,
                // The same id may be inserted again and again.
                unique: Unique::No,
            },
            fingerprint,
            indexes: part.index.iter().cloned().collect(),
            properties: part.properties.clone(),
            ..Descriptor::default()
        }
    }

    /// Rows that are there and deleted.
    pub(super) fn deleted(&self) -> u64 {
        let segments = self.segments.iter().map(|(_, looked)| match looked {
            Looked::Sound(sound) => sound.rows - sound.live(),
            Looked::Damaged { deleted, .. } => *deleted,
        });
        let wal = self.wal.iter().map(|wal| wal.deleted.count());
        segments.chain(wal).fold(0, u64::saturating_add)
    }

    fn row_bytes(&self) -> u64 {
        self.part.vector_bytes() + ID_BYTES
    }

    /// One split a segment, in the order of their flushes; the log's rows came last.
    pub(super) fn splits(&self, on_error: OnError) -> Result<Vec<Split>> {
        let segments = self.segments.iter();
        let segments = segments.map(|(listed, looked)| self.split(listed, looked, on_error));
        let wal = self.wal.iter().map(|wal| Ok(self.wal_split(wal)));
        segments.chain(wal).collect()
    }

    /// A segment as a split.
    pub(super) fn split(
        &self,
        listed: &Listed,
        looked: &Looked,
        on_error: OnError,
    ) -> Result<Split> {
        if let Some(error) = looked.stops(on_error) {
            return Err(error.clone());
        }
        Ok(match looked {
            Looked::Sound(sound) => self.segment_split(listed, sound),
            Looked::Damaged { error, found, .. } => Split {
                id: listed.id(),
                found: Some(*found),
                live: Some(0),
                fingerprint: format!("damaged {:016x}", hash([error.to_string()])),
                ..Split::default()
            },
        })
    }

    fn segment_split(&self, listed: &Listed, sound: &Sound) -> Split {
        let by_wal = sound.by_wal.iter().map(u64::to_string);
        Split {
            id: listed.id(),
            found: Some(sound.rows),
            live: Some(sound.live()),
            bytes: sound.live().saturating_mul(self.row_bytes()),
            held_bytes: self.bitmap_bytes(sound.rows, sound.rows - sound.live()),
            fingerprint: format!("{} wal={:016x}", sound.fingerprint, hash(by_wal)),
            ..Split::default()
        }
    }

    /// The log's rows as a split.
    pub(super) fn wal_split(&self, wal: &OpenWal) -> Split {
        Split {
            id: WAL_SPLIT.to_owned(),
            found: Some(wal.found()),
            live: Some(wal.live()),
            bytes: wal.live().saturating_mul(self.row_bytes()),
            held_bytes: self.bitmap_bytes(wal.deleted.rows(), wal.deleted.count()),
            fingerprint: format!(
                "{} rows={} deleted={}",
                wal.log.fingerprint(),
                wal.found(),
                wal.deleted.count()
            ),
            ..Split::default()
        }
    }

    /// What a reader holds of the deleted rows.
    fn bitmap_bytes(&self, rows: u64, deleted: u64) -> u64 {
        if deleted == 0 { 0 } else { rows.div_ceil(8) }
    }

    /// What a person should know of the partition.
    pub(super) fn notices(&self) -> Vec<String> {
        let name = self.part.full_name();
        let mut notices = Vec::new();
        for (listed, looked) in &self.segments {
            match looked {
                Looked::Damaged { error, .. } => notices.push(format!("{name}: {}.", told(error))),
                Looked::Sound(sound) => notices.extend(self.segment_notices(&name, listed, sound)),
            }
        }
        if let Some(wal) = &self.wal {
            notices.extend(
                wal.account
                    .notes
                    .iter()
                    .map(|note| format!("{name}: {note}.")),
            );
        }
        notices
    }

    fn segment_notices(&self, name: &str, listed: &Listed, sound: &Sound) -> Vec<String> {
        let mut notices = Vec::new();
        let id = listed.id();
        let live = sound.rows - sound.deleted;
        if let Some(said) = listed
            .row_count
            .filter(|said| u64::try_from(*said) != Ok(live))
        {
            notices.push(format!(
                "Segment {name}/{id} has {live} live rows by its files, {said} by the metadata; the files are right (the server miscounts a delete that comes while an index is built)."
            ));
        }
        if !sound.has_deleted_docs {
            notices.push(format!(
                "Segment {name}/{id} has no file `deleted_docs`: none of its rows counts as deleted."
            ));
        }
        notices
    }
}

/// FNV-1a: fingerprints must be the same in the next run and the next version.
fn hash(texts: impl IntoIterator<Item = String>) -> u64 {
    let bytes = texts.into_iter().flat_map(|t| {
        let mut bytes = t.into_bytes();
        bytes.push(b'\n');
        bytes
    });
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
