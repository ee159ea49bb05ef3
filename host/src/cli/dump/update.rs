// SPDX-License-Identifier: Apache-2.0
//! Brings a dump's manifest up to date with what was moved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::cli::session::Session;
use crate::dump::{self, Entry, Manifest, Name};
use crate::failure::Failure;
use crate::plan::{self, Plan, PlannedTarget};
use crate::program::Program;
use crate::report::{RunReport, Status, TargetView};
use crate::task::Task;

/// Writes the manifest of what is in the folder now.
pub(super) fn write_manifest(session: &Session, task: &Task, plan: &Plan, report: &mut RunReport) {
    if report.error.is_some() || !report.refusals.is_empty() {
        return;
    }
    let folder = task.sink.options.get("path").and_then(Value::as_str);
    let folder = Path::new(folder.unwrap_or("."));
    let written = made(session, task, folder, (plan, report));
    match written {
        Ok(notices) => report.notices.extend(notices),
        Err(error) => {
            report.exit = Failure::endpoint(error.clone()).exit;
            report.error = Some(error);
        }
    }
}

fn made(
    session: &Session,
    task: &Task,
    folder: &Path,
    (plan, report): (&Plan, &RunReport),
) -> Result<Vec<String>> {
    let mut entries: BTreeMap<Name, Entry> = BTreeMap::new();
    let before = Manifest::find(folder)?;
    let names: BTreeSet<&Name> = plan.names.iter().collect();
    let mut gone = Vec::new();
    let datasets = before.iter().flat_map(|manifest| &manifest.datasets);
    for entry in datasets.cloned() {
        match names.contains(&entry.name()) {
            true => drop(entries.insert(entry.name(), refreshed(entry, folder))),
            false => gone.push(entry),
        }
    }
    for (target, view) in plan.targets.iter().zip(&report.targets) {
        if view.status == Status::Done {
            let entry = entry(session, folder, target, view)?;
            entries.insert(entry.name(), entry);
        }
    }
    let program = Program::current();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let manifest = Manifest::new(
        format!("{} {}", program.name, program.version),
        now.map_or(0, |now| now.as_secs()),
        plan.record.source.clone(),
        entries.into_values().collect(),
    );
    if !before.is_some_and(|before| before.is_like(&manifest)) {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::io("make the folder", &e).with("folder", folder.display()))?;
        manifest.write(folder)?;
    }
    let mut notices = Vec::new();
    if !plan.unchanged.is_empty() {
        notices.push(format!(
            "{} of {} datasets are unchanged, and kept as they were",
            plan.unchanged.len(),
            manifest.datasets.len()
        ));
        if task.sink.options.contains_key("compression") {
            notices.push(
                "what is kept is compressed as it was; dump into an empty folder to change that"
                    .to_owned(),
            );
        }
    }
    let is_kept = |file: &str| manifest.datasets.iter().any(|kept| kept.file == file);
    for entry in gone.into_iter().filter(|entry| !is_kept(&entry.file)) {
        // Only now that no manifest names it.
        let removed = std::fs::remove_file(entry.path(folder));
        notices.push(match removed {
            Ok(()) => format!(
                "{}: gone from the source, and from the dump",
                entry.full_name()
            ),
            Err(e) => format!(
                "{}: gone from the source; its file {} stays: {e}",
                entry.full_name(),
                entry.file
            ),
        });
    }
    Ok(notices)
}

/// An entry of a file that is kept: one that was copied here is not read again the next time.
fn refreshed(entry: Entry, folder: &Path) -> Entry {
    match std::fs::metadata(entry.path(folder)) {
        Ok(found) => Entry {
            modified: dump::modified(&found),
            ..entry
        },
        Err(_) => entry,
    }
}

fn entry(
    session: &Session,
    folder: &Path,
    target: &PlannedTarget,
    view: &TargetView,
) -> Result<Entry> {
    let path = Path::new(&view.location);
    let internal = |what: &str| {
        Error::new(ErrorKind::Internal, format!("{what} of a dump")).with("file", path.display())
    };
    let part = target
        .parts
        .first()
        .ok_or_else(|| internal("an empty target"))?;
    let file = path
        .strip_prefix(folder)
        .ok()
        .and_then(Path::to_str)
        .ok_or_else(|| internal("a file outside the folder"))?;
    let metadata = std::fs::metadata(path)
        .map_err(|e| Error::io("look at a file of the dump", &e).with("file", path.display()))?;
    let (collection, partition) = plan::full_name(&part.dataset);
    Ok(Entry {
        collection,
        partition,
        file: file.to_owned(),
        bytes: metadata.len(),
        modified: dump::modified(&metadata),
        sha256: dump::sha256(path, &session.control)?,
        rows: view.rows_total.unwrap_or(0),
        hash: view.hash.clone(),
        // What did not arrive whole is dumped again, and its losses told again.
        fingerprint: match view.ledger.has_losses() {
            true => String::new(),
            false => dump::fingerprint(&part.dataset, &part.splits, &part.recipe),
        },
        descriptor: part.dataset.descriptor.clone(),
    })
}
