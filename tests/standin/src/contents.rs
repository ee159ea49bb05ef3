// SPDX-License-Identifier: Apache-2.0
//! What the server holds, as plain data that tests compare.

use crate::catalog::IdMode;
use crate::metric::Metric;
use crate::rows::Rows;

/// A collection with everything in it.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionContents {
    /// Its name.
    pub name: String,
    /// Elements of a vector; bits where vectors are binary.
    pub dimension: usize,
    /// As given at its creation.
    pub index_file_size_mib: i64,
    /// As given at its creation.
    pub metric: Metric,
    /// Who makes the ids; none before the first insert.
    pub ids: Option<IdMode>,
    /// As `DescribeIndex` tells it.
    pub index_type: i32,
    /// JSON text, as `DescribeIndex` tells it.
    pub index_params: String,
    /// The default partition, `_default`, and then the others by age.
    pub partitions: Vec<PartitionContents>,
}

impl CollectionContents {
    /// The partition of a tag; `_default` is the default one's.
    pub fn partition(&self, tag: &str) -> Option<&PartitionContents> {
        self.partitions.iter().find(|p| p.tag == tag)
    }

    /// Flushed rows that are not deleted, over all partitions.
    pub fn row_count(&self) -> u64 {
        self.partitions.iter().map(|p| p.row_count).sum()
    }
}

/// A partition with its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionContents {
    /// Its name.
    pub tag: String,
    /// Flushed rows that are not deleted.
    pub row_count: u64,
    /// Rows that wait for a flush.
    pub unflushed_rows: u64,
    /// Names of segments, by age.
    pub segments: Vec<String>,
    /// Flushed rows that are not deleted, in the order in which they came.
    pub rows: Rows,
}
