// SPDX-License-Identifier: Apache-2.0
//! How a run ended, and the claims that tests make about it.

use std::fmt;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

const MIB: u64 = 1 << 20;

/// How a run ended. Its claims print everything when they fail.
pub struct Outcome {
    line: String,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i64>,
    /// What went to standard output.
    pub stdout: String,
    /// What went to standard error.
    pub stderr: String,
    /// The most memory that it held at once.
    pub peak_bytes: u64,
    /// How long it took.
    pub wall_ms: u64,
}

impl Outcome {
    #[track_caller]
    pub(super) fn read(line: String, output: &Output, report: &Path) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{line}: not measured: {stderr}");
        let report = std::fs::read(report).expect("a report of the run");
        let report: Value = serde_json::from_slice(&report).expect("a report as JSON");
        let outcome = Self {
            line,
            code: report["code"].as_i64(),
            stdout,
            stderr,
            peak_bytes: report["peak_bytes"].as_u64().expect("a peak"),
            wall_ms: report["wall_ms"].as_u64().expect("a time"),
        };
        assert_eq!(report["is_over_time"], false, "it hangs: {outcome}");
        // SIGSEGV, SIGABRT and the like never are an answer.
        assert_eq!(
            report["signal"],
            Value::Null,
            "a signal ended it: {outcome}"
        );
        outcome
    }

    /// Claims an exit code.
    #[track_caller]
    pub fn exits(self, code: i64) -> Self {
        assert_eq!(self.code, Some(code), "wanted exit code {code}: {self}");
        self
    }

    /// Claims that the error text holds each of `parts`.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "wanted `{part}` on standard error: {self}"
            );
        }
        self
    }

    /// Claims that standard output holds each of `parts`.
    #[track_caller]
    pub fn prints(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.stdout.contains(part),
                "wanted `{part}` on standard output: {self}"
            );
        }
        self
    }

    /// Claims that the peak memory stayed below so many MiB.
    #[track_caller]
    pub fn within_mib(self, most: u64) -> Self {
        assert!(
            self.peak_bytes < most * MIB,
            "wanted a peak below {most} MiB: {self}"
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(document) => document,
            Err(error) => panic!("standard output is no JSON document ({error}): {self}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            code,
            stdout,
            stderr,
            peak_bytes,
            wall_ms,
        } = self;
        let peak = peak_bytes / MIB;
        write!(
            f,
            "{line}\nexit code {code:?}, peak {peak} MiB, {wall_ms} ms"
        )?;
        write!(
            f,
            "\n--- standard output\n{stdout}\n--- standard error\n{stderr}\n---"
        )
    }
}
