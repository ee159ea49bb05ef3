// SPDX-License-Identifier: Apache-2.0
//! `verify DIR`: whether a dump is still as it was written.

use std::fmt::Write as _;
use std::path::Path;

use milvusdm_plugin_api::{Error, ErrorKind};
use serde::Serialize;

use crate::cli::args::VerifyArgs;
use crate::cli::progress::ProgressView;
use crate::cli::session::{Answer, Session};
use crate::cli::text;
use crate::dump::{Entry, FILE, Manifest};
use crate::failure::{DONE, Failure, WITH_LOSSES};
use crate::report::VERSION;

/// What was found in the folder of a dump.
#[derive(Debug, Serialize)]
struct DumpReport {
    version: u32,
    folder: String,
    /// Who wrote it: name and version.
    program: String,
    /// When, in seconds since 1970.
    made: u64,
    datasets: Vec<DatasetVerdict>,
    /// Files that belong to no dataset of it.
    strays: Vec<String>,
    exit: u8,
}

#[derive(Debug, Serialize)]
struct DatasetVerdict {
    name: String,
    file: String,
    rows: u64,
    bytes: u64,
    /// Whether its file is the one that was written.
    whole: bool,
    error: Option<Error>,
}

/// Whether this is the folder of a dump and not a task file.
pub(in crate::cli) fn is_dump(path: &Path) -> bool {
    path.is_dir()
}

/// Holds every file of a dump against its digest.
pub(in crate::cli) fn check(session: &Session, args: &VerifyArgs) -> Result<Answer, Failure> {
    let folder = &args.what;
    refuse_options_of_tasks(args).map_err(Failure::task)?;
    let manifest = Manifest::load(folder).map_err(Failure::endpoint)?;
    session.heed_signals()?;
    let progress = ProgressView::start(session, args.progress);
    let sum = |of: fn(&Entry) -> u64| {
        manifest
            .datasets
            .iter()
            .map(of)
            .fold(0, u64::saturating_add)
    };
    let counts = session.control.progress();
    counts.set_total(sum(|entry| entry.rows), sum(|entry| entry.bytes));
    let mut datasets = Vec::with_capacity(manifest.datasets.len());
    for entry in &manifest.datasets {
        let checked = entry.check(folder, &session.control);
        let error = match checked {
            Err(error) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Denied) => {
                return Err(Failure::endpoint(error));
            }
            checked => checked.err(),
        };
        counts.add(entry.rows, entry.bytes);
        datasets.push(DatasetVerdict {
            name: entry.full_name(),
            file: entry.file.clone(),
            rows: entry.rows,
            bytes: entry.bytes,
            whole: error.is_none(),
            error,
        });
    }
    drop(progress);
    let report = DumpReport {
        version: VERSION,
        folder: folder.display().to_string(),
        exit: match datasets.iter().all(|dataset| dataset.whole) {
            true => DONE,
            false => WITH_LOSSES,
        },
        strays: strays(folder, &manifest).map_err(Failure::endpoint)?,
        program: manifest.program,
        made: manifest.made,
        datasets,
    };
    session.answer(&report, report.exit, render)
}

fn refuse_options_of_tasks(args: &VerifyArgs) -> Result<(), Error> {
    let of_tasks = [
        ("--sample", args.sample.is_some()),
        ("--read-source", args.read_source),
        ("--state", args.state.is_some()),
    ];
    if let Some((option, _)) = of_tasks.iter().find(|(_, is_given)| *is_given) {
        let message = format!("`{option}` is for tasks: of a dump, every file is looked at");
        let error = Error::new(ErrorKind::Config, message);
        return Err(error.help(format!("leave out `{option}`")));
    }
    Ok(())
}

/// Files in the folder, and in those of its collections, that the manifest does not know.
fn strays(folder: &Path, manifest: &Manifest) -> Result<Vec<String>, Error> {
    let list = |at: &Path| {
        let failed = |e: &std::io::Error| {
            Error::io("look at the folder of a dump", e).with("folder", at.display())
        };
        let entries = std::fs::read_dir(at).map_err(|e| failed(&e))?;
        let entries: std::io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
        entries.map_err(|e| failed(&e))
    };
    let mut strays = Vec::new();
    for path in list(folder)? {
        let inner = match path.is_dir() {
            true => list(&path)?,
            false => vec![path],
        };
        for path in inner {
            let name = path.strip_prefix(folder).unwrap_or(&path);
            let mut known = manifest.datasets.iter();
            if name != Path::new(FILE) && !known.any(|entry| Path::new(&entry.file) == name) {
                strays.push(name.display().to_string());
            }
        }
    }
    strays.sort();
    Ok(strays)
}

fn render(report: &DumpReport) -> String {
    let mut shown = String::new();
    for dataset in &report.datasets {
        let (name, file) = (&dataset.name, text::line(&dataset.file));
        let _ = match &dataset.error {
            None => writeln!(
                shown,
                "{name}: whole: {}, {} ({file})",
                text::counted(dataset.rows, "row", "rows"),
                text::size(dataset.bytes)
            ),
            Some(error) => writeln!(shown, "{name}: DAMAGED: {} ({file})", error.message()),
        };
    }
    for stray in &report.strays {
        let _ = writeln!(
            shown,
            "note: {} is no part of the dump: it may be of a dataset that is gone, or of something else",
            text::line(stray)
        );
    }
    let damaged = report
        .datasets
        .iter()
        .filter(|dataset| !dataset.whole)
        .count() as u64;
    let all = text::counted(report.datasets.len() as u64, "dataset", "datasets");
    let _ = match damaged {
        0 => writeln!(
            shown,
            "\nThe dump is whole: {all}, each file as it was written."
        ),
        _ => writeln!(
            shown,
            "\nThe dump is damaged: {} of {all}. Take these files from a copy, or dump again with `--verify`: that writes them anew.",
            text::count(damaged)
        ),
    };
    shown
}
