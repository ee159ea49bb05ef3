// SPDX-License-Identifier: Apache-2.0
//! Floats that lie in the file: centroids, codebooks, matrices.

use std::sync::Arc;

use milvusdm_plugin_api::Result;

use crate::format::read_at::read_at;
use crate::format::{ReadAt, Span};

/// Tables up to this size are kept in memory.
const HELD_BYTES: u64 = 4 << 20;

/// A table of floats, in memory if it is small.
#[derive(Debug)]
pub enum Table {
    /// In memory.
    Held(Vec<f32>),
    /// In the file, from this offset on.
    InFile {
        /// The file.
        file: Arc<dyn ReadAt>,
        /// Offset of the first float.
        at: u64,
        /// What it is, for messages.
        what: &'static str,
    },
}

/// Reads floats of the file.
///
/// # Errors
/// As [`read_at`].
pub fn read_floats(file: &dyn ReadAt, at: u64, out: &mut [f32], what: &str) -> Result<()> {
    read_at(file, at, bytemuck::cast_slice_mut(out), what)
}

impl Table {
    /// Opens the floats of a span.
    ///
    /// # Errors
    /// As [`read_at`].
    pub fn open(file: &Arc<dyn ReadAt>, span: Span, what: &'static str) -> Result<Self> {
        if span.bytes() > HELD_BYTES {
            return Ok(Self::InFile {
                file: file.clone(),
                at: span.at,
                what,
            });
        }
        let mut floats = vec![0.0; span.count as usize];
        read_floats(file.as_ref(), span.at, &mut floats, what)?;
        Ok(Self::Held(floats))
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> u64 {
        match self {
            Self::Held(floats) => size_of_val(floats.as_slice()) as u64,
            Self::InFile { .. } => 0,
        }
    }

    /// `count` floats from `start` on, which the caller knows to be in the table; `scratch` is
    /// where they are put if they have to be read.
    ///
    /// # Errors
    /// As [`read_at`]; `Internal` outside of the table.
    pub fn get<'a>(
        &'a self,
        start: u64,
        count: usize,
        scratch: &'a mut Vec<f32>,
    ) -> Result<&'a [f32]> {
        match self {
            Self::Held(floats) => usize::try_from(start)
                .ok()
                .and_then(|start| floats.get(start..start.checked_add(count)?))
                .ok_or_else(|| {
                    milvusdm_plugin_api::Error::new(
                        milvusdm_plugin_api::ErrorKind::Internal,
                        format!("{count} numbers at {start} of a table of {}", floats.len()),
                    )
                }),
            Self::InFile { file, at, what } => {
                scratch.resize(count, 0.0);
                read_floats(file.as_ref(), at + start * 4, scratch, what)?;
                Ok(scratch)
            }
        }
    }
}
