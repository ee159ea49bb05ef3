// SPDX-License-Identifier: Apache-2.0
//! Plugins in C: the example and the template, built by gcc and clang as their authors build them,
//! and loaded as a user loads them.

mod build;
mod records;
mod rows;
mod template;
