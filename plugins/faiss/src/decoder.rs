// SPDX-License-Identifier: Apache-2.0
//! Turns the codes of rows into the vectors that come out: decode, add centroids, refine, undo
//! transforms, cut into bits.

use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::centroids::{Centroids, Coarse};
use crate::decode::{AdditiveDecoder, Inverse, ProductDecoder, ScalarDecoder};
use crate::format::{Codec, ReadAt, Span};
use crate::layout::Layout;
use crate::rows::Run;
use crate::rows::gather::Gather;

/// Bytes of codes or floats that are decoded at once, about.
const CHUNK_BYTES: u64 = 256 << 10;

/// What decoding needs from the file; shared by the readers that an index has at the time.
#[derive(Debug)]
pub struct Tables {
    codec: CodecTables,
    refinement: Option<Refinement>,
    centroids: Option<Arc<Coarse>>,
    undo: Vec<Inverse>,
    to_bits: bool,
    stored_dim: usize,
}

#[derive(Debug)]
enum CodecTables {
    Floats,
    Scalar(ScalarDecoder),
    Product(ProductDecoder),
    Additive(AdditiveDecoder),
}

#[derive(Debug)]
struct Refinement {
    decoder: ProductDecoder,
    codes: Span,
}

impl Tables {
    /// Opens what decoding needs.
    ///
    /// # Errors
    /// `Format` where sizes don't fit, `Unsupported` where the centroids that have to be added
    /// can't be had, `Io`.
    pub fn open(file: &Arc<dyn ReadAt>, layout: &Layout) -> Result<Self> {
        let codec = match &layout.codec {
            Codec::Floats | Codec::Bits => CodecTables::Floats,
            Codec::Scalar(sq) => CodecTables::Scalar(ScalarDecoder::open(file.as_ref(), sq)?),
            Codec::Product(pq) => CodecTables::Product(ProductDecoder::open(file, pq)?),
            Codec::Additive(aq) => CodecTables::Additive(AdditiveDecoder::open(file, aq)?),
            Codec::Unreadable(why) => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    format!("decode an index that {why}"),
                ));
            }
        };
        let refinement = match &layout.refinement {
            None => None,
            Some((pq, codes)) => Some(Refinement {
                decoder: ProductDecoder::open(file, pq)?,
                codes: Span {
                    count: codes.count / pq.code_bytes().max(1),
                    elem_bytes: pq.code_bytes(),
                    ..*codes
                },
            }),
        };
        let centroids = layout.centroids.as_ref();
        let inverse = |transform| Ok(Inverse::plan(file, transform)?.0);
        Ok(Self {
            codec,
            refinement,
            centroids: centroids
                .map(|quantizer| Ok(Arc::new(Coarse::open(file, quantizer)?)))
                .transpose()?,
            undo: layout.undo.iter().map(inverse).collect::<Result<_>>()?,
            to_bits: layout.to_bits,
            stored_dim: layout.stored_dim as usize,
        })
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> u64 {
        let codec = match &self.codec {
            CodecTables::Floats => 0,
            CodecTables::Scalar(decoder) => decoder.held_bytes(),
            CodecTables::Product(decoder) => decoder.held_bytes(),
            CodecTables::Additive(decoder) => decoder.held_bytes(),
        };
        let refinement = self.refinement.as_ref();
        let refinement = refinement.map_or(0, |r| r.decoder.held_bytes());
        let centroids = self.centroids.as_ref().map_or(0, |c| c.held_bytes());
        let undo: u64 = self.undo.iter().map(Inverse::held_bytes).sum();
        codec + refinement + centroids + undo
    }
}

/// Decodes rows; keeps its scratch memory from one batch to the next.
#[derive(Debug)]
pub struct Decoder {
    file: Arc<dyn ReadAt>,
    tables: Arc<Tables>,
    centroids: Option<Centroids>,
    gather: Gather,
    stored: Vec<f32>,
    turned: Vec<f32>,
    refining: Vec<u8>,
    scratch: Vec<f32>,
}

impl Decoder {
    /// A decoder with the tables of an index.
    pub fn new(file: &Arc<dyn ReadAt>, tables: Arc<Tables>) -> Self {
        let centroids = tables.centroids.clone();
        Self {
            file: file.clone(),
            tables,
            centroids: centroids.map(|coarse| Centroids::new(file, coarse)),
            gather: Gather::default(),
            stored: Vec::new(),
            turned: Vec::new(),
            refining: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Rows that are best decoded at once.
    pub fn chunk_rows(&self, code_bytes: u64) -> usize {
        let widest = self
            .tables
            .undo
            .iter()
            .map(|i| i.dim_in().max(i.dim_out()))
            .max();
        let floats = widest.unwrap_or(0).max(self.tables.stored_dim) as u64;
        let row_bytes = (floats * 4).max(code_bytes).max(1);
        (CHUNK_BYTES / row_bytes).clamp(1, 1 << 16) as usize
    }

    /// Decodes `ids.len()` rows into `out`; `ids` are those of the lists.
    ///
    /// # Errors
    /// `Format` where the file is not what its structure says, `Io`.
    pub fn decode(
        &mut self,
        codes: &[u8],
        ids: &[i64],
        runs: &[Run],
        out: &mut [u8],
    ) -> Result<()> {
        let rows = ids.len();
        self.unpack(codes, rows)?;
        self.add_centroids(runs)?;
        self.refine(ids)?;
        for inverse in &self.tables.undo {
            self.turned.clear();
            self.turned.resize(rows * inverse.dim_in(), 0.0);
            inverse.apply(&mut self.stored, &mut self.turned)?;
            std::mem::swap(&mut self.stored, &mut self.turned);
        }
        if self.tables.to_bits {
            pack_bits(&self.stored, out);
        } else if let Some(out) = out.get_mut(..self.stored.len() * 4) {
            out.copy_from_slice(bytemuck::cast_slice(&self.stored));
        }
        Ok(())
    }

    fn unpack(&mut self, codes: &[u8], rows: usize) -> Result<()> {
        let dim = self.tables.stored_dim.max(1);
        self.stored.resize(rows * dim, 0.0);
        let code_bytes = codes.len() / rows.max(1);
        let pairs = codes
            .chunks_exact(code_bytes.max(1))
            .zip(self.stored.chunks_exact_mut(dim));
        match &self.tables.codec {
            CodecTables::Floats => {
                let bytes = bytemuck::cast_slice_mut(&mut self.stored);
                let length = codes.len().min(bytes.len());
                bytes
                    .split_at_mut(length)
                    .0
                    .copy_from_slice(codes.split_at(length).0);
            }
            CodecTables::Scalar(decoder) => {
                for (code, out) in pairs {
                    decoder.decode(code, out);
                }
            }
            CodecTables::Product(decoder) => {
                for (code, out) in pairs {
                    decoder.decode(code, out, &mut self.scratch)?;
                }
            }
            CodecTables::Additive(decoder) => {
                for (code, out) in pairs {
                    decoder.decode(code, out, &mut self.scratch)?;
                }
            }
        }
        Ok(())
    }

    fn add_centroids(&mut self, runs: &[Run]) -> Result<()> {
        let Some(centroids) = &mut self.centroids else {
            return Ok(());
        };
        let dim = self.tables.stored_dim.max(1);
        let mut vectors = self.stored.chunks_exact_mut(dim);
        for run in runs {
            let centroid = centroids.get(run.list)?;
            for vector in vectors.by_ref().take(run.rows) {
                for (x, c) in vector.iter_mut().zip(centroid) {
                    *x += c;
                }
            }
        }
        Ok(())
    }

    fn refine(&mut self, ids: &[i64]) -> Result<()> {
        let Some(refinement) = &self.tables.refinement else {
            return Ok(());
        };
        let code_bytes = refinement.codes.elem_bytes as usize;
        self.refining.resize(ids.len() * code_bytes, 0);
        let (file, codes) = (self.file.as_ref(), refinement.codes);
        self.gather
            .pick(file, codes, ids, &mut self.refining, "the refining codes")?;
        let vectors = self.stored.chunks_exact_mut(self.tables.stored_dim.max(1));
        for (code, vector) in self.refining.chunks_exact(code_bytes.max(1)).zip(vectors) {
            refinement.decoder.add(code, vector, &mut self.scratch)?;
        }
        Ok(())
    }
}

/// Bit j of a vector is whether number j is above 0, lowest bit first (utils.cpp
/// `real_to_binary`).
fn pack_bits(floats: &[f32], out: &mut [u8]) {
    for (byte, eight) in out.iter_mut().zip(floats.chunks(8)) {
        *byte = eight
            .iter()
            .rev()
            .fold(0, |bits, x| bits << 1 | u8::from(*x > 0.0));
    }
}
