// SPDX-License-Identifier: Apache-2.0
//! From the text of a task file to a checked [`Task`].
//!
//! The steps: YAML, variables, the envelope's schema, then what the values mean (sizes, globs,
//! target names). Plugin options are checked later, when their plugin is known.

use std::num::{NonZeroU16, NonZeroU64};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde_json::Value;

use super::defaults::{Defaults, Laid};
use super::env::{self, Lookup, Written};
use super::fault::Fault;
use super::mapping::{Mapping, Rule, Target};
use super::names::Pattern;
use super::old::{Channel, LoadBack, Moved, Purpose};
use super::origin::{self, FileOrigin, Origin};
use super::place::Part;
use super::raw::{
    Prefer, RawConvert, RawLimit, RawMap, RawPlugin, RawRule, RawSize, RawTask, envelope_schema,
};
use super::render::{self, shorten};
use super::select::{MAX_GLOBS, Selection};
use super::walk::Refusal;
use super::{Conversions, DEFAULT_MEMORY_BYTES, Limit, MIN_MEMORY_BYTES, Mode, PluginTask, Task};
use super::{check, old, pointer, size, yaml};
use crate::dump::Known;
use crate::program;

/// The task in `text`, a file that is called `name` in messages.
pub(super) fn task(
    text: &str,
    name: &str,
    defaults: &Defaults,
    lookup: Lookup<'_>,
) -> Result<Task> {
    let (mut document, places) =
        yaml::read(text).map_err(|refusal| refused(refusal, name, text))?;
    let mut file = FileOrigin {
        name: name.to_owned(),
        text: text.to_owned(),
        places,
        written: Written::default(),
        laid: Laid::default(),
        moved: Moved::default(),
    };
    let load_back = of_today(&mut document, &mut file, lookup)?;
    refuse_empty(&document).map_err(|fault| file.error(fault))?;
    file.written =
        env::interpolate(&mut document, "", lookup).map_err(|fault| file.error(fault))?;
    name_null_plugins(&mut document, &file);
    let ground = (&mut file.laid, &mut file.written);
    let laid = defaults.lay_under(&mut document, ground, lookup);
    laid.map_err(|fault| file.error(fault))?;
    let task = from_document(document, Origin::File(Box::new(file)))?;
    Ok(Task { load_back, ..task })
}

/// Makes a task of today of one of MilvusDM 1.0; any other stays as it is.
fn of_today(
    document: &mut Value,
    file: &mut FileOrigin,
    lookup: Lookup<'_>,
) -> Result<Option<LoadBack>> {
    let Some(channel) = Channel::of(document).map_err(|fault| file.error(fault))? else {
        return Ok(None);
    };
    let translated = old::translate(channel, document, Purpose::Run(lookup))
        .map_err(|fault| file.error(fault))?;
    *document = translated.document;
    file.moved = translated.moved;
    Ok(translated.load_back)
}

/// The task that `document` says.
pub(super) fn from_document(document: Value, origin: Origin) -> Result<Task> {
    let checked = check::check(&envelope_schema(), &document, "", origin.written());
    let resolved = checked
        .and_then(|()| deserialize(document))
        .and_then(|raw| Meaning::of(raw, origin.written()));
    match resolved {
        Ok(meaning) => Ok(meaning.into_task(origin)),
        Err(fault) => Err(origin.error(fault, &[])),
    }
}

/// What is no YAML, or more than a task may have of it, as an error at its place.
pub(super) fn refused(refusal: Refusal, name: &str, text: &str) -> Error {
    let error = Error::new(ErrorKind::Config, refusal.message);
    let error = match refusal.help {
        Some(help) => error.help(help),
        None => error,
    };
    origin::located(error, name, text, refusal.place, None)
}

fn refuse_empty(document: &Value) -> Result<(), Fault> {
    if document.is_null() {
        let message = "found nothing, wanted a mapping with `source` and `sink`";
        return Err(Fault::of_value("", message));
    }
    Ok(())
}

/// YAML reads `plugin: null` as no value; the plugin of that name is meant. Where nothing at
/// all is written, the plugin was forgotten, which must not send the data to nowhere.
pub(super) fn name_null_plugins(document: &mut Value, file: &FileOrigin) {
    for at in ["/source/plugin", "/sink/plugin"] {
        let Some(plugin) = document.pointer_mut(at).filter(|plugin| plugin.is_null()) else {
            continue;
        };
        let place = file.places.find(at, Part::Value);
        let line = render::line(&file.text, place.line)
            .chars()
            .skip(place.column - 1);
        if line
            .take(place.end_column.saturating_sub(place.column))
            .eq("null".chars())
        {
            *plugin = Value::from("null");
        }
    }
}

/// The schema has been checked, so this fails only where schema and types differ.
pub(super) fn deserialize(document: Value) -> Result<RawTask, Fault> {
    serde_path_to_error::deserialize(document).map_err(|error| {
        let at = pointer::from_option_path("", &error.path().to_string());
        Fault::of_value(&at, error.into_inner().to_string())
    })
}

/// What the values of a task mean.
pub(super) struct Meaning {
    source: PluginTask,
    sink: PluginTask,
    selection: Selection,
    mapping: Mapping,
    conversions: Conversions,
    mode: Mode,
    memory_bytes: u64,
    parallel: Option<NonZeroU16>,
    limit: Limit,
    prefer: Option<Prefer>,
}

impl Meaning {
    pub(super) fn of(raw: RawTask, written: &Written) -> Result<Self, Fault> {
        let (include, exclude) = match &raw.select {
            Some(select) => (select.include.as_deref(), select.exclude.as_deref()),
            None => (None, None),
        };
        Ok(Self {
            selection: Selection::new(include, exclude.unwrap_or_default(), written)?,
            mapping: mapping(raw.map, written)?,
            memory_bytes: memory(raw.memory, written)?,
            source: plugin(raw.source, "/source")?,
            sink: plugin(raw.sink, "/sink")?,
            conversions: conversions(raw.convert),
            mode: raw.mode.unwrap_or_default(),
            parallel: raw.parallel,
            limit: limit(raw.limit, written)?,
            prefer: raw.prefer,
        })
    }

    fn into_task(self, origin: Origin) -> Task {
        Task {
            source: self.source,
            sink: self.sink,
            selection: self.selection,
            mapping: self.mapping,
            conversions: self.conversions,
            mode: self.mode,
            memory_bytes: self.memory_bytes,
            parallel: self.parallel,
            limit: self.limit,
            hashes_rows: true,
            prefer: self.prefer,
            load_back: None,
            known: Known::default(),
            origin,
        }
    }
}

fn plugin(raw: RawPlugin, at: &str) -> Result<PluginTask, Fault> {
    if raw.plugin.is_empty() {
        let fault = Fault::of_value(&pointer::member(at, "plugin"), "found an empty name");
        return Err(fault.help(format!(
            "{} shows what there is",
            program::typed("plugins list")
        )));
    }
    Ok(PluginTask {
        plugin: raw.plugin,
        options: raw.options,
    })
}

pub(super) fn mapping(raw: Option<RawMap>, written: &Written) -> Result<Mapping, Fault> {
    const AT: &str = "/map";
    match raw {
        None => Ok(Mapping::default()),
        Some(RawMap::All(to)) => {
            let to = Target::parse(&to).map_err(|m| Fault::of_value(AT, m))?;
            let from = Pattern::everything();
            let (written, pointer) = ("*".to_owned(), AT.to_owned());
            Ok(Mapping::new(vec![Rule {
                from,
                to,
                written,
                pointer,
                is_for_all: true,
            }]))
        }
        Some(RawMap::Rules(rules)) if rules.is_empty() => {
            let fault = Fault::of_value(AT, "found an empty list, wanted at least one rule");
            Err(fault.help("leave `map` out to keep all names"))
        }
        Some(RawMap::Rules(rules)) => {
            let indexed = rules.iter().enumerate();
            let rules: Vec<Rule> = indexed
                .map(|(index, raw)| rule(raw, pointer::element(AT, index), written))
                .collect::<Result<_, _>>()?;
            match rules
                .iter()
                .filter(|rule| rule.from.is_wild())
                .nth(MAX_GLOBS)
            {
                None => Ok(Mapping::new(rules)),
                Some(rule) => {
                    let message = format!("found more than {MAX_GLOBS} globs");
                    Err(Fault::of_value(&rule.pointer, message))
                }
            }
        }
    }
}

fn rule(raw: &RawRule, pointer: String, written: &Written) -> Result<Rule, Fault> {
    let (from_at, to_at) = (
        pointer::member(&pointer, "from"),
        pointer::member(&pointer, "to"),
    );
    let from = Pattern::parse(&raw.from).map_err(|m| Fault::of_value(&from_at, m))?;
    let to = Target::parse(&raw.to).map_err(|m| Fault::of_value(&to_at, m))?;
    let written = shorten(written.get(&from_at).unwrap_or(&raw.from));
    Ok(Rule {
        from,
        to,
        written,
        pointer,
        is_for_all: false,
    })
}

fn conversions(raw: Option<RawConvert>) -> Conversions {
    match raw {
        None => Conversions::default(),
        Some(RawConvert {
            ids,
            duplicates,
            columns,
        }) => Conversions {
            ids,
            duplicates,
            columns: columns.unwrap_or_default(),
        },
    }
}

fn memory(raw: Option<RawSize>, written: &Written) -> Result<u64, Fault> {
    const AT: &str = "/memory";
    match raw {
        None => Ok(DEFAULT_MEMORY_BYTES),
        Some(raw) => check_memory(bytes(raw, AT, written)?).map_err(|m| Fault::of_value(AT, m)),
    }
}

fn limit(raw: Option<RawLimit>, written: &Written) -> Result<Limit, Fault> {
    const BYTES_AT: &str = "/limit/bytes_per_second";
    let Some(raw) = raw else {
        return Ok(Limit::default());
    };
    let bytes = raw.bytes_per_second.map(|raw| {
        let bytes = NonZeroU64::new(bytes(raw, BYTES_AT, written)?);
        bytes.ok_or_else(|| Fault::of_value(BYTES_AT, "found 0, wanted at least 1"))
    });
    Ok(Limit {
        rows_per_second: raw.rows_per_second,
        bytes_per_second: bytes.transpose()?,
    })
}

fn bytes(raw: RawSize, at: &str, written: &Written) -> Result<u64, Fault> {
    match raw {
        RawSize::Bytes(bytes) => Ok(bytes),
        RawSize::Text(text) => size::parse_bytes(&text).map_err(|message| {
            let shown = shorten(written.get(at).unwrap_or(&text));
            Fault::of_value(at, format!("found `{shown}`, {message}"))
        }),
    }
}

/// `bytes`, if that is enough for a run.
pub(super) fn check_memory(bytes: u64) -> Result<u64, String> {
    if bytes < MIN_MEMORY_BYTES {
        let (found, least) = (size::show_bytes(bytes), size::show_bytes(MIN_MEMORY_BYTES));
        return Err(format!("found {found}, wanted at least {least}"));
    }
    Ok(bytes)
}
