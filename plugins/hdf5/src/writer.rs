// SPDX-License-Identifier: Apache-2.0
//! Fills one target: rows go straight to their place where their number is known beforehand,
//! else through the library in order; strings are kept aside and written at the end.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use arrow_array::{ArrayRef, RecordBatch};
use milvusdm_plugin_api::{
    Error, ErrorKind, FinishAck, LogLevel, Mode, Result, Services, TargetWriter, WriteAck, WriteAt,
};

use crate::append::Existing;
use crate::cells::Cells;
use crate::direct::DirectFile;
use crate::finish::{self, Closing};
use crate::growing::GrowingFile;
use crate::h5::NewFile;
use crate::options::SinkOptions;
use crate::partial::Partial;
use crate::plan::{FilePlan, PlanColumn};
use crate::spool::Spool;

/// Fills one target.
#[derive(Debug)]
pub struct Hdf5Writer {
    /// `None` once it was finished or aborted; writing only ever reads it.
    open: RwLock<Option<OpenTarget>>,
    /// The file that could not be finished, for the run to go on with.
    unfinished: Mutex<Option<Partial>>,
    services: Services,
}

/// What a writer is made of.
#[derive(Debug)]
pub struct NewTarget {
    /// What the file will hold.
    pub plan: FilePlan,
    /// The sink's options.
    pub options: SinkOptions,
    /// The target.
    pub path: PathBuf,
    /// What to do where it exists.
    pub mode: Mode,
    /// Rows that will come, where that is known exactly and rows may be written in one piece.
    pub rows: Option<u64>,
    /// Rows that an earlier process of the run wrote; `None` if the file is new.
    pub resumed: Option<u64>,
    /// Whether what was written is kept for the run to go on.
    pub is_kept: bool,
}

#[derive(Debug)]
struct OpenTarget {
    target: NewTarget,
    body: Body,
    spool: Option<Spool>,
    existing: Option<Existing>,
    // The body's file is closed before it is removed.
    partial: Partial,
}

#[derive(Debug)]
enum Body {
    Direct(DirectFile),
    Growing(Mutex<GrowingFile>),
}

impl Hdf5Writer {
    /// Makes the file beside the target; copies the rows that are to be appended to.
    ///
    /// # Errors
    /// `Io`, `Denied`, `Cancelled`.
    pub fn create(
        mut target: NewTarget,
        existing: Option<Existing>,
        partial: Partial,
        services: Services,
    ) -> Result<Self> {
        if let Some(existing) = &existing {
            existing.complete(&mut target.plan);
        }
        let before = existing.as_ref().map_or(0, Existing::rows);
        let plan = &target.plan;
        let total = match target.rows {
            Some(rows) => Some(rows.checked_add(before).ok_or_else(|| {
                Error::new(ErrorKind::Config, "there are more rows than can be counted")
            })?),
            None => None,
        };
        let body = match total {
            Some(rows) => Body::Direct(match target.resumed {
                Some(written) => DirectFile::reopen(&partial, plan, rows, written)?,
                None => DirectFile::create(&partial, plan, rows)?,
            }),
            None => {
                let chunking = plan.chunking(&target.options)?;
                Body::Growing(Mutex::new(GrowingFile::create(&partial, plan, chunking)?))
            }
        };
        let spool = match plan.text_columns() {
            0 => None,
            _ => {
                let folder = partial.path()?.parent().unwrap_or(Path::new("."));
                Some(Spool::create(folder, plan.columns.len())?)
            }
        };
        let open = OpenTarget {
            target,
            body,
            spool,
            existing,
            partial,
        };
        open.copy_existing(&services)?;
        Ok(Self {
            open: RwLock::new(Some(open)),
            unfinished: Mutex::new(None),
            services,
        })
    }

    fn take(&self) -> Option<OpenTarget> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.take()
    }

    fn unfinished(&self) -> MutexGuard<'_, Option<Partial>> {
        self.unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn with_open<T>(&self, run: impl FnOnce(&OpenTarget) -> Result<T>) -> Result<T> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        match open.as_ref() {
            Some(open) => run(open).map_err(|e| open.name(e)),
            None => Err(finished()),
        }
    }
}

impl TargetWriter for Hdf5Writer {
    fn write(&self, at: WriteAt, batch: RecordBatch) -> Result<WriteAck> {
        self.services.check_cancelled()?;
        self.with_open(|open| open.write(at.row, batch.columns(), batch.num_rows()))?;
        Ok(WriteAck::all(batch.num_rows()))
    }

    fn flush(&self) -> Result<()> {
        self.with_open(OpenTarget::flush)
    }

    fn finish(&self) -> Result<FinishAck> {
        // Before it is begun, the target can still be left as it is.
        self.services.check_cancelled()?;
        let open = self.take().ok_or_else(finished)?;
        let (path, is_kept) = (open.target.path.clone(), open.target.is_kept);
        let (partial, outcome) = open.finish(&self.services);
        if outcome.is_err() && is_kept {
            *self.unfinished() = Some(partial);
        }
        outcome.map_err(|e| named(e, &path))
    }

    fn abort(&self) -> Result<()> {
        let partial = self.take().map(|open| open.partial);
        for mut partial in partial.into_iter().chain(self.unfinished().take()) {
            partial.keep(false);
        }
        Ok(())
    }
}

impl Drop for Hdf5Writer {
    fn drop(&mut self) {
        if let Some(mut open) = self.take() {
            open.partial.keep(open.target.is_kept);
        }
    }
}

impl OpenTarget {
    fn name(&self, error: Error) -> Error {
        named(error, &self.target.path)
    }

    fn columns(&self) -> &[PlanColumn] {
        &self.target.plan.columns
    }

    fn existing_rows(&self) -> u64 {
        self.existing.as_ref().map_or(0, Existing::rows)
    }

    fn copy_existing(&self, services: &Services) -> Result<()> {
        let Some(existing) = &self.existing else {
            return Ok(());
        };
        let mut row = 0;
        existing.copy(&self.target.plan, services, &mut |arrays| {
            let rows = arrays.first().map_or(0, |array| array.len());
            self.write_at(row, arrays, rows)?;
            row += rows as u64;
            Ok(())
        })
    }

    /// Writes rows of this run; `row` counts from its first.
    fn write(&self, row: u64, arrays: &[ArrayRef], rows: usize) -> Result<()> {
        let columns = self.columns();
        let fits = |(c, a): (&PlanColumn, &ArrayRef)| c.data_type == *a.data_type();
        if arrays.len() != columns.len() || !columns.iter().zip(arrays).all(fits) {
            return Err(Error::new(
                ErrorKind::Plugin,
                "a batch has other columns than were agreed on",
            ));
        }
        self.write_at(row.saturating_add(self.existing_rows()), arrays, rows)
    }

    fn write_at(&self, row: u64, arrays: &[ArrayRef], rows: usize) -> Result<()> {
        let rows = rows as u64;
        let cells = |row| -> Result<Vec<Cells>> {
            let columns = self.columns().iter().zip(arrays);
            columns.map(|(c, a)| Cells::of(c, a, row)).collect()
        };
        match &self.body {
            Body::Direct(direct) => {
                let cells = cells(row)?;
                // Strings first: only rows that are there whole count as written.
                self.keep_texts(row, &cells)?;
                direct.write(self.partial.file()?, row, rows, &cells)
            }
            Body::Growing(growing) => {
                let mut growing = growing.lock().unwrap_or_else(PoisonError::into_inner);
                let row = growing.rows();
                let cells = cells(row)?;
                self.keep_texts(row, &cells)?;
                growing.add(self.partial.file()?, rows, &cells)
            }
        }
    }

    fn keep_texts(&self, row: u64, cells: &[Cells]) -> Result<()> {
        let Some(spool) = &self.spool else {
            return Ok(());
        };
        for (column, cells) in cells.iter().enumerate() {
            if let Cells::Texts(texts) = cells {
                spool.add(column, row, texts)?;
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        if let Body::Growing(growing) = &self.body {
            growing
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .flush()?;
        }
        finish::sync(&self.partial).map(|_| ())
    }

    /// Brings the target to its end; gives back the file, which is published if that succeeds.
    fn finish(self, services: &Services) -> (Partial, Result<FinishAck>) {
        let Self {
            target,
            body,
            spool,
            existing,
            mut partial,
        } = self;
        // What can't be put in its place now may be put there by the run that goes on.
        partial.keep(target.is_kept);
        let closing = Closing {
            target: &target,
            spool: spool.as_ref(),
            partial: &partial,
            services,
        };
        let closed = complete(body, &partial).and_then(|(file, rows)| closing.close(file, rows));
        let outcome = closed.and_then(|(total, bytes)| {
            publish(&target, existing.as_ref(), &mut partial, services)?;
            let before = existing.as_ref().map_or(0, Existing::rows);
            Ok(FinishAck {
                rows_added: Some(total.saturating_sub(before)),
                rows_total: Some(total),
                location: target.path.display().to_string(),
                bytes: Some(bytes),
            })
        });
        (partial, outcome)
    }
}

/// The file as the library has it, and its rows.
fn complete(body: Body, partial: &Partial) -> Result<(NewFile, u64)> {
    match body {
        Body::Direct(direct) => direct.complete(),
        Body::Growing(growing) => growing
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .complete(partial.file()?),
    }
}

/// Puts the closed file in its place.
fn publish(
    target: &NewTarget,
    existing: Option<&Existing>,
    partial: &mut Partial,
    services: &Services,
) -> Result<()> {
    services.check_cancelled()?;
    if let Some(existing) = existing {
        existing.check_unchanged(&target.path)?;
    }
    let unsure = partial.publish(match target.mode {
        Mode::Fail | Mode::Skip => false,
        Mode::Append => existing.is_some(),
        Mode::Overwrite => true,
    })?;
    if let Some(error) = unsure {
        let message =
            format!("The file is in its place, but a power cut could undo that: {error}.");
        services.log(LogLevel::Warn, &message);
    }
    Ok(())
}

fn finished() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the target was finished or aborted already",
    )
}

fn named(error: Error, path: &Path) -> Error {
    match error.context_value("target") {
        Some(_) => error,
        None => error.with("target", path.display()),
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
