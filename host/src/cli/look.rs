// SPDX-License-Identifier: Apache-2.0
//! The commands that only look: `plan` and `inspect`.

use std::path::Path;

use super::run::hide_secrets;
use super::session::{Answer, Session};
use super::{errors, render};
use crate::failure::Failure;
use crate::plan::{self, Plan};
use crate::report::Refusal;
use crate::task::{Endpoint, Side, Task};

/// Shows what a task would do.
pub(super) fn plan(session: &Session, task: &Path) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let task = Task::load(task, &session.defaults).map_err(Failure::task)?;
    hide_secrets(session, &task, &registry);
    session.heed_signals()?;
    let report = Plan::make(&task, &registry, &session.control)?.report();
    show_refusals(session, &report.refusals);
    session.answer(&report, report.exit, render::plan)
}

/// Shows what is in a source.
pub(super) fn inspect(session: &Session, source: &str) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let lookup = |name: &str| registry.get(name, None).map(|entry| entry.info.clone());
    let endpoint =
        Endpoint::parse(source, Side::Source, &lookup, &session.defaults).map_err(Failure::task)?;
    let plugin = &endpoint.plugin;
    let info = lookup(&plugin.plugin).map_err(Failure::task)?;
    session.hide(&plugin.secrets(Side::Source, &info));
    session.heed_signals()?;
    let report = plan::inspect(plugin, &registry, &session.control);
    let report = report.map_err(|failure| Failure {
        error: endpoint.locate(failure.error),
        ..failure
    })?;
    show_refusals(session, &report.refusals);
    session.answer(&report, report.exit, render::inspect)
}

/// Says what stands in the way, one error each.
pub(super) fn show_refusals(session: &Session, refusals: &[Refusal]) {
    for refusal in refusals {
        errors::show(session, &refusal.about, &refusal.error, refusal.exit);
    }
}
