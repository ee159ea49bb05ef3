// SPDX-License-Identifier: Apache-2.0
//! The seven metrics, by brute force.

/// How far two vectors are from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Squared Euclidean distance.
    L2,
    /// Inner product; the greatest is nearest.
    InnerProduct,
    /// Number of bits that differ.
    Hamming,
    /// One minus the share of common bits.
    Jaccard,
    /// Minus the binary logarithm of the share of common bits.
    Tanimoto,
    /// Rows that have all bits of the query.
    Substructure,
    /// Rows whose bits the query has all.
    Superstructure,
}

impl Metric {
    /// The metric of a number in the contract.
    pub fn numbered(number: i32) -> Option<Metric> {
        Some(match number {
            1 => Metric::L2,
            2 => Metric::InnerProduct,
            3 => Metric::Hamming,
            4 => Metric::Jaccard,
            5 => Metric::Tanimoto,
            6 => Metric::Substructure,
            7 => Metric::Superstructure,
            _ => return None,
        })
    }

    /// The number in the contract.
    pub fn number(self) -> i32 {
        match self {
            Metric::L2 => 1,
            Metric::InnerProduct => 2,
            Metric::Hamming => 3,
            Metric::Jaccard => 4,
            Metric::Tanimoto => 5,
            Metric::Substructure => 6,
            Metric::Superstructure => 7,
        }
    }

    /// Whether its vectors are bits.
    pub fn is_binary(self) -> bool {
        !matches!(self, Metric::L2 | Metric::InnerProduct)
    }

    pub(crate) fn of_floats(self, query: &[f32], row: &[f32]) -> f32 {
        let pairs = query.iter().zip(row);
        match self {
            Metric::InnerProduct => pairs.map(|(a, b)| a * b).sum(),
            _ => pairs.map(|(a, b)| (a - b) * (a - b)).sum(),
        }
    }

    /// The distance of binary vectors, or none where the row is no match.
    pub(crate) fn of_bits(self, query: &[u8], row: &[u8]) -> Option<f32> {
        let count = |of: fn(u8, u8) -> u8| -> u32 {
            let pairs = query.iter().zip(row);
            pairs.map(|(a, b)| of(*a, *b).count_ones()).sum()
        };
        let share = || match count(|a, b| a | b) {
            0 => 1.0,
            all => count(|a, b| a & b) as f32 / all as f32,
        };
        match self {
            Metric::Jaccard => Some(1.0 - share()),
            Metric::Tanimoto => Some(-share().log2()),
            Metric::Substructure => (count(|a, b| a & !b) == 0).then_some(0.0),
            Metric::Superstructure => (count(|a, b| !a & b) == 0).then_some(0.0),
            _ => Some(count(|a, b| a ^ b) as f32),
        }
    }
}
