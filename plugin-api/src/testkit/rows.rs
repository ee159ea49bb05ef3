// SPDX-License-Identifier: Apache-2.0
//! Compares rows: batch by batch where both sides are of one schema, as bytes where the order
//! and the columns' names may differ.

use arrow_array::{Array, RecordBatch};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Schema};

use super::report::{Checked, Why, ensure, fail};
use crate::model::schema::{Column, classify};
use crate::model::wire;

/// Rows of all batches.
pub(super) fn count(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|b| b.num_rows() as u64).sum()
}

/// Fails unless `found` is `wanted` without its first `skip` rows.
pub(super) fn same(wanted: &[RecordBatch], skip: u64, found: &[RecordBatch]) -> Checked {
    let left = count(wanted).saturating_sub(skip);
    let got = count(found);
    ensure!(got == left, "{got} rows from row {skip} on, wanted {left}");
    let mut row = skip;
    for batch in found {
        let mut from = 0;
        while from < batch.num_rows() {
            let Some((other, at)) = locate(wanted, row) else {
                return fail(format!("row {row} is not there"));
            };
            let rows = (batch.num_rows() - from).min(other.num_rows() - at);
            if batch.slice(from, rows) != other.slice(at, rows) {
                let differs = |i: &usize| batch.slice(from + i, 1) != other.slice(at + i, 1);
                let i = (0..rows).find(differs).unwrap_or(0);
                return fail(format!("row {} of the split differs", row + i as u64));
            }
            from += rows;
            row += rows as u64;
        }
    }
    Ok(())
}

/// The batch that has a row, and the row's place in it.
fn locate(batches: &[RecordBatch], row: u64) -> Option<(&RecordBatch, usize)> {
    let mut before = 0;
    for batch in batches {
        let rows = batch.num_rows() as u64;
        if row < before + rows {
            return Some((batch, (row - before) as usize));
        }
        before += rows;
    }
    None
}

/// Fails unless `found` holds the rows of `wanted`, in the same order if `is_ordered`. Columns
/// are matched by what they are (the id, the only vector) or by name.
pub(super) fn same_content(
    wanted: &[RecordBatch],
    found: &[RecordBatch],
    is_ordered: bool,
) -> Checked {
    let (wanted_count, found_count) = (count(wanted), count(found));
    ensure!(
        wanted_count == found_count,
        "{found_count} rows came back, {wanted_count} were written"
    );
    let (Some(w), Some(f)) = (wanted.first(), found.first()) else {
        return Ok(());
    };
    let places = matching_columns(&w.schema(), &f.schema())?;
    let mut wanted = encode(wanted, &(0..places.len()).collect::<Vec<_>>())?;
    let mut found = encode(found, &places)?;
    if !is_ordered {
        wanted.sort_unstable();
        found.sort_unstable();
    }
    match wanted.iter().zip(&found).position(|(w, f)| w != f) {
        None => Ok(()),
        Some(_) if !is_ordered => fail("the rows that came back are others than were written"),
        Some(row) => fail(format!("row {row} came back other than it was written")),
    }
}

/// For each column of `wanted`, its place in `found`.
fn matching_columns(wanted: &Schema, found: &Schema) -> Checked<Vec<usize>> {
    let are = |schema: &Schema, is: fn(&Column) -> bool| -> Vec<usize> {
        let fields = schema.fields().iter().enumerate();
        fields
            .filter(|(_, f)| is(&classify(f)))
            .map(|(i, _)| i)
            .collect()
    };
    let is_vector = |column: &Column| matches!(column, Column::Vector(_));
    let lone_vector = match (
        are(wanted, is_vector).len(),
        are(found, is_vector).as_slice(),
    ) {
        (1, [place]) => Some(*place),
        _ => None,
    };
    let id = are(found, |column| *column == Column::Id).first().copied();
    let mut places = Vec::with_capacity(wanted.fields().len());
    for field in wanted.fields() {
        let name = field.name();
        let place = match classify(field) {
            Column::Id => id,
            Column::Vector(_) if lone_vector.is_some() => lone_vector,
            _ => found.index_of(name).ok(),
        };
        let Some(place) = place else {
            return fail(format!("column `{name}` did not come back"));
        };
        let (was, is) = (wire::type_name(field), wire::type_name(found.field(place)));
        ensure!(was == is, "column `{name}` came back as {is}, was {was}");
        places.push(place);
    }
    Ok(places)
}

/// Each row's columns as bytes that are equal only if the values are.
fn encode(batches: &[RecordBatch], columns: &[usize]) -> Checked<Vec<Vec<u8>>> {
    let mut rows = Vec::new();
    for batch in batches {
        let data: Vec<ArrayData> = columns
            .iter()
            .filter_map(|i| batch.columns().get(*i))
            .map(|c| c.to_data())
            .collect();
        for row in 0..batch.num_rows() {
            let mut bytes = Vec::new();
            for column in &data {
                cell(column, row, &mut bytes).ok_or_else(|| {
                    Why::Failed(format!("can't compare values of {}", column.data_type()))
                })?;
            }
            rows.push(bytes);
        }
    }
    Ok(rows)
}

/// Appends one value; `None` for a type that does not cross.
fn cell(data: &ArrayData, row: usize, out: &mut Vec<u8>) -> Option<()> {
    if data.is_null(row) || *data.data_type() == DataType::Null {
        out.push(0);
        return Some(());
    }
    out.push(1);
    let at = data.offset() + row;
    let buffer = |i: usize| data.buffers().get(i).map(|b| b.as_slice());
    let offsets = || -> Option<(usize, usize)> {
        let bytes = buffer(0)?.get(at * 4..at * 4 + 8)?;
        let (start, end) = bytes.split_at_checked(4)?;
        let number = |b: &[u8]| b.try_into().ok().map(|b| i32::from_le_bytes(b) as usize);
        Some((number(start)?, number(end)?))
    };
    match data.data_type() {
        DataType::Boolean => {
            let byte = buffer(0)?.get(at / 8)?;
            out.push(byte >> (at % 8) & 1);
        }
        DataType::Utf8 | DataType::Binary => {
            let (start, end) = offsets()?;
            out.extend((end - start).to_le_bytes());
            out.extend_from_slice(buffer(1)?.get(start..end)?);
        }
        DataType::List(_) => {
            let (start, end) = offsets()?;
            out.extend((end - start).to_le_bytes());
            let child = data.child_data().first()?;
            (start..end).try_for_each(|i| cell(child, i, out))?;
        }
        DataType::FixedSizeList(_, size) => {
            let size = *size as usize;
            let child = data.child_data().first()?;
            (at * size..(at + 1) * size).try_for_each(|i| cell(child, i, out))?;
        }
        DataType::Struct(_) => {
            let children = data.child_data().iter();
            children.map(|c| cell(c, at, out)).collect::<Option<()>>()?;
        }
        other => {
            let width = match other {
                DataType::FixedSizeBinary(bytes) => *bytes as usize,
                _ => other.primitive_width()?,
            };
            out.extend_from_slice(buffer(0)?.get(at * width..(at + 1) * width)?);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, SchemaRef};

    use super::super::sample;
    use super::*;
    use crate::model::{Elem, SchemaBuilder, VectorType};

    fn schema(id: &str, vector: &str) -> SchemaRef {
        SchemaBuilder::new()
            .id(id, DataType::Int64)
            .vector(vector, &VectorType::dense(Elem::F32, 3))
            .unwrap()
            .field(Field::new("s", DataType::Utf8, true))
            .finish()
            .unwrap()
    }

    fn why(checked: Checked) -> String {
        match checked {
            Err(Why::Failed(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_row_that_differs_is_named() {
        let batch = sample::batch(&schema("id", "v"), 0, 10, 1, true).unwrap();
        let wanted = [batch.slice(0, 4), batch.slice(4, 6)];
        same(&wanted, 0, std::slice::from_ref(&batch)).unwrap();
        same(&wanted, 3, &[batch.slice(3, 2), batch.slice(5, 5)]).unwrap();
        same(&wanted, 10, &[]).unwrap();
        let other = sample::batch(&schema("id", "v"), 7, 3, 1, true).unwrap();
        let mixed = [batch.slice(0, 7), other];
        assert!(why(same(&wanted, 0, &mixed)).contains("row 7"));
        assert!(why(same(&wanted, 1, &mixed)).contains("10 rows from row 1 on, wanted 9"));
    }

    #[test]
    fn content_is_compared_whatever_names_and_order() {
        let batch = sample::batch(&schema("id", "v"), 0, 10, 1, true).unwrap();
        let columns = batch.columns().to_vec();
        let renamed = RecordBatch::try_new(schema("ids", "embeddings"), columns).unwrap();
        let turned = [renamed.slice(5, 5), renamed.slice(0, 5)];
        let written = [batch];
        same_content(&written, std::slice::from_ref(&renamed), true).unwrap();
        same_content(&written, &turned, false).unwrap();
        assert!(why(same_content(&written, &turned, true)).contains("row 0"));
        let twice = [renamed.slice(0, 5), renamed.slice(0, 5)];
        assert!(why(same_content(&written, &twice, false)).contains("others"));
        assert!(why(same_content(&written, &turned[..1], false)).contains("5 rows came back"));
    }

    #[test]
    fn a_column_that_is_gone_or_of_another_type_is_named() {
        let batch = sample::batch(&schema("id", "v"), 0, 2, 1, true).unwrap();
        let without = [batch.project(&[0, 1]).unwrap()];
        let whole = std::slice::from_ref(&batch);
        assert!(why(same_content(whole, &without, true)).contains("`s`"));
        let other = SchemaBuilder::new()
            .id("id", DataType::Utf8)
            .finish()
            .unwrap();
        let other = sample::batch(&other, 0, 2, 1, true).unwrap();
        let id = batch.project(&[0]).unwrap();
        assert!(why(same_content(&[id], &[other], true)).contains("came back as Utf8"));
    }
}
