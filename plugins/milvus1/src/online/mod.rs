// SPDX-License-Identifier: Apache-2.0
//! Reads the collections of a running server, for those who don't have its files.
//!
//! The server has no call that gives out rows one after the other: the ids of each segment are
//! listed first, kept in a file of our own, and looked up a thousand at a time. So it matters not
//! that the server merges segments meanwhile. Of rows that share an id it always gives the same
//! one: the others can't be read, and are counted as lost.

mod duplicates;
mod listing;
mod reader;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use milvusdm_plugin_api::arrow::schema::{DataType, SchemaRef};
use milvusdm_plugin_api::model::{
    BitOrder, Descriptor, Elem, IdInfo, IdPolicy, Metric, RowCount, SchemaBuilder, Unique,
    VectorType,
};
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, Inspection, Node, ReadRequest, Result, Services, Split,
};
use serde_json::{Map, Value, json};

use crate::cold::Location;
use crate::options::Milvus1SourceOptions;
use crate::server::{CollectionInfo, DEFAULT_PARTITION, IndexInfo, PartitionInfo, Server};
use crate::{index_type, metric};

use listing::Listing;
use reader::{Ids, Place, Reader};

/// The one split where the task names the ids.
const WANTED: &str = "ids";

/// A server's collections.
#[derive(Debug)]
pub struct OnlineSource {
    server: Arc<Server>,
    services: Services,
    /// Whether the server is asked to flush what is read: reads see flushed rows only.
    flushes: bool,
    collections: Vec<Found>,
    /// The ids of the only rows that are read, where the task names them.
    wanted: Option<Arc<[i64]>>,
    /// The ids of collections that were asked for.
    listings: Mutex<BTreeMap<String, Arc<Listing>>>,
}

#[derive(Debug)]
struct Found {
    info: CollectionInfo,
    index: IndexInfo,
    vector: VectorType,
    schema: SchemaRef,
}

impl OnlineSource {
    /// Connects and looks at all collections.
    ///
    /// # Errors
    /// `Config`, `Remote`, `Unsupported`.
    pub fn open(uri: &str, options: &Milvus1SourceOptions, services: Services) -> Result<Self> {
        let server = Server::connect(uri, options.patience(), services.clone())?;
        let mut collections = Vec::new();
        for name in server.collections()? {
            let Some(info) = server.collection(&name)? else {
                continue;
            };
            match server.index(&name) {
                Ok(index) => collections.push(Found::of(info, index)?),
                // Dropped meanwhile.
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Self {
            server: Arc::new(server),
            services,
            flushes: options.flush,
            collections,
            wanted: options.ids.as_deref().map(distinct),
            listings: Mutex::default(),
        })
    }

    /// One dataset a partition.
    ///
    /// # Errors
    /// None.
    pub fn datasets(&self) -> Result<Vec<Dataset>> {
        let datasets = self.collections.iter().flat_map(|found| {
            let partitions = found.info.partitions.iter();
            partitions.map(|partition| Dataset {
                key: format!("{}/{}", found.info.name, partition.tag),
                schema: Arc::clone(&found.schema),
                descriptor: found.descriptor(partition, self.server.version()),
            })
        });
        Ok(datasets.collect())
    }

    /// One split a segment.
    ///
    /// # Errors
    /// `NotFound`, `Remote`, `Io`.
    pub fn splits(&self, dataset_key: &str) -> Result<Vec<Split>> {
        let (found, partition) = self.find(dataset_key)?;
        let row_bytes = found.row_bytes();
        if let Some(ids) = &self.wanted {
            self.flush(found)?;
            return Ok(vec![Split {
                id: WANTED.to_owned(),
                bytes: (ids.len() as u64).saturating_mul(row_bytes + 8),
                held_bytes: reader::held_bytes(row_bytes),
                ..Split::default()
            }]);
        }
        let listing = self.listing(found)?;
        self.number(&listing, found, partition)?;
        let segments = listing.segments(&partition.tag);
        let splits = segments.map(|(name, rows)| {
            let count = rows.end - rows.start;
            Split {
                id: format!("segment:{name}"),
                found: Some(count),
                // Rows may be deleted before they are read.
                live: None,
                bytes: count.saturating_mul(row_bytes + 8),
                held_bytes: reader::held_bytes(row_bytes),
                fingerprint: format!("{name} {count}"),
                payload: json!({ "first": rows.start, "end": rows.end }),
            }
        });
        Ok(splits.collect())
    }

    /// Reads the rows of a segment that were there when the splits were listed.
    ///
    /// # Errors
    /// `Config`, `Remote`, `Io`.
    pub fn read(
        &self,
        dataset_key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        let (found, partition) = self.find(dataset_key)?;
        let tag = (partition.tag != DEFAULT_PARTITION && self.server.has_partition_reads())
            .then(|| partition.tag.clone());
        let place = Place {
            collection: found.info.name.clone(),
            tag,
            schema: Arc::clone(&found.schema),
            vector: found.vector.clone(),
        };
        if let Some(ids) = &self.wanted {
            let rows = 0..ids.len() as u64;
            let ids = Ids::Wanted(Arc::clone(ids));
            return Ok(self.reader(place, ids, rows, request));
        }
        let listing = self.listing(found)?;
        let known = listing.segments(&partition.tag);
        let rows = known
            .filter(|(name, _)| split.id == format!("segment:{name}"))
            .map(|(_, rows)| rows)
            .next()
            .ok_or_else(|| {
                let what = format!("`{dataset_key}` has no split `{}`", split.id);
                Error::new(ErrorKind::Config, what)
                    .help("the server changed since the run was planned: run the task again")
            })?;
        let partition = self.number(&listing, found, partition)?;
        let ids = Ids::Listed { listing, partition };
        Ok(self.reader(place, ids, rows, request))
    }

    fn reader(
        &self,
        place: Place,
        ids: Ids,
        rows: Range<u64>,
        request: &ReadRequest,
    ) -> Box<dyn BatchReader> {
        let (server, services) = (Arc::clone(&self.server), self.services.clone());
        Box::new(Reader::new(server, services, ids, place, rows, request))
    }

    /// Collections, partitions and segments, as the server tells.
    ///
    /// # Errors
    /// None.
    pub fn inspect(&self) -> Result<Inspection> {
        let trees = self.collections.iter().map(Found::node).collect();
        let notices = vec![format!(
            "{} is Milvus {}",
            self.server.address(),
            self.server.version()
        )];
        Ok(Inspection { trees, notices })
    }

    /// The segments that hold an id; of deleted rows a server tells nothing.
    ///
    /// # Errors
    /// `Remote`.
    pub fn locate(&self, wanted: i64) -> Result<Vec<Location>> {
        let mut found = Vec::new();
        for Found { info, .. } in &self.collections {
            for partition in &info.partitions {
                for segment in partition.segments.iter().flatten() {
                    self.services.check_cancelled()?;
                    let ids = self.server.segment_ids(&info.name, segment)?;
                    let rows = ids.iter().flatten().filter(|id| **id == wanted);
                    found.extend(rows.map(|_| Location {
                        collection: info.name.clone(),
                        partition: Some(partition.tag.clone()),
                        segment: segment.name.clone(),
                        row: None,
                        is_deleted: false,
                    }));
                }
            }
        }
        Ok(found)
    }

    fn find(&self, dataset_key: &str) -> Result<(&Found, &PartitionInfo)> {
        let found = self.collections.iter().find_map(|found| {
            let tag = dataset_key
                .strip_prefix(&found.info.name)?
                .strip_prefix('/')?;
            Some((found, found.info.partition(Some(tag))?))
        });
        found.ok_or_else(|| {
            let what = format!("the server has no dataset `{dataset_key}`");
            Error::new(ErrorKind::NotFound, what).with("server", self.server.address())
        })
    }

    /// A partition's position in the listing, which is younger than the list of partitions.
    fn number(&self, listing: &Listing, found: &Found, partition: &PartitionInfo) -> Result<u32> {
        listing.number(&partition.tag).ok_or_else(|| {
            let name = format!("{}/{}", found.info.name, partition.tag);
            let what = format!("the partition `{name}` was dropped while it was looked at");
            Error::new(ErrorKind::NotFound, what)
                .with("server", self.server.address())
                .help("run the task again")
        })
    }

    /// The ids of a collection; listed once.
    fn listing(&self, found: &Found) -> Result<Arc<Listing>> {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = listings.get(&found.info.name) {
            return Ok(Arc::clone(listing));
        }
        self.flush(found)?;
        let listing = Arc::new(Listing::make(
            &self.server,
            &self.services,
            &found.info.name,
        )?);
        listings.insert(found.info.name.clone(), Arc::clone(&listing));
        Ok(listing)
    }

    fn flush(&self, found: &Found) -> Result<()> {
        match self.flushes {
            true => self.server.flush(&found.info.name),
            false => Ok(()),
        }
    }
}

/// Each id once, in the order in which they came.
fn distinct(ids: &[i64]) -> Arc<[i64]> {
    let mut seen = std::collections::HashSet::new();
    ids.iter().copied().filter(|id| seen.insert(*id)).collect()
}

impl Found {
    fn of(info: CollectionInfo, index: IndexInfo) -> Result<Self> {
        let odd = |what: String| Error::new(ErrorKind::Remote, what).with("collection", &info.name);
        let known = metric::of_code(info.metric);
        let known = known.ok_or_else(|| {
            odd(format!(
                "the server names the metric {}, wanted 1 to 7",
                info.metric
            ))
        })?;
        let dim = u32::try_from(info.dimension)
            .map_err(|_| odd(format!("the server tells the dimension {}", info.dimension)))?;
        let vector = match known.is_binary() {
            true => VectorType::binary(dim, BitOrder::Unknown),
            false => VectorType::dense(Elem::F32, dim),
        };
        let vector = vector.with_metric(Some(Metric::as_str(known)));
        let schema = SchemaBuilder::new()
            .id("id", DataType::Int64)
            .vector("vector", &vector)?
            .finish()?;
        Ok(Self {
            info,
            index,
            vector,
            schema,
        })
    }

    fn row_bytes(&self) -> u64 {
        self.vector.row_bytes().unwrap_or(0) as u64
    }

    fn descriptor(&self, partition: &PartitionInfo, version: &str) -> Descriptor {
        let mut properties = Map::new();
        properties.insert(
            crate::NAME.to_owned(),
            json!({ "index_file_size": self.info.index_file_size, "version": version }),
        );
        let index = (!index_type::is_flat(self.index.code)).then(|| {
            let IndexInfo { code, params } = &self.index;
            index_type::definition(*code, params, self.info.metric, version, false)
        });
        Descriptor {
            system: crate::NAME.to_owned(),
            collection: self.info.name.clone(),
            partition: Some(partition.tag.clone()),
            partition_default: partition.tag == DEFAULT_PARTITION,
            rows: Some(RowCount {
                value: partition.row_count,
                exact: false,
            }),
            bytes: Some(partition.row_count.saturating_mul(self.row_bytes() + 8)),
            // The server does not tell who made them.
            id: IdInfo {
                policy: IdPolicy::Given,
                unique: Unique::No,
            },
            indexes: index.into_iter().collect(),
            properties,
            ..Descriptor::default()
        }
    }

    fn node(&self) -> Node {
        let segment = |segment: &crate::server::SegmentInfo| Node {
            label: format!("segment {}", segment.name),
            facts: BTreeMap::from([
                ("rows".to_owned(), json!(segment.row_count)),
                ("index".to_owned(), json!(segment.index_name)),
                ("bytes".to_owned(), json!(segment.data_size)),
            ]),
            children: Vec::new(),
        };
        let partition = |partition: &PartitionInfo| Node {
            label: format!("partition {}", partition.tag),
            facts: BTreeMap::from([("rows".to_owned(), json!(partition.row_count))]),
            children: partition.segments.iter().flatten().map(segment).collect(),
        };
        let native = metric::native_name(self.info.metric).unwrap_or("unknown");
        Node {
            label: format!("collection {}", self.info.name),
            facts: BTreeMap::from([
                ("dimension".to_owned(), Value::from(self.info.dimension)),
                ("metric".to_owned(), Value::from(native)),
                (
                    "index_file_size".to_owned(),
                    Value::from(self.info.index_file_size),
                ),
            ]),
            children: self.info.partitions.iter().map(partition).collect(),
        }
    }
}
