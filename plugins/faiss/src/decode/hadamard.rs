// SPDX-License-Identifier: Apache-2.0
//! Turns back a random rotation that is made of three Hadamard transforms with signs between
//! them (VectorTransform.cpp `HadamardRotation`, RaBitQ and EDEN use it too).

/// The signs of a rotation.
#[derive(Debug)]
pub struct Hadamard {
    signs: [Vec<f32>; 3],
}

/// SplitMix64 (Steele, Lea, Flood 2014), as Faiss' `SplitMix64RandomGenerator`.
#[derive(Debug)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Hadamard {
    /// The rotation of a power of two of dimensions that a seed gives.
    pub fn new(seed: u32, dims: usize) -> Self {
        let mut random = SplitMix64(u64::from(seed));
        let mut signs = || {
            let sign = |n: u64| if n.is_multiple_of(2) { -1.0 } else { 1.0 };
            (0..dims).map(|_| sign(random.next_u64())).collect()
        };
        Self {
            signs: [signs(), signs(), signs()],
        }
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> u64 {
        self.signs
            .iter()
            .map(|signs| size_of_val(signs.as_slice()) as u64)
            .sum()
    }

    /// Turns one vector back in place.
    pub fn invert(&self, vector: &mut [f32]) {
        let scale = (vector.len() as f64).powf(-1.5) as f32;
        for signs in self.signs.iter().rev() {
            walsh(vector);
            for (x, sign) in vector.iter_mut().zip(signs) {
                *x *= sign;
            }
        }
        for x in vector {
            *x *= scale;
        }
    }
}

/// The fast Walsh-Hadamard transform, without its scale.
fn walsh(vector: &mut [f32]) {
    let mut half = 1;
    while half < vector.len() {
        for block in vector.chunks_exact_mut(2 * half) {
            let (a, b) = block.split_at_mut(half);
            for (a, b) in a.iter_mut().zip(b) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_back_undoes_the_rotation() {
        let rotation = Hadamard::new(7, 64);
        let original: Vec<f32> = (0..64).map(|i| (i as f32 * 0.37).sin()).collect();
        let mut vector = original.clone();
        for signs in &rotation.signs {
            for (x, sign) in vector.iter_mut().zip(signs) {
                *x *= sign;
            }
            walsh(&mut vector);
        }
        for x in &mut vector {
            *x /= 64f32.powf(1.5);
        }
        rotation.invert(&mut vector);
        for (x, y) in vector.iter().zip(&original) {
            assert!((x - y).abs() < 1e-5, "{x} {y}");
        }
    }
}
