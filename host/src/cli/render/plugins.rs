// SPDX-License-Identifier: Apache-2.0
//! What plugins say of themselves.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::cli::options::{OptionView, options};
use crate::cli::plugins::{ListDocument, ListedFile, ListedPlugin};
use crate::cli::table::{Align, table};
use crate::cli::text;
use crate::load::Pin;
use crate::registry::Entry;

/// A line a plugin, those that are linked in first.
pub(in crate::cli) fn list(document: &ListDocument) -> String {
    let header = ["NAME", "VERSION", "DOES", "SUMMARY"].map(|name| (name, Align::Left));
    let row = |plugin: &ListedPlugin| {
        vec![
            plugin.name.clone(),
            plugin.version.clone(),
            directions(plugin.reads, plugin.writes).to_owned(),
            plugin.summary.clone(),
        ]
    };
    let rows: Vec<_> = document.plugins.iter().map(row).collect();
    let mut shown = table(&header, &rows);
    if !document.files.is_empty() {
        let header = ["NAME", "VERSION", "STATE", "FILE"].map(|name| (name, Align::Left));
        let rows: Vec<_> = document.files.iter().map(file).collect();
        shown.push('\n');
        shown.push_str(&table(&header, &rows));
    }
    shown
}

fn file(file: &ListedFile) -> Vec<String> {
    let state = match &file.refused {
        None => "loadable".to_owned(),
        Some(error) => error.message().to_owned(),
    };
    vec![
        file.name.clone().unwrap_or_default(),
        file.version.clone().unwrap_or_default(),
        state,
        file.file.display().to_string(),
    ]
}

/// What is trusted now, or no longer.
pub(in crate::cli) fn trust(trusted: &[Pin], removed: &[Pin], list: &Path) -> String {
    let mut shown = String::new();
    for (what, pins) in [("trusted", trusted), ("no longer trusted", removed)] {
        for pin in pins {
            let version = pin.version.as_deref().unwrap_or_default();
            let name = format!("{} {version}", pin.name);
            let _ = writeln!(
                shown,
                "{what}: {}, {}\n  sha256 {}",
                text::line(name.trim_end()),
                text::line(&pin.file.display().to_string()),
                text::line(&pin.sha256)
            );
        }
    }
    let _ = writeln!(
        shown,
        "recorded in {}",
        text::line(&list.display().to_string())
    );
    shown
}

fn directions(reads: bool, writes: bool) -> &'static str {
    match (reads, writes) {
        (true, true) => "read, write",
        (true, false) => "read",
        (false, true) => "write",
        (false, false) => "nothing",
    }
}

/// A plugin's page and all its options.
pub(in crate::cli) fn show(entry: &Entry) -> String {
    let info = &entry.info;
    let mut shown = format!(
        "{} {} ({}): {}\n",
        text::line(&info.name),
        text::line(&info.version),
        directions(info.source_options.is_some(), info.sink_options.is_some()),
        text::line(&info.summary)
    );
    if let Some(file) = &entry.file {
        let path = file.path.display().to_string();
        let _ = writeln!(shown, "loaded from {}", text::line(&path));
    }
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
