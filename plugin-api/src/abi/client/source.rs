// SPDX-License-Identifier: Apache-2.0
//! Safe handles on a plugin's source and its readers.

use std::cell::Cell;
use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::{Handle, call, call_or_end, entry, fetch, open, to_json};
use crate::abi::c_data::FfiArray;
use crate::abi::c_schema::FfiSchema;
use crate::abi::export::DatasetDoc;
use crate::abi::plain::{Str, broken};
use crate::{Dataset, Inspection, ReadAccount, ReadRequest, Result, Split};

/// An open source.
#[derive(Debug, Clone)]
pub struct SourceHandle(pub(super) Arc<Handle>);

impl SourceHandle {
    /// The source's datasets with their schemas.
    ///
    /// # Errors
    /// Whatever the plugin answers; `Plugin` where two datasets have one key.
    pub fn datasets(&self) -> Result<Vec<Dataset>> {
        let (list, schema) = (
            entry!(self.0.table, source_datasets)?,
            entry!(self.0.table, source_schema)?,
        );
        // SAFETY: a live handle and our own documents.
        let docs: Vec<DatasetDoc> = fetch("datasets", |out, error| unsafe {
            list(self.0.raw, out, error)
        })?;
        let mut datasets: Vec<Dataset> = Vec::with_capacity(docs.len());
        let mut keys = HashSet::new();
        for doc in docs {
            if !keys.insert(doc.key.clone()) {
                return Err(broken(&format!("two datasets with the key `{}`", doc.key)));
            }
            let mut out = FfiSchema::empty();
            // SAFETY: as above.
            let found =
                call(|error| unsafe { schema(self.0.raw, Str::new(&doc.key), &mut out, error) })
                    // SAFETY: filled in by the plugin, checked by `import`.
                    .and_then(|()| unsafe { out.import() });
            let schema =
                found.map_err(|e| e.with("dataset", &doc.key).with("entry", "source_schema"))?;
            datasets.push(Dataset {
                key: doc.key,
                schema,
                descriptor: doc.descriptor,
            });
        }
        Ok(datasets)
    }

    /// A dataset's splits.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn splits(&self, key: &str) -> Result<Vec<Split>> {
        let call = entry!(self.0.table, source_splits)?;
        // SAFETY: a live handle and our own documents.
        fetch("splits", |out, error| unsafe {
            call(self.0.raw, Str::new(key), out, error)
        })
    }

    /// What `milvusdm inspect` shows beside the datasets.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn inspect(&self) -> Result<Inspection> {
        let call = entry!(self.0.table, source_inspect)?;
        // SAFETY: a live handle and our own documents.
        fetch("inspection", |out, error| unsafe {
            call(self.0.raw, Str::new("{}"), out, error)
        })
    }

    /// Opens a split of a dataset for reading.
    ///
    /// # Errors
    /// Whatever the plugin answers.
    pub fn read(
        &self,
        dataset: &Dataset,
        split: &Split,
        request: &ReadRequest,
    ) -> Result<ReaderHandle> {
        let call = entry!(self.0.table, source_read)?;
        let close = entry!(self.0.table, reader_close)?;
        let (split, request) = (to_json(split)?, to_json(request)?);
        let raw = open(|out, error| {
            let (key, split, request) =
                (Str::new(&dataset.key), Str::new(&split), Str::new(&request));
            // SAFETY: a live handle; texts live for the call.
            unsafe { call(self.0.raw, key, split, request, out, error) }
        })?;
        Ok(ReaderHandle {
            handle: Handle::new(raw, ("reader_close", close), self.0.table),
            _not_sync: PhantomData,
            schema: dataset.schema.clone(),
            _source: self.clone(),
        })
    }
}

/// A reader of one split; it moves between threads, but is used from one at a time.
#[derive(Debug)]
pub struct ReaderHandle {
    handle: Handle,
    /// A plugin's reader need not bear two calls at once, `account` included.
    _not_sync: PhantomData<Cell<()>>,
    schema: SchemaRef,
    /// A reader is closed before its source.
    _source: SourceHandle,
}

impl ReaderHandle {
    /// The next batch, checked; `None` at the end.
    ///
    /// # Errors
    /// Whatever the plugin answers; `Plugin` or `Format` for a batch that breaks the contract.
    #[allow(clippy::should_implement_trait)] // It fails, which an iterator's does not.
    pub fn next(&mut self) -> Result<Option<RecordBatch>> {
        let next = entry!(self.handle.table, reader_next)?;
        let mut array = FfiArray::empty();
        // SAFETY: a live handle that `&mut self` keeps to one thread.
        if !call_or_end(|error| unsafe { next(self.handle.raw, &mut array, error) })? {
            return Ok(None);
        }
        // SAFETY: filled in by the plugin, checked by `import`.
        let batch = unsafe { array.import(&self.schema) };
        batch.map(Some).map_err(|e| e.with("entry", "reader_next"))
    }

    /// What the reader did not give out; asked after the end.
    ///
    /// # Errors
    /// `Plugin` or `Panic`.
    pub fn account(&self) -> Result<ReadAccount> {
        let call = entry!(self.handle.table, reader_account)?;
        // SAFETY: a live handle and our own documents.
        fetch("read account", |out, error| unsafe {
            call(self.handle.raw, out, error)
        })
    }
}
