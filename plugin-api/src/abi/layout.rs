// SPDX-License-Identifier: Apache-2.0
//! Whether a batch is laid out as its schema says, asked before it is exported.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use super::plain::broken;
use crate::Result;

/// Refuses a batch whose columns are not laid out as the schema says: batches cross without
/// their types, so that a difference would be read as garbage on the other side.
pub(super) fn check_layout(batch: &RecordBatch, schema: &SchemaRef) -> Result<()> {
    let found = batch.schema_ref();
    if Arc::ptr_eq(found, schema) {
        return Ok(());
    }
    let same = found.fields().len() == schema.fields().len()
        && found
            .fields()
            .iter()
            .zip(schema.fields())
            .all(|(f, s)| f.name() == s.name() && same_layout(f.data_type(), s.data_type()));
    if same {
        return Ok(());
    }
    let list = |schema: &SchemaRef| {
        let columns = schema
            .fields()
            .iter()
            .map(|f| format!("{}: {}", f.name(), f.data_type()));
        columns.collect::<Vec<_>>().join(", ")
    };
    Err(broken(&format!(
        "a batch with columns [{}], the schema says [{}]",
        list(found),
        list(schema)
    )))
}

fn same_layout(found: &DataType, wanted: &DataType) -> bool {
    use DataType as T;
    match (found, wanted) {
        (T::List(f), T::List(w)) => same_layout(f.data_type(), w.data_type()),
        (T::FixedSizeList(f, n), T::FixedSizeList(w, m)) => {
            n == m && same_layout(f.data_type(), w.data_type())
        }
        (T::Struct(f), T::Struct(w)) => {
            f.len() == w.len()
                && f.iter()
                    .zip(w)
                    .all(|(f, w)| same_layout(f.data_type(), w.data_type()))
        }
        (f, w) => f == w,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Float64Array, Int64Array};
    use arrow_schema::{Field, Schema};

    use super::*;

    #[test]
    fn another_type_of_the_same_width_is_refused() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
        check_layout(&RecordBatch::try_from_iter([("a", ints)]).unwrap(), &schema).unwrap();
        let error = check_layout(
            &RecordBatch::try_from_iter([("a", floats)]).unwrap(),
            &schema,
        )
        .unwrap_err();
        assert!(error.message().contains("[a: Float64]"), "{error}");
    }
}
