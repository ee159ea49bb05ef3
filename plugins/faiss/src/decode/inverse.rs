// SPDX-License-Identifier: Apache-2.0
//! Inverses of vector transforms, and what each can't give back (VectorTransform.cpp).

use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::hadamard::Hadamard;
use super::linear::LinearInverse;
use super::table::read_floats;
use crate::format::ReadAt;
use crate::format::cursor::damaged;
use crate::format::read_at::read_at;
use crate::format::transform::{Action, Transform};

/// Turns transformed vectors back.
#[derive(Debug)]
pub struct Inverse {
    dim_in: usize,
    dim_out: usize,
    how: How,
}

#[derive(Debug)]
enum How {
    Linear(LinearInverse),
    /// For each dimension before the transform, where it is after it.
    Remap(Vec<Option<u32>>),
    Shift(Vec<f32>),
    Rotate(Hadamard),
    Keep,
}

impl Inverse {
    /// Prepares the inverse of a transform; gives what would be lost, if something is.
    ///
    /// # Errors
    /// `Format` for numbers that can't be, `Unsupported` for a transform without an inverse.
    pub fn plan(file: &Arc<dyn ReadAt>, transform: &Transform) -> Result<(Self, Option<String>)> {
        if !transform.is_trained {
            return Err(damaged(
                transform.at,
                format!(
                    "a {} was not trained, but vectors went through it",
                    transform.class
                ),
            ));
        }
        let (how, loss) = match &transform.action {
            Action::Linear { matrix, bias } => {
                let (inverse, loss) = LinearInverse::plan(file, transform, *matrix, *bias)?;
                (How::Linear(inverse), loss)
            }
            Action::Remap { map } => remap(file.as_ref(), transform, map.at)?,
            Action::Center { mean } => {
                let mut floats = vec![0.0; transform.dim_in as usize];
                read_floats(file.as_ref(), mean.at, &mut floats, "the mean")?;
                (How::Shift(floats), None)
            }
            Action::Hadamard { seed } => (
                How::Rotate(Hadamard::new(*seed, transform.dim_out as usize)),
                None,
            ),
            Action::Normalize => {
                let loss = format!(
                    "a {} ({}) scaled every vector to length 1; the lengths are not in the file",
                    transform.class, transform.fourcc
                );
                (How::Keep, Some(loss))
            }
            Action::Iterative => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "can't turn back an {} ({}): it scales every vector to length 1 between a projection and a rotation",
                        transform.class, transform.fourcc
                    ),
                )
                .with("offset", transform.at)
                .help("take the vectors as they are stored with `space: stored`"));
            }
        };
        let inverse = Self {
            dim_in: transform.dim_in as usize,
            dim_out: transform.dim_out as usize,
            how,
        };
        Ok((inverse, loss))
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> u64 {
        match &self.how {
            How::Linear(inverse) => inverse.held_bytes(),
            How::Remap(places) => size_of_val(places.as_slice()) as u64,
            How::Shift(mean) => size_of_val(mean.as_slice()) as u64,
            How::Rotate(rotation) => rotation.held_bytes(),
            How::Keep => 0,
        }
    }

    /// Dimension before the transform.
    pub fn dim_in(&self) -> usize {
        self.dim_in
    }

    /// Dimension after the transform.
    pub fn dim_out(&self) -> usize {
        self.dim_out
    }

    /// Turns rows of `dim_out` numbers back into rows of `dim_in`; `y` is used up.
    ///
    /// # Errors
    /// `Io`, or `Format` where the file ends.
    pub fn apply(&self, y: &mut [f32], x: &mut [f32]) -> Result<()> {
        if let How::Linear(inverse) = &self.how {
            return inverse.apply(y, x);
        }
        let rows = y
            .chunks_exact_mut(self.dim_out)
            .zip(x.chunks_exact_mut(self.dim_in));
        for (y, x) in rows {
            match &self.how {
                How::Remap(places) => {
                    for (x, place) in x.iter_mut().zip(places) {
                        let found = place.and_then(|p| y.get(p as usize));
                        *x = found.copied().unwrap_or(0.0);
                    }
                }
                How::Shift(mean) => {
                    for ((x, y), m) in x.iter_mut().zip(y.iter()).zip(mean) {
                        *x = y + m;
                    }
                }
                How::Rotate(rotation) => {
                    rotation.invert(y);
                    for (x, y) in x.iter_mut().zip(y.iter()) {
                        *x = *y;
                    }
                }
                How::Keep | How::Linear(_) => {
                    for (x, y) in x.iter_mut().zip(y.iter()) {
                        *x = *y;
                    }
                }
            }
        }
        Ok(())
    }
}

fn remap(file: &dyn ReadAt, transform: &Transform, at: u64) -> Result<(How, Option<String>)> {
    let mut bytes = vec![0; transform.dim_out as usize * 4];
    read_at(file, at, &mut bytes, "a map of dimensions")?;
    let mut places = vec![None; transform.dim_in as usize];
    for (place, from) in bytes.as_chunks::<4>().0.iter().enumerate() {
        let from = i32::from_le_bytes(*from);
        if from == -1 {
            continue;
        }
        let found = usize::try_from(from)
            .ok()
            .and_then(|from| places.get_mut(from));
        let found = found.ok_or_else(|| {
            damaged(
                at + place as u64 * 4,
                format!(
                    "a map of {} dimensions names dimension {from}",
                    transform.dim_in
                ),
            )
        })?;
        found.get_or_insert(place as u32);
    }
    let missing = places.iter().filter(|p| p.is_none()).count();
    let loss = (missing > 0).then(|| {
        format!(
            "a {} ({}) left out {missing} of {} dimensions; they would be 0",
            transform.class, transform.fourcc, transform.dim_in
        )
    });
    Ok((How::Remap(places), loss))
}
