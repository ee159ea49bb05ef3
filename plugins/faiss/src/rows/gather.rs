// SPDX-License-Identifier: Apache-2.0
//! Picks elements of a long table of the file by their numbers: ids of an id map, refining codes.
//!
//! The table is never held. Numbers that lie close together share a read, others don't, so that
//! neither a dense nor a sparse batch reads much more than it needs.

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::format::read_at::read_at;
use crate::format::{ReadAt, Span};

/// Elements that are no further apart share a read.
const GAP_BYTES: u64 = 4 << 10;
const MOST_BYTES: u64 = 64 << 10;

/// Picks elements of a table.
#[derive(Debug, Default)]
pub struct Gather {
    order: Vec<(u64, usize)>,
    piece: Vec<u8>,
}

impl Gather {
    /// Fills `out` with the elements of `table` that `numbers` names, one after the other.
    ///
    /// # Errors
    /// `Format` for a number outside of the table, or where the file ends; `Io`.
    pub fn pick(
        &mut self,
        file: &dyn ReadAt,
        table: Span,
        numbers: &[i64],
        out: &mut [u8],
        what: &str,
    ) -> Result<()> {
        self.order.clear();
        for (position, number) in numbers.iter().enumerate() {
            let found = u64::try_from(*number).ok().filter(|n| *n < table.count);
            let found = found.ok_or_else(|| outside(*number, table, what))?;
            self.order.push((found, position));
        }
        self.order.sort_unstable();
        let elem = table.elem_bytes as usize;
        let mut rest = self.order.as_slice();
        while let Some((first, _)) = rest.first().copied() {
            let (share, others) = rest.split_at(Self::share(rest, table.elem_bytes));
            let last = share.last().map_or(first, |(last, _)| *last);
            self.piece
                .resize(((last - first + 1) as usize).saturating_mul(elem), 0);
            let at = table
                .at
                .saturating_add(first.saturating_mul(table.elem_bytes));
            read_at(file, at, &mut self.piece, what)?;
            for (number, position) in share {
                let from = (number - first) as usize * elem;
                let found = self.piece.get(from..from + elem);
                let place = out.get_mut(position * elem..(position + 1) * elem);
                if let (Some(place), Some(found)) = (place, found) {
                    place.copy_from_slice(found);
                }
            }
            rest = others;
        }
        Ok(())
    }

    /// How many of the first elements are read together.
    fn share(order: &[(u64, usize)], elem_bytes: u64) -> usize {
        let Some((first, _)) = order.first() else {
            return 0;
        };
        let gaps = order.iter().zip(order.iter().skip(1));
        let together = gaps.take_while(|((a, _), (b, _))| {
            (b - a).saturating_mul(elem_bytes) <= GAP_BYTES
                && (b - first + 1).saturating_mul(elem_bytes) <= MOST_BYTES
        });
        1 + together.count()
    }
}

/// An error for a number outside of a table.
pub fn outside(number: i64, table: Span, what: &str) -> Error {
    Error::new(
        ErrorKind::Format,
        format!(
            "number {number} is outside of {what}, which has {} entries",
            table.count
        ),
    )
    .with("offset", table.at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn elements_are_picked_in_any_order(
            numbers in prop::collection::vec(0i64..50_000, 0..200), elem in 1u64..12,
        ) {
            let count = 50_000u64;
            let file: Vec<u8> = (0..2 + count * elem).map(|i| (i / 3 + i * 5) as u8).collect();
            let table = Span { at: 2, count, elem_bytes: elem };
            let mut out = vec![0; numbers.len() * elem as usize];
            Gather::default().pick(&file, table, &numbers, &mut out, "a table").unwrap();
            for (number, found) in numbers.iter().zip(out.chunks(elem as usize)) {
                let at = 2 + *number as usize * elem as usize;
                prop_assert_eq!(found, &file[at..at + elem as usize]);
            }
        }
    }

    #[test]
    fn numbers_outside_of_the_table_are_refused() {
        let table = Span {
            at: 0,
            count: 2,
            elem_bytes: 1,
        };
        for number in [-1, 2] {
            let error = Gather::default()
                .pick(
                    &vec![0u8; 2],
                    table,
                    &[0, number],
                    &mut [0; 2],
                    "the id map",
                )
                .unwrap_err();
            assert!(
                error.to_string().contains("the id map, which has 2"),
                "{error}"
            );
        }
    }
}
