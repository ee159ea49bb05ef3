// SPDX-License-Identifier: Apache-2.0
//! The server that stands in for Milvus 1.1 as a process of its own, which can be killed and whose
//! memory is not that of the tests.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::built;

/// A server as a process; it ends with this.
pub struct StandinProcess {
    child: Child,
    uri: String,
}

impl StandinProcess {
    /// Starts one; it listens when this returns.
    #[track_caller]
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(built("milvus1-standin"))
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-in starts");
        let output = child.stdout.take().expect("its output");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .expect("a line of the stand-in");
        let uri = line.trim().strip_prefix("listening on ");
        let uri = uri.expect("where it listens").to_owned();
        Self { child, uri }
    }

    /// Where it listens.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Whether it has ended, as after a fault.
    pub fn is_gone(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }
}

impl Drop for StandinProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
