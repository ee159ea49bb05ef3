// SPDX-License-Identifier: Apache-2.0
//! Cases for a target that is there already: `fail`, `skip`, `append`, `overwrite`.

use arrow_schema::SchemaRef;

use super::place::{Piece, Place, ROWS, finish, pieces, target, write_to};
use super::{Asked, Checked, shapes};
use crate::model::Capabilities;
use crate::testkit::report::{ensure, fail, skip};
use crate::{ErrorKind, Mode, TargetRequest};

pub(super) const CASES: [super::Case; 4] = [
    ("`mode: fail` leaves what is there as it is", fail_leaves_it),
    ("`mode: skip` sees what is there", skip_sees_it),
    ("`mode: append` adds to what is there", append_adds),
    ("`mode: overwrite` replaces at `finish`", overwrite_replaces),
];

/// A place with a target that was written before.
struct Before {
    place: Place,
    capabilities: Capabilities,
    schema: SchemaRef,
    pieces: Vec<Piece>,
}

impl Before {
    fn new(asked: &Asked) -> Checked<Self> {
        asked.needs_kept_rows()?;
        let place = asked.place()?;
        let capabilities = place.sink.capabilities()?;
        let schema = shapes::usual(&capabilities)?;
        let pieces = pieces(&schema, 0, ROWS)?;
        place.write(&target("suite", &schema, Mode::Fail, ROWS), &pieces)?;
        Ok(Self {
            place,
            capabilities,
            schema,
            pieces,
        })
    }

    fn target(&self, mode: Mode, rows: usize) -> TargetRequest {
        target("suite", &self.schema, mode, rows)
    }

    /// Fails unless the target is as it was written first.
    fn expect_untouched(&self, when: &str) -> Checked {
        let target = self.target(Mode::Fail, ROWS);
        self.place
            .expect(&target, &self.pieces, &self.capabilities)
            .map_err(|w| w.at(when))
    }
}

fn fail_leaves_it(asked: &Asked) -> Checked {
    let before = Before::new(asked)?;
    let files = before.place.files();
    let target = before.target(Mode::Fail, ROWS);
    let state = before.place.state(&target)?;
    ensure!(
        state.exists,
        "`check` does not see the target that is there"
    );
    match before.place.sink.prepare(&target) {
        Ok(_) => return fail("`prepare` opens a target that is there"),
        Err(e) => ensure!(
            e.kind() == ErrorKind::Exists,
            "`prepare` of a target that is there gave {e:?}, wanted kind Exists"
        ),
    }
    files.expect_same(&before.place.files())?;
    before.expect_untouched("after `prepare`")
}

fn skip_sees_it(asked: &Asked) -> Checked {
    let before = Before::new(asked)?;
    let state = before.place.state(&before.target(Mode::Skip, ROWS))?;
    ensure!(
        state.exists,
        "`check` does not see the target that is there"
    );
    ensure!(
        state.refusals.is_empty(),
        "what is to be skipped is refused: {:?}",
        state.refusals
    );
    before.expect_untouched("after `check`")
}

fn append_adds(asked: &Asked) -> Checked {
    let mut before = Before::new(asked)?;
    let more = ROWS / 2;
    let target = before.target(Mode::Append, more);
    let state = before.place.state(&target)?;
    if let Some(why) = state.refusals.first() {
        return skip(format!("it does not append: {why}"));
    }
    let added = pieces(&before.schema, 1000, more)?;
    let writer = before.place.sink.prepare(&target)?;
    write_to(&writer, &added)?;
    let taken_back = writer.abort();
    drop(writer);
    match taken_back {
        Ok(()) => before.expect_untouched("an append that was aborted")?,
        // It says so, which is all that can be asked of what is seen at once.
        Err(_) if !before.capabilities.transactional_publish => before = Before::new(asked)?,
        Err(e) => return Err(e.into()),
    }

    let place = &before.place;
    let ack = place.write(&target, &added)?;
    if let Some(total) = ack.rows_total {
        let wanted = (ROWS + more) as u64;
        ensure!(
            total == wanted,
            "`finish` says {total} rows in all, wanted {wanted}"
        );
    }
    let all: Vec<Piece> = before.pieces.iter().chain(&added).cloned().collect();
    place.expect(&target, &all, &before.capabilities)
}

fn overwrite_replaces(asked: &Asked) -> Checked {
    let before = Before::new(asked)?;
    let rows = ROWS / 2;
    let target = before.target(Mode::Overwrite, rows);
    let state = before.place.state(&target)?;
    if let Some(why) = state.refusals.first() {
        return skip(format!("it does not overwrite: {why}"));
    }
    let place = &before.place;
    let new = pieces(&before.schema, 1000, rows)?;
    let keeps_old = before.capabilities.transactional_publish;
    if keeps_old {
        let writer = place.sink.prepare(&target)?;
        write_to(&writer, &new)?;
        writer.abort()?;
        drop(writer);
        before.expect_untouched("an overwrite that was aborted")?;
        let writer = place.sink.prepare(&target)?;
        write_to(&writer, &new)?;
        drop(writer);
        before.expect_untouched("an overwrite that was dropped")?;
    }
    let writer = place.sink.prepare(&target)?;
    write_to(&writer, &new)?;
    if keeps_old {
        before.expect_untouched("before `finish`")?;
    }
    let ack = finish(&writer, &new)?;
    if let Some(total) = ack.rows_total {
        ensure!(
            total == rows as u64,
            "`finish` says {total} rows in all, wanted {rows}"
        );
    }
    place.expect(&target, &new, &before.capabilities)
}
