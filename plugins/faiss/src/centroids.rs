// SPDX-License-Identifier: Apache-2.0
//! The centroids of inverted lists: what the coarse quantizer gives back for a list's number.

use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::decode::{AdditiveDecoder, Packing, ProductDecoder};
use crate::decoder::{Decoder, Tables};
use crate::format::cursor::damaged;
use crate::format::{Body, Combined, Node, ReadAt};
use crate::layout::{Layout, Storage};
use crate::options::Space;
use crate::rows::{FlatRows, Rows};

/// Bytes of centroids that are read ahead, about: lists come in order.
const AHEAD_BYTES: u64 = 64 << 10;

/// What the centroids are made of; shared by readers.
#[derive(Debug)]
pub struct Coarse {
    tables: CoarseTables,
    dim: usize,
}

#[derive(Debug)]
enum CoarseTables {
    /// A coarse quantizer that holds its centroids as rows.
    Stored {
        at: u64,
        packing: Packing,
        rows: u64,
        tables: Arc<Tables>,
    },
    Product(ProductDecoder),
    Residual(AdditiveDecoder),
}

/// Gives the centroid of a list.
#[derive(Debug)]
pub struct Centroids {
    coarse: Arc<Coarse>,
    stored: Option<Box<Stored>>,
    first: u64,
    held: Vec<f32>,
    scratch: Vec<f32>,
}

/// Reads centroids that are rows.
#[derive(Debug)]
struct Stored {
    rows: FlatRows,
    count: u64,
    code_bytes: usize,
    decoder: Decoder,
    codes: Vec<u8>,
    ids: Vec<i64>,
}

/// Refuses a coarse quantizer that was not trained: nothing in it was checked, and lists have
/// no differences to what it would give.
///
/// # Errors
/// `Format` for such a one.
pub fn check(quantizer: &Node) -> Result<()> {
    // One that is not in the file has no header, and is refused when it is looked for.
    if quantizer.header.is_trained || matches!(quantizer.body, Body::Null) {
        return Ok(());
    }
    Err(damaged(
        quantizer.at,
        format!(
            "the centroids of the lists can't be had: the {} says that it was not trained, but the lists hold vectors",
            quantizer.nested()
        ),
    ))
}

impl Coarse {
    /// Opens what the centroids of a coarse quantizer are made of.
    ///
    /// # Errors
    /// `Unsupported` for one that can't give them.
    pub fn open(file: &Arc<dyn ReadAt>, quantizer: &Node) -> Result<Self> {
        let tables = match &quantizer.body {
            Body::Combined(Combined::Product(pq)) => {
                CoarseTables::Product(ProductDecoder::open(file, pq)?)
            }
            Body::Combined(Combined::Residual(aq)) => {
                CoarseTables::Residual(AdditiveDecoder::open(file, aq)?)
            }
            _ => stored(file, quantizer)?,
        };
        Ok(Self {
            tables,
            dim: quantizer.header.dim as usize,
        })
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> u64 {
        match &self.tables {
            CoarseTables::Stored { tables, .. } => tables.held_bytes(),
            CoarseTables::Product(decoder) => decoder.held_bytes(),
            CoarseTables::Residual(decoder) => decoder.held_bytes(),
        }
    }
}

fn stored(file: &Arc<dyn ReadAt>, quantizer: &Node) -> Result<CoarseTables> {
    let layout = Layout::of(file, quantizer, Space::Original)?;
    match layout.storage {
        Storage::Flat { at, packing, rows } if layout.id_maps.is_empty() => {
            Ok(CoarseTables::Stored {
                at,
                packing,
                rows,
                tables: Arc::new(Tables::open(file, &layout)?),
            })
        }
        _ => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "can't find the centroids of the lists: the coarse quantizer is an {} (`{}`)",
                quantizer.class,
                quantizer.nested()
            ),
        )
        .with("offset", quantizer.at)),
    }
}

impl Centroids {
    /// Gives centroids that are made of `coarse`.
    pub fn new(file: &Arc<dyn ReadAt>, coarse: Arc<Coarse>) -> Self {
        let stored = match &coarse.tables {
            CoarseTables::Stored {
                at,
                packing,
                rows,
                tables,
            } => Some(Box::new(Stored {
                rows: FlatRows::new(file.clone(), *packing, *at, 0..*rows),
                count: *rows,
                code_bytes: packing.code_bytes() as usize,
                decoder: Decoder::new(file, tables.clone()),
                codes: Vec::new(),
                ids: Vec::new(),
            })),
            CoarseTables::Product(_) | CoarseTables::Residual(_) => None,
        };
        Self {
            coarse,
            stored,
            first: 0,
            held: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The centroid of a list.
    ///
    /// # Errors
    /// `Format` for a list that has none, `Io`.
    pub fn get(&mut self, list: u64) -> Result<&[f32]> {
        let dim = self.coarse.dim;
        let held = (self.held.len() / dim.max(1)) as u64;
        if !(self.first..self.first + held).contains(&list) {
            self.held.clear();
            self.fetch(list)?;
            self.first = list;
        }
        let start = (list - self.first) as usize * dim;
        Ok(self.held.get(start..start + dim).unwrap_or_default())
    }

    fn fetch(&mut self, list: u64) -> Result<()> {
        let dim = self.coarse.dim;
        if let Some(stored) = &mut self.stored {
            return stored.read(list, dim, &mut self.held);
        }
        self.held.resize(dim, 0.0);
        // The number's bits choose an entry for each part, lowest first.
        let number = list.to_le_bytes();
        match &self.coarse.tables {
            CoarseTables::Product(decoder) => {
                decoder.decode(&number, &mut self.held, &mut self.scratch)
            }
            CoarseTables::Residual(decoder) => {
                decoder.decode(&number, &mut self.held, &mut self.scratch)
            }
            CoarseTables::Stored { .. } => Err(Error::new(
                ErrorKind::Internal,
                "centroids that are rows have no reader",
            )),
        }
    }
}

impl Stored {
    /// Reads the centroid of a list, and some that follow it.
    fn read(&mut self, list: u64, dim: usize, out: &mut Vec<f32>) -> Result<()> {
        let left = self
            .count
            .checked_sub(list)
            .filter(|left| *left > 0)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Format,
                    format!(
                        "list {list} has no centroid: the coarse quantizer has {}",
                        self.count
                    ),
                )
            })?;
        let ahead = (AHEAD_BYTES / (dim as u64 * 4).max(1)).clamp(1, left) as usize;
        self.codes.resize(ahead * self.code_bytes, 0);
        self.ids.resize(ahead, 0);
        self.rows.seek(list);
        self.rows
            .read(&mut self.codes, &mut self.ids, &mut Vec::new())?;
        out.resize(ahead * dim, 0.0);
        let bytes = bytemuck::cast_slice_mut(out.as_mut_slice());
        self.decoder.decode(&self.codes, &self.ids, &[], bytes)
    }
}
