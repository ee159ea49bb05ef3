// SPDX-License-Identifier: Apache-2.0
//! Turns codes into vectors: quantizers, packed layouts, transforms and their inverses.
//!
//! Mathematics over bytes; what a file is made of is decided elsewhere. Tables that a file holds
//! (centroids, matrices) are kept in memory while they are small and read by piece beyond that.

pub mod additive;
pub mod bits;
pub mod cholesky;
pub mod hadamard;
pub mod inverse;
pub mod linear;
pub mod packing;
pub mod product;
pub mod scalar;
pub mod table;

pub use additive::AdditiveDecoder;
pub use inverse::Inverse;
pub use packing::Packing;
pub use product::ProductDecoder;
pub use scalar::ScalarDecoder;
