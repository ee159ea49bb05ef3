// SPDX-License-Identifier: Apache-2.0
//! Solves the small symmetric systems that a transform without orthogonal rows leads to.

/// Most rows of a system: 16 MiB.
pub const MAX_ROWS: usize = 2048;

/// The lower triangle of a symmetric matrix, row after row.
#[derive(Debug)]
pub struct Gram {
    rows: usize,
    values: Vec<f64>,
}

impl Gram {
    /// A matrix of zeros; `rows` is at most [`MAX_ROWS`].
    pub fn zeros(rows: usize) -> Self {
        Self {
            rows,
            values: vec![0.0; rows * (rows + 1) / 2],
        }
    }

    /// Adds the product of two entries of `vector` to each entry.
    pub fn add_outer(&mut self, vector: &[f32]) {
        let mut values = self.values.as_mut_slice();
        for (i, x) in vector.iter().enumerate() {
            let (row, rest) = values.split_at_mut(i + 1);
            for (value, y) in row.iter_mut().zip(vector) {
                *value += f64::from(*x) * f64::from(*y);
            }
            values = rest;
        }
    }

    /// Sets the entry of a row and a column that is not behind it.
    pub fn set(&mut self, row: usize, column: usize, value: f64) {
        if let Some(entry) = self.values.get_mut(row * (row + 1) / 2 + column) {
            *entry = value;
        }
    }

    /// Factors the matrix; `None` if it is not positive definite.
    pub fn factor(mut self) -> Option<Cholesky> {
        for i in 0..self.rows {
            let (above, rest) = self.values.split_at_mut(i * (i + 1) / 2);
            let row = rest.get_mut(..=i)?;
            for j in 0..i {
                let other = above.get(j * (j + 1) / 2..)?.get(..=j)?;
                let sum = dot(row.get(..j)?, other.get(..j)?);
                let entry = row.get_mut(j)?;
                *entry = (*entry - sum) / other.last()?;
            }
            let diagonal = *row.last()?;
            let left = diagonal - dot(row.get(..i)?, row.get(..i)?);
            // Below this, what is left of the diagonal is rounding.
            if !(left > diagonal * 1e-13 && left.is_finite()) {
                return None;
            }
            *row.last_mut()? = left.sqrt();
        }
        Some(Cholesky(self))
    }
}

/// Four sums at once, so that the compiler can use wide registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a4, a_rest) = a.as_chunks::<4>();
    let (b4, b_rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in a4.iter().zip(b4) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

/// A factored matrix.
#[derive(Debug)]
pub struct Cholesky(Gram);

impl Cholesky {
    fn row(&self, i: usize) -> &[f64] {
        let start = i * (i + 1) / 2;
        self.0.values.get(start..=start + i).unwrap_or_default()
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> u64 {
        size_of_val(self.0.values.as_slice()) as u64
    }

    /// The ratio of the largest to the smallest entry of the diagonal: about how much rounding
    /// grows.
    pub fn spread(&self) -> f64 {
        let diagonal = (0..self.0.rows).filter_map(|i| self.row(i).last().copied());
        let (low, high) = diagonal.fold((f64::INFINITY, 0.0f64), |(low, high), d| {
            (low.min(d), high.max(d))
        });
        high / low
    }

    /// Replaces the right side by the solution.
    pub fn solve(&self, vector: &mut [f64]) {
        for i in 0..self.0.rows.min(vector.len()) {
            let (solved, rest) = vector.split_at_mut(i);
            if let (Some(x), Some((last, row))) = (rest.first_mut(), self.row(i).split_last()) {
                *x = (*x - dot(row, solved)) / last;
            }
        }
        for i in (0..self.0.rows.min(vector.len())).rev() {
            let (left, rest) = vector.split_at_mut(i);
            if let (Some(x), Some((last, row))) = (rest.first_mut(), self.row(i).split_last()) {
                *x /= last;
                for (y, l) in left.iter_mut().zip(row) {
                    *y -= l * *x;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_gives_back_the_right_side() {
        let rows: [[f32; 3]; 3] = [[2.0, 1.0, 0.5], [0.0, 3.0, 1.0], [1.0, -1.0, 4.0]];
        let mut gram = Gram::zeros(3);
        for row in rows {
            gram.add_outer(&row);
        }
        let right = [1.0, -2.0, 3.0];
        let mut solved = right;
        gram.factor().unwrap().solve(&mut solved);
        let entry = |i: usize, j: usize| -> f64 {
            rows.iter().map(|r| f64::from(r[i]) * f64::from(r[j])).sum()
        };
        for (i, wanted) in right.iter().enumerate() {
            let found: f64 = (0..3).map(|j| entry(i, j) * solved[j]).sum();
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
    }

    #[test]
    fn a_singular_matrix_is_refused() {
        let mut gram = Gram::zeros(2);
        gram.add_outer(&[1.0, 2.0]);
        assert!(gram.factor().is_none());
    }
}
