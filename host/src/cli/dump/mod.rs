// SPDX-License-Identifier: Apache-2.0
//! `dump` and `restore`: a copy into a folder of files with a manifest, and back; and whether a
//! dump is still as it was written.

mod check;
mod restore;
mod update;

use std::path::{Component, Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Mode, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

pub(super) use check::{check, is_dump};
pub(super) use restore::restore;

use super::args::DumpArgs;
use super::run::with_receipt;
use super::session::{Answer, Session};
use crate::dump::{self, Manifest, Unchanged};
use crate::failure::Failure;
use crate::journal::{self, Journal, Subject};
use crate::registry::Registry;
use crate::task::{Side, Task};

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
    expect_free(&args.folder, is_ours).map_err(Failure::endpoint)?;
    let task = |registry: &Registry| dump_task(session, registry, args).map_err(Failure::endpoint);
    with_receipt(session, &args.run, &subject, task, update::write_manifest)
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
    .help("dump into an empty folder, or into one with a dump, which is brought up to date; a dump that was stopped goes on when the same command is given again in the same folder"))
}

/// That a dump is brought up to date from the source it was made of: what that does not have, goes.
fn expect_same(then: &Value, now: &Value) -> Result<()> {
    let differences = journal::differences("source", then, now);
    if differences.is_empty() {
        return Ok(());
    }
    let error = Error::new(
        ErrorKind::Exists,
        "the dump in the folder was made of another source",
    );
    let error = differences
        .iter()
        .fold(error, |error, difference| error.with("differs", difference));
    Err(error.help("dump into another folder; or give `--replace`: then whatever this source does not have goes from the dump"))
}

fn dump_task(session: &Session, registry: &Registry, args: &DumpArgs) -> Result<Task> {
    // However it is written, it is the same.
    let named = args
        .folder
        .components()
        .filter(|part| *part != Component::CurDir);
    let folder = match named.collect::<PathBuf>() {
        folder if folder.as_os_str().is_empty() => "./".to_owned(),
        folder => format!("{}/", folder.display()),
    };
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
    let manifest = Manifest::find(&args.folder)?;
    if let Some(manifest) = manifest.as_ref().filter(|_| !args.replace) {
        let info = lookup(&task.source.plugin)?;
        let source = dump::resolved(&task.source.shown(Side::Source, &info));
        expect_same(&manifest.source, &source)?;
    }
    for entry in manifest.into_iter().flat_map(|manifest| manifest.datasets) {
        let name = entry.name();
        match entry.whole_since(&args.folder, args.run.verify, &session.control)? {
            Some(modified) => {
                let fingerprint = entry.fingerprint;
                let known = Unchanged {
                    fingerprint,
                    modified,
                };
                task.known.unchanged.insert(name, known);
            }
            None => tracing::warn!(
                "{}: this file is not the one that the manifest has: {} is not taken for unchanged.",
                entry.file,
                entry.full_name()
            ),
        }
    }
    Ok(task)
}
