// SPDX-License-Identifier: Apache-2.0
//! Brings a dump's manifest up to date with what was moved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::cli::session::Session;
use crate::dump::{self, Entry, Leaving, Manifest, Name};
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
            report.exit = session.exit_of(&Failure::endpoint(error.clone()));
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
    let before = Manifest::find(folder)?;
    let (mut entries, mut leaving) = kept(before.as_ref(), task, plan);
    for (target, view) in plan.targets.iter().zip(&report.targets) {
        if view.status == Status::Done {
            let mut entry = entry(session, folder, target, view)?;
            // What is not as it should be is dumped again, and told again.
            if view.ledger.has_losses() || differs(report, view) {
                entry.fingerprint.clear();
            }
            entries.insert(entry.name(), entry);
        }
    }
    let program = Program::current();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut manifest = Manifest::new(
        format!("{} {}", program.name, program.version),
        now.map_or(0, |now| now.as_secs()),
        dump::resolved(&plan.record.source),
        entries.into_values().collect(),
    );
    leaving.retain(|file, _| !manifest.datasets.iter().any(|kept| kept.file == *file));
    let mut notices = unchanged(task, plan, &manifest);
    if before.is_some_and(|before| before.is_like(&manifest)) && leaving.is_empty() {
        return Ok(notices);
    }
    std::fs::create_dir_all(folder)
        .map_err(|e| Error::io("make the folder", &e).with("folder", folder.display()))?;
    manifest.leaving = leaving.clone();
    manifest.write(folder)?;
    // Only now that no dataset has them; should this be cut off, the next dump removes them.
    manifest.leaving.retain(|file, name| {
        let (is_left, notice) = remove(name, file, folder);
        notices.push(notice);
        is_left
    });
    if manifest.leaving != leaving {
        manifest.write(folder)?;
    }
    Ok(notices)
}

/// Whether comparing both sides found that a target differs.
fn differs(report: &RunReport, target: &TargetView) -> bool {
    let verified = report.verified.as_ref();
    let targets = verified.and_then(|verified| verified["targets"].as_array());
    let mut targets = targets.into_iter().flatten();
    targets.any(|found| found["name"] == target.name && found["equal"] == false)
}

/// What the manifest has of the source's datasets, and the files of others. A file that was found to be whole is
/// not read again the next time.
fn kept(before: Option<&Manifest>, task: &Task, plan: &Plan) -> (BTreeMap<Name, Entry>, Leaving) {
    let names: BTreeSet<&Name> = plan.names.iter().collect();
    let mut kept = BTreeMap::new();
    let mut leaving = before.map_or_else(Leaving::new, |before| before.leaving.clone());
    let entries = before.iter().flat_map(|manifest| &manifest.datasets);
    for mut entry in entries.cloned() {
        let name = entry.name();
        if let Some(known) = task.known.unchanged.get(&name) {
            entry.modified = known.modified;
        }
        match names.contains(&name) {
            true => drop(kept.insert(name, entry)),
            false => drop(leaving.insert(entry.file.clone(), entry.full_name())),
        }
    }
    (kept, leaving)
}

/// What a person should know of datasets that were not moved.
fn unchanged(task: &Task, plan: &Plan, manifest: &Manifest) -> Vec<String> {
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
    notices
}

/// Removes a file; whether it is still there, and what to say of it.
fn remove(name: &str, file: &str, folder: &Path) -> (bool, String) {
    match std::fs::remove_file(folder.join(file)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => (
            true,
            format!("{name}: gone from the source; its file {file} stays: {e}"),
        ),
        _ => (
            false,
            format!("{name}: gone from the source, and from the dump"),
        ),
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
        fingerprint: dump::fingerprint(&part.dataset, &part.splits, &part.recipe),
        descriptor: part.dataset.descriptor.clone(),
    })
}
