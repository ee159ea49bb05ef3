// SPDX-License-Identifier: Apache-2.0
//! A plugin's options against its own schema.

use milvusdm_plugin_api::{ErrorKind, PluginInfo};
use serde_json::Value;

use super::env::Written;
use super::fault::Fault;
use super::{PluginTask, Side, check, pointer};
use crate::program;

/// The schema of a plugin's options on one side.
pub(super) fn schema(side: Side, info: &PluginInfo) -> Option<&Value> {
    match side {
        Side::Source => info.source_options.as_ref(),
        Side::Sink => info.sink_options.as_ref(),
    }
}

/// As [`schema`]; a plugin that does not have the side is a fault.
pub(super) fn need_schema(side: Side, info: &PluginInfo) -> Result<&Value, Fault> {
    schema(side, info).ok_or_else(|| {
        let at = pointer::member(side.pointer(), "plugin");
        let (does, other) = match side {
            Side::Source => ("read", "sink"),
            Side::Sink => ("write", "source"),
        };
        let fault = Fault::of_value(&at, format!("the plugin `{}` does not {does}", info.name));
        let list = program::typed("plugins list");
        let help = format!("it is a {other} only; {list} shows which plugins {does}");
        Fault {
            kind: ErrorKind::Unsupported,
            ..fault
        }
        .help(help)
    })
}

/// Checks the options of `plugin` against its schema.
pub(super) fn check(
    plugin: &PluginTask,
    side: Side,
    info: &PluginInfo,
    written: &Written,
) -> Result<(), Fault> {
    let options = Value::Object(plugin.options.clone());
    check::check(need_schema(side, info)?, &options, side.pointer(), written)
}
