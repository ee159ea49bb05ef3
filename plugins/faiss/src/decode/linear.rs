// SPDX-License-Identifier: Apache-2.0
//! Turns back y = A x + b.
//!
//! Faiss takes every matrix that it reads for an orthonormal one (index_read.cpp calls
//! `set_is_orthonormal` before the dimensions are known), and so gives wrong vectors for whitened
//! ones. Here the matrix is looked at: rows (or columns) that are orthogonal, of whatever length,
//! need only be scaled; any other matrix is inverted by way of its Gram matrix.

use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::cholesky::{Cholesky, Gram, MAX_ROWS};
use super::hadamard::SplitMix64;
use super::table::{Table, read_floats};
use crate::format::cursor::damaged;
use crate::format::transform::Transform;
use crate::format::{ReadAt, Span};

/// Floats of the matrix that are read at once.
const PIECE_FLOATS: usize = 64 << 10;
/// Largest matrix without orthogonal rows: 16 MiB.
const MAX_GENERAL_FLOATS: u64 = (MAX_ROWS * MAX_ROWS) as u64;
const PROBES: usize = 16;
/// Largest error of a probe, relative to its length, that counts as rounding.
const ORTHOGONAL: f64 = 2e-5;
/// Beyond this, rounding of the stored numbers would be seen in the third digit.
const MAX_SPREAD: f64 = 1e4;

/// How y = A x + b is turned back.
#[derive(Debug)]
pub struct LinearInverse {
    matrix: Table,
    dim_in: usize,
    dim_out: usize,
    bias: Vec<f32>,
    solve: Solve,
}

/// What stands beside the transposed matrix.
#[derive(Debug)]
enum Solve {
    /// A factor for each number before it.
    ScaleBefore(Vec<f32>),
    /// A factor for each number after it.
    ScaleAfter(Vec<f32>),
    /// A system of equations before it.
    SystemBefore(Cholesky),
    /// A system of equations after it.
    SystemAfter(Cholesky),
}

impl LinearInverse {
    /// Looks at the matrix; gives what would be lost, if something is.
    ///
    /// # Errors
    /// `Format` for numbers that can't be, `Unsupported` for a matrix without an inverse.
    pub fn plan(
        file: &Arc<dyn ReadAt>,
        transform: &Transform,
        matrix: Span,
        bias: Option<Span>,
    ) -> Result<(Self, Option<String>)> {
        let (dim_in, dim_out) = (transform.dim_in as usize, transform.dim_out as usize);
        let mut floats = vec![0.0; bias.map_or(0, |_| dim_out)];
        if let Some(bias) = bias {
            read_floats(
                file.as_ref(),
                bias.at,
                &mut floats,
                "the bias of a transform",
            )?;
        }
        let count = dim_in as u64 * dim_out as u64;
        let span = Span { count, ..matrix };
        let mut inverse = Self {
            matrix: Table::open(file, span, "the matrix of a transform")?,
            dim_in,
            dim_out,
            bias: floats,
            solve: Solve::ScaleBefore(Vec::new()),
        };
        let lengths = inverse.lengths()?;
        if lengths.iter().any(|l| !l.is_finite()) {
            return Err(damaged(
                matrix.at,
                format!(
                    "the matrix of a {} holds numbers that are not finite",
                    transform.class
                ),
            ));
        }
        let mut losses = Vec::new();
        if dim_out < dim_in {
            losses.push(format!(
                "a {} ({}) projected the vectors from {dim_in} to {dim_out} dimensions",
                transform.class, transform.fourcc
            ));
        }
        if inverse.is_orthogonal(&lengths)? {
            if lengths.contains(&0.0) {
                losses.push(format!("a {} wiped out some dimensions", transform.class));
            }
            let factor = |l: &f64| if *l > 0.0 { (1.0 / l) as f32 } else { 0.0 };
            let scale = lengths.iter().map(factor).collect();
            inverse.solve = match dim_out <= dim_in {
                true => Solve::ScaleBefore(scale),
                false => Solve::ScaleAfter(scale),
            };
        } else if let Some(loss) = inverse.general(transform, count)? {
            losses.push(loss);
        }
        Ok((inverse, (!losses.is_empty()).then(|| losses.join("; "))))
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> u64 {
        let solve = match &self.solve {
            Solve::ScaleBefore(factors) | Solve::ScaleAfter(factors) => {
                size_of_val(factors.as_slice()) as u64
            }
            Solve::SystemBefore(system) | Solve::SystemAfter(system) => system.held_bytes(),
        };
        self.matrix.held_bytes() + size_of_val(self.bias.as_slice()) as u64 + solve
    }

    /// Runs over the rows of the matrix in order.
    fn rows(&self, mut row: impl FnMut(usize, &[f32])) -> Result<()> {
        let mut scratch = Vec::new();
        let rows = (PIECE_FLOATS / self.dim_in.max(1)).max(1);
        let mut first = 0;
        while first < self.dim_out {
            let count = rows.min(self.dim_out - first);
            let start = first as u64 * self.dim_in as u64;
            let piece = self.matrix.get(start, count * self.dim_in, &mut scratch)?;
            for (i, floats) in piece.chunks_exact(self.dim_in.max(1)).enumerate() {
                row(first + i, floats);
            }
            first += count;
        }
        Ok(())
    }

    /// Squared lengths of the rows, or of the columns if there are fewer.
    fn lengths(&self) -> Result<Vec<f64>> {
        let mut lengths = vec![0.0; self.dim_in.min(self.dim_out)];
        let by_row = self.dim_out <= self.dim_in;
        self.rows(|k, row| {
            if by_row {
                if let Some(length) = lengths.get_mut(k) {
                    *length = row.iter().map(|a| f64::from(*a).powi(2)).sum();
                }
            } else {
                for (length, a) in lengths.iter_mut().zip(row) {
                    *length += f64::from(*a).powi(2);
                }
            }
        })?;
        Ok(lengths)
    }

    /// Whether the shorter side's vectors are orthogonal: for unit vectors Q and random signs z,
    /// the mean of |Q Qt z - z|^2 is the squared Frobenius norm of Q Qt - 1. This takes time in
    /// proportion to the matrix; all pairs of rows would take its size times its rows.
    fn is_orthogonal(&self, lengths: &[f64]) -> Result<bool> {
        let by_row = self.dim_out <= self.dim_in;
        let norms: Vec<f64> = lengths.iter().map(|l| l.sqrt()).collect();
        let unit = |x: f64, norm: f64| if norm > 0.0 { x / norm } else { 0.0 };
        let mut random = SplitMix64(0x6d69_6c76_7573_646d);
        for _ in 0..PROBES {
            let signs: Vec<f64> = norms
                .iter()
                .map(|_| {
                    if random.next_u64().is_multiple_of(2) {
                        -1.0
                    } else {
                        1.0
                    }
                })
                .collect();
            let scaled: Vec<f64> = signs
                .iter()
                .zip(&norms)
                .map(|(s, n)| unit(*s, *n))
                .collect();
            let there = if by_row {
                self.transposed(&scaled)?
            } else {
                self.times(&scaled)?
            };
            let back = if by_row {
                self.times(&there)?
            } else {
                self.transposed(&there)?
            };
            let mut error = 0.0;
            for ((back, sign), norm) in back.iter().zip(&signs).zip(&norms) {
                if *norm > 0.0 {
                    error += (back / norm - sign).powi(2);
                }
            }
            if error.sqrt() > ORTHOGONAL * (norms.len() as f64).sqrt() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A x.
    fn times(&self, x: &[f64]) -> Result<Vec<f64>> {
        let mut y = vec![0.0; self.dim_out];
        self.rows(|k, row| {
            if let Some(y) = y.get_mut(k) {
                *y = row.iter().zip(x).map(|(a, x)| f64::from(*a) * x).sum();
            }
        })?;
        Ok(y)
    }

    /// At y.
    fn transposed(&self, y: &[f64]) -> Result<Vec<f64>> {
        let mut x = vec![0.0; self.dim_in];
        self.rows(|k, row| {
            let y = y.get(k).copied().unwrap_or(0.0);
            for (x, a) in x.iter_mut().zip(row) {
                *x += f64::from(*a) * y;
            }
        })?;
        Ok(x)
    }

    /// Factors the Gram matrix of the shorter side.
    fn general(&mut self, transform: &Transform, count: u64) -> Result<Option<String>> {
        let refused = |what: &str| {
            Error::new(
                ErrorKind::Unsupported,
                format!("can't turn back a {}: its matrix {what}", transform.class),
            )
            .with("offset", transform.at)
            .help("take the vectors as they are stored with `space: stored`")
        };
        let side = self.dim_in.min(self.dim_out);
        if count > MAX_GENERAL_FLOATS || side > MAX_ROWS {
            return Err(refused(&format!(
                "of {} x {} is not orthogonal and too large to be inverted in bounded memory",
                self.dim_out, self.dim_in
            )));
        }
        let mut gram = Gram::zeros(side);
        if self.dim_out <= self.dim_in {
            let mut scratch = Vec::new();
            let floats = self.matrix.get(0, count as usize, &mut scratch)?;
            let rows: Vec<&[f32]> = floats.chunks_exact(self.dim_in.max(1)).collect();
            for (k, a) in rows.iter().enumerate() {
                for (l, b) in rows.iter().take(k + 1).enumerate() {
                    let products = a.iter().zip(*b).map(|(a, b)| f64::from(*a) * f64::from(*b));
                    gram.set(k, l, products.sum());
                }
            }
        } else {
            self.rows(|_, row| gram.add_outer(row))?;
        }
        let factored = gram.factor().ok_or_else(|| refused("has no inverse"))?;
        let spread = factored.spread();
        self.solve = match self.dim_out <= self.dim_in {
            true => Solve::SystemBefore(factored),
            false => Solve::SystemAfter(factored),
        };
        Ok((spread > MAX_SPREAD).then(|| {
            format!(
                "the matrix of a {} is nearly singular: rounding grows about {spread:.0}-fold",
                transform.class
            )
        }))
    }

    /// Turns rows of `dim_out` numbers back into rows of `dim_in`.
    ///
    /// # Errors
    /// `Io`, or `Format` where the file ends.
    pub fn apply(&self, y: &mut [f32], x: &mut [f32]) -> Result<()> {
        if !self.bias.is_empty() {
            for row in y.chunks_exact_mut(self.dim_out) {
                for (y, b) in row.iter_mut().zip(&self.bias) {
                    *y -= b;
                }
            }
        }
        match &self.solve {
            Solve::ScaleBefore(factors) => scale(y, factors),
            Solve::SystemBefore(system) => solve(y, self.dim_out, system),
            Solve::ScaleAfter(_) | Solve::SystemAfter(_) => {}
        }
        self.multiply(y, x)?;
        match &self.solve {
            Solve::ScaleAfter(factors) => scale(x, factors),
            Solve::SystemAfter(system) => solve(x, self.dim_in, system),
            Solve::ScaleBefore(_) | Solve::SystemBefore(_) => {}
        }
        Ok(())
    }

    /// x = At y for each row, piece by piece of the matrix, so that it is read once for all rows.
    fn multiply(&self, y: &[f32], x: &mut [f32]) -> Result<()> {
        x.fill(0.0);
        let mut scratch = Vec::new();
        let piece_rows = (PIECE_FLOATS / self.dim_in.max(1)).max(1);
        let mut first = 0;
        while first < self.dim_out {
            let count = piece_rows.min(self.dim_out - first);
            let start = first as u64 * self.dim_in as u64;
            let piece = self.matrix.get(start, count * self.dim_in, &mut scratch)?;
            let rows = y
                .chunks_exact(self.dim_out)
                .zip(x.chunks_exact_mut(self.dim_in));
            for (y, x) in rows {
                add_rows(y.get(first..first + count).unwrap_or_default(), piece, x);
            }
            first += count;
        }
        Ok(())
    }
}

/// x += sum of y\[k\] times row k; four rows at once, so that x is loaded once for them.
fn add_rows(y: &[f32], rows: &[f32], x: &mut [f32]) {
    let dim = x.len();
    let (fours, rest) = y.as_chunks::<4>();
    let (four_rows, rest_rows) = rows.split_at((fours.len() * 4 * dim).min(rows.len()));
    for (y, rows) in fours.iter().zip(four_rows.chunks_exact(4 * dim)) {
        let (a, bcd) = rows.split_at(dim);
        let (b, cd) = bcd.split_at(dim);
        let (c, d) = cd.split_at(dim);
        for ((((x, a), b), c), d) in x.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *x += (y[0] * a + y[1] * b) + (y[2] * c + y[3] * d);
        }
    }
    for (y, row) in rest.iter().zip(rest_rows.chunks_exact(dim)) {
        for (x, a) in x.iter_mut().zip(row) {
            *x += y * a;
        }
    }
}

fn scale(rows: &mut [f32], factors: &[f32]) {
    for row in rows.chunks_exact_mut(factors.len().max(1)) {
        for (x, factor) in row.iter_mut().zip(factors) {
            *x *= factor;
        }
    }
}

fn solve(rows: &mut [f32], dim: usize, system: &Cholesky) {
    let mut exact = vec![0.0; dim];
    for row in rows.chunks_exact_mut(dim) {
        for (e, x) in exact.iter_mut().zip(row.iter()) {
            *e = f64::from(*x);
        }
        system.solve(&mut exact);
        for (x, e) in row.iter_mut().zip(&exact) {
            *x = *e as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Fourcc;
    use crate::format::transform::Action;

    fn plan(matrix: &[f32], dim_out: u32, dim_in: u32) -> Result<(LinearInverse, Option<String>)> {
        let bytes: Vec<u8> = matrix.iter().flat_map(|f| f.to_le_bytes()).collect();
        let file: Arc<dyn ReadAt> = Arc::new(bytes);
        let span = Span {
            at: 0,
            count: matrix.len() as u64,
            elem_bytes: 4,
        };
        let transform = Transform {
            fourcc: Fourcc(*b"LTra"),
            at: 0,
            class: "LinearTransform",
            dim_in,
            dim_out,
            is_trained: true,
            action: Action::Linear {
                matrix: span,
                bias: None,
            },
        };
        LinearInverse::plan(&file, &transform, span, None)
    }

    fn round_trip(matrix: &[f32], dim_out: usize, dim_in: usize, atol: f32) -> Option<String> {
        let (inverse, loss) = plan(matrix, dim_out as u32, dim_in as u32).unwrap();
        let original: Vec<f32> = (0..dim_in).map(|i| (i as f32 + 0.3).cos()).collect();
        let mut y: Vec<f32> = matrix
            .chunks(dim_in)
            .map(|row| row.iter().zip(&original).map(|(a, x)| a * x).sum())
            .collect();
        let mut x = vec![0.0; dim_in];
        inverse.apply(&mut y, &mut x).unwrap();
        if loss.is_none() {
            for (x, o) in x.iter().zip(&original) {
                assert!((x - o).abs() < atol, "{x} {o}");
            }
        }
        loss
    }

    #[test]
    fn scaled_rotations_and_general_matrices_are_inverted() {
        let (s, c) = 0.6f32.sin_cos();
        assert_eq!(round_trip(&[c, -s, s, c], 2, 2, 1e-6), None);
        assert_eq!(
            round_trip(&[1e4 * c, -1e4 * s, 1e-4 * s, 1e-4 * c], 2, 2, 1e-6),
            None
        );
        assert_eq!(round_trip(&[2.0, 1.0, 0.0, 3.0], 2, 2, 1e-6), None);
        assert_eq!(
            round_trip(&[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], 3, 2, 1e-6),
            None
        );
        assert_eq!(
            round_trip(&[1.0, 2.0, 3.0, 4.0, 5.0, 7.0], 3, 2, 1e-5),
            None
        );
    }

    #[test]
    fn projections_and_near_singular_matrices_lose_something() {
        let loss = round_trip(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], 2, 3, 0.0).unwrap();
        assert!(loss.contains("from 3 to 2 dimensions"), "{loss}");
        let loss = round_trip(&[1.0, 1.0, 1.0, 1.00001], 2, 2, 0.0).unwrap();
        assert!(loss.contains("nearly singular"), "{loss}");
        let error = plan(&[1.0, 2.0, 2.0, 4.0], 2, 2).unwrap_err();
        assert!(error.to_string().contains("no inverse"), "{error}");
        let error = plan(&[f32::NAN, 0.0, 0.0, 1.0], 2, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
    }
}
