// SPDX-License-Identifier: Apache-2.0
//! What there is on a server: collections, partitions, segments, index definitions.

use std::future::Future;
use std::time::{Duration, Instant};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use milvusdm_proto::milvus1 as wire;
use serde::Deserialize;
use serde_json::{Map, Value};
use tonic::Response;

use super::{Client, Server};

/// How long the name of a collection that was dropped may stay taken.
const CLEANING_UP: Duration = Duration::from_secs(60);

/// The default partition's tag: never written to by that name (a server with its write-ahead log
/// on acknowledges such rows and loses them), and never read by it (always "is empty").
pub const DEFAULT_PARTITION: &str = "_default";

/// A collection, as `DescribeCollection` and `ShowCollectionInfo` tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionInfo {
    /// Its name.
    pub name: String,
    /// Dimension, bits for binary vectors.
    pub dimension: i64,
    /// Size from which on segments are indexed, in MB.
    pub index_file_size: i64,
    /// Number of the metric (`crate::metric`).
    pub metric: i64,
    /// Its partitions, the default one first.
    pub partitions: Vec<PartitionInfo>,
}

impl CollectionInfo {
    /// A partition by its tag; `None` is the default one.
    pub fn partition(&self, tag: Option<&str>) -> Option<&PartitionInfo> {
        let tag = tag.unwrap_or(DEFAULT_PARTITION);
        self.partitions
            .iter()
            .find(|partition| partition.tag == tag)
    }
}

/// A partition, in the words of `ShowCollectionInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PartitionInfo {
    /// Its tag.
    pub tag: String,
    /// Rows that were flushed.
    pub row_count: u64,
    /// Its segments; the server says `null` where there are none.
    #[serde(default)]
    pub segments: Option<Vec<SegmentInfo>>,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SegmentInfo {
    /// Its number, as text.
    pub name: String,
    /// Rows that are not deleted.
    pub row_count: u64,
    /// Its index, or the one that it is to have: `IDMAP`, `IVFFLAT`, …
    #[serde(default)]
    pub index_name: String,
    /// Bytes of vectors and ids.
    #[serde(default)]
    pub data_size: u64,
}

#[derive(Deserialize)]
struct InfoDocument {
    partitions: Vec<PartitionInfo>,
}

/// An index definition.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexInfo {
    /// Number of its type (`crate::index_type`).
    pub code: i64,
    /// Its parameters, as JSON.
    pub params: String,
}

impl IndexInfo {
    /// Whether it is none: vectors are searched one by one.
    pub fn is_flat(&self) -> bool {
        matches!(self.code, 0 | 1 | 9)
    }

    /// Whether two definitions mean the same index.
    pub fn is_same(&self, other: &Self) -> bool {
        let parsed = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
        self.call_code() == other.call_code() && parsed(&self.params) == parsed(&other.params)
    }

    /// The number of its type in calls. Indexes of binary vectors go by the number of their float
    /// kind there: a server refuses 9 and 10, which its metadata have
    /// (`server/delivery/request/CreateIndexRequest.cpp`).
    fn call_code(&self) -> i64 {
        match self.code {
            9 => 1,
            10 => 2,
            code => code,
        }
    }
}

fn name(name: &str) -> wire::CollectionName {
    wire::CollectionName {
        collection_name: name.to_owned(),
    }
}

fn partition(collection: &str, tag: &str) -> wire::PartitionParam {
    wire::PartitionParam {
        collection_name: collection.to_owned(),
        tag: tag.to_owned(),
    }
}

impl Server {
    /// The names of all collections.
    ///
    /// # Errors
    /// `Remote`, as for all calls here.
    pub fn collections(&self) -> Result<Vec<String>> {
        let reply: wire::CollectionNameList =
            self.ask("list the collections", |mut client| async move {
                let command = wire::Command {
                    cmd: "show_collections".to_owned(),
                };
                client.show_collections(command).await
            })?;
        Ok(reply.collection_names)
    }

    /// Whether there is a collection of that name.
    pub fn has_collection(&self, collection: &str) -> Result<bool> {
        let doing = format!("look for the collection `{collection}`");
        let reply: wire::BoolReply = self.ask(&doing, |mut client| async move {
            client.has_collection(name(collection)).await
        })?;
        Ok(reply.bool_reply)
    }

    /// A collection with its partitions; `None` if there is none of that name.
    pub fn collection(&self, collection: &str) -> Result<Option<CollectionInfo>> {
        if !self.has_collection(collection)? {
            return Ok(None);
        }
        let doing = format!("describe the collection `{collection}`");
        let schema: wire::CollectionSchema = self.ask(&doing, |mut client| async move {
            client.describe_collection(name(collection)).await
        })?;
        let info: wire::CollectionInfo = self.ask(&doing, |mut client| async move {
            client.show_collection_info(name(collection)).await
        })?;
        let document: InfoDocument = serde_json::from_str(&info.json_info).map_err(|e| {
            let message = format!("{doing}: the server's answer is not the JSON that was expected");
            Error::new(ErrorKind::Remote, message)
                .with("server", self.address())
                .caused_by(e)
        })?;
        Ok(Some(CollectionInfo {
            name: collection.to_owned(),
            dimension: schema.dimension,
            index_file_size: schema.index_file_size,
            metric: i64::from(schema.metric_type),
            partitions: document.partitions,
        }))
    }

    /// Makes a collection. Right after one of the same name was dropped the server still says
    /// that it exists, until its next round of cleaning up.
    pub fn create_collection(&self, schema: &wire::CollectionSchema) -> Result<()> {
        let doing = format!("create the collection `{}`", schema.collection_name);
        let until = Instant::now() + CLEANING_UP;
        loop {
            let made = self.change(&doing, "already exists", |mut client| {
                let schema = schema.clone();
                async move { client.create_collection(schema).await }
            });
            match made {
                Err(e) if e.message().contains("delete state") && Instant::now() < until => {
                    self.pause(Duration::from_millis(500));
                }
                made => return made,
            }
        }
    }

    /// Drops a collection with everything in it.
    pub fn drop_collection(&self, collection: &str) -> Result<()> {
        let doing = format!("drop the collection `{collection}`");
        self.change(&doing, "does not exist", |mut client| async move {
            client.drop_collection(name(collection)).await
        })
    }

    /// Makes a partition.
    pub fn create_partition(&self, collection: &str, tag: &str) -> Result<()> {
        let doing = format!("create the partition `{collection}/{tag}`");
        self.change(&doing, "Duplicate partition", |mut client| async move {
            client.create_partition(partition(collection, tag)).await
        })
    }

    /// Drops a partition with everything in it.
    pub fn drop_partition(&self, collection: &str, tag: &str) -> Result<()> {
        let doing = format!("drop the partition `{collection}/{tag}`");
        self.change(&doing, "not found", |mut client| async move {
            client.drop_partition(partition(collection, tag)).await
        })
    }

    /// A call that changes what there is. Where its answer did not come it is made again, and
    /// `done` is what the server says if the first one had arrived.
    fn change<F>(&self, doing: &str, done: &str, call: impl Fn(Client) -> F) -> Result<()>
    where
        F: Future<Output = Result<Response<wire::Status>, tonic::Status>>,
    {
        let mut is_unsure = false;
        self.retried(doing, || {
            match self.once(doing, Some(self.patience.timeout), &call) {
                Err(e)
                    if is_unsure
                        && e.message().contains(done)
                        && !e.message().contains("delete state") =>
                {
                    Ok(())
                }
                Err(e) => {
                    is_unsure |= e.is_retryable();
                    Err(e)
                }
                Ok(_) => Ok(()),
            }
        })
    }

    /// Waits until everything that was acknowledged for a collection is on disk and counted.
    pub fn flush(&self, collection: &str) -> Result<()> {
        let doing = format!("flush the collection `{collection}`");
        self.ask_patiently::<wire::Status, _>(&doing, |mut client| async move {
            let flush = wire::FlushParam {
                collection_name_array: vec![collection.to_owned()],
            };
            client.flush(flush).await
        })
        .map(|_| ())
    }

    /// The index definition of a collection; without one it is `FLAT`.
    pub fn index(&self, collection: &str) -> Result<IndexInfo> {
        let doing = format!("describe the index of `{collection}`");
        let reply: wire::IndexParam = self.ask(&doing, |mut client| async move {
            client.describe_index(name(collection)).await
        })?;
        let params = reply
            .extra_params
            .into_iter()
            .find(|pair| pair.key == "params");
        Ok(IndexInfo {
            code: i64::from(reply.index_type),
            params: params.map_or_else(|| "{}".to_owned(), |pair| pair.value),
        })
    }

    /// Defines an index and waits until it is built.
    pub fn create_index(&self, collection: &str, index: &IndexInfo) -> Result<()> {
        let doing = format!("build the index of `{collection}`");
        let param = wire::IndexParam {
            status: None,
            collection_name: collection.to_owned(),
            index_type: i32::try_from(index.call_code()).unwrap_or(0),
            extra_params: vec![wire::KeyValuePair {
                key: "params".to_owned(),
                value: index.params.clone(),
            }],
        };
        self.ask_patiently::<wire::Status, _>(&doing, |mut client| {
            let param = param.clone();
            async move { client.create_index(param).await }
        })
        .map(|_| ())
    }
}
