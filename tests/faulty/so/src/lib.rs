// SPDX-License-Identifier: Apache-2.0
//! The `faulty` plugin as a file of its own, with an allocator that no other can take the place
//! of: memory that crossed the boundary and was freed on the wrong side ends the process.

mod allocator;

#[global_allocator]
static ALLOCATOR: allocator::Marked = allocator::Marked;

milvusdm_plugin_api::export_doors!(milvusdm_plugin_faulty);
