// SPDX-License-Identifier: Apache-2.0
//! Decides what can be read out of a tree of indexes, how, and what that would lose.
//!
//! It walks from the outermost index down to the one that holds the vectors, and notes on the
//! way what has to be undone. It reads no rows.

use std::sync::Arc;

use milvusdm_plugin_api::model::{BitOrder, Elem, VectorType};
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::centroids;
use crate::decode::{Inverse, Packing};
use crate::format::cursor::damaged;
use crate::format::invlists::{ListTable, Lists};
use crate::format::quantizer::Product;
use crate::format::transform::Transform;
use crate::format::{Body, Codec, Ivf, Metric, Node, ReadAt, Span, unreadable};
use crate::loss;
use crate::options::Space;

/// How vectors are read out of an index.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Where codes and ids are.
    pub storage: Storage,
    /// How a vector is encoded.
    pub codec: Codec,
    /// The quantizer whose centroids have to be added.
    pub centroids: Option<Node>,
    /// A second quantizer of what is left, with its codes by id.
    pub refinement: Option<(Product, Span)>,
    /// Transforms that are turned back, in the order in which that is done. Their inverses may be
    /// large, so that they are made where they are needed.
    pub undo: Vec<Transform>,
    /// Whether floats have to be turned into bits at the end.
    pub to_bits: bool,
    /// Tables that ids go through, the innermost first.
    pub id_maps: Vec<Span>,
    /// Dimension of the vectors that come out.
    pub dim: u32,
    /// Dimension of the vectors that are stored.
    pub stored_dim: u32,
    /// The metric of the index that the vectors are in.
    pub metric: Metric,
    /// Whether the vectors are bits.
    pub is_binary: bool,
    /// What the vectors that come out have lost against those that were put in.
    pub losses: Vec<String>,
    /// Whether they differ from those by rounding.
    pub is_rounded: bool,
}

/// Where codes and ids are.
#[derive(Debug, Clone)]
pub enum Storage {
    /// One after the other; ids are the numbers of the rows.
    Flat {
        /// Offset of the first.
        at: u64,
        /// How they lie.
        packing: Packing,
        /// How many.
        rows: u64,
    },
    /// In inverted lists, ids with them.
    Lists {
        /// The lists.
        lists: Lists,
        /// How they lie within a list.
        packing: Packing,
        /// Pairs of ids of equal vectors, of which one is in the lists.
        instances: Option<Span>,
    },
}

impl Storage {
    /// Rows, as the file's structure counts them.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Flat { rows, .. } => *rows,
            Self::Lists {
                lists, instances, ..
            } => lists
                .rows
                .saturating_add(instances.map_or(0, |pairs| pairs.count)),
        }
    }
}

impl Layout {
    /// The layout of an index, with its transforms undone if `space` says so.
    ///
    /// # Errors
    /// `Unsupported` for an index that vectors can't be read from, `Format` for damage.
    pub fn of(file: &Arc<dyn ReadAt>, node: &Node, space: Space) -> Result<Self> {
        match &node.body {
            Body::IdMap { inner, ids } => {
                let mut layout = Self::of(file, inner, space)?;
                layout.id_maps.push(*ids);
                Ok(layout)
            }
            Body::Over { storage } => Self::of(file, storage, space),
            Body::Refine { base, refine } => {
                // The base is for searching; the refining index has what is nearer to the truth.
                let refine = Self::of(file, refine, space);
                if refine.as_ref().is_ok_and(|layout| layout.losses.is_empty()) {
                    return refine;
                }
                match Self::of(file, base, space) {
                    Ok(base) if base.losses.is_empty() || refine.is_err() => Ok(base),
                    _ => refine,
                }
            }
            Body::PreTransform { chain, inner } => {
                let layout = Self::of(file, inner, space)?;
                match space {
                    Space::Stored => Ok(layout),
                    Space::Original => layout.undo(file, chain),
                }
            }
            // Bits are cut from the numbers that were put in.
            Body::FromFloat { inner } => Ok(Self {
                to_bits: true,
                is_binary: true,
                ..Self::of(file, inner, Space::Original)?
            }),
            Body::Null => Err(Error::new(
                ErrorKind::Unsupported,
                "the vectors are not in the file: where they should be, it says `null`",
            )
            .with("offset", node.at)
            .help("write the index again without `IO_FLAG_SKIP_STORAGE`")),
            Body::Combined(_) | Body::Unreadable { .. } => Err(unreadable::refusal(node)),
            _ => Self::leaf(node),
        }
    }

    /// Rows, as the file's structure counts them.
    pub fn rows(&self) -> u64 {
        self.storage.rows()
    }

    /// What a column of these vectors is.
    pub fn vector_type(&self) -> VectorType {
        if self.is_binary {
            return VectorType::binary(self.dim, BitOrder::Lsb).with_metric(Some("hamming"));
        }
        let metric = self.metric.names().map(|(_, canonical)| canonical);
        let mut vector = VectorType::dense(Elem::F32, self.dim).with_metric(metric);
        if metric == Some("lp") {
            vector.metric_arg = Some(f64::from(self.metric.arg));
        }
        vector
    }

    /// Bytes of a vector that comes out.
    pub fn vector_bytes(&self) -> u64 {
        match self.is_binary {
            true => u64::from(self.dim.div_ceil(8)),
            false => u64::from(self.dim) * 4,
        }
    }

    /// Whether the bytes in the file are those that come out.
    pub fn is_direct(&self) -> bool {
        let is_plain = matches!(self.codec, Codec::Floats | Codec::Bits);
        is_plain && self.undo.is_empty() && !self.to_bits
    }

    fn undo(mut self, file: &Arc<dyn ReadAt>, chain: &[Transform]) -> Result<Self> {
        for transform in chain.iter().rev() {
            if self.rows() > 0 {
                let (_, loss) = Inverse::plan(file, transform)?;
                self.undo.push(transform.clone());
                self.losses.extend(loss);
                self.is_rounded = true;
            }
            self.dim = transform.dim_in;
        }
        Ok(self)
    }

    /// The layout of an index that holds vectors itself.
    fn leaf(node: &Node) -> Result<Self> {
        let dim = node.header.dim;
        let mut layout = Self {
            storage: Storage::Flat {
                at: 0,
                packing: Packing::Rows { code_bytes: 0 },
                rows: node.header.ntotal,
            },
            codec: if node.is_binary {
                Codec::Bits
            } else {
                Codec::Floats
            },
            centroids: None,
            refinement: None,
            undo: Vec::new(),
            to_bits: false,
            id_maps: Vec::new(),
            dim,
            stored_dim: dim,
            metric: node.header.metric,
            is_binary: node.is_binary,
            losses: Vec::new(),
            is_rounded: false,
        };
        let plain_bytes = match node.is_binary {
            true => u64::from(dim / 8),
            false => u64::from(dim) * 4,
        };
        let rows = node.header.ntotal;
        match &node.body {
            Body::Flat { codes } => {
                let packing = Packing::Rows {
                    code_bytes: plain_bytes,
                };
                layout.storage = Storage::Flat {
                    at: codes.at,
                    packing,
                    rows,
                };
            }
            Body::FlatPanorama {
                levels,
                batch,
                codes,
            } => {
                let packing = Packing::panorama(dim.into(), *levels, *batch);
                layout.storage = Storage::Flat {
                    at: codes.at,
                    packing,
                    rows,
                };
            }
            Body::Codes {
                codec,
                code_bytes,
                codes,
            } => {
                let packing = Packing::Rows {
                    code_bytes: *code_bytes,
                };
                layout.storage = Storage::Flat {
                    at: codes.at,
                    packing,
                    rows,
                };
                layout.codec = codec.clone();
                layout.note_loss(node, *code_bytes)?;
            }
            Body::FastScan {
                quantizer,
                block_rows,
                codes,
            } => {
                let packing = Packing::FastScan {
                    block_rows: *block_rows,
                    parts: quantizer.parts,
                };
                layout.storage = Storage::Flat {
                    at: codes.at,
                    packing,
                    rows,
                };
                layout.codec = Codec::Product(quantizer.clone());
                layout.note_loss(node, packing.code_bytes())?;
            }
            Body::Buckets(lists) => {
                let packing = Packing::Rows {
                    code_bytes: plain_bytes,
                };
                let lists = lists.as_ref().clone();
                layout.storage = Storage::Lists {
                    lists,
                    packing,
                    instances: None,
                };
            }
            Body::Ivf(ivf) => layout.inverted(node, ivf)?,
            _ => return Err(unreadable::refusal(node)),
        }
        Ok(layout)
    }

    fn inverted(&mut self, node: &Node, ivf: &Ivf) -> Result<()> {
        let lists = ivf.lists.clone();
        if let Codec::Unreadable(_) = ivf.codec {
            return Err(unreadable::refusal(node));
        }
        let packing = match &lists.table {
            ListTable::Absent => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "the inverted lists of the {} are not in the file (`{}`)",
                        node.class, lists.fourcc
                    ),
                )
                .with("offset", lists.at)
                .help("write the index again together with its lists"));
            }
            ListTable::Panorama { levels, batch, .. } => {
                Packing::panorama(self.dim.into(), *levels, *batch)
            }
            ListTable::Blocks { block_rows, .. } => match &ivf.codec {
                Codec::Product(pq) => Packing::FastScan {
                    block_rows: *block_rows,
                    parts: pq.parts,
                },
                _ => return Err(misplaced(node, &lists)),
            },
            _ => Packing::Rows {
                code_bytes: lists.code_bytes,
            },
        };
        let is_packed = !matches!(packing, Packing::Rows { .. });
        if is_packed
            && matches!(
                ivf.codec,
                Codec::Scalar(_) | Codec::Additive(_) | Codec::Bits
            )
        {
            return Err(misplaced(node, &lists));
        }
        self.codec = ivf.codec.clone();
        self.storage = Storage::Lists {
            lists,
            packing,
            instances: ivf.instances,
        };
        self.note_loss(node, packing.code_bytes())?;
        let is_encoded = !matches!(ivf.codec, Codec::Floats | Codec::Bits);
        if ivf.by_residual && is_encoded && self.rows() > 0 {
            centroids::check(&ivf.quantizer)?;
            self.centroids = Some(ivf.quantizer.clone());
            if self.losses.is_empty() {
                self.losses.push(loss::of_differences());
            }
        }
        self.refinement = ivf.refinement.clone().filter(|_| self.rows() > 0);
        Ok(())
    }

    fn note_loss(&mut self, node: &Node, code_bytes: u64) -> Result<()> {
        let loss = loss::of_codes(&self.codec, node, self.rows(), code_bytes)?;
        self.losses.extend(loss);
        Ok(())
    }
}

fn misplaced(node: &Node, lists: &Lists) -> Error {
    damaged(
        lists.at,
        format!(
            "lists of the type `{}` don't belong to an {}",
            lists.fourcc, node.class
        ),
    )
}
