// SPDX-License-Identifier: Apache-2.0
//! Collects what stands in the way of a plan, each with the exit code that it leads to.

use milvusdm_plugin_api::model::Capabilities;
use milvusdm_plugin_api::{Dataset, Error, ErrorKind};

use crate::failure::{ENDPOINT, Failure, REFUSED};
use crate::program;
use crate::report::Refusal;
use crate::task::{Task, nearest};

/// What stands in the way, in the order in which it was met.
#[derive(Debug, Default)]
pub(super) struct Refusals(Vec<Refusal>);

impl Refusals {
    /// Something about the task as a whole.
    pub(super) fn task(&mut self, error: Error) {
        self.push("", error, REFUSED);
    }

    /// Something about a dataset or target that the task has to be changed for.
    pub(super) fn about(&mut self, about: &str, error: Error) {
        self.push(about, error, REFUSED);
    }

    /// Something that the source or the sink can't do.
    pub(super) fn endpoint(&mut self, about: &str, error: Error) {
        let exit = match error.kind() {
            ErrorKind::Io => ENDPOINT,
            _ => Failure::endpoint(error.clone()).exit,
        };
        self.push(about, error, exit);
    }

    /// Something that is the matter with a target, as the sink found it.
    pub(super) fn target(&mut self, about: &str, error: Error) {
        match error.kind() {
            // What it can't do there, the task can do elsewhere.
            ErrorKind::Unsupported => self.push(about, error, REFUSED),
            _ => self.endpoint(about, error),
        }
    }

    /// `exclude` takes away all that there is; `include` says so itself.
    pub(super) fn nothing_selected(&mut self, task: &Task) {
        if self.0.is_empty() {
            let list = program::typed("inspect");
            let error = Error::new(ErrorKind::Config, "nothing is left to be moved")
                .help(format!("{list} lists what is there"));
            self.task(task.locate_pointer("/select/exclude", error));
        }
    }

    /// What `convert.duplicates` asks for, where nothing would be done about it.
    pub(super) fn duplicates(&mut self, task: &Task, sink: &Capabilities) {
        if task.conversions.duplicates.is_none() {
            return;
        }
        let message = if sink.unique_ids {
            "this version can't find rows of equal ids"
        } else {
            "this sink keeps rows of equal ids side by side, so that nothing would be done about them"
        };
        let error = Error::new(ErrorKind::Config, message).help("leave `duplicates` out");
        self.task(task.locate_pointer("/convert/duplicates", error));
    }

    /// Reading and writing take more than the task's memory.
    pub(super) fn too_little_memory(
        &mut self,
        reading: u64,
        writing: u64,
        task: &Task,
        least: u64,
    ) {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let message = format!(
            "reading holds up to {} MiB and writing {} MiB beside the batches, which `memory` of {} MiB does not cover",
            mib(reading),
            mib(writing),
            mib(task.memory_bytes)
        );
        let error = Error::new(ErrorKind::Config, message);
        let help = format!("give it `memory: {}MiB` or more", mib(least));
        self.task(task.locate_pointer("/memory", error.help(help)));
    }

    /// Columns that `convert` names and no selected dataset has.
    pub(super) fn unknown_columns(&mut self, task: &Task, selected: &[Dataset]) {
        let mut known: Vec<&str> = selected
            .iter()
            .flat_map(|dataset| dataset.schema.fields())
            .map(|field| field.name().as_str())
            .collect();
        known.sort_unstable();
        known.dedup();
        for column in task
            .conversions
            .columns
            .keys()
            .filter(|c| !known.contains(&c.as_str()))
        {
            let error = Error::new(
                ErrorKind::Config,
                format!("no selected dataset has a column `{column}`"),
            );
            let pointer = format!(
                "/convert/columns/{}",
                column.replace('~', "~0").replace('/', "~1")
            );
            self.task(task.locate_pointer(&pointer, error.help(nearest::advice(column, &known))));
        }
    }

    pub(super) fn into_inner(self) -> Vec<Refusal> {
        self.0
    }

    fn push(&mut self, about: &str, error: Error, exit: u8) {
        self.0.push(Refusal {
            about: about.to_owned(),
            error,
            exit,
        });
    }
}
