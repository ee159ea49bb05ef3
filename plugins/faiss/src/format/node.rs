// SPDX-License-Identifier: Apache-2.0
//! What an index file says, as a tree: classes, headers, and where the payloads lie.
//!
//! Nodes hold offsets and counts, never payloads, and nothing in them is decided by what can be
//! read out later: that is the layout's business.

use std::fmt;

use serde_json::Value;

use super::cursor::Span;
use super::invlists::Lists;
use super::quantizer::{Additive, Product, Scalar};
use super::transform::Transform;

/// A type code of four characters, in file order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fourcc(pub [u8; 4]);

impl fmt::Display for Fourcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Fourcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// A metric's number and argument (MetricType.h).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The number in the file.
    pub number: i32,
    /// `p` of Lp; meaningless for the others.
    pub arg: f32,
}

impl Metric {
    /// Squared Euclidean distance.
    pub const L2: Self = Self {
        number: 1,
        arg: 0.0,
    };
    /// Inner product.
    pub const INNER_PRODUCT: Self = Self {
        number: 0,
        arg: 0.0,
    };

    /// Faiss' name and the canonical one, `None` for a number that Faiss does not have.
    pub fn names(self) -> Option<(&'static str, &'static str)> {
        Some(match self.number {
            0 => ("METRIC_INNER_PRODUCT", "ip"),
            1 => ("METRIC_L2", "l2"),
            2 => ("METRIC_L1", "l1"),
            3 => ("METRIC_Linf", "linf"),
            4 => ("METRIC_Lp", "lp"),
            20 => ("METRIC_Canberra", "canberra"),
            21 => ("METRIC_BrayCurtis", "braycurtis"),
            22 => ("METRIC_JensenShannon", "jensenshannon"),
            23 => ("METRIC_Jaccard", "ruzicka"),
            24 => ("METRIC_NaNEuclidean", "nan_l2"),
            25 => ("METRIC_GOWER", "gower"),
            _ => return None,
        })
    }
}

/// The fields that every index begins with (index_write.cpp `write_index_header`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    /// Dimension: floats, or bits of a binary index.
    pub dim: u32,
    /// Vectors, as the index counts them; inverted lists may hold fewer.
    pub ntotal: u64,
    /// Whether it was trained.
    pub is_trained: bool,
    /// Metric; of a binary index always Hamming, whatever the number says.
    pub metric: Metric,
}

/// One index of the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// Type code.
    pub fourcc: Fourcc,
    /// Offset of the type code.
    pub at: u64,
    /// Name of the C++ class.
    pub class: &'static str,
    /// Common fields.
    pub header: Header,
    /// Whether vectors are bits.
    pub is_binary: bool,
    /// What else is known, for people and for the native definition.
    pub facts: Vec<(&'static str, Value)>,
    /// Payloads and parts.
    pub body: Body,
}

/// Payloads and parts of an index.
#[derive(Debug, Clone)]
pub enum Body {
    /// `null`: the writer had no index here.
    Null,
    /// Vectors as they are, row after row: floats, or bytes of bits.
    Flat {
        /// All vectors.
        codes: Span,
    },
    /// Vectors as they are, in blocks of levels (Panorama.cpp `copy_codes_to_level_layout`).
    FlatPanorama {
        /// Levels that the dimensions are cut into.
        levels: u64,
        /// Rows of a block.
        batch: u64,
        /// All blocks, the last one padded.
        codes: Span,
    },
    /// Encoded vectors, row after row.
    Codes {
        /// How they are encoded.
        codec: Codec,
        /// Bytes of a row.
        code_bytes: u64,
        /// All codes.
        codes: Span,
    },
    /// Codes of 4 bits, packed for SIMD (pq4_fast_scan.cpp).
    FastScan {
        /// How they are encoded.
        quantizer: Product,
        /// Rows of a block.
        block_rows: u64,
        /// All blocks, the last one padded.
        codes: Span,
    },
    /// Inverted lists.
    Ivf(Box<Ivf>),
    /// Ids beside an index.
    IdMap {
        /// The index.
        inner: Box<Node>,
        /// Its rows' ids.
        ids: Span,
    },
    /// A graph, or hash tables, over an index that holds the vectors.
    Over {
        /// Where the vectors are.
        storage: Box<Node>,
    },
    /// A coarse index and a finer one of the same rows.
    Refine {
        /// For searching.
        base: Box<Node>,
        /// For the last choice: the better vectors.
        refine: Box<Node>,
    },
    /// Transforms, applied in this order, before an index.
    PreTransform {
        /// First to last.
        chain: Vec<Transform>,
        /// Holds the transformed vectors.
        inner: Box<Node>,
    },
    /// Bits kept as floats of -1 and +1.
    FromFloat {
        /// Holds the floats.
        inner: Box<Node>,
    },
    /// Buckets of ids and bit vectors.
    Buckets(Box<Lists>),
    /// A coarse quantizer whose centroids are combinations, not stored one by one.
    Combined(Combined),
    /// A class that vectors can't be read from.
    Unreadable {
        /// Why, as a part of a sentence: "holds only …".
        why: &'static str,
        /// Its parts, where they are known.
        parts: Vec<Node>,
        /// Whether what follows it in the file can be found.
        is_end_known: bool,
    },
}

/// A coarse quantizer whose centroids are combinations.
#[derive(Debug, Clone)]
pub enum Combined {
    /// One centroid of each sub-space (MultiIndexQuantizer).
    Product(Product),
    /// A sum of codebook entries (ResidualCoarseQuantizer).
    Residual(Additive),
}

/// An inverted file.
#[derive(Debug, Clone)]
pub struct Ivf {
    /// Chooses the list of a vector.
    pub quantizer: Node,
    /// How a list's vectors are encoded.
    pub codec: Codec,
    /// Whether the codes are of the difference to the list's centroid.
    pub by_residual: bool,
    /// Codes and ids.
    pub lists: Lists,
    /// Pairs (id in a list, id of an equal vector) of a deduplicated index.
    pub instances: Option<Span>,
    /// A second product quantizer of what the first one left, with its codes by id.
    pub refinement: Option<(Product, Span)>,
}

/// How vectors are encoded.
#[derive(Debug, Clone)]
pub enum Codec {
    /// Not at all: floats.
    Floats,
    /// Not at all: bits.
    Bits,
    /// Each number by itself.
    Scalar(Scalar),
    /// Each sub-space by itself.
    Product(Product),
    /// As a sum of codebook entries.
    Additive(Additive),
    /// In a way that vectors can't be read from; why, as a part of a sentence.
    Unreadable(&'static str),
}

impl Node {
    /// The parts, with what they are to this index.
    pub fn parts(&self) -> Vec<(&'static str, &Node)> {
        match &self.body {
            Body::Ivf(ivf) => vec![("quantizer", &ivf.quantizer)],
            Body::IdMap { inner, .. } | Body::PreTransform { inner, .. } => vec![("index", inner)],
            Body::FromFloat { inner } => vec![("index", inner)],
            Body::Over { storage } => vec![("storage", storage)],
            Body::Refine { base, refine } => vec![("base", base), ("refine", refine)],
            Body::Unreadable { parts, .. } => parts.iter().map(|part| ("part", part)).collect(),
            _ => Vec::new(),
        }
    }

    /// The nested type codes, such as `IxMp(IwFl(IxFI))`.
    pub fn nested(&self) -> String {
        let mut text = self.fourcc.to_string();
        let parts = self.parts();
        if !parts.is_empty() {
            let inner: Vec<String> = parts.iter().map(|(_, part)| part.nested()).collect();
            text = format!("{text}({})", inner.join(","));
        }
        text
    }
}
