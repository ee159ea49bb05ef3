// SPDX-License-Identifier: Apache-2.0
//! What is alive, out of the rows of the metadata: collections, their partitions, and the
//! segments that hold their rows (fact sheet section 3, "reading rule").

use std::collections::{BTreeMap, HashMap, HashSet};

use milvusdm_plugin_api::model::{BitOrder, Elem, IdPolicy, IndexDefinition, VectorType, keys};
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::metadata::{FileRow, Metadata, TableRow};
use crate::{index_type, metric};

/// The partition that every collection has; it is no row of its own (`core/src/db/Options.cpp`).
pub const DEFAULT_PARTITION: &str = "_default";

/// `Tables.state` (`core/src/db/meta/MetaTypes.h`, `TABLE_STATE`).
const NORMAL: i64 = 0;
/// `TableFiles.file_type` (`MetaTypes.h`, `FILE_TYPE`): raw vectors, raw vectors that wait for an
/// index, and raw vectors behind an index. `GetVectorsByID` reads exactly these.
const WITH_ROWS: [i64; 3] = [1, 2, 7];
/// The index file of a type 7 row; its rows are those of that row.
const INDEX: i64 = 3;
const MB: i64 = 1 << 20;
/// Offsets of deleted rows are int32 (`core/src/segment/DeletedDocs.h`): no more can be named.
pub const MAX_SEGMENT_ROWS: u64 = i32::MAX as u64;

/// A partition of a collection: a dataset.
#[derive(Debug)]
pub struct Part {
    /// Names it in the source, and is its folder: `table_id`.
    pub folder: String,
    /// The collection's name.
    pub collection: String,
    /// The partition's name; `None` where there is no metadata.
    pub partition: Option<String>,
    /// Whether it is the default partition.
    pub is_default: bool,
    /// Its vectors.
    pub vector: VectorType,
    /// Where ids come from.
    pub id_policy: IdPolicy,
    /// The index that was asked for.
    pub index: Option<IndexDefinition>,
    /// For a sink of the same system.
    pub properties: Map<String, Value>,
    /// All of the write-ahead log up to here is in segments.
    pub flush_lsn: u64,
    /// Its segments, in the order of their flushes.
    pub segments: Vec<Listed>,
}

impl Part {
    /// Bytes of a vector.
    pub fn vector_bytes(&self) -> u64 {
        self.vector.row_bytes().unwrap_or(0) as u64
    }

    /// `collection/partition`, for messages.
    pub fn full_name(&self) -> String {
        match &self.partition {
            Some(partition) => format!("{}/{partition}", self.collection),
            None => self.collection.clone(),
        }
    }
}

/// A segment as the metadata lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its folder.
    pub segment_id: String,
    /// Its files.
    pub file_id: String,
    /// Rows that are not deleted, as the server counted; `None` without metadata.
    pub row_count: Option<i64>,
    /// `TableFiles.file_type`; `None` without metadata.
    pub file_type: Option<i64>,
    /// The type of the index that was built of it.
    pub built_index: Option<i64>,
}

impl Listed {
    /// Live rows, as the metadata says; 0 for what can't be.
    pub fn promised(&self) -> u64 {
        let said = self.row_count.and_then(|n| u64::try_from(n).ok());
        said.unwrap_or(0).min(MAX_SEGMENT_ROWS)
    }

    /// The split's id.
    pub fn id(&self) -> String {
        match self.has_short_id() {
            true => self.segment_id.clone(),
            false => format!("{}/{}", self.segment_id, self.file_id),
        }
    }

    /// Whether the split of that id is this one.
    pub fn is(&self, id: &str) -> bool {
        match self.has_short_id() {
            true => id == self.segment_id,
            false => {
                let file = id.strip_prefix(&self.segment_id);
                file.and_then(|f| f.strip_prefix('/')) == Some(&self.file_id)
            }
        }
    }

    /// The server calls a flushed segment as its file; `wal` is the split of the log.
    fn has_short_id(&self) -> bool {
        self.segment_id == self.file_id && self.segment_id != super::WAL_SPLIT
    }
}

/// All that is alive, and what is said of the rest.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Datasets, in order.
    pub parts: Vec<Part>,
    /// Sentences on rows that are not read.
    pub notices: Vec<String>,
    /// Folders of dropped tables, whose remains are no surprise.
    pub dropped: HashSet<String>,
    /// Segment folders, by folder, that the metadata knows and that are not read.
    pub passed_over: HashSet<(String, String)>,
    /// Where the write-ahead log begins that is not in segments: no row before it is missing.
    pub wal_start: u64,
}

impl Catalog {
    /// Sorts out the rows.
    ///
    /// # Errors
    /// `Format` where a row of a live collection can't be true.
    pub fn of(metadata: &Metadata) -> Result<Self> {
        let mut catalog = Self::default();
        let live = live_tables(metadata, &mut catalog)?;
        let mut files = sort_files(metadata, &live, &mut catalog)?;
        let mut owned: HashMap<&str, Vec<&TableRow>> = HashMap::new();
        for table in metadata.tables.iter().filter(|t| is_alive(t, &live)) {
            owned.entry(&table.owner_table).or_default().push(table);
        }
        let mut names = HashSet::new();
        for collection in owned.remove("").unwrap_or_default() {
            let partitions = owned
                .remove(collection.table_id.as_str())
                .unwrap_or_default();
            for table in std::iter::once(collection).chain(partitions) {
                let segments = files.remove(table.table_id.as_str()).unwrap_or_default();
                let part = part(table, collection, segments)
                    .map_err(|e| e.with("metadata", &metadata.origin))?;
                // Two partitions of one name would be taken for one.
                if !names.insert(part.full_name()) {
                    let message = format!("two live partitions are called `{}`", part.full_name());
                    return Err(damaged(message).with("metadata", &metadata.origin));
                }
                catalog.parts.push(part);
            }
        }
        let flushed = catalog.parts.iter().map(|p| p.flush_lsn).min();
        catalog.wal_start = flushed
            .unwrap_or(0)
            .max(u64::try_from(metadata.global_lsn).unwrap_or(0));
        catalog.note_versions(metadata);
        Ok(catalog)
    }

    fn note_versions(&mut self, metadata: &Metadata) {
        let mut versions: Vec<&str> = metadata
            .tables
            .iter()
            .map(|t| t.version.as_str())
            .filter(|v| v.starts_with("0."))
            .collect();
        versions.sort_unstable();
        versions.dedup();
        if !versions.is_empty() {
            self.notices.push(format!(
                "Collections were made by Milvus {}; from the code of these versions their files are those of 1.x, but only 1.0 and 1.1 were tested.",
                versions.join(", ")
            ));
        }
    }
}

/// The tables that are alive, by `table_id`.
fn live_tables<'a>(
    metadata: &'a Metadata,
    catalog: &mut Catalog,
) -> Result<HashMap<&'a str, &'a TableRow>> {
    let mut all: HashMap<&str, &TableRow> = HashMap::new();
    for table in &metadata.tables {
        if all.insert(&table.table_id, table).is_some() {
            let id = table.table_id.escape_debug();
            return Err(
                damaged(format!("table `Tables` has two rows with table_id `{id}`"))
                    .with("metadata", &metadata.origin),
            );
        }
    }
    let is_normal = |table: &TableRow| match table.owner_table.as_str() {
        "" => table.state == NORMAL,
        owner => {
            table.state == NORMAL
                && all
                    .get(owner)
                    .is_some_and(|o| o.state == NORMAL && o.owner_table.is_empty())
        }
    };
    for table in metadata.tables.iter().filter(|t| !is_normal(t)) {
        catalog.dropped.insert(table.table_id.clone());
        catalog.notices.push(match table.owner_table.as_str() {
            "" => format!(
                "Collection `{}` was dropped; it is not read.",
                table.table_id
            ),
            owner => format!(
                "Partition `{}` of collection `{owner}` was dropped; it is not read.",
                table.partition_tag
            ),
        });
    }
    let live = all.iter().filter(|(_, table)| is_normal(table));
    Ok(live.map(|(id, table)| (*id, *table)).collect())
}

fn is_alive(table: &TableRow, live: &HashMap<&str, &TableRow>) -> bool {
    live.contains_key(table.table_id.as_str())
}

/// The segments of each live table.
fn sort_files<'a>(
    metadata: &'a Metadata,
    live: &HashMap<&str, &TableRow>,
    catalog: &mut Catalog,
) -> Result<HashMap<&'a str, Vec<Listed>>> {
    let mut found: HashMap<&str, Vec<Listed>> = HashMap::new();
    let mut built: HashMap<(&str, &str), i64> = HashMap::new();
    let mut seen = HashSet::new();
    let mut ignored: BTreeMap<&str, u64> = BTreeMap::new();
    for file in &metadata.files {
        let is_live = live.contains_key(file.table_id.as_str());
        let folder = (file.table_id.as_str(), file.segment_id.as_str());
        if is_live && WITH_ROWS.contains(&file.file_type) {
            if !seen.insert((folder, file.file_id.as_str())) {
                return Err(damaged(format!(
                    "segment `{}` of table `{}` is listed twice with rows",
                    file.segment_id.escape_debug(),
                    file.table_id.escape_debug()
                ))
                .with("metadata", &metadata.origin));
            }
            found.entry(&file.table_id).or_default().push(listed(file));
        } else if is_live && file.file_type == INDEX {
            built.insert(folder, file.engine_type);
        } else {
            catalog
                .passed_over
                .insert((file.table_id.clone(), file.segment_id.clone()));
            *ignored.entry(why_ignored(file, is_live)).or_default() += 1;
        }
    }
    for (table, segments) in &mut found {
        for segment in segments {
            segment.built_index = built.get(&(*table, segment.segment_id.as_str())).copied();
        }
    }
    for (why, rows) in ignored {
        catalog
            .notices
            .push(format!("Files listed but not read: {rows} {why}."));
    }
    Ok(found)
}

fn listed(file: &FileRow) -> Listed {
    Listed {
        segment_id: file.segment_id.clone(),
        file_id: file.file_id.clone(),
        row_count: Some(file.row_count),
        file_type: Some(file.file_type),
        built_index: None,
    }
}

fn why_ignored(file: &FileRow, is_live: bool) -> &'static str {
    match file.file_type {
        4 => "to be deleted (merged away, compacted or dropped)",
        0 | 5 | 6 => "unfinished when the server stopped; their rows are elsewhere",
        _ if !is_live => "of collections that are no more",
        _ => "of an unknown type",
    }
}

fn part(table: &TableRow, collection: &TableRow, segments: Vec<Listed>) -> Result<Part> {
    let is_default = table.table_id == collection.table_id;
    let is_built = segments.iter().any(|s| s.built_index.is_some());
    let index = (!index_type::is_flat(table.engine_type)).then(|| {
        index_type::definition(
            table.engine_type,
            &table.index_params,
            table.metric_type,
            &table.version,
            is_built,
        )
    });
    let flush_lsn =
        u64::try_from(table.flush_lsn).map_err(|_| odd(table, "flush_lsn", table.flush_lsn))?;
    Ok(Part {
        folder: table.table_id.clone(),
        collection: collection.table_id.clone(),
        partition: Some(match is_default {
            true => DEFAULT_PARTITION.to_owned(),
            false => table.partition_tag.clone(),
        }),
        is_default,
        vector: vector(table)?,
        // Only the collection's row has the flag.
        id_policy: match collection.flag & 3 {
            1 => IdPolicy::Auto,
            _ => IdPolicy::Given,
        },
        index,
        properties: properties(table, collection),
        flush_lsn,
        segments,
    })
}

/// The vectors of a table; the order of bits is nowhere written down.
fn vector(table: &TableRow) -> Result<VectorType> {
    let metric = metric::of_code(table.metric_type)
        .ok_or_else(|| odd(table, "metric_type", table.metric_type))?;
    let dim = u32::try_from(table.dimension)
        .ok()
        .filter(|d| (1..=keys::MAX_DIM).contains(d))
        .filter(|d| !metric.is_binary() || d % 8 == 0)
        .ok_or_else(|| odd(table, "dimension", table.dimension))?;
    let vector = match metric.is_binary() {
        true => VectorType::binary(dim, BitOrder::Unknown),
        false => VectorType::dense(Elem::F32, dim),
    };
    Ok(vector.with_metric(Some(metric.as_str())))
}

/// What a sink of the same system needs to make the collection again.
fn properties(table: &TableRow, collection: &TableRow) -> Map<String, Value> {
    let size = table.index_file_size;
    let mut own = json!({
        // gRPC speaks MB.
        "index_file_size": size / MB,
        "version": table.version,
        "engine_type": table.engine_type,
        "metric_type": table.metric_type,
        "flag": collection.flag,
    });
    if size % MB != 0 {
        own["index_file_size_bytes"] = json!(size);
    }
    let mut properties = Map::new();
    properties.insert(crate::NAME.to_owned(), own);
    properties
}

fn odd(table: &TableRow, column: &str, found: i64) -> Error {
    let name = table.table_id.escape_debug();
    damaged(format!(
        "table `Tables`, row `{name}`: `{column}` is {found}, which can't be"
    ))
}

fn damaged(message: String) -> Error {
    Error::new(ErrorKind::Format, message)
        .help("the metadata is damaged; `metadata: none` reads the folders without it")
}
