// SPDX-License-Identifier: Apache-2.0
//! What is in a source.

use std::fmt::Write as _;

use milvusdm_plugin_api::Node;
use milvusdm_plugin_api::model::IndexDefinition;
use serde_json::Value;

use super::{UNKNOWN, known, notices, section};
use crate::cli::table::{Align, table};
use crate::cli::text;
use crate::report::{DatasetView, InspectReport};

/// Trees deeper than this are cut: no index nests that far, a hostile file may.
const MAX_DEPTH: usize = 64;

/// Datasets, their columns, trees and notices.
pub(in crate::cli) fn inspect(report: &InspectReport) -> String {
    let mut shown = datasets(&report.datasets);
    let columns: Vec<String> = report.datasets.iter().filter_map(columns).collect();
    section(&mut shown, "Columns", &columns);
    let indexes = report.datasets.iter().flat_map(|dataset| {
        dataset
            .indexes
            .iter()
            .map(|index| format!("{}: {}", dataset.name(), definition(index)))
    });
    section(&mut shown, "Indexes", &indexes.collect::<Vec<_>>());
    for tree in &report.trees {
        shown.push('\n');
        draw(&mut shown, tree, "", "", 0);
    }
    notices(&mut shown, &report.notices);
    shown
}

fn datasets(datasets: &[DatasetView]) -> String {
    if datasets.is_empty() {
        return "There are no datasets.\n".to_owned();
    }
    let has_partitions = datasets.iter().any(|dataset| dataset.partition.is_some());
    let mut header = vec![("COLLECTION", Align::Left)];
    if has_partitions {
        header.push(("PARTITION", Align::Left));
    }
    header.extend([
        ("ROWS", Align::Right),
        ("DELETED", Align::Right),
        ("SIZE", Align::Right),
        ("VECTOR", Align::Left),
        ("METRIC", Align::Left),
        ("IDS", Align::Left),
    ]);
    let row = |dataset: &DatasetView| {
        let mut row = vec![dataset.collection.clone()];
        if has_partitions {
            row.push(
                dataset
                    .partition
                    .clone()
                    .unwrap_or_else(|| "_default".to_owned()),
            );
        }
        row.extend([
            rows(dataset),
            dataset.deleted.map_or_else(|| "-".to_owned(), text::count),
            known(dataset.bytes, text::size),
            vector(dataset),
            metric(dataset),
            ids(dataset),
        ]);
        row
    };
    table(&header, &datasets.iter().map(row).collect::<Vec<_>>())
}

/// The rows, marked where the number is an estimate.
pub(super) fn rows(dataset: &DatasetView) -> String {
    let mark = if dataset.rows_exact { "" } else { "~" };
    known(dataset.rows, |rows| format!("{mark}{}", text::count(rows)))
}

/// `128 x f32`, `256 bits`, `sparse f32`.
pub(super) fn vector(dataset: &DatasetView) -> String {
    let Some(vector) = &dataset.vector else {
        return "none".to_owned();
    };
    match (vector.as_str(), dataset.dim) {
        (vector, None) => vector.to_owned(),
        ("binary bit", Some(dim)) => format!("{} bits", text::count(u64::from(dim))),
        (vector, Some(dim)) => {
            let elem = vector.strip_prefix("dense ").unwrap_or(vector);
            format!("{} x {elem}", text::count(u64::from(dim)))
        }
    }
}

/// The metric, which is never guessed.
pub(super) fn metric(dataset: &DatasetView) -> String {
    dataset.metric.clone().unwrap_or_else(|| UNKNOWN.to_owned())
}

/// Where the ids come from, and their type: `given Int64`.
pub(super) fn ids(dataset: &DatasetView) -> String {
    let policy = super::word(&dataset.ids);
    match dataset
        .columns
        .iter()
        .find(|column| column.role.as_deref() == Some("id"))
    {
        Some(column) => format!("{policy} {}", column.type_name),
        None => policy,
    }
}

/// The columns beyond ids and one vector, which the table shows.
fn columns(dataset: &DatasetView) -> Option<String> {
    let is_plain = |role: Option<&str>| matches!(role, Some("id" | "vector"));
    if dataset.columns.len() <= 2
        && dataset
            .columns
            .iter()
            .all(|column| is_plain(column.role.as_deref()))
    {
        return None;
    }
    let columns = dataset.columns.iter().map(|column| {
        let role = column
            .role
            .as_ref()
            .map(|role| format!("{role} "))
            .unwrap_or_default();
        format!("{} ({role}{})", column.name, column.type_name)
    });
    Some(format!(
        "{}: {}",
        dataset.name(),
        columns.collect::<Vec<_>>().join(", ")
    ))
}

/// `ivf on vector, metric l2 (nlist 1024)`.
fn definition(index: &IndexDefinition) -> String {
    let mut shown = index.family.clone();
    if index.quantizer != "none" && !index.quantizer.is_empty() {
        let _ = write!(shown, " {}", index.quantizer);
    }
    let _ = write!(shown, " on {}", index.field);
    if let Some(metric) = &index.metric {
        let _ = write!(shown, ", metric {metric}");
    }
    if !index.params.is_empty() {
        let params = index
            .params
            .iter()
            .map(|(name, value)| format!("{name} {}", plain(value)));
        let _ = write!(shown, " ({})", params.collect::<Vec<_>>().join(", "));
    }
    shown
}

/// Draws a node, its facts and its parts.
fn draw(shown: &mut String, node: &Node, first: &str, rest: &str, depth: usize) {
    let _ = write!(shown, "{first}{}", text::line(&node.label));
    let known = node.facts.iter().filter(|(_, value)| !value.is_null());
    let facts = known.map(|(name, value)| format!("{name} {}", plain(value)));
    let facts = text::line(&facts.collect::<Vec<_>>().join(", "));
    let _ = writeln!(shown, "{}{facts}", if facts.is_empty() { "" } else { ": " });
    if depth >= MAX_DEPTH && !node.children.is_empty() {
        let _ = writeln!(shown, "{rest}└── …");
        return;
    }
    for (at, child) in node.children.iter().enumerate() {
        let is_last = at + 1 == node.children.len();
        let (first, below) = if is_last {
            ("└── ", "    ")
        } else {
            ("├── ", "│   ")
        };
        draw(
            shown,
            child,
            &format!("{rest}{first}"),
            &format!("{rest}{below}"),
            depth + 1,
        );
    }
}

/// A value without the quotation marks of JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
