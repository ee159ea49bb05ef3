// SPDX-License-Identifier: Apache-2.0
//! Classes that vectors can't be read from. Those whose layout is known are walked over, since a
//! refined index has its exact vectors behind them; the rest end the walk.

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::cursor::Cursor;
use super::index::{header, parse_part};
use super::invlists;
use super::ivf::ivf_header;
use super::node::{Body, Codec, Combined, Ivf, Node};
use super::quantizer::{AdditiveKind, additive, product};
use super::transform;

/// Type codes of this module, and their classes.
const CLASSES: &[(&[u8; 4], &str)] = &[
    (b"IxHe", "IndexLSH"),
    (b"IxHE", "IndexLSH"),
    (b"IwSh", "IndexIVFSpectralHash"),
    (b"Ix2L", "Index2Layer"),
    (b"Imiq", "MultiIndexQuantizer"),
    (b"ImRQ", "ResidualCoarseQuantizer"),
    (b"IRMf", "IndexRowwiseMinMax"),
    (b"IRMh", "IndexRowwiseMinMaxFP16"),
    (b"Ixrq", "IndexRaBitQ"),
    (b"Ixrr", "IndexRaBitQ"),
    (b"Irfn", "IndexRaBitQFastScan"),
    (b"Irfs", "IndexRaBitQFastScan"),
    (b"Iwrq", "IndexIVFRaBitQ"),
    (b"Iwrr", "IndexIVFRaBitQ"),
    (b"Iwrn", "IndexIVFRaBitQFastScan"),
    (b"Iwrf", "IndexIVFRaBitQFastScan"),
    (b"IxEe", "IndexEDEN"),
    (b"IxEd", "IndexEDEN"),
    (b"IwEe", "IndexIVFEDEN"),
    (b"IwEd", "IndexIVFEDEN"),
    (b"ILfs", "IndexLocalSearchQuantizerFastScan"),
    (b"IRfs", "IndexResidualQuantizerFastScan"),
    (b"IPLf", "IndexProductLocalSearchQuantizerFastScan"),
    (b"IPRf", "IndexProductResidualQuantizerFastScan"),
    (b"IVLf", "IndexIVFLocalSearchQuantizerFastScan"),
    (b"IVRf", "IndexIVFResidualQuantizerFastScan"),
    (b"NPLf", "IndexIVFProductLocalSearchQuantizerFastScan"),
    (b"NPRf", "IndexIVFProductResidualQuantizerFastScan"),
    (b"IwIQ", "IndexIVFIndependentQuantizer"),
    (b"IxLa", "IndexLattice"),
    (b"IS44", "IndexSVSLVQ4x4"),
    (b"IS48", "IndexSVSLVQ4x8"),
    (b"ISVD", "IndexSVSVamana"),
    (b"ISV2", "IndexSVSVamana"),
    (b"ILVQ", "IndexSVSVamanaLVQ"),
    (b"ISVL", "IndexSVSVamanaLeanVec"),
    (b"ISVF", "IndexSVSFlat"),
    (b"ISID", "IndexSVSIVF"),
    (b"ISIQ", "IndexSVSIVFLVQ"),
    (b"ISIL", "IndexSVSIVFLeanVec"),
];

const SIGNS: &str = "holds only the signs of projections of the vectors";
const RABITQ: &str = "holds only sign bits and correction factors of rotated vectors (RaBitQ)";
const EDEN: &str = "holds only short codes of rotated vectors (EDEN)";
const PACKED_SUMS: &str =
    "holds only packed codes of sums with quantized norms (additive fast scan)";
const OPAQUE_SVS: &str = "keeps its data in a form that only Intel's SVS library reads";
const TWO_LAYERS: &str =
    "holds only the codes of two quantizers, for a search to be refined elsewhere";
const COMBINATIONS: &str =
    "is a coarse quantizer: its centroids are combinations, and vectors it has none";

/// The class of a type code of this module.
pub fn class(code: &[u8; 4]) -> Option<&'static str> {
    CLASSES
        .iter()
        .find(|(c, _)| *c == code)
        .map(|(_, class)| *class)
}

/// Refuses an index behind which nothing can be found, before something is looked for there.
///
/// # Errors
/// `Unsupported`, naming the class.
pub fn check_end_known(node: &Node) -> Result<()> {
    match node.body {
        Body::Unreadable {
            is_end_known: false,
            ..
        } => Err(refusal(node)),
        _ => Ok(()),
    }
}

/// The error that names an index which vectors can't be read from.
pub fn refusal(node: &Node) -> Error {
    let why = match &node.body {
        Body::Unreadable { why, .. } => why,
        Body::Combined(_) => COMBINATIONS,
        Body::Ivf(ivf) => match ivf.codec {
            Codec::Unreadable(why) => why,
            _ => "holds no inverted lists",
        },
        _ => "holds no vectors",
    };
    Error::new(
        ErrorKind::Unsupported,
        format!("can't read vectors from an {} (`{}`): it {why}", node.class, node.fourcc),
    )
    .with("offset", node.at)
    .help("build an index that keeps vectors (such as `Flat` or `IVF…,Flat`) from the original data, and export that")
}

/// Reads what follows the type code, as far as it is understood: whatever it is, the index is
/// named by its class in the end.
///
/// # Errors
/// `Io` and `Cancelled`; `Format` where indexes are nested too deep.
pub fn body(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<()> {
    node.class = class(&node.fourcc.0).unwrap_or("unknown");
    let read = match layout(&node.fourcc.0) {
        Layout::Opaque(why) => Err(why),
        Layout::Known(why) => match known(cursor, node, depth) {
            Ok(body) => Ok(match body {
                Some(body) => body,
                None => Body::Unreadable {
                    why,
                    parts: Vec::new(),
                    is_end_known: true,
                },
            }),
            Err(e) if matches!(e.kind(), ErrorKind::Format | ErrorKind::Unsupported) => Err(why),
            Err(e) => return Err(e),
        },
    };
    node.body = read.unwrap_or_else(|why| Body::Unreadable {
        why,
        parts: Vec::new(),
        is_end_known: false,
    });
    Ok(())
}

/// Whether the layout is known, and why vectors can't be read from it.
enum Layout {
    Known(&'static str),
    Opaque(&'static str),
}

fn layout(code: &[u8; 4]) -> Layout {
    match code {
        b"IxHe" | b"IwSh" | b"IxHE" => Layout::Known(SIGNS),
        b"IxLa" => Layout::Known("is a codec: it keeps no codes"),
        b"Ix2L" => Layout::Known(TWO_LAYERS),
        b"Imiq" | b"ImRQ" => Layout::Known(COMBINATIONS),
        b"IRMf" | b"IRMh" => {
            Layout::Known("scales every vector by itself, and Faiss can't put vectors into it")
        }
        b"Ixrq" | b"Ixrr" | b"Irfn" | b"Iwrq" | b"Iwrr" | b"Iwrn" => Layout::Known(RABITQ),
        b"IxEe" | b"IwEe" => Layout::Known(EDEN),
        b"ILfs" | b"IRfs" | b"IPLf" | b"IPRf" | b"IVLf" | b"IVRf" | b"NPLf" | b"NPRf" => {
            Layout::Known(PACKED_SUMS)
        }
        b"IwIQ" => Layout::Known("chooses lists by vectors that are not those in the lists"),
        b"Irfs" | b"Iwrf" => Layout::Opaque(RABITQ),
        b"IxEd" | b"IwEd" => Layout::Opaque(EDEN),
        _ => Layout::Opaque(OPAQUE_SVS),
    }
}

/// Walks over the classes whose layout is known; `None` leaves the body to the caller.
fn known(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<Option<Body>> {
    if &node.fourcc.0 == b"IxLa" {
        // The settings stand before the header.
        cursor.skip(4 * 4, "the settings of a lattice")?;
        node.header = header(cursor)?;
        cursor.vector(4, "the ranges")?;
        return Ok(None);
    }
    node.header = header(cursor)?;
    let (dim, is_trained) = (node.header.dim, node.header.is_trained);
    match &node.fourcc.0 {
        b"IxHe" | b"IxHE" => {
            cursor.skip(4 + 1 + 1, "the settings of an LSH index")?;
            cursor.vector(4, "the thresholds")?;
            cursor.i32("the code size")?;
            transform::parse(cursor, depth + 1)?;
            cursor.vector(1, "the codes")?;
        }
        b"Ix2L" => {
            parse_part(cursor, depth + 1)?;
            cursor.skip(8 + 1, "the number of lists")?;
            product(cursor, dim, is_trained)?;
            cursor.skip(3 * 8, "the code sizes")?;
            cursor.vector(1, "the codes")?;
        }
        b"Imiq" => {
            return Ok(Some(Body::Combined(Combined::Product(product(
                cursor, dim, is_trained,
            )?))));
        }
        b"ImRQ" => {
            let quantizer = additive(cursor, AdditiveKind::Residual, dim, is_trained)?;
            cursor.f32("beam_factor")?;
            return Ok(Some(Body::Combined(Combined::Residual(quantizer))));
        }
        b"IRMf" | b"IRMh" => {
            parse_part(cursor, depth + 1)?;
        }
        b"Ixrq" | b"Ixrr" => {
            rabitq(cursor, &node.fourcc.0 == b"Ixrr")?;
            cursor.vector(1, "the codes")?;
            cursor.vector(4, "the center")?;
            cursor.u8("qb")?;
        }
        b"Irfn" => {
            rabitq(cursor, true)?;
            cursor.vector(4, "the center")?;
            cursor.skip(1 + 4 + 8 + 8 + 8, "the settings of a fast-scan index")?;
            cursor.vector(1, "the codes")?;
        }
        b"IxEe" => {
            rabitq(cursor, true)?;
            cursor.i32("the kind of scale")?;
            cursor.vector(1, "the codes")?;
            cursor.vector(4, "the center")?;
        }
        b"ILfs" | b"IRfs" | b"IPLf" | b"IPRf" => {
            additive(cursor, additive_kind(node), dim, is_trained)?;
            cursor.skip(
                3 * 4 + 6 * 8 + 1 + 4 + 8,
                "the settings of a fast-scan index",
            )?;
            cursor.vector(1, "the codes")?;
        }
        b"IwIQ" => independent(cursor, depth)?,
        _ => return inverted(cursor, node, depth).map(Some),
    }
    Ok(None)
}

fn independent(cursor: &mut Cursor<'_>, depth: u32) -> Result<()> {
    parse_part(cursor, depth + 1)?;
    if cursor.bool("`has_vt`")? {
        transform::parse(cursor, depth + 1)?;
    }
    let ivf = parse_part(cursor, depth + 1)?;
    if matches!(&ivf.fourcc.0, b"IwPQ" | b"IwQR" | b"IvPQ" | b"IvQR") {
        cursor.i32("use_precomputed_table")?;
    }
    Ok(())
}

fn additive_kind(node: &Node) -> AdditiveKind {
    match &node.fourcc.0 {
        b"ILfs" | b"IVLf" => AdditiveKind::LocalSearch,
        b"IRfs" | b"IVRf" => AdditiveKind::Residual,
        b"IPLf" | b"NPLf" => AdditiveKind::ProductLocalSearch,
        _ => AdditiveKind::ProductResidual,
    }
}

/// The shared fields of RaBitQ and EDEN quantizers: d, code size, metric, bits.
fn rabitq(cursor: &mut Cursor<'_>, with_bits: bool) -> Result<()> {
    let bits = if with_bits { 8 } else { 0 };
    cursor.skip(8 + 8 + 4 + bits, "the quantizer").map(|_| ())
}

fn inverted(cursor: &mut Cursor<'_>, node: &mut Node, depth: u32) -> Result<Body> {
    let header = ivf_header(cursor, node, depth)?;
    let why = match &node.fourcc.0 {
        b"IwSh" => {
            transform::parse(cursor, depth + 1)?;
            cursor.skip(4 + 4 + 4, "the settings of a spectral hash")?;
            cursor.vector(4, "the thresholds")?;
            SIGNS
        }
        b"Iwrq" | b"Iwrr" => {
            rabitq(cursor, &node.fourcc.0 == b"Iwrr")?;
            cursor.skip(8 + 1 + 1, "the settings of RaBitQ")?;
            RABITQ
        }
        b"Iwrn" => {
            rabitq(cursor, true)?;
            cursor.skip(
                1 + 8 + 4 + 8 + 8 + 4 + 1 + 1,
                "the settings of a fast-scan index",
            )?;
            RABITQ
        }
        b"IwEe" => {
            rabitq(cursor, true)?;
            cursor.skip(4 + 8 + 1, "the settings of EDEN")?;
            EDEN
        }
        _ => {
            additive(
                cursor,
                additive_kind(node),
                node.header.dim,
                node.header.is_trained,
            )?;
            cursor.skip(
                1 + 3 * 4 + 6 * 8 + 1 + 4 + 8,
                "the settings of a fast-scan index",
            )?;
            PACKED_SUMS
        }
    };
    let lists = invlists::parse(cursor, header.nlist, None)?;
    Ok(Body::Ivf(Box::new(Ivf {
        quantizer: header.quantizer,
        codec: Codec::Unreadable(why),
        by_residual: false,
        lists,
        instances: None,
        refinement: None,
    })))
}
