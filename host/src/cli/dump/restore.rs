// SPDX-License-Identifier: Apache-2.0
//! `restore`: a dump is checked, put back, and held against what was dumped.

use milvusdm_plugin_api::{Error, ErrorKind};
use percent_encoding::utf8_percent_encode;
use serde_json::Value;

use super::{FILES, PLAIN, subject};
use crate::cli::args::RestoreArgs;
use crate::cli::run::with_receipt;
use crate::cli::session::{Answer, Session};
use crate::dump::{Dumped, Manifest};
use crate::failure::Failure;
use crate::hash;

use crate::plan::{self, Plan, PlannedTarget};
use crate::program;
use crate::registry::Registry;
use crate::report::{RunReport, Status, TargetView};
use crate::task::{Task, literal_path};

/// Puts a dump back.
pub(in crate::cli) fn restore(session: &Session, args: &RestoreArgs) -> Result<Answer, Failure> {
    let sink = std::slice::from_ref(&args.sink);
    let mut words = [sink, &args.chosen.words(), &args.map].concat();
    words.extend(args.mode.map(|mode| format!("{mode:?}")));
    let subject = subject("restore", &args.folder, words);
    let task = |registry: &Registry| restore_task(session, registry, args);
    with_receipt(session, &args.run, &subject, task, compare)
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
            let path = entry.path(&args.folder);
            files.push(Value::from(literal_path(&path.display().to_string())));
        }
    }
    if files.is_empty() {
        let error = Error::new(ErrorKind::Config, "nothing of the dump is selected");
        let help = format!("{} lists what is in it", program::typed("verify"));
        let error = error.with("folder", args.folder.display());
        return Err(Failure::task(error.help(help)));
    }
    task.source.options.insert("path".to_owned(), files.into());
    for entry in manifest.datasets {
        let known = &mut task.known;
        // Hashes of another kind say nothing.
        let hash = entry.hash.filter(|hash| hash.algorithm == hash::NAME);
        let sums = hash.map(|hash| hash.sums);
        let name = (entry.collection, entry.partition);
        let dumped = Dumped {
            rows: entry.rows,
            sums,
            sha256: entry.sha256,
        };
        known.dumped.insert(name.clone(), dumped);
        known.described.insert(name, entry.descriptor);
    }
    Ok(task)
}

/// Holds what was handed to the sink against what was dumped.
fn compare(_: &Session, task: &Task, plan: &Plan, report: &mut RunReport) {
    if report.error.is_some() {
        return;
    }
    for (target, view) in plan.targets.iter().zip(&mut report.targets) {
        if let Some(error) = differs(task, target, view) {
            view.status = Status::Left;
            report.exit = Failure::endpoint(error.clone()).exit;
            report.error.get_or_insert(error);
        }
    }
}

/// Why a target does not have what was dumped of its dataset. Rows that were put together with others,
/// converted or rejected are only counted.
fn differs(task: &Task, target: &PlannedTarget, view: &TargetView) -> Option<Error> {
    let [part] = target.parts.as_slice() else {
        return None;
    };
    let dumped = task.known.dumped.get(&plan::full_name(&part.dataset))?;
    let rows = &dumped.rows;
    let differs = |what: String| {
        let message = format!("what was restored is not what was dumped: {what}");
        let error = Error::new(ErrorKind::Format, message).with("dataset", target.name());
        Some(error.help("don't rely on this target: take it away, and restore from another dump"))
    };
    if view.status != Status::Done {
        return None;
    }
    if let Some(found) = view.ledger.found.filter(|found| found != rows) {
        return differs(format!("{found} rows were read, {rows} were dumped"));
    }
    let (then, now) = (dumped.sums.as_ref()?, &view.hash.as_ref()?.sums);
    let is_like = view.conversions.is_empty()
        && view.ledger.written == *rows
        && then.columns.keys().eq(now.columns.keys());
    match is_like && then.row != now.row {
        true => differs(format!(
            "the hashes of its rows differ in {}",
            then.differing_columns(now).join(", ")
        )),
        false => None,
    }
}
