// SPDX-License-Identifier: Apache-2.0
//! Vector transforms (index_write.cpp `write_VectorTransform`).
//!
//! The dimensions stand behind the body, so a body is only measured against them at its end.

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::cursor::{Cursor, Span, damaged};
use super::node::Fourcc;

/// Largest dimension of an index or transform (index_read.cpp).
pub const MAX_DIM: u32 = 1 << 20;

/// One transform of a chain.
#[derive(Debug, Clone)]
pub struct Transform {
    /// Type code.
    pub fourcc: Fourcc,
    /// Offset of the type code.
    pub at: u64,
    /// Name of the C++ class.
    pub class: &'static str,
    /// Dimension before it.
    pub dim_in: u32,
    /// Dimension behind it.
    pub dim_out: u32,
    /// Whether it was trained.
    pub is_trained: bool,
    /// What it does.
    pub action: Action,
}

/// What a transform does.
#[derive(Debug, Clone)]
pub enum Action {
    /// y = A x + b, A row by row, `dim_out` x `dim_in`.
    Linear {
        /// A.
        matrix: Span,
        /// b, if there is one.
        bias: Option<Span>,
    },
    /// y\[i\] = x\[map\[i\]\], 0 where it is -1.
    Remap {
        /// The map.
        map: Span,
    },
    /// y = x / |x|.
    Normalize,
    /// y = x - mean.
    Center {
        /// The mean.
        mean: Span,
    },
    /// Centering, normalising and rotating in one (ITQTransform).
    Iterative,
    /// A random rotation out of three Hadamard transforms with signs.
    Hadamard {
        /// Seed of the signs.
        seed: u32,
    },
}

/// Reads a transform at `depth`.
///
/// # Errors
/// `Format` where its parts don't fit each other, `Unsupported` for an unknown type.
pub fn parse(cursor: &mut Cursor<'_>, depth: u32) -> Result<Transform> {
    cursor.enter(depth)?;
    let at = cursor.position();
    let fourcc = cursor.fourcc("a transform's type code")?;
    let (class, action) = match &fourcc.0 {
        b"LTra" => ("LinearTransform", linear(cursor)?),
        b"rrot" => ("RandomRotationMatrix", linear(cursor)?),
        b"Pcam" | b"PcAm" | b"PCAm" => ("PCAMatrix", pca(cursor, fourcc)?),
        b"Viqm" => {
            cursor.skip(8, "the settings of an ITQ matrix")?;
            ("ITQMatrix", linear(cursor)?)
        }
        b"Viqt" => {
            cursor.vector(4, "the mean of an ITQ transform")?;
            cursor.bool("`do_pca` of an ITQ transform")?;
            parse(cursor, depth + 1)?;
            parse(cursor, depth + 1)?;
            ("ITQTransform", Action::Iterative)
        }
        b"RmDT" => {
            let map = cursor.vector(4, "a map of dimensions")?;
            ("RemapDimensionsTransform", Action::Remap { map })
        }
        b"VNrm" => {
            cursor.f32("the norm")?;
            ("NormalizationTransform", Action::Normalize)
        }
        b"VCnt" => {
            let mean = cursor.vector(4, "the mean")?;
            ("CenteringTransform", Action::Center { mean })
        }
        b"HRot" => {
            let seed = cursor.u32("the seed of a rotation")?;
            ("HadamardRotation", Action::Hadamard { seed })
        }
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("a vector transform of the unknown type `{fourcc}`"),
            )
            .with("offset", at)
            .help(
                "if a newer Faiss wrote the file, this version of the plugin does not know it yet",
            ));
        }
    };
    let dim_in = dimension(cursor, "a transform's input dimension")?;
    let dim_out = dimension(cursor, "a transform's output dimension")?;
    let is_trained = cursor.bool("a transform's `is_trained`")?;
    let transform = Transform {
        fourcc,
        at,
        class,
        dim_in,
        dim_out,
        is_trained,
        action,
    };
    if is_trained {
        transform.check()?;
    }
    Ok(transform)
}

fn dimension(cursor: &mut Cursor<'_>, what: &str) -> Result<u32> {
    let found = cursor.i32(what)?;
    u32::try_from(found)
        .ok()
        .filter(|d| *d <= MAX_DIM)
        .ok_or_else(|| {
            damaged(
                cursor.position() - 4,
                format!("{what} is {found}, expected 0 to {MAX_DIM}"),
            )
        })
}

fn linear(cursor: &mut Cursor<'_>) -> Result<Action> {
    let has_bias = cursor.bool("`have_bias` of a linear transform")?;
    let matrix = cursor.vector(4, "the matrix of a linear transform")?;
    let bias = cursor.vector(4, "the bias of a linear transform")?;
    Ok(Action::Linear {
        matrix,
        bias: has_bias.then_some(bias),
    })
}

fn pca(cursor: &mut Cursor<'_>, fourcc: Fourcc) -> Result<Action> {
    cursor.f32("the eigenvalues' power of a PCA")?;
    if &fourcc.0 == b"Pcam" {
        cursor.f32("the epsilon of a PCA")?;
    }
    cursor.bool("`random_rotation` of a PCA")?;
    if &fourcc.0 != b"PCAm" {
        cursor.i32("the balanced bins of a PCA")?;
    }
    cursor.vector(4, "the mean of a PCA")?;
    cursor.vector(4, "the eigenvalues of a PCA")?;
    cursor.vector(4, "the eigenvectors of a PCA")?;
    linear(cursor)
}

impl Transform {
    fn check(&self) -> Result<()> {
        let (dim_in, dim_out) = (u64::from(self.dim_in), u64::from(self.dim_out));
        let (found, wanted, what) = match &self.action {
            Action::Linear { matrix, bias } => {
                if let Some(bias) = bias
                    && bias.count < dim_out
                {
                    return Err(self.misfit("a bias", bias.count, dim_out));
                }
                // Longer ones are legal (index_read.cpp asks for `>=`).
                (
                    matrix.count.min(dim_in * dim_out),
                    dim_in * dim_out,
                    "a matrix",
                )
            }
            Action::Remap { map } => (map.count, dim_out, "a map"),
            Action::Center { mean } => (mean.count, dim_in, "a mean"),
            Action::Hadamard { .. } => {
                let fits = self.dim_out.is_power_of_two() && dim_out >= dim_in;
                (
                    u64::from(fits),
                    1,
                    "a power of two above the input dimension",
                )
            }
            Action::Normalize | Action::Iterative => return Ok(()),
        };
        if found != wanted || dim_in == 0 || dim_out == 0 {
            return Err(self.misfit(what, found, wanted));
        }
        Ok(())
    }

    fn misfit(&self, what: &str, found: u64, wanted: u64) -> Error {
        damaged(
            self.at,
            format!(
                "a {} from {} to {} dimensions has {what} of {found} numbers, expected {wanted}",
                self.class, self.dim_in, self.dim_out
            ),
        )
    }
}
