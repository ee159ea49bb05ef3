// SPDX-License-Identifier: Apache-2.0
//! Cases for runs whose process died: the next one goes on behind the rows that are there, finds
//! that all is done, or takes back what is left.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_schema::SchemaRef;

use super::place::{Piece, Place, ROWS, finish, pieces, target, write_to};
use super::{Asked, Checked, shapes};
use crate::abi::WriterHandle;
use crate::model::{Capabilities, Role, field};
use crate::testkit::files::Files;
use crate::testkit::report::{ensure, fail, skip};
use crate::{Found, Mode, Resumed, TargetRequest, TargetState};

pub(super) const CASES: [super::Case; 4] = [
    ("a run that died goes on where it was", goes_on),
    ("a run that died while it prepared begins anew", begins_anew),
    (
        "a run that died after `finish` is known to be complete",
        is_complete,
    ),
    (
        "what a run that died left can be taken back",
        can_be_taken_back,
    ),
];

/// The name of a run.
pub(super) const RUN: &str = "Run00001";
/// Modes of a run; all but the first find rows that were there before.
const MODES: [Mode; 3] = [Mode::Fail, Mode::Append, Mode::Overwrite];
/// Rows that were there before.
const BEFORE: usize = 30;

fn goes_on(asked: &Asked) -> Checked {
    each(asked, |run| {
        for cut in [0, 2, run.pieces.len()] {
            let run = run.anew(asked)?;
            run.dies(&run.pieces[..cut])?;
            run.goes_on_from(cut)
                .map_err(|w| w.at(format_args!("died with {} rows written", run.rows(cut))))?;
        }
        Ok(())
    })
}

fn begins_anew(asked: &Asked) -> Checked {
    each(asked, |run| {
        run.dies(&[])?;
        let mut resumed = run.resumed(0);
        if let Some(resumed) = &mut resumed.spec.resumed {
            resumed.is_prepared = false;
        }
        let state = run.place.state(&resumed)?;
        if state.found.is_none() {
            ensure!(
                state.exists == run.before.exists,
                "what the dead process made stands in its own run's way"
            );
            resumed.spec.resumed = None;
        }
        let writer = run.place.sink.prepare(&resumed)?;
        write_to(&writer, &run.pieces)?;
        run.finishes(&writer)
    })
}

fn is_complete(asked: &Asked) -> Checked {
    each(asked, |run| {
        let writer = run.place.sink.prepare(&run.target)?;
        write_to(&writer, &run.pieces)?;
        run.finishes(&writer)?;
        drop(writer);
        let mut resumed = run.resumed(run.pieces.len());
        if let Some(resumed) = &mut resumed.spec.resumed {
            resumed.is_finishing = true;
        }
        let state = run.place.state(&resumed)?;
        match state.found {
            None => fail("finished, but nothing of it is found: the run would be refused"),
            Some(Found::Complete(rows)) => {
                ensure!(
                    rows == ROWS as u64,
                    "it is complete with {rows} rows, {ROWS} were written"
                );
                Ok(())
            }
            Some(found) => {
                run.expect_written(found, run.pieces.len())?;
                run.finishes(&run.place.sink.prepare(&resumed)?)
            }
        }
    })
}

fn can_be_taken_back(asked: &Asked) -> Checked {
    each(asked, |run| {
        run.dies(&run.pieces[..2])?;
        let resumed = run.resumed(2);
        run.place.state(&resumed)?;
        let writer = run.place.sink.prepare(&resumed)?;
        let taken_back = writer.abort();
        drop(writer);
        match run.target.spec.mode {
            Mode::Fail => {
                taken_back?;
                ensure!(
                    !run.place.exists(&run.target)?,
                    "taken back, the target is there"
                );
                run.files.expect_same(&run.place.files())
            }
            // It says so, which is all that can be asked of what is seen at once.
            _ if !run.capabilities.transactional_publish => Ok(()),
            _ => {
                taken_back?;
                run.place
                    .expect(&run.target, &run.old, &run.capabilities)
                    .map_err(|w| w.at("taken back"))
            }
        }
    })
}

/// Asks for every mode in which a target can be gone on with.
fn each(asked: &Asked, ask: impl Fn(&Interrupted) -> Checked) -> Checked {
    asked.needs_kept_rows()?;
    let mut is_asked = false;
    for schema in shapes::wide_and_narrow(&asked.capabilities()?)? {
        for mode in MODES {
            let run = Interrupted::new(asked, &schema, mode)?;
            if run.before.resumable && run.before.refusals.is_empty() {
                is_asked = true;
                ask(&run).map_err(|w| w.at(format_args!("{mode:?}")))?;
            }
        }
    }
    match is_asked {
        true => Ok(()),
        false => skip("it calls no target `resumable`"),
    }
}

/// A run that does not come to its end.
struct Interrupted {
    place: Place,
    capabilities: Capabilities,
    schema: SchemaRef,
    target: TargetRequest,
    pieces: Vec<Piece>,
    /// Rows that were there before.
    old: Vec<Piece>,
    /// What the sink saw before the run, and the files then.
    before: TargetState,
    files: Files,
}

impl Interrupted {
    fn new(asked: &Asked, schema: &SchemaRef, mode: Mode) -> Checked<Self> {
        let place = asked.place()?;
        let capabilities = place.sink.capabilities()?;
        let mut old = Vec::new();
        if mode != Mode::Fail {
            old = pieces(schema, 1000, BEFORE)?;
            place.write(&target("suite", schema, Mode::Fail, BEFORE), &old)?;
        }
        let mut target = target("suite", schema, mode, ROWS);
        RUN.clone_into(&mut target.spec.run);
        Ok(Self {
            before: place.state(&target)?,
            files: place.files(),
            pieces: pieces(schema, 0, ROWS)?,
            place,
            capabilities,
            schema: schema.clone(),
            target,
            old,
        })
    }

    fn anew(&self, asked: &Asked) -> Checked<Self> {
        Self::new(asked, &self.schema, self.target.spec.mode)
    }

    /// Rows of the first so many pieces.
    fn rows(&self, pieces: usize) -> u64 {
        let first = self.pieces.iter().take(pieces);
        first.map(|(_, batch)| batch.num_rows() as u64).sum()
    }

    /// A process that writes those and is gone.
    fn dies(&self, pieces: &[Piece]) -> Checked {
        let writer = self.place.sink.prepare(&self.target)?;
        write_to(&writer, pieces)
    }

    /// What the next process asks for, where so many pieces were acknowledged.
    fn resumed(&self, pieces: usize) -> TargetRequest {
        let mut target = self.target.clone();
        target.spec.resumed = Some(Resumed {
            existed: self.before.exists,
            rows_before: self.before.rows,
            is_prepared: true,
            written: self.rows(pieces),
            ..Resumed::default()
        });
        target
    }

    fn expect_written(&self, found: Found, pieces: usize) -> Checked {
        let written = self.rows(pieces);
        match found {
            Found::Acknowledged => ensure!(
                self.capabilities.addressed_writes,
                "rows are to be written again at their places, but it declares no `addressed_writes`"
            ),
            Found::Rows(rows) => {
                ensure!(
                    rows == written,
                    "it finds {rows} rows of the run, {written} were written"
                );
                ensure!(
                    self.capabilities.ordered_append,
                    "it counts rows to go on behind them, but declares no `ordered_append`"
                );
                ensure!(
                    !self.capabilities.addressed_writes,
                    "it counts rows that have places (`addressed_writes`): they come in any order, so that a count does not tell which are there"
                );
            }
            Found::Complete(_) => return fail("never finished, it is said to be complete"),
        }
        Ok(())
    }

    fn goes_on_from(&self, cut: usize) -> Checked {
        let mut resumed = self.resumed(cut);
        let mut first = cut;
        match self.place.state(&resumed)?.found {
            Some(found) => {
                self.expect_written(found, cut)?;
                // Where rows have places, those that were written last may come once more.
                if found == Found::Acknowledged {
                    first = cut.saturating_sub(1);
                }
                if let Some(resumed) = &mut resumed.spec.resumed {
                    resumed.written = self.rows(first);
                }
                self.name_ids(&mut resumed, cut);
            }
            None if cut == 0 => resumed.spec.resumed = None,
            None => return fail("nothing of it is found"),
        }
        let writer = self.place.sink.prepare(&resumed)?;
        write_to(&writer, &self.pieces[first..])?;
        self.finishes(&writer)
    }

    /// Names the ids on both sides of the place where it goes on.
    fn name_ids(&self, resumed: &mut TargetRequest, cut: usize) {
        let Some(resumed) = &mut resumed.spec.resumed else {
            return;
        };
        let (written, left) = self.pieces.split_at(cut);
        let last = written.last();
        resumed.last_id = last.and_then(|(_, batch)| self.id(batch, batch.num_rows() - 1));
        resumed.next_id = left.first().and_then(|(_, batch)| self.id(batch, 0));
    }

    fn id(&self, batch: &RecordBatch, row: usize) -> Option<String> {
        let (position, _) = field::find_role(self.schema.fields(), Role::Id)?;
        let ids = batch.column(position);
        if let Some(ids) = ids.as_primitive_opt::<Int64Type>() {
            return Some(ids.value(row).to_string());
        }
        if let Some(ids) = ids.as_primitive_opt::<UInt64Type>() {
            return Some(ids.value(row).to_string());
        }
        let ids = ids.as_string_opt::<i32>()?;
        Some(ids.value(row).to_owned())
    }

    /// Publishes the target, which has to hold each row once.
    fn finishes(&self, writer: &WriterHandle) -> Checked {
        finish(writer, &self.pieces)?;
        let old = self.old.iter();
        let old = old.filter(|_| self.target.spec.mode == Mode::Append);
        let all: Vec<Piece> = old.chain(&self.pieces).cloned().collect();
        self.place.expect(&self.target, &all, &self.capabilities)
    }
}
