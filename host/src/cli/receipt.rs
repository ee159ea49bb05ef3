// SPDX-License-Identifier: Apache-2.0
//! The receipt file: what a run did, as JSON, whole or not at all, and sealed with a digest.
//!
//! It is opened beside its place before the run, so that a folder that can't be written is an
//! error before rows are moved, and takes its place at the end. A run that fails leaves a
//! receipt too: an older one that tells of success must not stand there. One that is refused leaves
//! an older one, the only proof of that run, where it is.

use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind};
use serde_json::{Map, Value};

use super::render;
use super::session::{Answer, Session};
use crate::beside::Beside;
use crate::failure::{ENDPOINT, Failure, REFUSED};
use crate::report::RunReport;
use crate::seal::{Broken, seal, unseal};

/// A receipt that is to be written.
#[derive(Debug)]
pub(super) struct Receipt {
    path: PathBuf,
    beside: Beside,
    /// Whether rows may have been moved.
    is_begun: bool,
}

impl Receipt {
    /// Makes sure that a receipt can be written.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let beside = Beside::create(path).map_err(|e| refused(path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            beside,
            is_begun: false,
        })
    }

    /// Takes an older one away: from here on it would tell of another run, whatever becomes of
    /// this one.
    pub fn begin(&mut self) -> Result<(), Failure> {
        self.is_begun = true;
        match std::fs::remove_file(self.beside.place()) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(refused(&self.path, &e)),
            _ => Ok(()),
        }
    }

    /// Writes it, sealed and durably. A run that did not begin leaves an older one alone.
    pub fn write(self, document: &str) -> Result<(), Failure> {
        let path = self.path;
        if !self.is_begun && path.exists() {
            tracing::warn!(
                "{}: this receipt is that of an earlier run; there is none of this one, which moved nothing.",
                path.display()
            );
            return Ok(());
        }
        self.beside.publish(&sealed(document)).map_err(|e| {
            let error = Error::io("write the receipt", &e)
                .with("file", path.display())
                .help("the run has ended as its result says; unless it had no journal, the same command writes the receipt and moves nothing");
            Failure {
                error,
                exit: ENDPOINT,
            }
        })
    }
}

fn refused(path: &Path, cause: &std::io::Error) -> Failure {
    let error = Error::io("make the receipt file", cause)
        .with("file", path.display())
        .help("name a file in a folder that exists and can be written with `--receipt`");
    Failure {
        error,
        exit: REFUSED,
    }
}

/// The document with the digest of everything else in it.
fn sealed(document: &str) -> String {
    match serde_json::from_str::<Value>(document) {
        Ok(Value::Object(mut members)) => {
            seal(&mut members);
            format!("{:#}\n", Value::Object(members))
        }
        // Reports are objects.
        _ => document.to_owned(),
    }
}

/// Checks a receipt, and shows what it tells.
pub(super) fn show(session: &Session, path: &Path) -> Result<Answer, Failure> {
    let report = read(path).map_err(|error| Failure::task(error.with("file", path.display())))?;
    let exit = report.exit;
    session.answer(&report, exit, |report| {
        let shown = render::run(report);
        format!("{shown}The receipt is whole: it is as the run wrote it.\n")
    })
}

fn read(path: &Path) -> Result<RunReport, Error> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read the receipt", &e))?;
    let odd = |what: String| {
        Error::new(ErrorKind::Format, format!("this is no receipt: {what}"))
            .help("receipts are written by `--receipt FILE`")
    };
    let mut members: Map<String, Value> =
        serde_json::from_str(&text).map_err(|e| odd(e.to_string()))?;
    unseal(&mut members).map_err(|broken| match broken {
        Broken::Unsealed => odd(broken.to_string()),
        Broken::Altered { .. } => Error::new(
            ErrorKind::Format,
            format!("this is no receipt any more: {broken}"),
        )
        .help("take it from where the run wrote it"),
    })?;
    if let Some(error) = members
        .get("error")
        .filter(|_| !members.contains_key("ledger"))
    {
        let error: Error = serde_json::from_value(error.clone()).map_err(|e| odd(e.to_string()))?;
        return Err(error);
    }
    let mut report: RunReport =
        serde_json::from_value(Value::Object(members)).map_err(|e| odd(e.to_string()))?;
    // What a receipt calls done must add up here as well.
    render::settle(&mut report);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_its_place_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipt.json");
        std::fs::write(&path, "old").unwrap();
        let refused = Receipt::open(&path).unwrap();
        refused.write("refused").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let mut receipt = Receipt::open(&path).unwrap();
        receipt.begin().unwrap();
        assert!(
            !path.exists(),
            "an older one must not be taken for this run's"
        );
        receipt.write("new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        let mut killed = Receipt::open(&path).unwrap();
        killed.begin().unwrap();
        drop(killed);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_place_that_can_not_be_written_is_refused_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            folder.path().to_owned(),
            folder.path().join("missing/receipt.json"),
        ] {
            let failure = Receipt::open(&path).unwrap_err();
            assert_eq!(failure.exit, REFUSED);
            assert!(
                failure
                    .error
                    .to_string()
                    .contains(&path.display().to_string())
            );
        }
    }
}
