// SPDX-License-Identifier: Apache-2.0
//! Takes the ids of rows through the id maps around an index, and makes sure that they lead
//! somewhere.
//!
//! Faiss compacts an id map on `remove_ids`, but the lists of an inverted file below it keep their
//! old ids: such a file no longer says which vector has which id. It shows in ids that lie outside
//! of the map or occur twice; nothing is read from such a file.

use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::format::read_at::read_at;
use crate::format::{ReadAt, Span};
use crate::layout::{Layout, Storage};
use crate::rows::gather::Gather;
use crate::rows::walk::for_each_id;

/// Bits of the set that ids are checked with: 4 MiB. More ids take more turns.
const SET_BITS: u64 = 1 << 25;
/// Ids of a table that are read at once.
const IDS: usize = 8192;

/// The id maps around an index.
#[derive(Debug)]
pub struct IdMaps {
    file: Arc<dyn ReadAt>,
    maps: Vec<Span>,
    gather: Gather,
    inner: Vec<i64>,
}

impl IdMaps {
    /// The maps of a layout.
    pub fn new(file: Arc<dyn ReadAt>, layout: &Layout) -> Self {
        Self {
            file,
            maps: layout.id_maps.clone(),
            gather: Gather::default(),
            inner: Vec::new(),
        }
    }

    /// Replaces the ids of rows by those of the outermost map.
    ///
    /// # Errors
    /// `Format` for an id that a map does not have, `Io`.
    pub fn apply(&mut self, ids: &mut [i64]) -> Result<()> {
        for map in &self.maps {
            let first = ids.first().copied().unwrap_or(0);
            let is_stretch = ids.iter().zip(first..).all(|(id, next)| *id == next);
            let end = first.checked_add(ids.len() as i64);
            let fits = |end: i64| first >= 0 && end as u64 <= map.count;
            if is_stretch && end.is_some_and(fits) {
                let at = map.at.saturating_add((first as u64).saturating_mul(8));
                read_at(
                    self.file.as_ref(),
                    at,
                    bytemuck::cast_slice_mut(ids),
                    "the id map",
                )?;
            } else {
                self.inner.clear();
                self.inner.extend_from_slice(ids);
                let out = bytemuck::cast_slice_mut(ids);
                self.gather
                    .pick(self.file.as_ref(), *map, &self.inner, out, "the id map")?;
            }
        }
        Ok(())
    }
}

/// Makes sure that each row has an id of its own in every id map.
///
/// # Errors
/// `Unsupported` if two rows have one, or a row has none.
pub fn check(file: &Arc<dyn ReadAt>, data: &dyn ReadAt, layout: &Layout) -> Result<()> {
    let mut below: Option<Span> = None;
    for map in &layout.id_maps {
        match (below, &layout.storage) {
            (Some(below), _) => check_distinct(*map, |each| ids_of_map(file, below, each))?,
            (
                None,
                Storage::Lists {
                    lists, instances, ..
                },
            ) => check_distinct(*map, |each| {
                for_each_id(file, data, lists, |_, _, id| each(id))?;
                match instances {
                    Some(pairs) => second_ids(file, *pairs, each),
                    None => Ok(()),
                }
            })?,
            // The numbers of rows, as many as the map has ids (the parser saw to that).
            (None, Storage::Flat { .. }) => {}
        }
        below = Some(*map);
    }
    Ok(())
}

/// Makes sure that the ids that `run` gives are distinct and lie inside of a map, part of the map
/// by part, so that the set stays small.
fn check_distinct(
    map: Span,
    run: impl Fn(&mut dyn FnMut(i64) -> Result<()>) -> Result<()>,
) -> Result<()> {
    let mut first = 0;
    let mut set = vec![0u64; (map.count.min(SET_BITS).div_ceil(64)) as usize];
    loop {
        set.fill(0);
        run(&mut |id| {
            let found = u64::try_from(id).ok().filter(|id| *id < map.count);
            let id = found.ok_or_else(|| corrupt(map, id, "lies outside of it"))?;
            let Some(bit) = id.checked_sub(first).filter(|bit| *bit < SET_BITS) else {
                return Ok(());
            };
            if let Some(word) = set.get_mut((bit / 64) as usize) {
                if *word >> (bit % 64) & 1 == 1 {
                    return Err(corrupt(map, id as i64, "occurs twice"));
                }
                *word |= 1 << (bit % 64);
            }
            Ok(())
        })?;
        first += SET_BITS;
        if first >= map.count {
            return Ok(());
        }
    }
}

fn corrupt(map: Span, id: i64, what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the file no longer says which id a vector has: of the ids below the id map of {} entries, {id} {what}",
            map.count
        ),
    )
    .with("offset", map.at)
    .help("`remove_ids` on an IDMap over an inverted file does this; export from an index that was not removed from, or build the index again")
}

fn ids_of_map(
    file: &Arc<dyn ReadAt>,
    map: Span,
    each: &mut dyn FnMut(i64) -> Result<()>,
) -> Result<()> {
    numbers(file, map, 1, each)
}

/// The ids that are only in pairs.
fn second_ids(
    file: &Arc<dyn ReadAt>,
    pairs: Span,
    each: &mut dyn FnMut(i64) -> Result<()>,
) -> Result<()> {
    numbers(file, pairs, 2, each)
}

/// The last of every `of` numbers of a table.
fn numbers(
    file: &Arc<dyn ReadAt>,
    table: Span,
    of: usize,
    each: &mut dyn FnMut(i64) -> Result<()>,
) -> Result<()> {
    let mut piece = vec![0i64; IDS * of];
    let mut first = 0;
    while first < table.count {
        let count = (table.count - first).min(IDS as u64) as usize;
        let piece = piece.split_at_mut(count * of).0;
        let at = table.at.saturating_add(first.saturating_mul(8 * of as u64));
        read_at(
            file.as_ref(),
            at,
            bytemuck::cast_slice_mut(piece),
            "a table of ids",
        )?;
        for group in piece.chunks_exact(of) {
            each(group.last().copied().unwrap_or(0))?;
        }
        first += count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(ids: &[i64], count: u64) -> Result<()> {
        let map = Span {
            at: 7,
            count,
            elem_bytes: 8,
        };
        check_distinct(map, |each| ids.iter().try_for_each(|id| each(*id)))
    }

    #[test]
    fn ids_outside_of_a_map_or_twice_in_it_are_refused() {
        given(&[2, 0], 3).unwrap();
        assert!(
            given(&[2, 3], 3)
                .unwrap_err()
                .to_string()
                .contains("3 lies outside")
        );
        assert!(
            given(&[-1], 3)
                .unwrap_err()
                .to_string()
                .contains("-1 lies outside")
        );
        assert!(
            given(&[1, 1], 3)
                .unwrap_err()
                .to_string()
                .contains("1 occurs twice")
        );
        // Beyond the first turn of the set.
        let far = SET_BITS as i64 + 5;
        given(&[far, 5], 2 * SET_BITS).unwrap();
        assert!(given(&[far, 5, far], 2 * SET_BITS).is_err());
        given(&[], 0).unwrap();
    }
}
