// SPDX-License-Identifier: Apache-2.0
//! The stand-in as a program, for clients in other languages and for servers that are killed.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use milvusdm_standin::{Fault, Standin, StandinOptions};

/// A server that behaves as Milvus 1.1 does, for tests.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes any that is free.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Folder to keep the state in: a server that was killed, and is started on it again, has all
    /// that it acknowledged.
    #[arg(long, value_name = "FOLDER", conflicts_with = "discard")]
    folder: Option<PathBuf>,
    /// Count rows and drop them, to measure clients.
    #[arg(long)]
    discard: bool,
    /// What the server says of itself; before 1.1 it doesn't know tags in reads and deletes by id.
    #[arg(long, value_name = "VERSION", default_value = "1.1.0")]
    version_string: String,
    /// Milliseconds between flushes that nobody asked for; 0 for never.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    auto_flush_ms: u64,
    /// Merge segments under new names, so many milliseconds after each flush.
    #[arg(long, value_name = "MS", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    merge: Option<u64>,
    /// Milliseconds for which the name of a dropped collection stays blocked.
    #[arg(long, value_name = "MS", default_value_t = 500)]
    name_blocked_ms: u64,
    /// A trouble to make, as in `insert@3=drop-after`, `insert:id=5=refuse:REASON`,
    /// `flush=unavailable`, `*=unimplemented`; can be given several times. CALL, then nothing, @N,
    /// @N+, :id=ID or :nan, then = and one of refuse:REASON, refuse(CODE):REASON, stall, delay:MS,
    /// drop-before, drop-after, die-before, die-after, unavailable, unimplemented.
    #[arg(long, value_name = "FAULT")]
    fail: Vec<Fault>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = StandinOptions {
        port: arguments.port,
        folder: arguments.folder,
        discards: arguments.discard,
        version: arguments.version_string,
        auto_flush: milliseconds(arguments.auto_flush_ms),
        merge_after: arguments.merge.map(Duration::from_millis),
        name_blocked: Duration::from_millis(arguments.name_blocked_ms),
        faults: arguments.fail,
        dies_with_process: true,
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "milvus1-standin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn milliseconds(count: u64) -> Option<Duration> {
    (count > 0).then(|| Duration::from_millis(count))
}

fn run(options: StandinOptions) -> io::Result<()> {
    let standin = Standin::start(options)?;
    // Whoever started it waits for this line.
    writeln!(io::stdout(), "listening on {}", standin.uri())?;
    io::stdout().flush()?;
    standin.wait();
    Ok(())
}
