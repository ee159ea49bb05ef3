// SPDX-License-Identifier: Apache-2.0
//! The commands that only look: `plan` and `inspect`.

use milvusdm_plugin_api::{Error, ErrorKind, PluginInfo};

use super::args::TaskArgs;
use super::kept::Seen;
use super::run::hide_secrets;
use super::session::{Answer, Session};
use super::{errors, render};
use crate::failure::Failure;
use crate::plan::{self, Plan, Run};
use crate::report::Refusal;
use crate::task::{Endpoint, PluginTask, Side, Task};

/// Shows what a task would do.
pub(super) fn plan(session: &Session, args: &TaskArgs) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let mut task = Task::load(&args.task, &session.defaults).map_err(Failure::task)?;
    hide_secrets(session, &task, &registry);
    session.heed_signals()?;
    // A run would go on where it was.
    let seen = Seen::or_none(&args.task, args.state.as_deref()).filter(|seen| !seen.is_running);
    let earlier = seen.and_then(|seen| seen.last);
    let earlier = earlier.filter(|last| last.run.is_unfinished());
    if let Some(earlier) = &earlier {
        task.take_up(&earlier.run.sink);
    }
    let run = earlier.as_ref().map_or(Run::Unkept, Run::Resumed);
    let report = Plan::make(&task, &registry, &session.control, run)?.report();
    show_refusals(session, &report.refusals);
    session.answer(&report, report.exit, render::plan)
}

/// Shows what is in a source.
pub(super) fn inspect(session: &Session, source: &str, id: Option<i64>) -> Result<Answer, Failure> {
    let registry = session.registry()?;
    let lookup = |name: &str| registry.get(name, None).map(|entry| entry.info.clone());
    let mut endpoint =
        Endpoint::parse(source, Side::Source, &lookup, &session.defaults).map_err(Failure::task)?;
    if let Some(id) = id {
        let info = lookup(&endpoint.plugin.plugin).map_err(Failure::task)?;
        look_for(&mut endpoint.plugin, &info, id).map_err(Failure::task)?;
    }
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

/// Has the source look for an id: an option of those that can.
fn look_for(source: &mut PluginTask, info: &PluginInfo, id: i64) -> Result<(), Error> {
    let options = info.source_options.as_ref();
    let can = options.is_some_and(|schema| !schema["properties"]["find_id"].is_null());
    if !can {
        let message = format!("the plugin `{}` can't tell where an id is", source.plugin);
        return Err(Error::new(ErrorKind::Unsupported, message).help("leave out `--id`"));
    }
    source.options.insert("find_id".to_owned(), id.into());
    Ok(())
}

/// Says what stands in the way, one error each.
pub(super) fn show_refusals(session: &Session, refusals: &[Refusal]) {
    for refusal in refusals {
        errors::show(session, &refusal.about, &refusal.error, refusal.exit);
    }
}
