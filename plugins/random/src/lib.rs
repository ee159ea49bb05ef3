// SPDX-License-Identifier: Apache-2.0
#![forbid(unsafe_code)]
#![allow(missing_docs)]
milvusdm_plugin_api::export_plugin! { name: "random", summary: "makes", docs: "x", source: milvusdm_plugin_api::NoSource }
