// SPDX-License-Identifier: Apache-2.0
//! What goes wrong, and where.

use std::time::Duration;

use milvusdm_plugin_api::{Error, ErrorKind, Result, Services};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::voice;

/// How often a call that waits for something looks for it.
const PAUSE: Duration = Duration::from_millis(10);
/// How late a call comes back that comes back late: well before the host gives up on it.
const LATE: Duration = Duration::from_secs(2);
/// Longer than the host waits between two lines of progress.
const LONG: Duration = Duration::from_millis(5500);
/// `panics` or `hangs`: what the entry that no option reaches does.
const INFO: &str = "FAULTY_INFO";

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The call fails.
    Fails,
    /// The call panics.
    Panics,
    /// The call panics with a payload that panics when it is dropped.
    PanicsTwice,
    /// The call never comes back, whatever the host asks.
    Hangs,
    /// The call comes back two seconds after it is asked to stop, as if nothing were.
    ReturnsLate,
    /// The call comes back as soon as it is asked to stop, and says so.
    HeedsCancel,
    /// The call ends the process, as if all were well.
    Exits,
    /// The call logs in every way, a secret too.
    Speaks,
    /// A thread logs, long after everything is closed.
    LogsForEver,
    /// The call tells of its progress, and takes long.
    Dawdles,

    /// Of a source: it gives a row fewer than its structure says.
    OneLess,
    /// Of a source: it gives a row more than its structure says.
    OneMore,
    /// Of a source: it says that nobody knows how many rows there are, and never ends.
    NeverEnds,
    /// Of a source: a batch in the middle has other columns than were announced.
    ChangesItsSchema,
    /// Of a source: ids are unsigned, and every other is beyond what `Int64` holds.
    LargeIds,

    /// Of a sink: each tenth row is rejected, and said to be.
    Rejects,
    /// Of a sink: a row is acknowledged but not kept; counting at the end shows it.
    DropsARow,
    /// Of a sink: a row is neither acknowledged nor rejected.
    ForgetsARow,
    /// Of a sink: more rows are acknowledged than were given.
    AcknowledgesTooMuch,
}

/// An entry of the table, as far as an option can reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// `source_open`, `sink_open`.
    Open,
    /// `source_datasets`.
    Datasets,
    /// `source_splits`.
    Splits,
    /// `source_inspect`.
    Inspect,
    /// `source_read`.
    Read,
    /// `reader_next`, in the middle.
    Next,
    /// `reader_account`.
    Account,
    /// `reader_close`.
    CloseReader,
    /// `source_close`, `sink_close`.
    Close,
    /// `sink_capabilities`.
    Capabilities,
    /// `sink_check`.
    Check,
    /// `sink_prepare`.
    Prepare,
    /// `writer_write`.
    Write,
    /// `writer_finish`.
    Finish,
    /// `writer_abort`; writing fails before, so that it is called.
    Abort,
    /// `writer_close`.
    CloseWriter,
}

/// Options of either side.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What goes wrong: `panics`.
    #[serde(default)]
    #[schemars(schema_with = "schema_of_fault")]
    pub fault: Fault,
    /// In which entry: `datasets`. By default reading or writing a batch.
    #[serde(default)]
    pub at: Option<Entry>,
}

/// Describing the options is the one thing of ours that `info` runs.
fn schema_of_fault(generator: &mut SchemaGenerator) -> Schema {
    match std::env::var(INFO).as_deref() {
        Ok("panics") => panic!("on purpose"),
        Ok("hangs") => hang(),
        Ok("exits") => std::process::exit(0),
        _ => generator.subschema_for::<Fault>(),
    }
}

/// What goes wrong in one source or sink.
#[derive(Debug, Clone)]
pub struct Breakdown {
    pub fault: Fault,
    pub at: Entry,
    services: Services,
}

impl Breakdown {
    /// What the options ask for, by default in that entry.
    pub fn new(options: &Options, usual: Entry, services: Services) -> Self {
        Self {
            fault: options.fault,
            at: options.at.unwrap_or(usual),
            services,
        }
    }

    /// Breaks, if this is the entry.
    pub fn strike(&self, here: Entry) -> Result<()> {
        if here != self.at {
            return Ok(());
        }
        match self.fault {
            Fault::Fails => Err(failure(here)),
            Fault::Panics => panic!("on purpose"),
            Fault::PanicsTwice => std::panic::panic_any(Bomb),
            Fault::Hangs => hang(),
            Fault::ReturnsLate => {
                self.wait_until_asked();
                std::thread::sleep(LATE);
                Ok(())
            }
            Fault::HeedsCancel => {
                self.wait_until_asked();
                self.services.check_cancelled()
            }
            Fault::Exits => std::process::exit(0),
            Fault::Speaks => {
                voice::speak(&self.services);
                Ok(())
            }
            Fault::LogsForEver => {
                let services = self.services.clone();
                std::thread::spawn(move || voice::babble(&services));
                Ok(())
            }
            Fault::Dawdles => {
                self.services.progress("warming up", 3, 7);
                std::thread::sleep(LONG);
                self.services.progress("warming up", 7, 7);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The same where there is no way to fail but to panic.
    pub fn strike_without_result(&self, here: Entry) {
        if let Err(error) = self.strike(here) {
            panic!("{error}");
        }
    }

    fn wait_until_asked(&self) {
        while !self.services.is_cancelled() {
            std::thread::sleep(PAUSE);
        }
    }
}

/// The error of a call that fails.
pub fn failure(here: Entry) -> Error {
    Error::new(ErrorKind::Io, "can't go on, on purpose").with("here", format!("{here:?}"))
}

fn hang() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("once more, on purpose");
    }
}
