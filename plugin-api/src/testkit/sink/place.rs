// SPDX-License-Identifier: Apache-2.0
//! A fresh place for a sink to write to, and the steps that cases are made of.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde_json::Value;
use tempfile::TempDir;

use super::SinkSuite;
use crate::abi::{SinkHandle, WriterHandle};
use crate::model::{Capabilities, Descriptor, IdInfo, IdPolicy, Role, RowCount, Unique, field};
use crate::testkit::files::Files;
use crate::testkit::report::{Checked, Why, ensure};
use crate::testkit::{rows, sample};
use crate::{
    FinishAck, Mode, ReadRequest, Result, Services, TargetRequest, TargetSpec, TargetState, WriteAt,
};

/// Rows that most cases write.
pub(super) const ROWS: usize = 100;

/// A batch and where it belongs.
pub(super) type Piece = (WriteAt, RecordBatch);

/// A folder of its own, and the sink opened for it.
pub(super) struct Place {
    folder: TempDir,
    suite: SinkSuite,
    pub(super) options: Value,
    pub(super) sink: SinkHandle,
}

impl Place {
    pub(super) fn new(suite: &SinkSuite) -> Checked<Self> {
        Self::with(suite, Services::detached())
    }

    pub(super) fn with(suite: &SinkSuite, services: Services) -> Checked<Self> {
        let folder = tempfile::tempdir()
            .map_err(|e| Why::Failed(format!("make a folder for temporary files: {e}")))?;
        let options = (suite.options)(folder.path());
        let sink = suite.plugin.open_sink(&options, services)?;
        Ok(Self {
            folder,
            suite: suite.clone(),
            options,
            sink,
        })
    }

    /// Opens the sink once more.
    pub(super) fn open(&self, options: &Value) -> Result<SinkHandle> {
        self.suite.plugin.open_sink(options, Services::detached())
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The files of the place.
    pub(super) fn files(&self) -> Files {
        Files::below(self.folder())
    }

    /// What a sink that was opened anew says of a target.
    pub(super) fn state(&self, target: &TargetRequest) -> Checked<TargetState> {
        let mut states = self
            .open(&self.options)?
            .check(std::slice::from_ref(target))?;
        states
            .pop()
            .ok_or_else(|| Why::Failed("`check` gave no state".to_owned()))
    }

    /// Whether anything can be seen of a target.
    pub(super) fn exists(&self, target: &TargetRequest) -> Checked<bool> {
        Ok(self.state(target)?.exists)
    }

    /// Writes the pieces in their order and publishes the target.
    pub(super) fn write(&self, target: &TargetRequest, pieces: &[Piece]) -> Checked<FinishAck> {
        let writer = self.sink.prepare(target)?;
        write_to(&writer, pieces)?;
        finish(&writer, pieces)
    }

    /// Fails unless the target holds these rows: by its state, and read back where that is told.
    pub(super) fn expect(
        &self,
        target: &TargetRequest,
        pieces: &[Piece],
        capabilities: &Capabilities,
    ) -> Checked {
        if !self.suite.keeps_rows {
            return Ok(());
        }
        let wanted: Vec<RecordBatch> = pieces.iter().map(|(_, batch)| batch.clone()).collect();
        let state = self.state(target)?;
        ensure!(
            state.exists,
            "`check` does not see the target that was written"
        );
        if let Some(found) = state.rows {
            let count = rows::count(&wanted);
            ensure!(
                found == count,
                "`check` sees {found} rows, {count} were written"
            );
        }
        let Some(found) = self.read_back(target)? else {
            return Ok(());
        };
        let is_ordered = capabilities.ordered_append || capabilities.addressed_writes;
        rows::same_content(&wanted, &found, is_ordered)
            .map_err(|w| w.at(format_args!("`{}`, read back", target.spec.full_name())))
    }

    /// Reads the target again; `None` if the suite was not told how.
    fn read_back(&self, target: &TargetRequest) -> Checked<Option<Vec<RecordBatch>>> {
        let Some(how) = &self.suite.read_back else {
            return Ok(None);
        };
        let (plugin, options) = how(self.folder(), &target.spec);
        let source = plugin.open_source(&options, Services::detached())?;
        let datasets = source.datasets()?;
        let name = target.spec.full_name();
        let dataset = match datasets.as_slice() {
            [only] => Some(only),
            several => several.iter().find(|d| is_of(&d.descriptor, &target.spec)),
        };
        let Some(dataset) = dataset else {
            let keys: Vec<_> = datasets.iter().map(|d| &d.key).collect();
            return Err(Why::Failed(format!(
                "read back, `{name}` is not among {keys:?}"
            )));
        };
        let request = ReadRequest {
            first_row: 0,
            max_batch_bytes: 1 << 20,
            max_batch_rows: None,
        };
        let mut batches = Vec::new();
        for split in source.splits(&dataset.key)? {
            let mut reader = source.read(dataset, &split, &request)?;
            while let Some(batch) = reader.next()? {
                batches.push(batch);
            }
        }
        Ok(Some(batches))
    }
}

/// Writes pieces; each row must be written.
pub(super) fn write_to(writer: &WriterHandle, pieces: &[Piece]) -> Checked {
    for (at, batch) in pieces {
        let ack = writer.write(*at, batch.clone())?;
        ensure!(
            ack.rejected.is_empty(),
            "rows were rejected: {:?}",
            ack.rejected.first()
        );
    }
    Ok(())
}

/// Publishes the target; what it counted must be what the pieces hold.
pub(super) fn finish(writer: &WriterHandle, pieces: &[Piece]) -> Checked<FinishAck> {
    writer.flush()?;
    let ack = writer.finish()?;
    let wanted: u64 = pieces.iter().map(|(_, b)| b.num_rows() as u64).sum();
    if let Some(added) = ack.rows_added {
        ensure!(
            added == wanted,
            "`finish` counted {added} rows added, {wanted} were written"
        );
    }
    Ok(ack)
}

/// A target of a collection for so many rows, which are known beforehand.
pub(super) fn target(name: &str, schema: &SchemaRef, mode: Mode, rows: usize) -> TargetRequest {
    let has_id = field::find_role(schema.fields(), Role::Id).is_some();
    TargetRequest {
        schema: schema.clone(),
        spec: TargetSpec {
            collection: name.to_owned(),
            mode,
            rows: Some(rows as u64),
            bytes: rows as u64 * 1000,
            descriptor: Descriptor {
                system: "testkit".to_owned(),
                collection: name.to_owned(),
                rows: Some(RowCount {
                    value: rows as u64,
                    exact: true,
                }),
                id: match has_id {
                    true => IdInfo {
                        policy: IdPolicy::Given,
                        unique: Unique::Yes,
                    },
                    false => IdInfo::default(),
                },
                ..Descriptor::default()
            },
            ..TargetSpec::default()
        },
    }
}

/// Rows in batches of several sizes, over two splits; `first_id` tells runs apart.
pub(super) fn pieces(schema: &SchemaRef, first_id: u64, rows: usize) -> Checked<Vec<Piece>> {
    let batch = sample::batch(schema, first_id, rows, 11, true)?;
    let mut cuts = [0, 1.min(rows), rows * 3 / 10, rows * 7 / 10, rows];
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    for (i, pair) in cuts.windows(2).enumerate() {
        let [from, to] = pair else { continue };
        if from < to {
            let at = WriteAt {
                split: u64::from(i > 1),
                row: *from as u64,
            };
            pieces.push((at, batch.slice(*from, to - from)));
        }
    }
    Ok(pieces)
}

/// Whether a dataset is what was written to a target, whose default partition has no name.
fn is_of(found: &Descriptor, target: &TargetSpec) -> bool {
    let name =
        |partition: &Option<String>, is_default: bool| partition.clone().filter(|_| !is_default);
    found.collection == target.collection
        && name(&found.partition, found.partition_default) == target.partition
}
