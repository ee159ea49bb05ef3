// SPDX-License-Identifier: Apache-2.0
//! Cases for writers that never finish: nothing half-written may look whole.

use std::sync::Arc;

use super::place::{Place, ROWS, pieces, target, write_to};
use super::resuming::RUN;
use super::{Asked, Checked, shapes};
use crate::Mode;
use crate::testkit::report::{ensure, skip};
use crate::testkit::runner::{Switch, after_cancel};

pub(super) const CASES: [super::Case; 4] = [
    (
        "nothing is to be seen before `finish`",
        unseen_before_finish,
    ),
    ("`abort` leaves nothing behind", abort_leaves_nothing),
    (
        "a writer dropped unfinished leaves nothing that looks whole",
        drop_leaves_nothing,
    ),
    ("cancelling stops it within one batch", cancels),
];

fn unseen_before_finish(asked: &Asked) -> Checked {
    asked.needs_kept_rows()?;
    let place = asked.place()?;
    let capabilities = place.sink.capabilities()?;
    if !capabilities.transactional_publish {
        return skip("it does not declare `transactional_publish`");
    }
    let schema = shapes::usual(&capabilities)?;
    let target = target("suite", &schema, Mode::Fail, ROWS);
    let writer = place.sink.prepare(&target)?;
    ensure!(
        !place.exists(&target)?,
        "prepared, the target is seen already"
    );
    write_to(&writer, &pieces(&schema, 0, ROWS)?)?;
    writer.flush()?;
    ensure!(
        !place.exists(&target)?,
        "before `finish`, the target is seen already"
    );
    writer.finish()?;
    ensure!(
        place.exists(&target)?,
        "after `finish`, the target is not seen"
    );
    Ok(())
}

fn abort_leaves_nothing(asked: &Asked) -> Checked {
    for written in [0, ROWS] {
        let place = asked.place()?;
        let before = place.files();
        let schema = shapes::usual(&place.sink.capabilities()?)?;
        let target = target("suite", &schema, Mode::Fail, ROWS);
        let writer = place.sink.prepare(&target)?;
        write_to(&writer, &pieces(&schema, 0, written)?)?;
        writer.abort()?;
        ensure!(
            !place.exists(&target)?,
            "aborted after {written} rows, the target is there"
        );
        before.expect_same(&place.files())?;
        drop(writer);
        ensure!(
            !place.exists(&target)?,
            "aborted and dropped, the target is there"
        );
        before.expect_same(&place.files())?;
    }
    Ok(())
}

fn drop_leaves_nothing(asked: &Asked) -> Checked {
    for run in ["", RUN] {
        let place = asked.place()?;
        let capabilities = place.sink.capabilities()?;
        let schema = shapes::usual(&capabilities)?;
        let mut target = target("suite", &schema, Mode::Fail, ROWS);
        run.clone_into(&mut target.spec.run);
        if !run.is_empty() && place.state(&target)?.resumable {
            // It keeps what was written, for the run to go on: a case of its own.
            continue;
        }
        let writer = place.sink.prepare(&target)?;
        // All rows of the target, so that only `finish` is missing.
        write_to(&writer, &pieces(&schema, 0, ROWS)?)?;
        drop(writer);
        looks_unfinished(&place, &target)?;
    }
    Ok(())
}

/// A target without its `finish`: not there, or with fewer rows than were promised.
fn looks_unfinished(place: &Place, target: &crate::TargetRequest) -> Checked {
    let state = place.state(target)?;
    ensure!(
        !state.exists,
        "never finished, the target is there with {:?} rows",
        state.rows
    );
    // The next run is not in its way.
    let schema = &target.schema;
    place.write(target, &pieces(schema, 0, ROWS)?)?;
    Ok(())
}

fn cancels(asked: &Asked) -> Checked {
    let patience = asked.suite.patience;
    let switch = Arc::new(Switch::default());
    let place = Place::with(&asked.suite, switch.services())?;
    let capabilities = place.sink.capabilities()?;
    let schema = shapes::usual(&capabilities)?;
    let target = target("suite", &schema, Mode::Fail, ROWS);
    let pieces = pieces(&schema, 0, ROWS)?;
    let writer = place.sink.prepare(&target)?;
    write_to(&writer, &pieces[..1])?;
    switch.cancel();
    let mut is_whole = true;
    for (at, batch) in &pieces[1..] {
        let ack = after_cancel("write", patience, || writer.write(*at, batch.clone()))?;
        is_whole &= ack.is_some();
    }
    after_cancel("flush", patience, || writer.flush())?;
    let finished = after_cancel("finish", patience, || writer.finish())?.is_some();
    if finished {
        ensure!(
            is_whole,
            "cancelled in the middle, `finish` published the target"
        );
        return place.expect(&target, &pieces, &capabilities);
    }
    after_cancel("abort", patience, || writer.abort())?;
    drop(writer);
    ensure!(!place.exists(&target)?, "cancelled, the target is there");
    Ok(())
}
