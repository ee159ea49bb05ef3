// SPDX-License-Identifier: Apache-2.0
//! Random numbers that depend on seed and row alone, fast enough to be no bottleneck.
//!
//! A row's eight lanes are seeded by a mix (splitmix64) of seed and row and then run as xorshift
//! generators side by side, which the compiler turns into vector instructions. Batch size, split
//! and order of reading thus never change a row.

/// Lanes that run side by side.
const LANES: usize = 8;

/// The generators of one row.
#[derive(Clone, Copy)]
struct Lanes([u32; LANES]);

impl Lanes {
    fn of_row(seed: u64, row: u64) -> Self {
        let mut state = mix(seed ^ mix(row));
        let mut lanes = [0; LANES];
        for pair in lanes.chunks_exact_mut(2) {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let bits = mix(state);
            // A xorshift generator never leaves 0.
            pair.copy_from_slice(&[bits as u32 | 1, (bits >> 32) as u32 | 1]);
        }
        Self(lanes)
    }

    #[inline(always)]
    fn next(&mut self) -> [u32; LANES] {
        for lane in &mut self.0 {
            *lane ^= *lane << 13;
            *lane ^= *lane >> 17;
            *lane ^= *lane << 5;
        }
        self.0
    }
}

/// splitmix64's finish.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Fills rows of `width` values each, `N` at a step.
#[inline(always)]
fn fill<T: Copy, const N: usize>(
    out: &mut [T],
    width: usize,
    seed: u64,
    first_row: u64,
    of_bits: impl Fn([u32; LANES]) -> [T; N],
) {
    for (row, values) in (first_row..).zip(out.chunks_exact_mut(width.max(1))) {
        let mut lanes = Lanes::of_row(seed, row);
        let (steps, rest) = values.as_chunks_mut::<N>();
        for step in steps {
            *step = of_bits(lanes.next());
        }
        if !rest.is_empty() {
            for (value, last) in rest.iter_mut().zip(of_bits(lanes.next())) {
                *value = last;
            }
        }
    }
}

/// Bits of a single in [1, 2), less 1.
fn unit(bits: u32) -> f32 {
    f32::from_bits((bits >> 9) | 0x3F80_0000) - 1.0
}

/// Singles in [0, 1).
pub(crate) fn f32s(out: &mut [f32], dim: usize, seed: u64, first_row: u64) {
    fill(out, dim, seed, first_row, |bits| bits.map(unit));
}

/// Doubles in [0, 1).
pub(crate) fn f64s(out: &mut [f64], dim: usize, seed: u64, first_row: u64) {
    fill(out, dim, seed, first_row, |[a, b, c, d, e, f, g, h]| {
        [[a, b], [c, d], [e, f], [g, h]].map(|[low, high]| {
            let bits = (u64::from(high) << 32 | u64::from(low)) >> 12;
            f64::from_bits(bits | 0x3FF0_0000_0000_0000) - 1.0
        })
    });
}

/// Bits of halves in [0, 1): multiples of 1/1024.
pub(crate) fn f16s(out: &mut [u16], dim: usize, seed: u64, first_row: u64) {
    const HALVES: [u16; 1024] = halves();
    fill(out, dim, seed, first_row, |bits| {
        // The mask keeps the index below the table's length.
        bits.map(|b| HALVES[(b >> 8) as usize & 1023])
    });
}

/// The half of k/1024 for each k.
const fn halves() -> [u16; 1024] {
    let mut table = [0; 1024];
    let mut k = 1;
    while k < 1024 {
        let exponent = (k as u16).ilog2() as u16;
        table[k] = (exponent + 5) << 10 | ((k as u16) << (10 - exponent)) & 0x3FF;
        k += 1;
    }
    table
}

/// Bits of bfloat16 numbers in [0, 1).
pub(crate) fn bf16s(out: &mut [u16], dim: usize, seed: u64, first_row: u64) {
    fill(out, dim, seed, first_row, |bits| {
        bits.map(|b| (unit(b).to_bits() >> 16) as u16)
    });
}

/// Bytes of any value.
pub(crate) fn bytes(out: &mut [u8], width: usize, seed: u64, first_row: u64) {
    fill(out, width, seed, first_row, |bits| {
        let mut step = [0; LANES * 4];
        for (four, lane) in step.as_chunks_mut::<4>().0.iter_mut().zip(bits) {
            *four = lane.to_le_bytes();
        }
        step
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_depend_on_seed_and_row_alone() {
        let mut whole = vec![0.0; 7 * 100];
        f32s(&mut whole, 7, 3, 10);
        let mut part = vec![0.0; 7 * 40];
        f32s(&mut part, 7, 3, 70);
        assert_eq!(part, whole[7 * 60..]);
        let mut other = vec![0.0; 7 * 40];
        f32s(&mut other, 7, 4, 70);
        assert_ne!(part, other);
        let mut wide = vec![0.0; 9];
        f32s(&mut wide, 9, 3, 10);
        assert_eq!(
            wide[..7],
            whole[..7],
            "a row begins the same whatever its length"
        );
    }

    #[test]
    fn numbers_are_spread_over_0_to_1() {
        let mut singles = vec![0.0; 128 * 1000];
        f32s(&mut singles, 128, 0, 0);
        assert!(singles.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = singles.iter().map(|x| f64::from(*x)).sum::<f64>() / singles.len() as f64;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
        let mut doubles = vec![0.0; 128 * 1000];
        f64s(&mut doubles, 128, 0, 0);
        assert!(doubles.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = doubles.iter().sum::<f64>() / doubles.len() as f64;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
    }

    #[test]
    fn rows_differ() {
        let mut singles = vec![0.0f32; 4 * 10_000];
        f32s(&mut singles, 4, 0, 0);
        let mut rows: Vec<[u32; 4]> = singles
            .as_chunks::<4>()
            .0
            .iter()
            .map(|r| r.map(f32::to_bits))
            .collect();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 10_000);
    }

    #[test]
    fn halves_are_exact() {
        // 1/1024, 0.5, 0.75 and 1023/1024.
        assert_eq!(halves()[1], 0x1400);
        assert_eq!(halves()[512], 0x3800);
        assert_eq!(halves()[768], 0x3A00);
        assert_eq!(halves()[1023], 0x3BFE);
        assert_eq!(halves()[0], 0);
    }

    #[test]
    fn bfloats_are_below_1_and_bytes_take_every_value() {
        let mut bits = vec![0; 1024 * 8];
        bf16s(&mut bits, 8, 1, 0);
        assert!(bits.iter().all(|b| *b < 0x3F80));
        let mut seen = vec![0; 33 * 1000];
        bytes(&mut seen, 33, 1, 0);
        let mut values = seen.clone();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 256);
    }

    /// What was written by one version must be readable again by another.
    #[test]
    fn the_first_values_of_seed_0_stay_what_they_are() {
        let mut row = vec![0; 4];
        bytes(&mut row, 4, 0, 0);
        assert_eq!(row, PINNED);
    }

    const PINNED: [u8; 4] = [155, 211, 161, 151];
}
