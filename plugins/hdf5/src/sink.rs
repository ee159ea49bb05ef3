// SPDX-License-Identifier: Apache-2.0
//! Says what HDF5 files can hold, looks at targets, and opens writers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use milvusdm_plugin_api::model::capabilities::{
    CountCapability, PartitionCapability, ReadBackCapability, VectorCapability,
};
use milvusdm_plugin_api::model::{Capabilities, Elem, Kind};
use milvusdm_plugin_api::{
    Error, ErrorKind, Found, Mode, Result, Services, Sink, TargetRequest, TargetSpec, TargetState,
    TargetWriter,
};

use serde_json::{Value, json};

use crate::append::{self, Existing};
use crate::folders::Folders;
use crate::options::SinkOptions;
use crate::partial::{self, Partial};
use crate::plan::{self, FilePlan};
use crate::target::{self, Layout};
use crate::writer::{Hdf5Writer, NewTarget};

/// Scalar types that datasets hold.
const SCALARS: [&str; 13] = [
    "Boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float16",
    "Float32", "Float64", "Utf8",
];
/// Batches of this size are still in the processor's cache when they are written.
const BATCH_BYTES: u64 = 2 << 20;
/// Bytes of a file beside its rows, about.
const OVERHEAD_BYTES: u64 = 64 << 10;

/// Writes HDF5 files.
#[derive(Debug)]
pub struct Hdf5Sink {
    options: SinkOptions,
    services: Services,
    layout: Layout,
    folders: Arc<Folders>,
    is_contiguous: bool,
}

impl Sink for Hdf5Sink {
    type Options = SinkOptions;

    fn open(options: SinkOptions, services: Services) -> Result<Self> {
        options.check()?;
        Ok(Self {
            layout: Layout::of(&options.path),
            is_contiguous: plan::is_contiguous(&options)?,
            options,
            services,
            folders: Arc::default(),
        })
    }

    fn capabilities(&self) -> Result<Capabilities> {
        let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        let dense = [Elem::F32, Elem::F64, Elem::F16, Elem::I8, Elem::U8];
        Ok(Capabilities {
            id_types: texts(&["Int64", "UInt64", "Utf8"]),
            id_policy: texts(&["given", "none"]),
            vectors: vec![
                VectorCapability::new(Kind::Dense, &dense),
                VectorCapability::new(Kind::Binary, &[Elem::Bit]),
            ],
            scalar_types: texts(&SCALARS),
            partitions: PartitionCapability {
                supported: true,
                max: None,
            },
            max_request_bytes: Some(BATCH_BYTES),
            ordered_append: true,
            addressed_writes: self.is_contiguous,
            transactional_publish: true,
            // The file system lets one write to a file at a time; others would only wait.
            parallel_writers: Some(1),
            count: CountCapability { exact: true },
            read_back: ReadBackCapability {
                by_id: false,
                scan: true,
            },
            ..Capabilities::default()
        })
    }

    fn check(&self, targets: &[TargetRequest]) -> Result<Vec<TargetState>> {
        self.layout.check_count(targets.len())?;
        let mut seen: HashMap<PathBuf, String> = HashMap::new();
        for target in targets {
            let name = target.spec.full_name();
            if let Some(other) = seen.insert(self.layout.place(&target.spec), name.clone()) {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("`{other}` and `{name}` would be written to one file"),
                )
                .with("file", self.layout.place(&target.spec).display())
                .help("rename one of them with `map` in the task"));
            }
        }
        targets.iter().map(|target| self.look(target)).collect()
    }

    fn prepare(&self, request: &TargetRequest) -> Result<Box<dyn TargetWriter>> {
        let spec = &request.spec;
        let path = target::resolve(&self.layout.place(spec))?;
        let plan = FilePlan::of(&request.schema, spec, &self.options)?;
        let is_there = target::file_at(&path)?.is_some();
        if is_there && matches!(spec.mode, Mode::Fail | Mode::Skip) {
            return Err(Error::new(ErrorKind::Exists, "the target exists already")
                .with("target", path.display())
                .help("choose another one, or set `mode: append` or `mode: overwrite`"));
        }
        let existing = match spec.mode {
            Mode::Append if is_there => Some(Existing::open(&path, &self.options, &plan)?),
            _ => None,
        };
        let is_kept = self.is_resumable(&plan, request, existing.is_some());
        let resumed = spec.resumed.as_ref().filter(|_| is_kept);
        let partial = match resumed {
            Some(_) => Partial::reopen(&self.folders, &path, &spec.run)?,
            None => Partial::create(&self.folders, &path, &spec.run)?,
        };
        let target = NewTarget {
            plan,
            options: self.options.clone(),
            path,
            mode: spec.mode,
            rows: spec.rows.filter(|_| self.is_contiguous),
            resumed: resumed.map(|resumed| resumed.written),
            is_kept,
        };
        let place = target.path.display().to_string();
        let writer = Hdf5Writer::create(target, existing, partial, self.services.clone())
            .map_err(|e| e.with("target", place))?;
        Ok(Box::new(writer))
    }
}

impl Hdf5Sink {
    /// Looks at one target.
    fn look(&self, request: &TargetRequest) -> Result<TargetState> {
        let spec = &request.spec;
        let place = self.layout.place(spec);
        let mut state = TargetState {
            location: place.display().to_string(),
            ..TargetState::default()
        };
        let mut refuse = |error: &Error| state.refusals.push(error.clone());
        let plan = FilePlan::of(&request.schema, spec, &self.options)
            .and_then(|plan| plan.chunking(&self.options).map(|_| plan))
            .inspect_err(&mut refuse)
            .ok();
        let path = target::resolve(&place).inspect_err(&mut refuse).ok();
        let found = path.as_ref().map(|path| target::file_at(path));
        let found = found.transpose().inspect_err(&mut refuse).ok().flatten();
        let (Some(plan), Some(path), Some(found)) = (plan, path, found) else {
            return Ok(state);
        };
        // One that this run finished is not touched any more, and must be what it was.
        let is_finished = spec.resumed.as_ref().is_some_and(|then| then.is_finished);
        // Nothing is written to it, nor to one that is skipped.
        let is_left_alone = found.is_some() && (spec.mode == Mode::Skip || is_finished);
        match target::room_at(&path) {
            Ok(room) => (state.free_bytes, state.volume) = (room.free_bytes, room.volume),
            Err(_) if is_left_alone => {}
            Err(error) => return Err(error),
        }
        state.needs_bytes = self.needs_bytes(&plan, request);
        if !self.is_contiguous || spec.rows.is_none() {
            state.held_bytes = plan.held_bytes(&plan.chunking(&self.options)?);
        }
        if self.options.compression()? != crate::h5::Compression::None {
            state.notices.push(format!(
                "compressed: at most {} bytes, how many is not known before",
                state.needs_bytes
            ));
            state.needs_bytes = 0;
        }
        let is_appended = found.is_some() && spec.mode == Mode::Append;
        state.resumable = self.is_resumable(&plan, request, is_appended);
        let seen = match state.resumable {
            true => Ok(self.found(&plan, &path, spec)),
            false => self.published(&plan, &path, spec),
        };
        match seen {
            Ok(seen) => state.found = seen,
            Err(error) => state.refusals.push(error),
        }
        if state.found.is_some() {
            // The file that is gone on with has its room.
            state.needs_bytes = 0;
            return Ok(state);
        }
        if let Some(bytes) = found {
            self.look_into(&path, &plan, spec, &mut state);
            if spec.mode == Mode::Append {
                state.needs_bytes = state.needs_bytes.saturating_add(bytes);
            }
        }
        Ok(state)
    }

    /// Looks into a file that is there.
    fn look_into(&self, path: &Path, plan: &FilePlan, spec: &TargetSpec, state: &mut TargetState) {
        state.exists = true;
        state.read_back = self.read_back(plan, path);
        let is_finished = spec.resumed.as_ref().is_some_and(|then| then.is_finished);
        let looked = match spec.mode {
            Mode::Append if !is_finished => {
                Existing::open(path, &self.options, plan).map(|existing| {
                    let held = existing.decoding_bytes();
                    state.held_bytes = state.held_bytes.saturating_add(held);
                    existing.rows()
                })
            }
            _ => append::open_target(path, &self.options, false).map(|c| c.rows()),
        };
        match looked {
            Ok(rows) => state.rows = Some(rows),
            Err(error) if spec.mode == Mode::Append || is_finished => state.refusals.push(error),
            Err(error) => state
                .notices
                .push(format!("the file that is there: {error}")),
        }
    }

    /// Whether a stopped run finds its rows again: each has its place in a file that is whole from
    /// the beginning. Strings are kept aside, and rows that are appended to may change.
    fn is_resumable(&self, plan: &FilePlan, request: &TargetRequest, is_appended: bool) -> bool {
        let spec = &request.spec;
        let is_direct = self.is_contiguous && spec.rows.is_some() && plan.text_columns() == 0;
        is_direct && !is_appended && !spec.run.is_empty()
    }

    /// What is there of an earlier process of the run.
    fn found(&self, plan: &FilePlan, path: &Path, spec: &TargetSpec) -> Option<Found> {
        let resumed = spec
            .resumed
            .as_ref()
            .filter(|resumed| resumed.is_prepared)?;
        let has_ids = self.has_ids(plan);
        // What can't be opened is none of ours, or of no use.
        let holds_all = |path: &Path| {
            let contents = append::open_target(path, &self.options, has_ids).ok();
            contents.is_some_and(|contents| {
                Some(contents.rows()) == spec.rows && contents.all().count() == plan.columns.len()
            })
        };
        let partial = partial::place(path, &spec.run);
        if partial.exists() {
            return holds_all(&partial).then_some(Found::Acknowledged);
        }
        let rows = spec
            .rows
            .filter(|_| resumed.is_finishing && holds_all(path));
        rows.map(Found::Complete)
    }

    /// Whether the rows of a target that can't be gone on with were put in their place, and the
    /// process died before it could say so.
    ///
    /// # Errors
    /// `Exists` if that can't be told: they might be appended twice. What opening the file answers.
    fn published(&self, plan: &FilePlan, path: &Path, spec: &TargetSpec) -> Result<Option<Found>> {
        let resumed = spec.resumed.as_ref().filter(|resumed| resumed.is_finishing);
        let Some(resumed) = resumed else {
            return Ok(None);
        };
        // A file that is replaced may have as many rows: it is written again.
        if spec.mode == Mode::Overwrite || target::file_at(path)?.is_none() {
            return Ok(None);
        }
        let rows = append::open_target(path, &self.options, self.has_ids(plan))?.rows();
        let before = match resumed.existed {
            true => resumed.rows_before.unwrap_or(0),
            false => 0,
        };
        let after = before.saturating_add(resumed.written);
        match rows {
            _ if rows == after => Ok(Some(Found::Complete(resumed.written))),
            _ if spec.mode != Mode::Append || (resumed.existed && rows == before) => Ok(None),
            _ => Err(Error::new(
                ErrorKind::Exists,
                format!("{rows} rows are there, {before} were before the run and {after} would be after it: whether its rows are among them can't be told"),
            )
            .with("target", path.display())
            .help("look at what is there; `--restart` appends all rows of the run")),
        }
    }

    fn has_ids(&self, plan: &FilePlan) -> bool {
        let mut columns = plan.columns.iter();
        columns.any(|column| column.dataset.name == self.options.ids)
    }

    /// How the source reads the file that is there.
    fn read_back(&self, plan: &FilePlan, path: &Path) -> Option<Value> {
        let path = path.to_str()?;
        let SinkOptions { vectors, ids, .. } = &self.options;
        let ids = match self.has_ids(plan) {
            true => format!("/{ids}"),
            false => "none".to_owned(),
        };
        Some(json!({"path": path, "vectors": format!("/{vectors}"), "ids": ids}))
    }

    /// Bytes of the file that is to be written, about.
    fn needs_bytes(&self, plan: &FilePlan, request: &TargetRequest) -> u64 {
        let spec = &request.spec;
        let announced = spec.bytes;
        let fixed = spec.rows.map(|rows| rows.saturating_mul(plan.row_bytes()));
        let rows_bytes = match (fixed, plan.text_columns()) {
            (Some(fixed), 0) => fixed,
            // Strings are kept aside first and then written.
            (Some(fixed), _) => {
                fixed.saturating_add(announced.saturating_sub(fixed).saturating_mul(2))
            }
            (None, 0) => announced,
            (None, _) => announced.saturating_mul(2),
        };
        rows_bytes.saturating_add(OVERHEAD_BYTES)
    }
}
