// SPDX-License-Identifier: Apache-2.0
//! A target that was there before, and a sinful source that is to write over it.

use std::path::{Path, PathBuf};

use super::{Outcome, Run, Space, milvusdm, sins, text, with_plugins};

/// The target, below the space.
const TARGET: &str = "out/a.h5";

/// A space with a target that stands already.
pub struct Standing {
    pub space: Space,
    before: Vec<u8>,
}

impl Standing {
    /// Makes one.
    #[track_caller]
    pub fn new() -> Self {
        let space = Space::new();
        space.folder("out");
        let args = ["copy", "random:?rows=10&dim=3&seed=1", "hdf5:out/a.h5"];
        milvusdm(&space, &args).run().exits(0);
        let before = std::fs::read(space.path(TARGET)).expect("the target");
        Self { space, before }
    }

    /// A task that reads from that plugin and writes over the target, or a fresh one.
    pub fn task(&self, plugin: &str, is_fresh: bool) -> String {
        let (name, path, mode) = match is_fresh {
            false => ("over", TARGET, "overwrite"),
            true => ("fresh", "fresh/b.h5", "fail"),
        };
        let task = format!(
            "source: {{plugin: {plugin}}}\nsink: {{plugin: hdf5, path: {path}}}\n\
             convert: {{columns: {{tags: drop}}}}\nmode: {mode}\n"
        );
        let file = self.space.path(&format!("{name}-{plugin}.yaml"));
        std::fs::write(&file, task).expect("a task of ours");
        text(file)
    }

    /// Runs the task of the C plugin with that sin, over the target and into a fresh one, and
    /// claims that both are unharmed; gives how the first run ended.
    #[track_caller]
    pub fn bears(&self, sin: &str) -> Outcome {
        let file = sins();
        let run = |is_fresh| {
            let task = self.task("sins", is_fresh);
            let outcome = self.run(&[file], &["run", &task]).env("SIN", sin).run();
            assert!(!outcome.stderr.contains("not released"), "{sin}: {outcome}");
            outcome
        };
        let over = run(false);
        self.is_unharmed(sin);
        let fresh = run(true);
        assert_eq!(over.code, fresh.code, "{sin}: {over}\n{fresh}");
        self.has_nothing_fresh(sin);
        over
    }

    /// A run that takes these plugin files as they are, and keeps nothing to go on with.
    pub fn run<'a>(&'a self, files: &[&Path], args: &[&str]) -> Run<'a> {
        let more: &[&str] = match args.first() {
            Some(&"run" | &"copy") => &["--no-journal"],
            _ => &[],
        };
        with_plugins(&self.space, files, &[args, more].concat())
    }

    /// Claims that the target is as it was, whatever a process that died left beside it.
    #[track_caller]
    pub fn is_as_before(&self, after: &str) {
        let found = std::fs::read(self.path()).expect("the target");
        assert!(found == self.before, "{after}: the target has changed");
        let left = self.space.list("out");
        let whole: Vec<&String> = left.iter().filter(|name| name.ends_with(".h5")).collect();
        assert_eq!(whole, ["a.h5"], "{after}: {left:?}");
    }

    /// Claims that the target is as it was, and that nothing stands beside it.
    #[track_caller]
    pub fn is_unharmed(&self, after: &str) {
        self.is_as_before(after);
        assert_eq!(self.space.list("out"), ["a.h5"], "{after}");
    }

    /// Claims that no fresh target is there that could be taken for a whole one.
    #[track_caller]
    pub fn has_nothing_fresh(&self, after: &str) {
        let left = self.space.list("fresh");
        assert!(left.is_empty(), "{after}: {left:?}");
    }

    /// The target.
    pub fn path(&self) -> PathBuf {
        self.space.path(TARGET)
    }
}
