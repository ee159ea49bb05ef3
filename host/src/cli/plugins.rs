// SPDX-License-Identifier: Apache-2.0
//! What there is to know without a source: plugins, the schema of task files.

use milvusdm_plugin_api::PluginInfo;
use serde::Serialize;
use serde_json::Value;

use super::session::{Answer, Session};
use super::{options, render};
use crate::failure::{DONE, Failure};
use crate::report::VERSION;
use crate::task;

/// `plugins list --json`.
#[derive(Debug, Serialize)]
struct ListDocument<'a> {
    version: u32,
    plugins: Vec<ListedPlugin<'a>>,
    exit: u8,
}

#[derive(Debug, Serialize)]
struct ListedPlugin<'a> {
    name: &'a str,
    version: &'a str,
    summary: &'a str,
    reads: bool,
    writes: bool,
}

/// `plugins show --json`.
#[derive(Debug, Serialize)]
struct ShowDocument<'a> {
    version: u32,
    plugin: &'a PluginInfo,
    /// The options in words; `plugin` has their schemas.
    options: Value,
    exit: u8,
}

/// Lists the plugins.
pub(super) fn list(session: &Session) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let infos: Vec<&PluginInfo> = registry.all().map(|entry| &entry.info).collect();
    let plugins = infos.iter().map(|info| ListedPlugin {
        name: &info.name,
        version: &info.version,
        summary: &info.summary,
        reads: info.source_options.is_some(),
        writes: info.sink_options.is_some(),
    });
    let document = ListDocument { version: VERSION, plugins: plugins.collect(), exit: DONE };
    session.answer(&document, DONE, |_| render::list(&infos))
}

/// Shows one plugin.
pub(super) fn show(session: &Session, name: &str) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let info = &registry.get(name).map_err(Failure::task)?.info;
    let in_words = |schema: &Option<Value>| schema.as_ref().map(options::options).map(|o| options::to_json(&o));
    let options = serde_json::json!({
        "source": in_words(&info.source_options),
        "sink": in_words(&info.sink_options),
    });
    let document = ShowDocument { version: VERSION, plugin: info, options, exit: DONE };
    session.answer(&document, DONE, |_| render::show(info))
}

/// Prints the JSON Schema of task files.
pub(super) fn schema(session: &Session) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let plugins: Vec<PluginInfo> = registry.all().map(|entry| entry.info.clone()).collect();
    Ok(Answer { body: format!("{:#}\n", task::schema(&plugins)), exit: DONE })
}
