// SPDX-License-Identifier: Apache-2.0
//! The Faiss file format: bytes in, a tree of nodes out.
//!
//! The format has no magic, version, length or checksum: every count comes from whoever made the
//! file. Nothing here opens files, decodes vectors, or holds more than a window of the file.

pub mod binary;
pub mod counted;
pub mod cursor;
pub mod flat;
pub mod graph;
pub mod index;
pub mod invlists;
pub mod ivf;
pub mod node;
pub mod quantizer;
pub mod read_at;
pub mod transform;
pub mod unreadable;
pub mod window;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

pub use cursor::{Cursor, Span};
pub use node::{Body, Codec, Combined, Fourcc, Header, Ivf, Metric, Node};
pub use read_at::{IndexFile, ReadAt};

/// What a file holds.
#[derive(Debug)]
pub struct Parsed {
    /// The outermost index.
    pub root: Node,
    /// Bytes behind it, which Faiss ignores.
    pub trailing_bytes: u64,
}

/// Reads the tree of an index file, float or binary, as its type code says.
///
/// # Errors
/// `Format` for damaged files, `Unsupported` for type codes that are not known.
pub fn parse(file: &dyn ReadAt) -> Result<Parsed> {
    if file.is_empty() {
        return Err(Error::new(
            ErrorKind::Format,
            "the file is empty, expected a Faiss index",
        )
        .with("offset", 0));
    }
    let mut cursor = Cursor::new(file);
    let mut start = Cursor::new(file);
    let root = if start.fourcc("the index' type code")?.0.starts_with(b"IB") {
        binary::parse(&mut cursor, 0)?
    } else {
        index::parse(&mut cursor, 0)?
    };
    if matches!(root.body, Body::Null) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the file says that it holds no index (`null`)",
        )
        .with("offset", 0));
    }
    // What follows a class whose end is not known is part of it.
    let is_end_known = unreadable::check_end_known(&root).is_ok();
    let trailing_bytes = if is_end_known { cursor.left() } else { 0 };
    Ok(Parsed {
        root,
        trailing_bytes,
    })
}

/// An error for a type code that is not known.
fn unknown(fourcc: Fourcc, at: u64, nested: bool) -> Error {
    let help = if nested {
        "if a newer Faiss wrote the file, this version of the plugin does not know it yet"
    } else {
        "is this a file that `faiss.write_index` or `faiss.write_index_binary` wrote?"
    };
    Error::new(
        ErrorKind::Unsupported,
        format!("no Faiss index begins with the type code `{fourcc}`"),
    )
    .with("offset", at)
    .help(help)
}
