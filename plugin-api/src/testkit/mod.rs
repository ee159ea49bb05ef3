// SPDX-License-Identifier: Apache-2.0
//! The behaviour suite that every plugin passes, ours or a stranger's.
//!
//! It runs through the plugin's table, as the host does, and gives a [`Report`] of named cases.
//! In a plugin's own tests:
//!
//! ```
//! # mod plugin {
//! #     use milvusdm_plugin_api::model::Capabilities;
//! #     use milvusdm_plugin_api::*;
//! #     #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #     #[serde(deny_unknown_fields)]
//! #     pub struct Options {}
//! #     pub struct Nothing;
//! #     impl Source for Nothing {
//! #         type Options = Options;
//! #         fn open(_: Options, _: Services) -> Result<Self> { Ok(Self) }
//! #         fn datasets(&self) -> Result<Vec<Dataset>> { Ok(vec![]) }
//! #         fn splits(&self, key: &str) -> Result<Vec<Split>> {
//! #             Err(Error::new(ErrorKind::NotFound, format!("there is no `{key}`")))
//! #         }
//! #         fn read(&self, _: &str, _: &Split, _: &ReadRequest) -> Result<Box<dyn BatchReader>> {
//! #             Err(Error::new(ErrorKind::Config, "there are no splits"))
//! #         }
//! #     }
//! #     export_plugin! { name: "nothing", summary: "s", docs: "d", source: Nothing }
//! # }
//! use milvusdm_plugin_api::testkit;
//! use serde_json::json;
//!
//! # use plugin::PLUGIN_TABLE;
//! // #[test]
//! fn keeps_the_contract_of_a_source() {
//!     testkit::source(PLUGIN_TABLE.handle(), json!({}))
//!         .rows(0)
//!         .run()
//!         .assert_passed();
//! }
//! # keeps_the_contract_of_a_source();
//! ```
//!
//! A sink is given a folder for its options, and a way to read back what it wrote:
//!
//! ```no_run
//! # use milvusdm_plugin_api::{abi::PluginHandle, testkit};
//! # use serde_json::json;
//! # let (my_sink, my_source): (PluginHandle, PluginHandle) = todo!();
//! testkit::sink(my_sink, |folder| json!({"path": folder.join("out")}))
//!     .read_back(move |folder, target| {
//!         let file = folder.join("out").join(&target.collection);
//!         (my_source, json!({"path": file}))
//!     })
//!     .run()
//!     .assert_passed();
//! ```

mod files;
mod info;
mod report;
mod rows;
mod runner;
pub(crate) mod sample;
mod sink;
mod source;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

pub use self::report::{Case, Outcome, Report};
pub use self::sink::SinkSuite;
pub use self::source::SourceSuite;
use crate::abi::PluginHandle;

/// The suite for a plugin's source with these options.
pub fn source(plugin: PluginHandle, options: Value) -> SourceSuite {
    SourceSuite::new(plugin, options)
}

/// The suite for a plugin's sink; `options` makes the sink's options for an empty folder, which
/// each case gets anew. A sink that keeps its rows elsewhere makes a name of it.
pub fn sink(
    plugin: PluginHandle,
    options: impl Fn(&Path) -> Value + Send + Sync + 'static,
) -> SinkSuite {
    SinkSuite::new(plugin, Arc::new(options))
}
