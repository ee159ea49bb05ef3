// SPDX-License-Identifier: Apache-2.0
//! The process that runs the plugin.

use std::io;
use std::path::Path;

use milvusdm_plugin_api::testkit::{self, SinkSuite, SourceSuite};
use milvusdm_plugin_api::{Error, ErrorKind, PluginInfo, Result, Services, TargetSpec};
use rustix::process::Signal;
use serde_json::{Map, Value};

use super::lines::{Line, Suite, Teller};
use super::{CheckArgs, failed};
use crate::cli::leave;
use crate::cli::session::{Answer, Session};
use crate::failure::{DONE, Failure};
use crate::load::{self, Loaded, Trace};
use crate::registry::Registry;
use crate::task::{Defaults, Endpoint, PluginTask, Side};

/// Loads the plugin and tries it; all that comes of it goes into `report`.
pub(super) fn run(
    session: &Session,
    args: &CheckArgs,
    report: &Path,
) -> std::result::Result<Answer, Failure> {
    // If the plugin ends this process, that is for the other one to tell.
    leave::over();
    // It must not outlive whoever waits for its report. Without that it would only linger.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let cant_tell = |e: &io::Error| failed("report on the plugin", e);
    let mut teller = Teller::open(report).map_err(|e| cant_tell(&e))?;
    let mut told = Ok(());
    let mut tell = |line: Line| {
        if told.is_ok() {
            told = teller.tell(&masked(session, line));
        }
    };
    let outcome = load(&args.file, &mut tell).and_then(|loaded| {
        tell(Line::Info(loaded.info.clone()));
        let registry = session.registry().map_err(|failure| failure.error)?;
        let samples = Samples {
            loaded: &loaded,
            registry,
            session,
        };
        if let Some(source) = &args.source {
            let suite = samples.source(args, source)?;
            samples.look_into(source)?;
            tell(Line::Begins(format!("{} source", loaded.info.name)));
            tell(Line::Suite(in_lines(&suite.run())?));
        }
        if let Some(sink) = &args.sink {
            let suite = samples.sink(args, sink)?;
            tell(Line::Begins(format!("{} sink", loaded.info.name)));
            tell(Line::Suite(in_lines(&suite.run())?));
        }
        Ok(())
    });
    tell(match outcome {
        Err(error) => Line::Refused(error),
        Ok(()) => Line::Done,
    });
    told.map_err(|e| cant_tell(&e))?;
    Ok(Answer::new(String::new(), DONE))
}

/// A line without the secrets that samples brought along.
fn masked(session: &Session, line: Line) -> Line {
    match line {
        Line::Refused(error) => Line::Refused(session.control.mask_error(error)),
        Line::Suite(mut suite) => {
            for case in &mut suite.cases {
                case.why = case.why.as_deref().map(|why| session.control.mask(why));
            }
            Line::Suite(suite)
        }
        other => other,
    }
}

fn load(file: &Path, tell: &mut impl FnMut(Line)) -> Result<Loaded> {
    let candidate = {
        let mut trace = Trace::told_to(file, |step| tell(Line::Passed(step.clone())));
        load::examine_named(file, &mut trace)?
    };
    tell(Line::Sha256(
        candidate.known.digest.hexadecimal()?.to_owned(),
    ));
    candidate.load(&mut Trace::told_to(file, |step| {
        tell(Line::Passed(step.clone()))
    }))
}

/// A report in the form that is told.
fn in_lines(report: &testkit::Report) -> Result<Suite> {
    let document = serde_json::to_value(report).and_then(serde_json::from_value);
    document
        .map_err(|e| Error::new(ErrorKind::Internal, "write the report of a suite").caused_by(e))
}

/// What the suites are run on.
struct Samples<'a> {
    loaded: &'a Loaded,
    registry: Registry,
    session: &'a Session,
}

impl Samples<'_> {
    /// The plugin that is tried goes by its own name; others are those of every command.
    fn lookup(&self, name: &str) -> Result<PluginInfo> {
        match name == self.loaded.info.name {
            true => Ok(self.loaded.info.clone()),
            false => self
                .registry
                .get(name, None)
                .map(|entry| entry.info.clone()),
        }
    }

    fn parse(&self, argument: &str, side: Side) -> Result<PluginTask> {
        // What a program stands in with says nothing of a plugin.
        let defaults = Defaults::default();
        let endpoint = Endpoint::parse(argument, side, &|name| self.lookup(name), &defaults)?;
        let info = self.lookup(&endpoint.plugin.plugin)?;
        self.session.hide(&endpoint.plugin.secrets(side, &info));
        Ok(endpoint.plugin)
    }

    /// The options of a sample of this very plugin.
    fn options(&self, argument: &str, side: Side) -> Result<Map<String, Value>> {
        let endpoint = self.parse(argument, side)?;
        let own = &self.loaded.info.name;
        if endpoint.plugin == *own {
            return Ok(endpoint.options);
        }
        let message = format!(
            "`{argument}` is a sample of `{}`, wanted one of `{own}`",
            endpoint.plugin
        );
        Err(Error::new(ErrorKind::Config, message).help(format!("begin it with `{own}:`")))
    }

    /// A sample that is not there says nothing of the plugin.
    fn look_into(&self, sample: &str) -> Result<()> {
        let options = Value::Object(self.options(sample, Side::Source)?);
        let opened = self
            .loaded
            .handle
            .open_source(&options, Services::detached());
        match opened.and_then(|source| source.datasets()) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.with_first("sample", "that of --source")),
        }
    }

    fn source(&self, args: &CheckArgs, sample: &str) -> Result<SourceSuite> {
        let options = self.options(sample, Side::Source)?;
        let mut suite = testkit::source(self.loaded.handle, Value::Object(options.clone()));
        // Where an option names a file, reading must leave it as it is.
        let texts = options.values().filter_map(Value::as_str);
        for path in texts.map(Path::new).filter(|path| path.exists()) {
            suite = suite.unchanged(path);
        }
        if let Some(rows) = args.rows {
            suite = suite.rows(rows);
        }
        for missing in &args.missing {
            suite = suite.missing(Value::Object(self.options(missing, Side::Source)?));
        }
        for damaged in &args.damaged {
            suite = suite.damaged(Value::Object(self.options(damaged, Side::Source)?));
        }
        Ok(suite)
    }

    fn sink(&self, args: &CheckArgs, sample: &str) -> Result<SinkSuite> {
        let options = Value::Object(self.options(sample, Side::Sink)?);
        if !args.keeps_nothing && !options.to_string().contains(FOLDER) {
            let message =
                format!("`{sample}` names one place, but every case needs one of its own");
            return Err(Error::new(ErrorKind::Config, message)
                .help("write `{folder}` where a new folder is to stand: `mine:{folder}/out`"));
        }
        let suite = testkit::sink(self.loaded.handle, move |folder| {
            filled(&options, &[(FOLDER, &folder.to_string_lossy())])
        });
        let Some(read_back) = &args.read_back else {
            return Ok(match args.keeps_nothing {
                true => suite.keeps_nothing(),
                false => suite,
            });
        };
        let endpoint = self.parse(read_back, Side::Source)?;
        let handle = match endpoint.plugin == self.loaded.info.name {
            true => self.loaded.handle,
            false => self.registry.get(&endpoint.plugin, None)?.handle,
        };
        let options = Value::Object(endpoint.options);
        Ok(suite.read_back(move |folder: &Path, target: &TargetSpec| {
            let names = [
                (FOLDER, folder.to_string_lossy()),
                ("{collection}", target.collection.as_str().into()),
                (
                    "{partition}",
                    target.partition.as_deref().unwrap_or("_default").into(),
                ),
            ];
            let names = names
                .each_ref()
                .map(|(name, value)| (*name, value.as_ref()));
            (handle, filled(&options, &names))
        }))
    }
}

const FOLDER: &str = "{folder}";

/// A document whose texts have their placeholders filled in.
fn filled(document: &Value, values: &[(&str, &str)]) -> Value {
    match document {
        Value::String(text) => {
            let fill = |text: String, (name, value): &(&str, &str)| text.replace(name, value);
            Value::String(values.iter().fold(text.clone(), fill))
        }
        Value::Array(items) => items.iter().map(|item| filled(item, values)).collect(),
        Value::Object(members) => {
            let filled = |(name, value): (&String, &Value)| (name.clone(), filled(value, values));
            Value::Object(members.iter().map(filled).collect())
        }
        other => other.clone(),
    }
}
