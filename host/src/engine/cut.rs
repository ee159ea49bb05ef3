// SPDX-License-Identifier: Apache-2.0
//! Cuts batches to the sink's ceiling: in bytes, and in rows where it has such a limit.

use arrow_array::RecordBatch;
use milvusdm_plugin_api::model::batch::bytes_of;

use crate::plan::Limits;

/// The batch in pieces of at most the ceiling each, in order; a row that is larger goes alone.
pub(super) fn cut(batch: RecordBatch, limits: &Limits) -> Vec<(RecordBatch, u64)> {
    let mut pieces = Vec::with_capacity(1);
    cut_into(batch, limits, &mut pieces);
    pieces
}

/// Rows need not be of one size, so it is halved until it fits.
fn cut_into(batch: RecordBatch, limits: &Limits, pieces: &mut Vec<(RecordBatch, u64)>) {
    let rows = batch.num_rows();
    let bytes = bytes_of(&batch);
    let is_large =
        bytes > limits.batch_bytes || limits.batch_rows.is_some_and(|max| rows as u64 > max);
    if rows <= 1 || !is_large {
        pieces.push((batch, bytes));
        return;
    }
    let half = rows / 2;
    cut_into(batch.slice(0, half), limits, pieces);
    cut_into(batch.slice(half, rows - half), limits, pieces);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::types::Float32Type;
    use arrow_array::{ArrayRef, FixedSizeListArray, StringArray};
    use arrow_schema::{DataType, Field};
    use arrow_select::concat::concat_batches;
    use milvusdm_plugin_api::model::Capabilities;
    use proptest::prelude::*;

    use super::*;

    fn limits(batch_bytes: u64, batch_rows: Option<u64>) -> Limits {
        let limits = Limits::new(256 << 20, Some(1), &Capabilities::default());
        Limits {
            batch_bytes,
            batch_rows,
            ..limits
        }
    }

    #[test]
    fn rows_of_lists_weigh_what_is_theirs() {
        let item = Field::new("item", DataType::Int64, false);
        let mut lists = ListBuilder::new(Int64Builder::new()).with_field(item);
        for row in 0..100 {
            lists.append_value((0..100).map(|i| Some(row * i)));
        }
        let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
            (0..100).map(|_| Some(vec![Some(1.0); 50])),
            50,
        );
        let columns: [(&str, ArrayRef); 2] =
            [("l", Arc::new(lists.finish())), ("v", Arc::new(vectors))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let whole = bytes_of(&batch);
        assert!((100 * 1000..100 * 1020).contains(&whole), "{whole}");
        let tenth = bytes_of(&batch.slice(45, 10));
        assert!((10 * 1000..10 * 1020).contains(&tenth), "{tenth}");
        let pieces = cut(batch, &limits(whole / 3, None));
        assert_eq!(pieces.len(), 4);
    }

    proptest! {
        #[test]
        fn pieces_are_the_batch_and_keep_the_ceilings(
            texts in prop::collection::vec("[a-z]{0,40}", 0..60),
            bytes in 1u64..500,
            rows in prop::option::of(1u64..20),
        ) {
            let column: ArrayRef = Arc::new(StringArray::from(texts));
            let batch = RecordBatch::try_from_iter([("t", column)]).unwrap();
            let pieces = cut(batch.clone(), &limits(bytes, rows));
            for (piece, size) in &pieces {
                prop_assert!(piece.num_rows() <= 1 || *size <= bytes);
                prop_assert!(piece.num_rows() as u64 <= rows.unwrap_or(u64::MAX).max(1));
            }
            let pieces: Vec<RecordBatch> = pieces.into_iter().map(|(piece, _)| piece).collect();
            prop_assert_eq!(concat_batches(&batch.schema(), &pieces).unwrap(), batch);
        }
    }
}
