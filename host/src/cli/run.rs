// SPDX-License-Identifier: Apache-2.0
//! `run` and `copy`: the task, its plan, the engine, and the receipt of it all.

use serde_json::Value;

use super::args::{CopyArgs, RunArgs, RunOptions};
use super::kept::Kept;
use super::look::show_refusals;
use super::progress::ProgressView;
use super::receipt::Receipt;
use super::session::{Answer, Session, to_value};
use super::{errors, load_back, render, verify};
use crate::engine;
use crate::failure::Failure;
use crate::journal::Subject;
use crate::plan::Plan;
use crate::program::{HOST_VERSION, Program};
use crate::registry::Registry;
use crate::report::RunReport;
use crate::task::{Task, parse_memory, parse_rate};

/// Runs a task file.
pub(super) fn run(session: &Session, args: &RunArgs) -> Result<Answer, Failure> {
    let load = |_: &Registry| Task::load(&args.task, &session.defaults).map_err(Failure::task);
    let subject = Subject::File(args.task.clone());
    with_receipt(session, &args.run, &subject, load, load_back::after)
}

/// Runs a task made of the command line.
pub(super) fn copy(session: &Session, args: &CopyArgs) -> Result<Answer, Failure> {
    let task = |registry: &Registry| copy_task(session, registry, args);
    with_receipt(session, &args.run, &subject(args), task, load_back::after)
}

/// What tells one copy from another.
fn subject(args: &CopyArgs) -> Subject {
    let mut words = vec![args.source.clone(), args.sink.clone()];
    words.extend(args.chosen.words());
    words.extend(args.map.iter().map(|rule| format!("--map {rule}")));
    words.extend(args.mode.map(|mode| format!("--mode {mode:?}")));
    Subject::Arguments(words)
}

/// What is given here wins over the program's defaults.
fn copy_task(session: &Session, registry: &Registry, args: &CopyArgs) -> Result<Task, Failure> {
    let lookup = |name: &str| registry.get(name, None).map(|entry| entry.info.clone());
    let mut task =
        Task::copy(&args.source, &args.sink, &lookup, &session.defaults).map_err(Failure::task)?;
    args.chosen.apply(&mut task).map_err(Failure::task)?;
    if !args.map.is_empty() {
        task.rename(&args.map).map_err(Failure::task)?;
    }
    if let Some(mode) = args.mode {
        task.mode = mode.into();
    }
    if let Some(memory) = &args.memory {
        task.limit_memory(parse_memory(memory).map_err(Failure::task)?);
    }
    if let Some(parallel) = args.parallel {
        task.parallel = std::num::NonZeroU16::new(parallel);
    }
    Ok(task)
}

/// What is done after a run: with its task, its plan and what it came to.
pub(super) type After = fn(&Session, &Task, &Plan, &mut RunReport);

/// Does it, and writes the receipt whatever came of it.
pub(super) fn with_receipt(
    session: &Session,
    options: &RunOptions,
    subject: &Subject,
    task: impl FnOnce(&Registry) -> Result<Task, Failure>,
    after: After,
) -> Result<Answer, Failure> {
    let mut receipt = options.receipt.as_deref().map(Receipt::open).transpose()?;
    let mut kept = Kept::default();
    let of_run = (subject, &mut kept, receipt.as_mut());
    let outcome = execute(session, options, of_run, task, after);
    let written = match receipt {
        Some(receipt) => receipt.write(&session.json(&document(session, &outcome)?)),
        None => Ok(()),
    };
    let is_done = outcome.as_ref().is_ok_and(|report| {
        report.error.is_none() && report.refusals.is_empty() && written.is_ok()
    });
    let report = match outcome {
        Ok(report) => report,
        Err(failure) => {
            kept.end(subject, false);
            return Err(failure);
        }
    };
    let mut answer = answer(session, report)?;
    if let Err(failure) = written {
        errors::show(session, "", &failure.error, failure.exit);
        if answer.exit == 0 {
            answer.exit = failure.exit;
        }
    }
    // Who did not get to see it gets it from the next run.
    let subject = subject.clone();
    answer.when_printed(move || kept.end(&subject, is_done));
    Ok(answer)
}

/// What a receipt tells.
fn document(session: &Session, outcome: &Result<RunReport, Failure>) -> Result<Value, Failure> {
    match outcome {
        Ok(report) => to_value(report),
        Err(failure) => Ok(errors::document(&Failure {
            error: failure.error.clone(),
            exit: session.exit_of(failure),
        })),
    }
}

fn execute(
    session: &Session,
    options: &RunOptions,
    (subject, kept, receipt): (&Subject, &mut Kept, Option<&mut Receipt>),
    task: impl FnOnce(&Registry) -> Result<Task, Failure>,
    after: After,
) -> Result<RunReport, Failure> {
    let registry = session.registry()?;
    let mut task = task(&registry)?;
    set_options(&mut task, options)?;
    hide_secrets(session, &task, &registry);
    session.heed_signals()?;
    let progress = ProgressView::start(session, options.progress);
    let program = Program::current();
    tracing::debug!(
        program = program.name,
        version = program.version,
        host = (!program.is_host()).then_some(HOST_VERSION),
        defaults = Some(task.defaults().join(", ")).filter(|keys| !keys.is_empty()),
        source = task.source.plugin,
        sink = task.sink.plugin,
        mode = ?task.mode,
        memory_bytes = task.memory_bytes,
        "A run begins."
    );
    *kept = Kept::open(subject, options)?;
    let of_run = (subject, kept, receipt);
    let moved = move_all(session, options, (&mut task, &registry), of_run);
    drop(progress);
    let (plan, mut report) = moved?;
    if report.refusals.is_empty() {
        if options.verify && report.error.is_none() {
            verify_after(session, &registry, &task, &mut report);
        }
        after(session, &task, &plan, &mut report);
    }
    render::settle(&mut report);
    Ok(report)
}

/// Plans it and moves the rows.
fn move_all(
    session: &Session,
    options: &RunOptions,
    (task, registry): (&mut Task, &Registry),
    (subject, kept, receipt): (&Subject, &mut Kept, Option<&mut Receipt>),
) -> Result<(Plan, RunReport), Failure> {
    if options.restart {
        kept.restart(session, subject, task, registry)?;
    }
    let anew = task.clone();
    kept.take_up(task);
    let mut plan = Plan::make(task, registry, &session.control, kept.run())?;
    if kept.give_up_report(&plan) {
        *task = anew;
        plan = Plan::make(task, registry, &session.control, kept.run())?;
    }
    if plan.refusals().is_empty() {
        let (rows, bytes) = plan.totals();
        tracing::info!(rows, bytes, "Planned: nothing stands in the way.");
    }
    if options.verify {
        let sink = registry.get(&task.sink.plugin, task.prefer);
        let mut refusals = crate::verify::refusals(&plan, &*sink.map_err(Failure::task)?);
        if !refusals.is_empty() {
            for refusal in &mut refusals {
                refusal.error = refusal.error.clone().help("leave out `--verify`");
            }
            let report = plan.refused(refusals);
            return Ok((plan, report));
        }
    }
    if plan.refusals().is_empty()
        && let Some(receipt) = receipt
    {
        receipt.begin()?;
    }
    let report = engine::run(&plan, &session.control, kept.journal());
    Ok((plan, report))
}

/// Compares both sides; the rows are there whatever comes of it, and the report says so.
fn verify_after(session: &Session, registry: &Registry, task: &Task, report: &mut RunReport) {
    if let Err(failure) = verify::after_run(session, registry, task, report) {
        report.exit = session.exit_of(&failure);
        report.error = Some(failure.error);
    }
}

/// What is given here wins over the task.
fn set_options(task: &mut Task, options: &RunOptions) -> Result<(), Failure> {
    task.hashes_rows = !options.no_hash;
    if let Some(rows) = options.rows_per_second {
        task.limit.rows_per_second = Some(rows);
    }
    if let Some(size) = &options.bytes_per_second {
        task.limit.bytes_per_second = Some(parse_rate(size).map_err(Failure::task)?);
    }
    Ok(())
}

/// Has everything secret in a task masked; a plugin that is not there is an error of the plan.
pub(super) fn hide_secrets(session: &Session, task: &Task, registry: &Registry) {
    use crate::task::Side;
    for side in [Side::Source, Side::Sink] {
        let endpoint = task.endpoint(side);
        if let Ok(entry) = registry.get(&endpoint.plugin, task.prefer) {
            session.hide(&endpoint.secrets(side, &entry.info));
        }
    }
}

/// The report on stdout, what stopped the run on stderr.
fn answer(session: &Session, report: RunReport) -> Result<Answer, Failure> {
    show_refusals(session, &report.refusals);
    if let Some(error) = &report.error {
        errors::show(session, "", error, report.exit);
    }
    let ledger = &report.ledger;
    tracing::info!(
        target: errors::OUTCOME,
        exit = report.exit,
        found = ledger.found,
        written = ledger.written,
        deleted = ledger.deleted,
        skipped = ledger.skipped,
        collapsed = ledger.collapsed,
        rejected = ledger.rejected,
        lost = ledger.lost,
        seconds = report.seconds,
        "{}",
        render::verdict(&report)
    );
    session.answer(&report, report.exit, render::run)
}
