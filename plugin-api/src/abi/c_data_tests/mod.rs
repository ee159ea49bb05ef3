// SPDX-License-Identifier: Apache-2.0
//! Malformed arrays are refused, whole ones survive; each is released exactly once.

mod raw;
mod trip;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_buffer::Buffer;

use self::raw::{ID, PART, Raw, S, TAGS, V, good, memory, schema};
use super::*;
use crate::model::{Elem, SchemaBuilder, VectorType, keys};
use crate::{Error, ErrorKind};

fn import(raw: Raw) -> Result<RecordBatch> {
    let releases = Arc::new(AtomicUsize::new(0));
    let is_released = raw.is_released;
    let array = raw.build(&releases);
    // SAFETY: buffers are 4 KiB each, apart from what is checked.
    let outcome = unsafe { array.import(&schema()) };
    // A refused batch is released at once, one with rows not before its columns are gone. (The
    // memory of one that claims to be released is freed by `build` itself.)
    let is_freed = releases.load(Ordering::Relaxed) > 0;
    match &outcome {
        _ if is_released => {}
        Ok(batch) if batch.num_rows() == 0 => {}
        Ok(_) => assert!(!is_freed, "released while in use"),
        Err(error) => assert!(is_freed, "leaked after: {error}"),
    }
    outcome
}

fn refusal(damage: impl FnOnce(&mut Raw)) -> Error {
    let mut raw = good();
    damage(&mut raw);
    let error = import(raw).expect_err("a malformed batch passed");
    assert!(
        matches!(error.kind(), ErrorKind::Plugin | ErrorKind::Format),
        "{error:?}"
    );
    error
}

#[track_caller]
fn refused(what: &str, damage: impl FnOnce(&mut Raw)) {
    let error = refusal(damage);
    assert!(error.to_string().contains(what), "{error}");
}

#[test]
fn a_whole_batch_is_taken_over_and_released_when_its_last_buffer_is_gone() {
    let releases = Arc::new(AtomicUsize::new(0));
    // SAFETY: as in `import`.
    let batch = unsafe { good().build(&releases).import(&schema()) }.unwrap();
    assert_eq!(
        batch.column(ID).as_primitive::<Int64Type>().values(),
        &[7, 8, 9]
    );
    let elements = batch.column(V).as_fixed_size_list().values().clone();
    assert_eq!(elements.as_primitive::<Float32Type>().value(11), 11.0);
    assert_eq!(batch.column(S).as_string::<i32>().value(2), "€");
    assert!(batch.column(TAGS).is_null(1));
    drop(batch);
    assert_eq!(
        releases.load(Ordering::Relaxed),
        0,
        "a column is still in use"
    );
    drop(elements);
    // The batch, its five columns, and the three children.
    assert_eq!(releases.load(Ordering::Relaxed), 9);
}

#[test]
fn an_offset_is_kept() {
    let mut raw = good();
    raw.offset = 1;
    raw.length = 2;
    let batch = import(raw).unwrap();
    assert_eq!(batch.num_rows(), 2);
    assert_eq!(
        batch.column(ID).as_primitive::<Int64Type>().values(),
        &[8, 9]
    );
    assert_eq!(batch.column(S).as_string::<i32>().value(0), "é");
    let mut raw = good();
    raw.child(V).offset = 1;
    raw.child(V).length = 2;
    raw.length = 2;
    let batch = import(raw).unwrap();
    let elements = batch.column(V).as_fixed_size_list().value(0);
    assert_eq!(elements.as_primitive::<Float32Type>().value(0), 4.0);
}

#[test]
fn released_arrays_and_children_are_refused() {
    refused("released", |r| r.is_released = true);
    refused("missing or released", |r| r.child(V).is_released = true);
    refused("missing or released", |r| {
        r.child(V).child(0).is_released = true
    });
    refused("missing or released", |r| r.children[ID] = None);
    refused("missing or released", |r| r.child(V).children[0] = None);
}

#[test]
fn lengths_and_offsets_are_checked() {
    for (length, offset) in [(-1, 0), (i64::MIN, 0), (3, -1), (3, i64::MIN)] {
        refused("negative", |r| (r.length, r.offset) = (length, offset));
        refused("negative", |r| {
            (r.child(ID).length, r.child(ID).offset) = (length.max(3), offset.min(-1));
        });
    }
    for (length, offset) in [
        (1 << 60, 0),
        (i64::MAX, i64::MAX),
        (1 << 31, 0),
        (3, 1 << 31),
    ] {
        refused("pass 2^31-1", |r| (r.length, r.offset) = (length, offset));
        refused("pass 2^31-1", |r| {
            (r.child(S).length, r.child(S).offset) = (length, offset);
        });
    }
    // Offset past the end of the columns.
    refused("needs", |r| r.offset = 3);
    refused("needs 4", |r| r.length = 4);
    refused("needs", |r| r.child(PART).offset = 2);
}

#[test]
fn children_that_are_too_short_are_refused() {
    refused("`id`: 2 elements, its parent needs 3", |r| {
        r.child(ID).length = 2
    });
    refused("needs 3", |r| r.child(S).length = 0);
    refused("column `v`: its `item`: 11 elements", |r| {
        r.child(V).child(0).length = 11
    });
    refused("needs 16", |r| r.child(V).offset = 1);
    refused("needs 5", |r| r.child(TAGS).child(0).length = 4);
    refused("needs 3", |r| r.child(PART).child(0).length = 2);
}

#[test]
fn rows_times_dimension_is_bounded_before_anything_is_read() {
    let wide = SchemaBuilder::new()
        .vector("v", &VectorType::dense(Elem::F32, keys::MAX_DIM))
        .unwrap()
        .finish()
        .unwrap();
    let many = 1 << 20;
    let elements = Raw::new(i64::from(i32::MAX), vec![None, None], vec![]);
    let rows = Raw::new(many, vec![None], vec![elements]);
    let batch = Raw::new(many, vec![None], vec![rows]).build(&Arc::default());
    // SAFETY: refused before a buffer is looked at.
    let error = unsafe { batch.import(&wide) }.unwrap_err();
    assert!(error.message().contains("pass the ceiling"), "{error}");
}

#[test]
fn counts_of_buffers_and_children_must_be_the_types() {
    for count in [-1, 0, 1, 3, i64::MAX] {
        refused("wanted 2 and 0", |r| r.child(ID).n_buffers = count);
    }
    for count in [-1, 0, 2, i64::MAX] {
        refused("wanted 1 and 1", |r| r.child(V).n_children = count);
    }
    refused("wanted 1 and 5", |r| r.n_children = 4);
    refused("wanted 3 and 0", |r| r.child(S).n_buffers = 2);
    refused("no usable address", |r| r.child(ID).has_lists = false);
    refused("no usable address", |r| r.has_lists = false);
    refused("dictionaries", |r| r.child(ID).has_dictionary = true);
}

#[test]
fn null_counts_are_checked_and_not_believed() {
    refused("null count 4 of 3", |r| r.child(TAGS).null_count = 4);
    refused("null count -2", |r| r.child(TAGS).null_count = -2);
    refused("without a validity buffer", |r| {
        r.child(PART).null_count = 1
    });
    for claimed in [-1, 0, 1, 3] {
        let mut raw = good();
        raw.child(TAGS).null_count = claimed;
        assert_eq!(
            import(raw).unwrap().column(TAGS).null_count(),
            1,
            "{claimed}"
        );
    }
}

#[test]
fn missing_value_buffers_are_refused_and_those_of_empty_arrays_are_not() {
    refused("without an address", |r| r.child(ID).buffers[1] = None);
    refused("without an address", |r| {
        r.child(V).child(0).buffers[1] = None
    });
    refused("without an address", |r| r.child(S).buffers[1] = None);
    refused("without an address", |r| r.child(S).buffers[2] = None);
    refused("without an address", |r| r.child(TAGS).buffers[1] = None);
    fn empty(raw: &mut Raw) {
        raw.length = 0;
        raw.buffers.fill(None);
        raw.children.iter_mut().flatten().for_each(empty);
    }
    for offset in [0, 5] {
        let mut raw = good();
        empty(&mut raw);
        raw.child(S).offset = offset;
        assert_eq!(import(raw).unwrap().num_rows(), 0);
    }
}

#[test]
fn offsets_must_ascend_within_what_is_there() {
    refused("below the one before", |r| {
        r.child(S).buffers[1] = memory(&[0, 3, 1, 6], 4)
    });
    refused("below the one before", |r| {
        r.child(S).buffers[1] = memory(&[-1, 1, 3, 6], 4)
    });
    refused("below the one before", |r| {
        r.child(TAGS).buffers[1] = memory(&[0, 2, 5, 2], 4)
    });
    refused("needs 100", |r| {
        r.child(TAGS).buffers[1] = memory(&[0, 2, 2, 100], 4)
    });
    refused("needs 2147483647", |r| {
        r.child(TAGS).buffers[1] = memory(&[0, 2, 2, i32::MAX], 4);
    });
    // A first offset above 0 is a slice; offsets outside the slice don't matter.
    let mut raw = good();
    raw.child(TAGS).buffers[1] = memory(&[1, 2, 2, 5], 4);
    raw.child(S).buffers[1] = memory(&[-9, 0, 1, 3, 6], 4);
    raw.child(S).offset = 1;
    let batch = import(raw).unwrap();
    assert_eq!(batch.column(TAGS).as_list::<i32>().value(0).len(), 1);
    assert_eq!(batch.column(S).as_string::<i32>().value(2), "€");
}

#[test]
fn text_must_be_utf8() {
    // Cuts `é` in two.
    refused("`s` is invalid", |r| {
        r.child(S).buffers[1] = memory(&[0, 2, 3, 6], 4)
    });
    refused("`s` is invalid", |r| {
        r.child(S).buffers[2] = memory(&[0xFFu8; 8], 1)
    });
}

#[test]
fn nulls_are_refused_where_none_may_be() {
    let none = || memory(&[0], 1);
    refused("rows are null", |r| {
        (r.buffers[0], r.null_count) = (none(), 3)
    });
    refused("rows are null", |r| {
        (r.buffers[0], r.null_count) = (none(), 0)
    });
    refused("row 0", |r| r.child(ID).buffers[0] = none());
    refused("column `v`", |r| r.child(V).buffers[0] = none());
    refused("column `v`", |r| {
        r.child(V).child(0).buffers[0] = memory(&[0xFF, 0x07], 1)
    });
}

#[test]
fn misaligned_buffers_are_copied() {
    let shift = |buffer: &Option<Buffer>, by: usize| {
        let buffer = buffer.as_ref()?;
        let bytes = [&vec![0; by], buffer.as_slice()].concat();
        Some(Buffer::from_slice_ref(&bytes))
    };
    let expected = import(good()).unwrap();
    for skew in 1..8 {
        let mut raw = good();
        for column in [ID, S, TAGS] {
            let column = raw.child(column);
            column.buffers = column
                .buffers
                .iter()
                .map(|b| shift(b, skew))
                .collect::<Vec<_>>();
            column.skew = skew;
        }
        for column in [V, PART] {
            let child = raw.child(column).child(0);
            child.buffers[1] = shift(&child.buffers[1], skew);
            child.skew = skew;
        }
        // Two columns have no validity buffer to shift.
        assert_eq!(import(raw).unwrap(), expected, "{skew}");
    }
}

/// Any values in any struct field: refused or read, never a panic.
#[test]
fn arrays_of_any_struct_fields_are_read_or_refused() {
    type Damage = (u8, u8, i64);
    bolero::check!()
        .with_type::<[Damage; 4]>()
        .for_each(|damages| {
            let mut raw = good();
            for (node, field, value) in damages {
                let node: &mut Raw = match node % 10 {
                    0 => &mut raw,
                    1 => raw.child(V).child(0),
                    2 => raw.child(TAGS).child(0),
                    3 => raw.child(PART).child(0),
                    n => raw.child(usize::from(n - 4).min(PART)),
                };
                // A length that fits into the memory, or none at all.
                let length = match value {
                    0..=0x7FFF_FFFF => value % 65,
                    _ => *value,
                };
                match field % 9 {
                    0 => node.length = length,
                    1 => node.offset = length,
                    2 => node.null_count = length,
                    3 => node.n_buffers = *value,
                    4 => node.n_children = *value,
                    5 => node.is_released = value % 4 == 0,
                    6 => node.buffers.iter_mut().for_each(|b| {
                        if value % 3 == 0 {
                            *b = None;
                        }
                    }),
                    // Offsets, or values: small enough for the memory, or out of range.
                    7 => {
                        if let Some(buffer) = node.buffers.get_mut(1) {
                            let odd = (value % 129) as i32;
                            *buffer = memory(&[0, odd, odd.saturating_mul(2), 3, 2, 1, 9], 4);
                        }
                    }
                    _ => node.buffers[0] = memory(&[*value], 8),
                }
            }
            // Released children own no memory; the lie must be caught before it is read.
            match import(raw) {
                Ok(batch) => assert!(batch.num_rows() <= 64),
                Err(error) => assert_ne!(error.kind(), ErrorKind::Panic, "{error}"),
            }
        });
}
