// SPDX-License-Identifier: Apache-2.0
//! Cases for rows that arrive: all of them, as they were, in targets of their own.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, make_array};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;

use super::abilities::lone_vector;
use super::place::{Place, ROWS, finish, pieces, target, write_to};
use super::{Asked, Checked, shapes};
use crate::model::{Capabilities, Elem, Kind};
use crate::testkit::report::{Why, ensure, fail, skip};
use crate::{Mode, WriteAt};

pub(super) const CASES: [super::Case; 6] = [
    ("rows come back as they were written", rows_come_back),
    ("rows need not be counted beforehand", uncounted_rows),
    ("a target without rows is whole", empty_target),
    ("partitions are targets of their own", partitions),
    ("several targets do not mix", several_targets),
    (
        "values that it does not take are rejected by row",
        rejects_values,
    ),
];

fn rows_come_back(asked: &Asked) -> Checked {
    let capabilities = asked.capabilities()?;
    for shape in shapes::all(&capabilities)? {
        let place = asked.place()?;
        let target = target("suite", &shape.schema, Mode::Fail, ROWS);
        let pieces = pieces(&shape.schema, 0, ROWS)?;
        let check = || -> Checked {
            let ack = place.write(&target, &pieces)?;
            if capabilities.count.exact {
                ensure!(
                    ack.rows_added.is_some(),
                    "it declares that it counts exactly, but `finish` gives no count"
                );
            }
            if let Some(total) = ack.rows_total {
                ensure!(
                    total == ROWS as u64,
                    "`finish` says {total} rows in all, wanted {ROWS}"
                );
            }
            ensure!(
                !ack.location.is_empty(),
                "`finish` does not say where the target is"
            );
            place.expect(&target, &pieces, &capabilities)
        };
        check().map_err(|w| w.at(&shape.about))?;
    }
    Ok(())
}

fn uncounted_rows(asked: &Asked) -> Checked {
    let place = asked.place()?;
    let capabilities = place.sink.capabilities()?;
    let schema = shapes::usual(&capabilities)?;
    let mut target = target("suite", &schema, Mode::Fail, ROWS);
    target.spec.rows = None;
    target.spec.descriptor.rows = None;
    let pieces = pieces(&schema, 0, ROWS)?;
    place.write(&target, &pieces)?;
    place.expect(&target, &pieces, &capabilities)
}

fn empty_target(asked: &Asked) -> Checked {
    for rows in [Some(0), None] {
        let place = asked.place()?;
        let capabilities = place.sink.capabilities()?;
        let schema = shapes::usual(&capabilities)?;
        let mut target = target("suite", &schema, Mode::Fail, 0);
        target.spec.rows = rows;
        place.write(&target, &[])?;
        place.expect(&target, &[], &capabilities)?;
    }
    Ok(())
}

fn partitions(asked: &Asked) -> Checked {
    let place = asked.place()?;
    let capabilities = place.sink.capabilities()?;
    if !capabilities.partitions.supported {
        return skip("it declares no partitions");
    }
    let schema = shapes::usual(&capabilities)?;
    let mut target = target("suite", &schema, Mode::Fail, ROWS);
    target.spec.partition = Some("part".to_owned());
    let pieces = pieces(&schema, 0, ROWS)?;
    place.write(&target, &pieces)?;
    place.expect(&target, &pieces, &capabilities)
}

fn several_targets(asked: &Asked) -> Checked {
    let place = asked.place()?;
    let capabilities = place.sink.capabilities()?;
    let schema = shapes::usual(&capabilities)?;
    let targets = [
        target("one", &schema, Mode::Fail, ROWS),
        target("two", &schema, Mode::Fail, ROWS / 2),
    ];
    match place.sink.check(&targets) {
        Err(why) => return skip(format!("it takes one target at a time: {why}")),
        Ok(states) => {
            if let Some(why) = states.iter().find_map(|s| s.refusals.first()) {
                return skip(format!("it takes one target at a time: {why}"));
            }
            let [one, two] = states.as_slice() else {
                return fail("not one state for each target");
            };
            ensure!(
                one.location != two.location,
                "both targets are said to be at `{}`",
                one.location
            );
        }
    }
    let rows = [pieces(&schema, 0, ROWS)?, pieces(&schema, 1000, ROWS / 2)?];
    let writers = [
        place.sink.prepare(&targets[0])?,
        place.sink.prepare(&targets[1])?,
    ];
    for (a, b) in rows[0].iter().zip(&rows[1]) {
        write_to(&writers[0], std::slice::from_ref(a))?;
        write_to(&writers[1], std::slice::from_ref(b))?;
    }
    for ((writer, rows), target) in writers.iter().zip(&rows).zip(&targets) {
        finish(writer, rows)?;
        place.expect(target, rows, &capabilities)?;
    }
    Ok(())
}

/// The row of the batch that is made unfit.
const UNFIT: usize = 2;

fn rejects_values(asked: &Asked) -> Checked {
    let capabilities = asked.capabilities()?;
    let schema = shapes::usual(&capabilities)?;
    let whole = pieces(&schema, 0, 10)?;
    let batches = whole.iter().map(|(_, batch)| batch);
    let batch = arrow_batch(batches)?;
    let unfit = unfit_batches(&batch, &capabilities)?;
    if unfit.is_empty() {
        return skip("it declares no limit on values");
    }
    for (about, batch) in unfit {
        let place = asked.place()?;
        rejects(&place, &batch).map_err(|w| w.at(about))?;
    }
    Ok(())
}

/// The largest of the batches, which has every column and more rows than one.
fn arrow_batch<'a>(batches: impl Iterator<Item = &'a RecordBatch>) -> Checked<RecordBatch> {
    batches
        .max_by_key(|batch| batch.num_rows())
        .filter(|batch| batch.num_rows() > UNFIT)
        .cloned()
        .ok_or_else(|| Why::Failed("the sample has too few rows".to_owned()))
}

fn rejects(place: &Place, batch: &RecordBatch) -> Checked {
    let rows = batch.num_rows();
    let target = target("suite", &batch.schema(), Mode::Fail, rows);
    let mut uncounted = target.clone();
    uncounted.spec.rows = None;
    let writer = place.sink.prepare(&uncounted)?;
    let ack = writer.write(WriteAt::default(), batch.clone())?;
    let found: Vec<u64> = ack.rejected.iter().map(|r| r.row).collect();
    ensure!(
        found == [UNFIT as u64],
        "rows {found:?} were rejected, wanted row {UNFIT} alone"
    );
    ensure!(
        ack.rejected.iter().all(|r| !r.reason.is_empty()),
        "a row was rejected without a reason"
    );
    let finished = writer.finish()?;
    if let Some(added) = finished.rows_added {
        let wanted = rows as u64 - 1;
        ensure!(
            added == wanted,
            "`finish` counted {added} rows, wanted {wanted}"
        );
    }
    Ok(())
}

/// The batch with one value that the sink declares not to take, in as many ways as it declares.
fn unfit_batches(
    batch: &RecordBatch,
    capabilities: &Capabilities,
) -> Checked<Vec<(&'static str, RecordBatch)>> {
    let mut unfit = Vec::new();
    if let Some((i, vector)) = lone_vector(&batch.schema())
        && vector.kind == Kind::Dense
        && let Some(limits) = capabilities.holding_vector(&vector)
    {
        let nan = match vector.elem {
            Elem::F32 => Some(f32::NAN.to_le_bytes().to_vec()),
            Elem::F64 => Some(f64::NAN.to_le_bytes().to_vec()),
            _ => None,
        };
        if let Some(nan) = nan.filter(|_| limits.finite_only) {
            unfit.push(("a vector with NaN", with_vector(batch, i, &nan, 1)?));
        }
        if !limits.zero_ok {
            let zero = vec![0; vector.elem.bytes().unwrap_or(1)];
            let dim = vector.dim as usize;
            unfit.push(("a vector of zeros", with_vector(batch, i, &zero, dim)?));
        }
    }
    let texts =
        |f: &&Arc<arrow_schema::Field>| f.data_type() == &DataType::Utf8 && f.metadata().is_empty();
    if let Some(most) = capabilities.max_string_bytes.filter(|most| *most < 1 << 20)
        && let Some(field) = batch.schema().fields().iter().find(texts)
    {
        let long = "x".repeat(most as usize + 1);
        let column = (0..batch.num_rows()).map(|row| match row {
            UNFIT => Some(long.as_str()),
            _ => Some("y"),
        });
        let column: ArrayRef = Arc::new(StringArray::from_iter(column));
        unfit.push((
            "a string that is too long",
            with_column(batch, field.name(), column)?,
        ));
    }
    Ok(unfit)
}

fn with_column(batch: &RecordBatch, name: &str, column: ArrayRef) -> Checked<RecordBatch> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, old)| match field.name() == name {
        true => column.clone(),
        false => old.clone(),
    });
    RecordBatch::try_new(schema.clone(), columns.collect())
        .map_err(|e| Why::Failed(format!("make an unfit row: {e}")))
}

/// The batch with the first `count` elements of one row's vector set to `element`.
fn with_vector(
    batch: &RecordBatch,
    column: usize,
    element: &[u8],
    count: usize,
) -> Checked<RecordBatch> {
    let broken = |what: &str| Why::Failed(format!("make an unfit vector: {what}"));
    let schema = batch.schema();
    let field = schema.field(column);
    let DataType::FixedSizeList(item, dim) = field.data_type() else {
        return Err(broken("it is no list"));
    };
    let data = batch.column(column).to_data();
    let child = data
        .child_data()
        .first()
        .ok_or_else(|| broken("it has no elements"))?;
    let (rows, dim) = (batch.num_rows(), *dim as usize);
    let from = (data.offset() * dim + child.offset()) * element.len();
    let mut bytes = child
        .buffers()
        .first()
        .and_then(|b| b.get(from..from + rows * dim * element.len()))
        .ok_or_else(|| broken("its elements are elsewhere"))?
        .to_vec();
    for place in bytes
        .chunks_exact_mut(element.len())
        .skip(UNFIT * dim)
        .take(count)
    {
        place.copy_from_slice(element);
    }
    let make = || {
        let child = ArrayData::builder(item.data_type().clone())
            .len(rows * dim)
            .add_buffer(Buffer::from_vec(bytes))
            .align_buffers(true)
            .build()?;
        let list = ArrayData::builder(field.data_type().clone());
        list.len(rows).add_child_data(child).build()
    };
    let list = make().map_err(|e| broken(&e.to_string()))?;
    with_column(batch, field.name(), make_array(list))
}
