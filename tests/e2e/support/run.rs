// SPDX-License-Identifier: Apache-2.0
//! Runs the binary, measured and bounded in time.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::binary::milvusdm_binary;
use super::{Outcome, Space, set_mode};

/// No run of these tests takes a fraction of this, even on a busy machine.
const DEFAULT_LIMIT_MS: u64 = 120_000;

/// One run of a command in a [`Space`].
pub struct Run<'a> {
    space: &'a Space,
    program: PathBuf,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    limit_ms: u64,
    wrapper: Vec<OsString>,
}

/// A run of milvusdm with the folder of `space` as its working directory.
pub fn milvusdm<'a>(space: &'a Space, args: &[&str]) -> Run<'a> {
    Run {
        space,
        program: milvusdm_binary().to_owned(),
        args: args.iter().map(OsString::from).collect(),
        envs: Vec::new(),
        limit_ms: DEFAULT_LIMIT_MS,
        wrapper: Vec::new(),
    }
}

impl Run<'_> {
    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Uses another program, for example a copy that another user may run.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Ends the run, as failed, after this time.
    pub fn limit_ms(mut self, limit_ms: u64) -> Self {
        self.limit_ms = limit_ms;
        self
    }

    /// Starts it through another command, which gets program and arguments after its own.
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(OsString::from).collect();
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Outcome {
        let outcome = self.run_with_panics();
        assert!(
            !outcome.stderr.contains("panicked at"),
            "a panic is shown: {outcome}"
        );
        outcome
    }

    /// The same for one with a plugin whose panics are told by its own runtime.
    #[track_caller]
    pub fn run_with_panics(self) -> Outcome {
        let report = self.space.fresh("report.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_milvusdm-measure"));
        command.arg(&report).arg(self.limit_ms.to_string());
        command
            .args(&self.wrapper)
            .arg(&self.program)
            .args(&self.args);
        self.prepare(&mut command);
        let output = command.output().expect("milvusdm-measure starts");
        let line = self.line();
        Outcome::read(line, &output, &report)
    }

    /// Starts it without waiting, for a test that sends signals; output goes to `output` and
    /// `errors` in the space.
    #[track_caller]
    pub fn start(self) -> Child {
        assert!(self.wrapper.is_empty(), "a signal would hit the wrapper");
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        self.prepare(&mut command);
        let create = |name| std::fs::File::create(self.space.path(name)).expect("a file of ours");
        command.stdout(create("output")).stderr(create("errors"));
        command.spawn().expect("milvusdm starts")
    }

    fn prepare(&self, command: &mut Command) {
        command.current_dir(self.space.root()).stdin(Stdio::null());
        // Nothing of the person who runs the tests: no settings, no home that logs would land in.
        for (name, _) in std::env::vars_os() {
            let is_ours = name.to_string_lossy().starts_with("MILVUSDM_");
            if is_ours
                || [
                    "LOGS_NUM",
                    "RUST_LOG",
                    "NO_COLOR",
                    "CLICOLOR_FORCE",
                    "XDG_CONFIG_HOME",
                ]
                .map(OsStr::new)
                .contains(&&*name)
            {
                command.env_remove(name);
            }
        }
        command.env("HOME", self.space.path("home"));
        command.env("MILVUSDM_PATH", self.space.path("home/milvusdm"));
        command.envs(self.envs.iter().map(|(name, value)| (name, value)));
    }

    fn line(&self) -> String {
        let words = self
            .wrapper
            .iter()
            .chain([self.program.as_os_str().to_owned()].iter())
            .chain(&self.args)
            .map(|word| word.to_string_lossy().into_owned())
            .collect::<Vec<_>>();
        words.join(" ")
    }
}

/// A copy of the binary that every user may run: the build folder may be closed to them.
pub fn open_binary(space: &Space) -> PathBuf {
    let from = milvusdm_binary();
    let to = space.path("milvusdm");
    if !to.exists() {
        std::fs::copy(from, &to).expect("a copy of the binary");
        set_mode(&to, 0o755);
    }
    to
}
