// SPDX-License-Identifier: Apache-2.0
//! The behaviour suite that every plugin passes.

pub(crate) mod sample;
