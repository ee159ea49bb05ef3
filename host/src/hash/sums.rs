// SPDX-License-Identifier: Apache-2.0
//! The sums that stand for a dataset, and how digests are written.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twox_hash::XxHash3_64;

/// Most columns that are summed one by one. Only the members of a dynamic column can be more.
const MAX_COLUMNS: usize = 4096;

/// The sums of row and cell hashes over any rows, modulo 2^128.
///
/// Equal sums: the same rows, in whatever order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sums {
    /// Rows.
    pub rows: u64,
    /// Sum of the rows' hashes.
    #[serde(with = "digest")]
    pub row: u128,
    /// Sum of the hashes that the rows would have without their ids.
    #[serde(with = "digest")]
    pub row_without_id: u128,
    /// Sum of each column's cells: where two datasets differ, it says in which column.
    ///
    /// Of more than 4096 columns, those with the smallest hashes of their names.
    #[serde(with = "digests")]
    pub columns: BTreeMap<String, u128>,
}

impl Sums {
    /// Adds cells of a column.
    pub(super) fn add_column(&mut self, name: &str, digest: u128) {
        match self.columns.get_mut(name) {
            Some(sum) => *sum = sum.wrapping_add(digest),
            None => {
                self.columns.insert(name.to_owned(), digest);
            }
        }
    }

    /// Leaves out what is beyond the ceiling.
    ///
    /// Which columns stay does not depend on the order in which they came: one that is left out
    /// has a hash above those of all that stay, and that bound only falls.
    pub(super) fn bound(&mut self) {
        if self.columns.len() <= MAX_COLUMNS {
            return;
        }
        let hash = |name: &str| XxHash3_64::oneshot(name.as_bytes());
        let mut hashes: Vec<u64> = self.columns.keys().map(|name| hash(name)).collect();
        let (_, largest, _) = hashes.select_nth_unstable(MAX_COLUMNS - 1);
        let largest = *largest;
        self.columns.retain(|name, _| hash(name) <= largest);
    }

    /// The columns whose sums are not those of the other side; one that is not there has none.
    pub fn differing_columns(&self, other: &Self) -> Vec<String> {
        let names = self.columns.keys().chain(other.columns.keys());
        let sum = |sums: &Self, name: &str| sums.columns.get(name).copied().unwrap_or_default();
        let mut names: Vec<String> = names
            .filter(|name| sum(self, name) != sum(other, name))
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

impl AddAssign<&Sums> for Sums {
    fn add_assign(&mut self, other: &Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.row = self.row.wrapping_add(other.row);
        self.row_without_id = self.row_without_id.wrapping_add(other.row_without_id);
        for (name, sum) in &other.columns {
            self.add_column(name, *sum);
        }
        self.bound();
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        *self += &other;
    }
}

/// A digest as text: the number in 32 hexadecimal digits, as the data model writes its known
/// answers and as other programs print XXH3-128.
pub fn digest_text(digest: u128) -> String {
    format!("{digest:032x}")
}

/// The digest that such a text stands for.
fn digest_of(text: &str) -> Option<u128> {
    let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok()?;
    is_hex.then_some(number)
}

fn read<E: serde::de::Error>(text: &str) -> Result<u128, E> {
    digest_of(text).ok_or_else(|| {
        E::custom(format!(
            "`{text}` is no digest, wanted 32 hexadecimal digits"
        ))
    })
}

mod digest {
    use super::*;

    pub(super) fn serialize<S: Serializer>(digest: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&digest_text(*digest))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        read(&String::deserialize(from)?)
    }
}

mod digests {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        columns: &BTreeMap<String, u128>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(columns.iter().map(|(name, sum)| (name, digest_text(*sum))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<String, u128>, D::Error> {
        let texts = BTreeMap::<String, String>::deserialize(from)?;
        let read = |(name, text): (String, String)| Ok((name, read(&text)?));
        texts.into_iter().map(read).collect::<Result<_, D::Error>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_written_as_hexadecimal_numbers() {
        assert_eq!(digest_text(1), "00000000000000000000000000000001");
        let sums = Sums {
            rows: 2,
            row: u128::MAX - 5,
            row_without_id: 7,
            columns: BTreeMap::from([("a".to_owned(), 3 << 64)]),
        };
        let text = serde_json::to_string(&sums).unwrap();
        assert!(text.contains(r#""row":"fffffffffffffffffffffffffffffffa""#));
        assert_eq!(serde_json::from_str::<Sums>(&text).unwrap(), sums);
        let bad = text.replace("fffa", "fffg");
        assert!(
            serde_json::from_str::<Sums>(&bad)
                .unwrap_err()
                .to_string()
                .contains("is no digest")
        );
    }

    #[test]
    fn adding_wraps_and_meets_every_column() {
        let mut sums = Sums::default();
        sums.add_column("a", u128::MAX);
        let mut other = Sums::default();
        other.add_column("a", 2);
        other.add_column("b", 5);
        sums += &other;
        assert_eq!(sums.columns["a"], 1);
        assert_eq!(sums.differing_columns(&other), ["a"]);
    }

    #[test]
    fn which_columns_are_left_out_does_not_depend_on_their_order() {
        let many: Vec<String> = (0..3 * MAX_COLUMNS).map(|i| format!("m{i}")).collect();
        let sums = |names: &mut dyn Iterator<Item = &String>| {
            let mut all = Sums::default();
            for name in names {
                let mut one = Sums::default();
                one.add_column(name, 1);
                one.add_column("all", 1);
                all += one;
            }
            all
        };
        let forward = sums(&mut many.iter());
        assert_eq!(forward, sums(&mut many.iter().rev()));
        assert_eq!(forward.columns.len(), MAX_COLUMNS);
    }
}
