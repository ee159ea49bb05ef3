// SPDX-License-Identifier: Apache-2.0
//! Reads the names that files give to metrics.

use milvusdm_plugin_api::model::Metric;

/// The canonical name of a metric under any of its usual spellings; a name that is in no table
/// is carried as `native:hdf5:<name>`.
///
/// Spellings: Milvus (`L2`, `IP`), ann-benchmarks (`euclidean`, `angular`), Faiss, pgvector,
/// Qdrant, Weaviate (data model section 3).
pub fn canonical(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase();
    if let Some(metric) = Metric::from_name(&lower) {
        return metric.to_string();
    }
    let plain: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let metric = match plain.as_str() {
        "l2" | "euclidean" | "euclid" | "l2squared" | "squaredl2" | "sqeuclidean" | "l2norm"
        | "metricl2" => Metric::L2,
        "ip" | "dot" | "dotproduct" | "innerproduct" | "maxinnerproduct" | "metricinnerproduct" => {
            Metric::Ip
        }
        "cosine" | "cos" | "angular" | "cosinesimil" | "cosinesimilarity" => Metric::Cosine,
        "l1" | "manhattan" | "cityblock" | "taxicab" | "metricl1" => Metric::L1,
        "linf" | "chebyshev" | "metriclinf" => Metric::Linf,
        "lp" | "minkowski" | "metriclp" => Metric::Lp,
        "hamming" | "bit" => Metric::Hamming,
        "nanl2" | "naneuclidean" => Metric::NanL2,
        "braycurtis" => Metric::BrayCurtis,
        "jensenshannon" => Metric::JensenShannon,
        _ if lower.starts_with("native:") => return name.trim().to_owned(),
        _ => return format!("native:hdf5:{}", name.trim()),
    };
    metric.to_string()
}

/// Whether vectors under this canonical name are bits: `None` where it does not tell.
pub fn is_binary(canonical: &str) -> Option<bool> {
    Metric::from_name(canonical).map(Metric::is_binary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_spellings_are_known() {
        for (spelt, wanted) in [
            ("L2", "l2"),
            ("Euclidean", "l2"),
            ("METRIC_INNER_PRODUCT", "ip"),
            ("angular", "cosine"),
            ("Inner Product", "ip"),
            ("JACCARD", "jaccard"),
            ("SUPERSTRUCTURE", "superstructure"),
            ("nan_l2", "nan_l2"),
            ("native:milvus1:X", "native:milvus1:X"),
            ("weird", "native:hdf5:weird"),
        ] {
            assert_eq!(canonical(spelt), wanted);
        }
        assert_eq!(is_binary("hamming"), Some(true));
        assert_eq!(is_binary("l2"), Some(false));
        assert_eq!(is_binary("native:hdf5:weird"), None);
    }

    #[test]
    fn canonical_names_stay() {
        for metric in Metric::ALL {
            assert_eq!(canonical(metric.as_str()), metric.as_str());
        }
    }
}
