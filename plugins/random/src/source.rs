// SPDX-License-Identifier: Apache-2.0
//! The collection that the options describe: its partitions and splits, by arithmetic alone.

use std::ops::Range;

use milvusdm_plugin_api::arrow::schema::{DataType, SchemaRef};
use milvusdm_plugin_api::model::{
    Descriptor, IdInfo, IdPolicy, RowCount, SchemaBuilder, Unique, VectorType,
};
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, ReadRequest, Result, Services, Source, Split,
};

use crate::options::RandomOptions;
use crate::reader::RandomReader;

/// Bytes of a split, where the options don't say how many there are.
const SPLIT_BYTES: u64 = 64 << 20;

/// A collection of random rows.
#[derive(Debug)]
pub struct RandomSource {
    options: RandomOptions,
    vector: VectorType,
    schema: SchemaRef,
    services: Services,
}

impl RandomSource {
    /// Bytes of one row.
    fn row_bytes(&self) -> u64 {
        let vector = self.vector.row_bytes().unwrap_or(0) as u64;
        vector + if self.options.ids { 8 } else { 0 }
    }

    /// Name and rows of each partition; a collection without partitions is one, without a name.
    fn partitions(&self) -> impl Iterator<Item = (Option<String>, Range<u64>)> {
        let count = u64::from(self.options.partitions.max(1));
        let is_named = self.options.partitions > 0;
        ranges(0..self.options.rows, count)
            .enumerate()
            .map(move |(i, rows)| (is_named.then(|| format!("p{i}")), rows))
    }

    fn descriptor(&self, partition: Option<String>, rows: &Range<u64>) -> Descriptor {
        let count = rows.end - rows.start;
        Descriptor {
            system: crate::RANDOM.to_owned(),
            collection: self.options.collection.clone(),
            partition,
            rows: Some(RowCount {
                value: count,
                exact: true,
            }),
            bytes: Some(count.saturating_mul(self.row_bytes())),
            id: match self.options.ids {
                true => IdInfo {
                    policy: IdPolicy::Auto,
                    unique: Unique::Yes,
                },
                false => IdInfo::default(),
            },
            fingerprint: Some(self.fingerprint(rows)),
            ..Descriptor::default()
        }
    }

    /// All that the content of these rows depends on.
    fn fingerprint(&self, rows: &Range<u64>) -> String {
        let VectorType {
            kind, elem, dim, ..
        } = &self.vector;
        let (seed, ids) = (self.options.seed, self.options.ids);
        format!(
            "random/1 {kind} {elem} {dim} seed={seed} ids={ids} rows={}-{}",
            rows.start, rows.end
        )
    }

    fn rows_of(&self, dataset_key: &str) -> Result<Range<u64>> {
        self.partitions()
            .find(|(name, _)| self.key(name.as_deref()) == dataset_key)
            .map(|(_, rows)| rows)
            .ok_or_else(|| {
                let what = format!("the random source has no dataset `{dataset_key}`");
                Error::new(ErrorKind::NotFound, what)
            })
    }

    fn key(&self, partition: Option<&str>) -> String {
        match partition {
            Some(partition) => format!("{}/{partition}", self.options.collection),
            None => self.options.collection.clone(),
        }
    }

    fn split_ranges(&self, rows: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let count = rows.end - rows.start;
        let splits = match self.options.splits {
            0 => count.saturating_mul(self.row_bytes()).div_ceil(SPLIT_BYTES),
            splits => u64::from(splits),
        };
        // None of them empty; one at a time, because there may be many.
        ranges(rows, splits.clamp(1, 65_536)).filter(|r| !r.is_empty())
    }

    fn split(&self, rows: &Range<u64>) -> Split {
        let count = rows.end - rows.start;
        Split {
            id: format!("rows:{}-{}", rows.start, rows.end),
            found: Some(count),
            live: Some(count),
            bytes: count.saturating_mul(self.row_bytes()),
            held_bytes: 0,
            fingerprint: self.fingerprint(rows),
            payload: serde_json::Value::Null,
        }
    }
}

/// Cuts rows into so many pieces whose lengths differ by 1 at most.
fn ranges(rows: Range<u64>, count: u64) -> impl Iterator<Item = Range<u64>> {
    let total = rows.end - rows.start;
    let (each, more) = (total / count.max(1), total % count.max(1));
    (0..count).map(move |i| {
        let start = rows.start + i * each + i.min(more);
        start..start + each + u64::from(i < more)
    })
}

impl Source for RandomSource {
    type Options = RandomOptions;

    fn open(options: RandomOptions, services: Services) -> Result<Self> {
        let vector = options.resolve()?;
        let schema = match options.ids {
            true => SchemaBuilder::new().id("id", DataType::Int64),
            false => SchemaBuilder::new(),
        };
        let schema = schema.vector("vector", &vector)?.finish()?;
        Ok(Self {
            options,
            vector,
            schema,
            services,
        })
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        let datasets = self.partitions().map(|(partition, rows)| Dataset {
            key: self.key(partition.as_deref()),
            schema: self.schema.clone(),
            descriptor: self.descriptor(partition, &rows),
        });
        Ok(datasets.collect())
    }

    fn splits(&self, dataset_key: &str) -> Result<Vec<Split>> {
        let rows = self.rows_of(dataset_key)?;
        Ok(self.split_ranges(rows).map(|r| self.split(&r)).collect())
    }

    fn read(
        &self,
        dataset_key: &str,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<Box<dyn BatchReader>> {
        let all = self.rows_of(dataset_key)?;
        let rows = self
            .split_ranges(all)
            .find(|rows| self.split(rows).id == split.id)
            .ok_or_else(|| {
                let what = format!("`{dataset_key}` has no split `{}`", split.id);
                Error::new(ErrorKind::Config, what).help("plan the task again")
            })?;
        let first = rows.start.saturating_add(request.first_row).min(rows.end);
        Ok(Box::new(RandomReader::new(
            self.schema.clone(),
            self.vector.clone(),
            self.options.seed,
            first..rows.end,
            request.rows_per_batch(self.row_bytes()),
            self.services.clone(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_rows_once() {
        for (rows, count) in [(5..15, 3), (0..2, 5), (7..7, 1), (0..1 << 48, 65_536)] {
            let mut at = rows.start;
            for piece in ranges(rows.clone(), count) {
                assert_eq!(piece.start, at);
                at = piece.end;
            }
            assert_eq!(at, rows.end);
        }
    }
}
