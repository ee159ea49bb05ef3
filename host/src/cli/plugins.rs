// SPDX-License-Identifier: Apache-2.0
//! What there is to know without a source: plugins, the schema of task files.

use milvusdm_plugin_api::PluginInfo;
use serde::Serialize;
use serde_json::Value;

use super::render;
use super::session::{Answer, Session};
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
    plugin: ShownPlugin<'a>,
    exit: u8,
}

#[derive(Debug, Serialize)]
struct ShownPlugin<'a> {
    #[serde(flatten)]
    listed: ListedPlugin<'a>,
    /// Its page, in Markdown.
    docs: &'a str,
    /// JSON Schema of the options under `source`; null if it does not read.
    source: &'a Option<Value>,
    /// JSON Schema of the options under `sink`; null if it does not write.
    sink: &'a Option<Value>,
}

impl<'a> ListedPlugin<'a> {
    fn of(info: &'a PluginInfo) -> Self {
        Self {
            name: &info.name,
            version: &info.version,
            summary: &info.summary,
            reads: info.source_options.is_some(),
            writes: info.sink_options.is_some(),
        }
    }
}

/// Lists the plugins.
pub(super) fn list(session: &Session) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let infos: Vec<&PluginInfo> = registry.all().map(|entry| &entry.info).collect();
    let plugins = infos.iter().map(|info| ListedPlugin::of(info)).collect();
    let document = ListDocument {
        version: VERSION,
        plugins,
        exit: DONE,
    };
    session.answer(&document, DONE, |_| render::list(&infos))
}

/// Shows one plugin.
pub(super) fn show(session: &Session, name: &str) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let info = &registry.get(name).map_err(Failure::task)?.info;
    let plugin = ShownPlugin {
        listed: ListedPlugin::of(info),
        docs: &info.docs,
        source: &info.source_options,
        sink: &info.sink_options,
    };
    let document = ShowDocument {
        version: VERSION,
        plugin,
        exit: DONE,
    };
    session.answer(&document, DONE, |_| render::show(info))
}

/// Prints the JSON Schema of task files.
pub(super) fn schema(session: &Session) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let plugins: Vec<PluginInfo> = registry.all().map(|entry| entry.info.clone()).collect();
    Ok(Answer {
        body: format!("{:#}\n", task::schema(&plugins)),
        exit: DONE,
    })
}
