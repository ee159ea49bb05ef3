// SPDX-License-Identifier: Apache-2.0
//! Names the linked-in plugins, so that the linker keeps them; each registers itself.

#[cfg(feature = "faiss")]
use milvusdm_plugin_faiss as _;
#[cfg(feature = "hdf5")]
use milvusdm_plugin_hdf5 as _;
#[cfg(feature = "milvus1")]
use milvusdm_plugin_milvus1 as _;
use milvusdm_plugin_null as _;
use milvusdm_plugin_random as _;
