// SPDX-License-Identifier: Apache-2.0
//! The ids of a collection, segment by segment, in a file of our own.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use milvusdm_plugin_api::{Error, ErrorKind, Result, Services};

use super::duplicates::{Duplicates, Sorter};
use crate::server::{DEFAULT_PARTITION, PartitionInfo, Server};

/// How often the segments are listed anew because they change meanwhile.
const ATTEMPTS: usize = 10;
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

/// The ids of a collection at one moment.
#[derive(Debug)]
pub struct Listing {
    /// Ids as 8 bytes each, in the order of `segments`; a file without a name.
    ids: File,
    partitions: Vec<String>,
    segments: Vec<Segment>,
    duplicates: Duplicates,
}

#[derive(Debug)]
struct Segment {
    /// Position of its partition.
    partition: u32,
    name: String,
    /// Places of its ids in the file.
    rows: Range<u64>,
}

impl Listing {
    /// Lists the ids of all segments of a collection; tries again while segments are merged.
    ///
    /// # Errors
    /// `Remote`, `NotFound`, `Io`.
    pub fn make(server: &Server, services: &Services, collection: &str) -> Result<Self> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                server.pause(BETWEEN_ATTEMPTS);
            }
            services.check_cancelled()?;
            let found = server.collection(collection)?.ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "the collection is gone")
                    .with("collection", collection)
            })?;
            if let Some(listing) = Self::of(server, services, collection, &found.partitions)? {
                return Ok(listing);
            }
        }
        Err(Error::new(
            ErrorKind::Remote,
            "the segments change faster than their ids can be listed",
        )
        .with("collection", collection)
        .help("stop those who write to the server, then run the task again"))
    }

    /// `None` if a segment is gone before its ids were listed.
    fn of(
        server: &Server,
        services: &Services,
        collection: &str,
        partitions: &[PartitionInfo],
    ) -> Result<Option<Self>> {
        let failed = |e: &std::io::Error| {
            Error::io("keep the ids of a collection", e)
                .with("folder", std::env::temp_dir().display())
                .help("they take 28 bytes a row there; set TMPDIR to a folder with more room")
        };
        let ids = tempfile::tempfile().map_err(|e| failed(&e))?;
        let mut writer = BufWriter::new(&ids);
        let mut sorter = Sorter::default();
        let mut segments = Vec::new();
        let mut at = 0u64;
        for (number, partition) in (0u32..).zip(partitions) {
            for segment in partition.segments.iter().flatten() {
                services.progress("list ids", at, 0);
                let Some(found) = server.segment_ids(collection, segment)? else {
                    return Ok(None);
                };
                let first = at;
                for id in found {
                    let kept = writer.write_all(&id.to_le_bytes());
                    kept.and_then(|()| sorter.add(id, number, at))
                        .map_err(|e| failed(&e))?;
                    at += 1;
                }
                segments.push(Segment {
                    partition: number,
                    name: segment.name.clone(),
                    rows: first..at,
                });
            }
        }
        services.progress("list ids", 1, 1);
        writer.flush().map_err(|e| failed(&e))?;
        drop(writer);
        let default = partitions.iter().position(|p| p.tag == DEFAULT_PARTITION);
        let default = default.and_then(|number| u32::try_from(number).ok());
        // Without a tag the whole collection is searched.
        let searches_all = |number: u32| !server.has_partition_reads() || Some(number) == default;
        Ok(Some(Self {
            ids,
            partitions: partitions.iter().map(|p| p.tag.clone()).collect(),
            segments,
            duplicates: sorter.finish(searches_all)?,
        }))
    }

    /// A partition's position.
    pub fn number(&self, tag: &str) -> Option<u32> {
        let position = self.partitions.iter().position(|known| known == tag)?;
        u32::try_from(position).ok()
    }

    /// The segments of a partition, with the places of their ids.
    pub fn segments(&self, tag: &str) -> impl Iterator<Item = (&str, Range<u64>)> {
        let number = self.number(tag);
        self.segments
            .iter()
            .filter(move |segment| Some(segment.partition) == number)
            .map(|segment| (segment.name.as_str(), segment.rows.clone()))
    }

    /// The ids at these places.
    ///
    /// # Errors
    /// `Io`.
    pub fn ids(&self, rows: Range<u64>) -> Result<Vec<i64>> {
        let count = usize::try_from(rows.end.saturating_sub(rows.start)).unwrap_or(0);
        let mut bytes = vec![0; count * 8];
        self.ids
            .read_exact_at(&mut bytes, rows.start * 8)
            .map_err(|e| Error::io("read the ids that were listed", &e))?;
        let (ids, _) = bytes.as_chunks::<8>();
        Ok(ids.iter().map(|id| i64::from_le_bytes(*id)).collect())
    }

    /// Whether the server gives the row at that place when it is asked for its id.
    pub fn is_readable(&self, id: i64, partition: u32, place: u64) -> bool {
        self.duplicates.is_readable(id, partition, place)
    }
}
