// SPDX-License-Identifier: Apache-2.0
//! Canonical metric names and what they apply to (data model section 3).

use super::field::named;

named! {
    /// A distance or similarity, under its canonical name.
    ///
    /// A metric is never guessed: where a source does not say, it stays absent. A name outside
    /// this table is carried as `native:<system>:<name>`.
    Metric {
        /// Euclidean distance; same order squared or rooted.
        L2 = "l2",
        /// Inner product.
        Ip = "ip",
        /// Cosine.
        Cosine = "cosine",
        /// Manhattan distance.
        L1 = "l1",
        /// Chebyshev distance.
        Linf = "linf",
        /// Minkowski distance; the p stands in `metric_arg`.
        Lp = "lp",
        /// Differing bits.
        Hamming = "hamming",
        /// Jaccard distance of sets of bits.
        Jaccard = "jaccard",
        /// Tanimoto distance.
        Tanimoto = "tanimoto",
        /// Substructure of sets of bits.
        Substructure = "substructure",
        /// Superstructure of sets of bits.
        Superstructure = "superstructure",
        /// Min/max similarity of floats (Faiss calls it Jaccard).
        Ruzicka = "ruzicka",
        /// Canberra distance.
        Canberra = "canberra",
        /// Bray-Curtis distance.
        BrayCurtis = "braycurtis",
        /// Jensen-Shannon distance.
        JensenShannon = "jensenshannon",
        /// Euclidean distance that passes over NaN.
        NanL2 = "nan_l2",
        /// Gower distance.
        Gower = "gower",
        /// BM25 score.
        Bm25 = "bm25",
        /// MinHash Jaccard.
        MhJaccard = "mhjaccard",
        /// Sum of best inner products over a multi-vector.
        MaxsimIp = "maxsim_ip",
        /// Sum of best cosines over a multi-vector.
        MaxsimCosine = "maxsim_cosine",
        /// Sum of best Euclidean distances over a multi-vector.
        MaxsimL2 = "maxsim_l2",
        /// Sum of best Hamming distances over a multi-vector.
        MaxsimHamming = "maxsim_hamming",
        /// Sum of best Jaccard distances over a multi-vector.
        MaxsimJaccard = "maxsim_jaccard",
    }
}

impl Metric {
    /// Whether the metric compares bits, so that a vector under it is binary.
    pub const fn is_binary(self) -> bool {
        matches!(
            self,
            Self::Hamming
                | Self::Jaccard
                | Self::Tanimoto
                | Self::Substructure
                | Self::Superstructure
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for metric in Metric::ALL.iter().copied() {
            assert_eq!(Metric::from_name(metric.as_str()), Some(metric));
        }
        assert_eq!(Metric::from_name("L2"), None);
    }
}
