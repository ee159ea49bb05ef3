// SPDX-License-Identifier: Apache-2.0
//! Metadata keys and the ceilings on keys, values and sizes (data model version 1).

/// Schema: version of the data model; required, `1`.
pub const VERSION: &str = "milvusdm.version";
/// Schema: the dataset's descriptor as JSON, so that a dumped schema explains itself.
pub const DATASET: &str = "milvusdm.dataset";
/// Field: what the column is; absent means scalar.
pub const ROLE: &str = "milvusdm.role";
/// Vector: `dense`, `binary`, `sparse` or `multi`.
pub const KIND: &str = "milvusdm.kind";
/// Vector: element type.
pub const ELEM: &str = "milvusdm.elem";
/// Vector: elements, for `bit` bits.
pub const DIM: &str = "milvusdm.dim";
/// Vector: canonical metric name.
pub const METRIC: &str = "milvusdm.metric";
/// Vector: the metric's argument (the p of `lp`).
pub const METRIC_ARG: &str = "milvusdm.metric_arg";
/// Vector of bits: which bit of a byte comes first.
pub const BIT_ORDER: &str = "milvusdm.bit_order";
/// Vector: `true` only if every vector is known to be of unit length.
pub const NORMALIZED: &str = "milvusdm.normalized";
/// Any: bytes of a string, elements of a list.
pub const MAX_LENGTH: &str = "milvusdm.max_length";
/// Any: the column's default as a JSON value.
pub const DEFAULT: &str = "milvusdm.default";
/// Any: `true` if the column decides the partition.
pub const PARTITION_KEY: &str = "milvusdm.partition_key";
/// Any: `true` if the source derives the column itself.
pub const GENERATED: &str = "milvusdm.generated";
/// Any: text for people.
pub const DESCRIPTION: &str = "milvusdm.description";
/// Any: the source's own definition, for a sink of the same system.
pub const NATIVE: &str = "milvusdm.native";

/// The prefix that belongs to this convention.
pub const PREFIX: &str = "milvusdm.";
/// The data model version that this crate reads and writes.
pub const MODEL_VERSION: u32 = 1;

/// Arrow's own key for the name of an extension type.
pub const EXTENSION_NAME: &str = "ARROW:extension:name";
/// Arrow's own key for the parameters of an extension type.
pub const EXTENSION_METADATA: &str = "ARROW:extension:metadata";
/// Extension name of a 16-byte UUID.
pub const UUID: &str = "arrow.uuid";
/// Extension name of JSON text.
pub const JSON: &str = "arrow.json";
/// Extension name of a bfloat16 element.
pub const BFLOAT16: &str = "lance.bfloat16";

/// Longest metadata value, in bytes.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;
/// Longest schema (all names, keys and values), in bytes.
pub const MAX_SCHEMA_BYTES: usize = 1024 * 1024;
/// Largest dimension of a vector, in elements.
pub const MAX_DIM: u32 = 1_048_576;
/// Largest number of elements of any child array in a batch.
pub const MAX_BATCH_ELEMENTS: u64 = (1 << 31) - 1;
/// Largest buffer of a batch, in bytes.
pub const MAX_BUFFER_BYTES: u64 = 2 << 30;
/// Deepest nesting of a type.
pub const MAX_DEPTH: usize = 16;
