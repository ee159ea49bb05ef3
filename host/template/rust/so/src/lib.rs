// SPDX-License-Identifier: Apache-2.0
//! The doors through which milvusdm finds the plugin.
milvusdm_plugin_api::export_doors!(milvusdm_plugin_{{name}});
