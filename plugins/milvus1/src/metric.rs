// SPDX-License-Identifier: Apache-2.0
//! The metrics of Milvus 1.x: number in metadata and gRPC, its own name, canonical name.
//!
//! Numbers: `core/src/db/engine/ExecutionEngine.h`, the same from 0.7 to 1.1 (0.7 lacks the last
//! two).

use milvusdm_plugin_api::model::Metric;

const TABLE: [(i64, &str, Metric); 7] = [
    (1, "L2", Metric::L2),
    (2, "IP", Metric::Ip),
    (3, "HAMMING", Metric::Hamming),
    (4, "JACCARD", Metric::Jaccard),
    (5, "TANIMOTO", Metric::Tanimoto),
    (6, "SUBSTRUCTURE", Metric::Substructure),
    (7, "SUPERSTRUCTURE", Metric::Superstructure),
];

/// The metric of that number.
pub fn of_code(code: i64) -> Option<Metric> {
    TABLE.iter().find(|row| row.0 == code).map(|row| row.2)
}

/// The number of a metric, if Milvus 1.x has it.
pub fn code(metric: Metric) -> Option<i64> {
    TABLE.iter().find(|row| row.2 == metric).map(|row| row.0)
}

/// What Milvus calls the metric of that number.
pub fn native_name(code: i64) -> Option<&'static str> {
    TABLE.iter().find(|row| row.0 == code).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back() {
        for number in 1..=7 {
            assert_eq!(of_code(number).and_then(code), Some(number));
            assert_eq!(of_code(number).unwrap().is_binary(), number > 2);
            assert!(native_name(number).is_some());
        }
        assert_eq!(of_code(0), None);
        assert_eq!(of_code(8), None);
        assert_eq!(code(Metric::Cosine), None);
    }
}
