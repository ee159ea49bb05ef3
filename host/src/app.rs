// SPDX-License-Identifier: Apache-2.0
//! A program made of this host: `milvusdm` itself, or a vendor's own build.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli;
use crate::program::Program;

/// A program made of this host, under its own name, with its own defaults and whichever plugins
/// are linked into it.
///
/// A vendor's build is a crate that depends on `milvusdm` and on plugins, and has this as its
/// `main`:
///
/// ```
/// use std::process::ExitCode;
///
/// use milvusdm::App;
/// # // The crates of plugins are named, so that the linker keeps them:
/// // use acme_plugin as _;
///
/// fn main() -> ExitCode {
///     let app = App::new("acme-move", "2.1.0")
///         .defaults("sink: {plugin: hdf5, path: out/}\nmemory: 1GiB\n");
/// # let is_example = true;
/// # if is_example {
/// #     return app.run(["acme-move", "--version"]);
/// # }
///     app.main()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct App {
    program: Program,
    defaults: String,
}

impl App {
    /// A program of this name and version.
    ///
    /// The name is what is typed: it stands in `--version`, in the help and in log lines, and log
    /// files begin with it. It has letters, digits, `-`, `_` and `.` only, the first a letter or
    /// digit; any other is reported when the program runs.
    #[must_use]
    pub fn new(name: &'static str, version: &'static str) -> Self {
        Self {
            program: Program { name, version },
            defaults: String::new(),
        }
    }

    /// `milvusdm` itself.
    #[must_use]
    pub fn host() -> Self {
        Self::new(Program::HOST.name, Program::HOST.version)
    }

    /// What stands in where a task leaves something out: a task file of which everything may be
    /// left out.
    ///
    /// A key at its top (`memory`, `mode`, `parallel`, `prefer`, `convert`, `select`, `map`) is
    /// used as a whole where the task has no such key. `source` and `sink` are used where the
    /// task has none; where it has one with the same plugin, or with no `plugin` at all, their
    /// options are used where it leaves them out. `copy` and `inspect` take them as well, under
    /// their arguments and options. `${NAME}` is a variable of the environment.
    ///
    /// A mistake in the YAML is an internal error (exit code 5) of every command, whatever the
    /// task says.
    #[must_use]
    pub fn defaults(self, yaml: impl Into<String>) -> Self {
        Self {
            defaults: yaml.into(),
            ..self
        }
    }

    /// Runs the program on the arguments of the process.
    pub fn main(self) -> ExitCode {
        self.run(std::env::args_os())
    }

    /// Runs the program on these arguments, its name in front. A process is one program: log
    /// files and messages keep the name of the first.
    pub fn run<T>(self, arguments: impl IntoIterator<Item = T>) -> ExitCode
    where
        T: Into<OsString>,
    {
        let arguments = arguments.into_iter().map(Into::into).collect();
        ExitCode::from(cli::run(self.program, &self.defaults, arguments))
    }
}
