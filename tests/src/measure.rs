// SPDX-License-Identifier: Apache-2.0
//! Runs one command and writes down how it ended, its peak memory and its time.
//!
//! Why a program of its own: Linux counts the memory of the process that starts a command into
//! the command's peak, so it has to be started by something small, not by the tests. Also the
//! one place that ends a command which hangs.
//!
//!     milvusdm-measure REPORT LIMIT_MS COMMAND [ARG ...]
#![forbid(unsafe_code)]

use std::error::Error;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use wait4::{ResUse, Wait4 as _};

const POLL: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    match measure(std::env::args_os().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The tests read this; there is nobody else to tell.
            #[expect(clippy::print_stderr, reason = "the only output this program has")]
            {
                eprintln!("milvusdm-measure: {error}");
            }
            ExitCode::from(99)
        }
    }
}

fn measure(args: Vec<std::ffi::OsString>) -> Result<(), Box<dyn Error>> {
    let [report, limit_ms, program, args @ ..] = args.as_slice() else {
        return Err("usage: milvusdm-measure REPORT LIMIT_MS COMMAND [ARG ...]".into());
    };
    let limit: u64 = limit_ms.to_string_lossy().parse()?;
    let start = Instant::now();
    // A group of its own, so that a command under a wrapper is ended with it.
    let mut child = Command::new(program)
        .args(args)
        .process_group(0)
        .spawn()
        .map_err(|error| format!("starting {}: {error}", program.display()))?;
    let (used, is_over_time) = wait(&mut child, start + Duration::from_millis(limit))?;
    let report_text = serde_json::json!({
        "code": used.status.code(),
        "signal": used.status.signal(),
        "peak_bytes": used.rusage.maxrss,
        "cpu_ms": (used.rusage.utime + used.rusage.stime).as_millis(),
        "wall_ms": start.elapsed().as_millis(),
        "is_over_time": is_over_time,
    });
    std::fs::write(report, report_text.to_string())?;
    Ok(())
}

fn wait(child: &mut Child, deadline: Instant) -> Result<(ResUse, bool), Box<dyn Error>> {
    let mut is_over_time = false;
    loop {
        if let Some(used) = child.try_wait4()? {
            return Ok((used, is_over_time));
        }
        if !is_over_time && Instant::now() > deadline {
            is_over_time = true;
            let group = Pid::from_child(child);
            kill_process_group(group, Signal::KILL)?;
        }
        std::thread::sleep(POLL);
    }
}
