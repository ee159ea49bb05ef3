// SPDX-License-Identifier: Apache-2.0
//! `dump` and `restore`: a copy into a folder of files with a manifest, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use milvusdm_plugin_api::{Error, ErrorKind, Mode, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::args::{DumpArgs, RestoreArgs};
use super::run::with_receipt;
use super::session::{Answer, Session};
use crate::dump::{self, Entry, Known, Manifest, Name};
use crate::failure::Failure;
use crate::journal::{Journal, Subject};
use crate::plan::{self, Plan, PlannedTarget};
use crate::program::Program;
use crate::registry::Registry;
use crate::report::{RunReport, Status, TargetView};
use crate::task::{Task, literal_path};

/// The plugin that dumps are written and read with.
const FILES: &str = "hdf5";
/// What may stand in the path of an endpoint as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

/// Dumps a source into a folder.
pub(super) fn dump(session: &Session, args: &DumpArgs) -> Result<Answer, Failure> {
    let source = std::slice::from_ref(&args.source);
    let words = [source, &args.chosen.words()].concat();
    let subject = subject("dump", &args.folder, words);
    let is_ours = || is_known(&subject, args.run.state.as_deref());
    expect_free(&args.folder, is_ours).map_err(Failure::task)?;
    let task = |registry: &Registry| dump_task(session, registry, args).map_err(Failure::task);
    with_receipt(session, &args.run, &subject, task, write_manifest)
}

/// Puts a dump back.
pub(super) fn restore(session: &Session, args: &RestoreArgs) -> Result<Answer, Failure> {
    let sink = std::slice::from_ref(&args.sink);
    let mut words = [sink, &args.chosen.words(), &args.map].concat();
    words.extend(args.mode.map(|mode| format!("{mode:?}")));
    let subject = subject("restore", &args.folder, words);
    let task = |registry: &Registry| restore_task(session, registry, args);
    with_receipt(session, &args.run, &subject, task, |_, _, _, _| {})
}

fn subject(command: &str, folder: &Path, words: Vec<String>) -> Subject {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut all = vec![command.to_owned(), folder.display().to_string()];
    all.extend(words);
    Subject::Arguments(all)
}

/// Whether an earlier process was at it.
fn is_known(subject: &Subject, state: Option<&Path>) -> bool {
    let path = subject.journal(state).ok().filter(|path| path.exists());
    let looked = path.map(|path| Journal::look(&path));
    looked.is_some_and(|looked| looked.is_ok_and(|(run, _)| run.is_some()))
}

/// That nothing but a dump, or the beginning of this one, is in the folder.
fn expect_free(folder: &Path, is_ours: impl FnOnce() -> bool) -> Result<()> {
    let is_empty = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => true,
        Err(e) => return Err(Error::io("look at the folder", &e).with("folder", folder.display())),
    };
    if is_empty || Manifest::find(folder)?.is_some() || is_ours() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Exists,
        "the folder holds something that is no dump, which could be overwritten",
    )
    .with("folder", folder.display())
    .help("dump into an empty folder, or into one with a dump, which is brought up to date"))
}

fn dump_task(session: &Session, registry: &Registry, args: &DumpArgs) -> Result<Task> {
    let folder = format!("{}/", args.folder.display());
    let mut sink = format!("{FILES}:{}", utf8_percent_encode(&folder, PLAIN));
    if let Some(compression) = &args.compression {
        let compression = utf8_percent_encode(compression, PLAIN);
        sink.push_str(&format!("?compression={compression}"));
    }
    let lookup = |name: &str| registry.get(name, None).map(|entry| entry.info.clone());
    let mut task = Task::copy(&args.source, &sink, &lookup, &session.defaults)?;
    args.chosen.apply(&mut task)?;
    // What did not change is left out; everything else is written anew.
    task.mode = Mode::Overwrite;
    if let Some(manifest) = Manifest::find(&args.folder)? {
        let entries = manifest.datasets.into_iter();
        let whole = entries.filter(|entry| {
            let found = std::fs::metadata(entry.path(&args.folder));
            found.is_ok_and(|found| found.len() == entry.bytes)
        });
        task.known.unchanged = whole
            .map(|entry| (entry.name(), entry.fingerprint))
            .collect();
    }
    Ok(task)
}

/// Writes the manifest of what is in the folder now.
fn write_manifest(session: &Session, task: &Task, plan: &Plan, report: &mut RunReport) {
    if report.error.is_some() || !report.refusals.is_empty() {
        return;
    }
    let folder = task.sink.options.get("path").and_then(Value::as_str);
    let written = made(session, Path::new(folder.unwrap_or(".")), plan, report);
    match written {
        Ok(notices) => report.notices.extend(notices),
        Err(error) => {
            report.exit = Failure::endpoint(error.clone()).exit;
            report.error = Some(error);
        }
    }
}

fn made(session: &Session, folder: &Path, plan: &Plan, report: &RunReport) -> Result<Vec<String>> {
    let mut entries: BTreeMap<Name, Entry> = BTreeMap::new();
    let before = Manifest::find(folder)?.map(|manifest| manifest.datasets);
    let names: BTreeSet<&Name> = plan.names.iter().collect();
    let mut gone = Vec::new();
    for entry in before.into_iter().flatten() {
        match names.contains(&entry.name()) {
            true => drop(entries.insert(entry.name(), entry)),
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
    std::fs::create_dir_all(folder)
        .map_err(|e| Error::io("make the folder", &e).with("folder", folder.display()))?;
    manifest.write(folder)?;
    let mut notices = Vec::new();
    if !plan.unchanged.is_empty() {
        notices.push(format!(
            "{} of {} datasets are unchanged, and kept as they were",
            plan.unchanged.len(),
            manifest.datasets.len()
        ));
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

fn restore_task(
    session: &Session,
    registry: &Registry,
    args: &RestoreArgs,
) -> Result<Task, Failure> {
    let manifest = Manifest::load(&args.folder).map_err(Failure::endpoint)?;
    if manifest.datasets.is_empty() {
        let error = Error::new(ErrorKind::NotFound, "there is nothing in the dump");
        return Err(Failure::endpoint(
            error.with("folder", args.folder.display()),
        ));
    }
    let source = format!(
        "{FILES}:{}",
        utf8_percent_encode(&args.folder.display().to_string(), PLAIN)
    );
    let lookup = |name: &str| registry.get(name, None).map(|entry| entry.info.clone());
    let task = Task::copy(&source, &args.sink, &lookup, &session.defaults);
    let mut task = task.map_err(Failure::task)?;
    args.chosen.apply(&mut task).map_err(Failure::task)?;
    if !args.map.is_empty() {
        task.rename(&args.map).map_err(Failure::task)?;
    }
    if let Some(mode) = args.mode {
        task.mode = mode.into();
    }
    let mut files = Vec::new();
    for entry in &manifest.datasets {
        if task
            .selection
            .matches(&entry.collection, entry.partition.as_deref())
        {
            tracing::info!(file = entry.file, "Checking {}.", entry.full_name());
            let checked = entry.check(&args.folder, &session.control);
            checked.map_err(Failure::endpoint)?;
        }
        let path = entry.path(&args.folder);
        files.push(Value::from(literal_path(&path.display().to_string())));
    }
    task.source.options.insert("path".to_owned(), files.into());
    let described = manifest.datasets.into_iter();
    task.known = Known {
        described: described
            .map(|entry| (entry.name(), entry.descriptor))
            .collect(),
        ..Known::default()
    };
    Ok(task)
}
