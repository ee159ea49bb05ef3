// SPDX-License-Identifier: Apache-2.0
//! Under which name and version this program goes: `milvusdm`, or that of a vendor's own build.
//!
//! A process is one program, so that this is the one thing kept for the whole process: a message
//! deep in a check must be able to say what can be typed.

use std::sync::OnceLock;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

/// The name of the program itself, where no [`App`](crate::App) gives another.
pub const NAME: &str = "milvusdm";
/// The version of the host, whatever the program is called.
pub const HOST_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A file name has 255, of which the date of a log file takes some.
const MAX_NAME_BYTES: usize = 100;

static CURRENT: OnceLock<Program> = OnceLock::new();

/// Name and version of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// What is typed to run it.
    pub name: &'static str,
    /// Its own version.
    pub version: &'static str,
}

impl Program {
    /// `milvusdm` itself.
    pub const HOST: Self = Self {
        name: NAME,
        version: HOST_VERSION,
    };

    /// The program of this process.
    pub fn current() -> Self {
        *CURRENT.get().unwrap_or(&Self::HOST)
    }

    /// Makes this the program of the process; it stays the first that was made so.
    pub(crate) fn make_current(self) {
        let _ = CURRENT.set(self);
    }

    /// Checks that the name can be typed and begin the name of a file.
    ///
    /// # Errors
    /// `Internal`: whoever built the program chose it.
    pub(crate) fn check(self) -> Result<()> {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name = self.name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && self.name.chars().all(is_fit)
            && self.name.len() <= MAX_NAME_BYTES;
        if is_name {
            return Ok(());
        }
        let message = format!(
            "this program calls itself {:?}, wanted a name of letters, digits, `-`, `_` and `.`",
            self.name
        );
        Err(Error::new(ErrorKind::Internal, message)
            .help("this is a fault of whoever built it: `App::new` gives the name"))
    }

    /// Whether it is the host under its own name.
    pub fn is_host(self) -> bool {
        self.name == NAME
    }
}

/// A command as it is typed, in backticks: "`milvusdm plugins list`".
pub fn typed(arguments: &str) -> String {
    format!("`{} {arguments}`", Program::current().name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_typed_and_begin_a_file() {
        let is_taken = |name: &'static str| {
            let program = Program { name, version: "1" };
            program.check().map_err(|error| error.kind()) == Ok(())
        };
        for name in ["milvusdm", "acme-move", "a", "7z.acme_2"] {
            assert!(is_taken(name), "{name}");
        }
        for name in ["", "-x", ".x", "a b", "a/b", "..", "a\nb", "\u{e9}"] {
            assert!(!is_taken(name), "{name:?}");
        }
    }
}
