// SPDX-License-Identifier: Apache-2.0
//! What plugins say of themselves.

use std::fmt::Write as _;

use milvusdm_plugin_api::PluginInfo;
use serde_json::Value;

use crate::cli::options::{OptionView, options};
use crate::cli::table::{Align, table};
use crate::cli::text;

/// A line a plugin.
pub(in crate::cli) fn list(plugins: &[&PluginInfo]) -> String {
    let header = [
        ("NAME", Align::Left),
        ("VERSION", Align::Left),
        ("DOES", Align::Left),
        ("SUMMARY", Align::Left),
    ];
    let row = |info: &&PluginInfo| {
        vec![
            info.name.clone(),
            info.version.clone(),
            directions(info).to_owned(),
            info.summary.clone(),
        ]
    };
    table(&header, &plugins.iter().map(row).collect::<Vec<_>>())
}

fn directions(info: &PluginInfo) -> &'static str {
    match (&info.source_options, &info.sink_options) {
        (Some(_), Some(_)) => "read, write",
        (Some(_), None) => "read",
        (None, Some(_)) => "write",
        (None, None) => "nothing",
    }
}

/// A plugin's page and all its options.
pub(in crate::cli) fn show(info: &PluginInfo) -> String {
    let mut shown = format!(
        "{} {} ({}): {}\n",
        text::line(&info.name),
        text::line(&info.version),
        directions(info),
        text::line(&info.summary)
    );
    if !info.docs.trim().is_empty() {
        let _ = write!(shown, "\n{}\n", text::lines(info.docs.trim()));
    }
    for (side, schema) in [
        ("source", &info.source_options),
        ("sink", &info.sink_options),
    ] {
        if let Some(schema) = schema {
            side_options(&mut shown, side, schema);
        }
    }
    shown
}

fn side_options(shown: &mut String, side: &str, schema: &Value) {
    let options = options(schema);
    let _ = writeln!(shown, "\nOptions of the {side}");
    if options.is_empty() {
        shown.push_str("  none\n");
    }
    for option in &options {
        let _ = writeln!(shown, "  {}", text::line(&heading(option)));
        if !option.description.is_empty() {
            let _ = writeln!(shown, "      {}", text::line(&option.description));
        }
    }
}

/// `path: text or list of text (required; PLUGIN:PATH on the command line)`.
fn heading(option: &OptionView) -> String {
    let mut notes = Vec::new();
    match option.default.as_str() {
        "" => {}
        "required" => notes.push("required".to_owned()),
        default => notes.push(format!("default {default}")),
    }
    if option.is_positional {
        notes.push("stands after `PLUGIN:` on the command line".to_owned());
    }
    let notes = match notes.as_slice() {
        [] => String::new(),
        notes => format!(" ({})", notes.join("; ")),
    };
    format!("{}: {}{notes}", option.name, option.type_name)
}
