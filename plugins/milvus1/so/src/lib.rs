// SPDX-License-Identifier: Apache-2.0
//! The `milvus1` plugin as a file of its own.

milvusdm_plugin_api::export_doors!(milvusdm_plugin_milvus1);
