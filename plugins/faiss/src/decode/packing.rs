// SPDX-License-Identifier: Apache-2.0
//! How codes of rows lie in a region of the file, and how some of them are read out row by row.
//!
//! Panorama cuts blocks of rows into levels of dimensions (Panorama.cpp
//! `copy_codes_to_level_layout`); fast scan interleaves codes of 4 bits (pq4_fast_scan.cpp
//! `pq4_pack_codes`). Blocks are as large as the file says, so a large one is read by piece.

use milvusdm_plugin_api::Result;

use crate::format::ReadAt;
use crate::format::window::Window;

/// Blocks up to this size are read whole.
const WHOLE_BYTES: u64 = 256 << 10;
/// Bytes of a large block that are read at once, about.
const PIECE_BYTES: u64 = 1 << 20;
/// Rows whose codes fast scan interleaves.
const GROUP: u64 = 32;
/// Where row k of 16 stands among 16 bytes.
const PLACES: [usize; 16] = [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15];

/// How codes of rows lie in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Row after row.
    Rows {
        /// Bytes of a row.
        code_bytes: u64,
    },
    /// In blocks of rows, in them level after level of dimensions.
    Panorama {
        /// Floats of a row.
        dim: u64,
        /// Floats of a level; the last one may have fewer.
        level: u64,
        /// Rows of a block.
        batch: u64,
    },
    /// In blocks of rows, in them pair after pair of sub-quantizers.
    FastScan {
        /// Rows of a block, a multiple of 32.
        block_rows: u64,
        /// Sub-quantizers.
        parts: u64,
    },
}

impl Packing {
    /// The packing of Panorama's levels; the counts are at least 1.
    pub fn panorama(dim: u64, levels: u64, batch: u64) -> Self {
        Self::Panorama {
            dim,
            level: dim.div_ceil(levels.max(1)).max(1),
            batch: batch.max(1),
        }
    }

    /// Bytes of a row's code, once it is read out.
    pub fn code_bytes(&self) -> u64 {
        match self {
            Self::Rows { code_bytes } => *code_bytes,
            Self::Panorama { dim, .. } => dim * 4,
            Self::FastScan { parts, .. } => parts.div_ceil(2),
        }
    }

    /// Reads the codes of rows `first..` of the region at `at`, as many as `out` has room for.
    ///
    /// # Errors
    /// `Format` where the file ends, `Io`.
    pub fn read(
        &self,
        file: &dyn ReadAt,
        window: &mut Window,
        at: u64,
        first: u64,
        out: &mut [u8],
    ) -> Result<()> {
        let code_bytes = self.code_bytes();
        let block_rows = match self {
            Self::Rows { code_bytes } => {
                let offset = at.saturating_add(first.saturating_mul(*code_bytes));
                return window.read(file, offset, out, "the vectors");
            }
            Self::Panorama { batch, .. } => *batch,
            Self::FastScan { block_rows, .. } => *block_rows,
        };
        let mut scratch = Vec::new();
        let mut row = first;
        let mut out = out;
        while !out.is_empty() {
            let left = (out.len() as u64 / code_bytes.max(1)).max(1);
            let block = at.saturating_add((row / block_rows).saturating_mul(self.block_bytes()));
            let within = row % block_rows;
            let rows = left.min(block_rows - within);
            let mut piece = Piece {
                file,
                window,
                scratch: &mut scratch,
                block,
            };
            let rows = match self {
                Self::Panorama { dim, level, batch } => {
                    let shape = (*dim, *level, *batch);
                    piece.panorama(shape, within, rows, out)?
                }
                _ => piece.fast_scan(block_rows, code_bytes, within, rows, out)?,
            };
            let done = (rows * code_bytes) as usize;
            out = out
                .split_at_mut_checked(done)
                .map_or(&mut [], |(_, rest)| rest);
            row += rows;
        }
        Ok(())
    }

    /// Bytes of a block, padded as they are in the file.
    fn block_bytes(&self) -> u64 {
        match self {
            Self::Rows { code_bytes } => *code_bytes,
            Self::Panorama { dim, batch, .. } => batch.saturating_mul(dim * 4),
            Self::FastScan { block_rows, parts } => block_rows.saturating_mul(parts.div_ceil(2)),
        }
    }
}

/// A block to read from.
struct Piece<'a> {
    file: &'a dyn ReadAt,
    window: &'a mut Window,
    scratch: &'a mut Vec<u8>,
    block: u64,
}

impl Piece<'_> {
    fn fetch(&mut self, start: u64, bytes: u64) -> Result<&[u8]> {
        self.scratch.resize(bytes as usize, 0);
        let offset = self.block.saturating_add(start);
        self.window
            .read(self.file, offset, self.scratch, "the vectors")?;
        Ok(self.scratch)
    }

    /// Rows `within..within + rows` of a block of levels; gives how many it read.
    fn panorama(
        &mut self,
        (dim, level, batch): (u64, u64, u64),
        within: u64,
        rows: u64,
        out: &mut [u8],
    ) -> Result<u64> {
        let block_bytes = batch.saturating_mul(dim * 4);
        let is_whole = block_bytes <= WHOLE_BYTES;
        let rows = match is_whole {
            true => rows,
            false => rows.min((PIECE_BYTES / (level * 4)).max(1)),
        };
        if is_whole {
            self.fetch(0, block_bytes)?;
        }
        let mut first = 0;
        while first < dim {
            let width = level.min(dim - first);
            // Level by level, the rows of a block lie one after the other, as wide as the level.
            let start = (first.saturating_mul(batch) + within * width) * 4;
            let bytes = rows * width * 4;
            let codes = match is_whole {
                true => self.scratch.get(start as usize..(start + bytes) as usize),
                false => Some(self.fetch(start, bytes)?),
            };
            let rows_out = out.chunks_exact_mut((dim * 4) as usize);
            let rows_in = codes.unwrap_or_default().chunks_exact((width * 4) as usize);
            let range = (first * 4) as usize..((first + width) * 4) as usize;
            for (out, code) in rows_out.zip(rows_in) {
                if let Some(out) = out.get_mut(range.clone()) {
                    out.copy_from_slice(code);
                }
            }
            first += width;
        }
        Ok(rows)
    }

    /// Rows `within..within + rows` of a block of interleaved codes; gives how many it read.
    fn fast_scan(
        &mut self,
        block_rows: u64,
        code_bytes: u64,
        within: u64,
        rows: u64,
        out: &mut [u8],
    ) -> Result<u64> {
        // Each byte of a code is that of two sub-quantizers, and has a stripe of `block_rows`
        // bytes in which 32 rows at a time are interleaved.
        let block_bytes = block_rows.saturating_mul(code_bytes);
        let is_whole = block_bytes <= WHOLE_BYTES;
        let first = within / GROUP * GROUP;
        let end = (within + rows)
            .next_multiple_of(GROUP)
            .min(first + PIECE_BYTES);
        let rows = rows.min(end - within);
        if is_whole {
            self.fetch(0, block_bytes)?;
        }
        for byte in 0..code_bytes {
            let start = byte * block_rows + first;
            let stripe = match is_whole {
                true => {
                    let end = start + (end - first);
                    self.scratch
                        .get(start as usize..end as usize)
                        .unwrap_or_default()
                }
                false => self.fetch(start, end - first)?,
            };
            for row in 0..rows {
                let from = within - first + row;
                let target = (row * code_bytes + byte) as usize;
                if let Some(out) = out.get_mut(target) {
                    *out = nibbles(stripe, from as usize);
                }
            }
        }
        Ok(rows)
    }
}

/// The codes of a pair of sub-quantizers for a row of a stripe, the first one low.
fn nibbles(stripe: &[u8], row: usize) -> u8 {
    let group = row / 32 * 32;
    let place = group + PLACES.get(row % 16).copied().unwrap_or(0);
    let shift = if row % 32 < 16 { 0 } else { 4 };
    let code = |at: usize| stripe.get(at).map_or(0, |byte| byte >> shift & 15);
    code(place) | code(place + 16) << 4
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(packing: Packing, file: &Vec<u8>, at: u64, first: u64, rows: u64) -> Vec<u8> {
        let mut out = vec![0; (rows * packing.code_bytes()) as usize];
        packing
            .read(file, &mut Window::default(), at, first, &mut out)
            .unwrap();
        out
    }

    proptest! {
        #[test]
        fn levels_are_put_together(
            dim in 1u64..20, levels in 1u64..25, batch in 1u64..9, rows in 1u64..30,
            first in 0u64..30, large in proptest::bool::ANY,
        ) {
            // A large block takes the other way; its rows are the same.
            let batch = if large { batch + (WHOLE_BYTES / (dim * 4)) } else { batch };
            let first = first.min(rows - 1);
            let Packing::Panorama { level, .. } = Packing::panorama(dim, levels, batch) else {
                unreachable!()
            };
            let padded = rows.div_ceil(batch) * batch;
            let mut file = vec![0xEE; 5 + (padded * dim * 4) as usize];
            let value = |row: u64, d: u64| ((row * 100 + d) as u32).to_le_bytes();
            for row in 0..rows {
                for d in 0..dim {
                    let (l, p) = (d / level, row % batch);
                    let width = level.min(dim - l * level);
                    let float = row / batch * batch * dim + l * level * batch + p * width
                        + (d - l * level);
                    let at = 5 + float as usize * 4;
                    file[at..at + 4].copy_from_slice(&value(row, d));
                }
            }
            let found = read(Packing::panorama(dim, levels, batch), &file, 5, first, rows - first);
            let wanted: Vec<u8> = (first..rows)
                .flat_map(|row| (0..dim).flat_map(move |d| value(row, d)))
                .collect();
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn interleaved_codes_are_put_together(
            parts in 1u64..9, groups in 1u64..4, rows in 1u64..150, first in 0u64..150,
            large in proptest::bool::ANY,
        ) {
            let pairs = parts.div_ceil(2);
            let block_rows = match large {
                true => (WHOLE_BYTES / pairs).next_multiple_of(32) + 32,
                false => groups * 32,
            };
            let first = first.min(rows - 1);
            let blocks = rows.div_ceil(block_rows);
            let mut file = vec![0; 3 + (blocks * block_rows * pairs) as usize];
            let code = |row: u64, part: u64| ((row * 7 + part * 3 + row / 16) % 16) as u8;
            let order = [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15];
            for row in 0..rows {
                for part in 0..parts {
                    let (within, k) = (row % block_rows, row % 32);
                    let place = order.iter().position(|o| *o == k % 16).unwrap() as u64;
                    let at = 3 + row / block_rows * block_rows * pairs + part / 2 * block_rows
                        + within / 32 * 32 + place + 16 * (part % 2);
                    file[at as usize] |= code(row, part) << if k < 16 { 0 } else { 4 };
                }
            }
            let packing = Packing::FastScan { block_rows, parts };
            let found = read(packing, &file, 3, first, rows - first);
            let wanted: Vec<u8> = (first..rows)
                .flat_map(|row| (0..pairs).map(move |pair| {
                    let high = if pair * 2 + 1 < parts { code(row, pair * 2 + 1) } else { 0 };
                    code(row, pair * 2) | high << 4
                }))
                .collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
