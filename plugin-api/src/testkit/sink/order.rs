// SPDX-License-Identifier: Apache-2.0
//! Cases for the order in which rows come, and the threads that bring them.

use super::place::{Piece, ROWS, finish, pieces, target, write_to};
use super::{Asked, Checked, shapes};
use crate::Mode;
use crate::testkit::report::{Why, skip};

pub(super) const CASES: [super::Case; 2] = [
    (
        "writes at their place come in any order, again and again",
        any_order,
    ),
    ("several threads write at once", several_threads),
];

fn any_order(asked: &Asked) -> Checked {
    let place = asked.place()?;
    let capabilities = place.sink.capabilities()?;
    if !capabilities.addressed_writes {
        return skip("it does not declare `addressed_writes`");
    }
    let schema = shapes::usual(&capabilities)?;
    let pieces = pieces(&schema, 0, ROWS)?;
    let in_order = target("suite", &schema, Mode::Fail, ROWS);
    place.write(&in_order, &pieces)?;

    let other = asked.place()?;
    let writer = other.sink.prepare(&in_order)?;
    let backwards: Vec<Piece> = pieces.iter().rev().cloned().collect();
    write_to(&writer, &backwards)?;
    // What was written before a stop comes once more after it.
    write_to(&writer, &backwards[..2.min(backwards.len())])?;
    finish(&writer, &pieces)?;
    other.expect(&in_order, &pieces, &capabilities)?;
    let (a, b) = (place.files(), other.files());
    if a.is_empty() {
        return Ok(());
    }
    a.relative_to(place.folder())
        .expect_same(&b.relative_to(other.folder()))
        .map_err(|w| w.at("written backwards, the files differ"))
}

fn several_threads(asked: &Asked) -> Checked {
    let place = asked.place()?;
    let mut capabilities = place.sink.capabilities()?;
    let threads = match capabilities.parallel_writers {
        None | Some(1) => return skip("it declares one writer at a time"),
        Some(0) => 4,
        Some(most) => most.min(4) as usize,
    };
    let schema = shapes::usual(&capabilities)?;
    let rows = ROWS * 10;
    let mut small = Vec::new();
    for (at, batch) in pieces(&schema, 0, rows)? {
        for from in (0..batch.num_rows()).step_by(13) {
            let length = 13.min(batch.num_rows() - from);
            let at = crate::WriteAt {
                row: at.row + from as u64,
                ..at
            };
            small.push((at, batch.slice(from, length)));
        }
    }
    let target = target("suite", &schema, Mode::Fail, rows);
    let writer = place.sink.prepare(&target)?;
    std::thread::scope(|scope| {
        let (writer, small) = (&writer, &small);
        let running: Vec<_> = (0..threads)
            .map(|i| {
                scope.spawn(move || {
                    let own: Vec<Piece> = small.iter().skip(i).step_by(threads).cloned().collect();
                    write_to(writer, &own)
                })
            })
            .collect();
        let outcomes = running.into_iter().map(|t| {
            t.join()
                .unwrap_or_else(|_| Err(Why::Failed("a writer's thread panicked".to_owned())))
        });
        outcomes.collect::<Checked<()>>()
    })?;
    finish(&writer, &small)?;
    // Without places, threads leave no order to speak of.
    capabilities.ordered_append = false;
    place.expect(&target, &small, &capabilities)
}
