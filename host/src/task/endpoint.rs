// SPDX-License-Identifier: Apache-2.0
//! `PLUGIN:REST?key=value&key=value`, a source or sink on the command line.
//!
//! REST is the value of the option that the plugin's schema marks `x-positional`. Everything is
//! percent-decoded after it is divided, so that `%3F`, `%26` and `%2C` are letters of a value.

use milvusdm_plugin_api::{Error, ErrorKind, PluginInfo, Result};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::defaults::{Defaults, Laid};
use super::env;
use super::fault::Fault;
use super::nearest::quoted_list;
use super::origin::{Argument, ArgumentsOrigin, Origin};
use super::place::{Part, Place};
use super::render::shorten;
use super::{PluginTask, Side, Task, options, pointer, resolve, secrets, shape, typed};

/// What there is to know about the plugin of a name.
pub type PluginLookup<'a> = &'a dyn Fn(&str) -> Result<PluginInfo>;

/// How an endpoint is written.
const FORM: &str = "write `PLUGIN:PATH?key=value`, for example `faiss:/data/a.index`";

/// An argument of a command that only reads, checked.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// What it says, defaults laid under it.
    pub plugin: PluginTask,
    side: Side,
    argument: Argument,
}

impl Endpoint {
    /// Reads `PLUGIN:REST?key=value&key=value`; `defaults` stand in for options that it leaves
    /// out. They are checked.
    ///
    /// # Errors
    /// As [`Task::copy`].
    pub fn parse(
        argument: &str,
        side: Side,
        lookup: PluginLookup<'_>,
        defaults: &Defaults,
    ) -> Result<Self> {
        let (plugin, argument) = parse(argument, side, lookup, defaults)?;
        Ok(Self {
            plugin,
            side,
            argument,
        })
    }

    /// Gives an error of the plugin about an option its place in the argument, or in the
    /// defaults.
    pub fn locate(&self, error: Error) -> Error {
        match error.context_value("option") {
            Some(path) => {
                let pointer = pointer::from_option_path(self.side.pointer(), path);
                self.argument.locate(&pointer, Part::Value, error, &[])
            }
            None => error,
        }
    }
}

/// The task of two arguments, for `copy`.
pub(super) fn task(
    source: &str,
    sink: &str,
    lookup: PluginLookup<'_>,
    defaults: &Defaults,
) -> Result<Task> {
    let (source, source_argument) = parse(source, Side::Source, lookup, defaults)?;
    let (sink, sink_argument) = parse(sink, Side::Sink, lookup, defaults)?;
    let mut written = source_argument.written.clone();
    written.extend(sink_argument.written.clone());
    let mut laid = Laid::default();
    // Their options stay outside: they were checked, at the places that they have here.
    let mut document = json!({
        "source": {"plugin": source.plugin},
        "sink": {"plugin": sink.plugin},
    });
    let is_laid = defaults.lay_keys(&mut document, (&mut laid, &mut written), &env::of_process);
    let origin = Origin::Arguments(Box::new(ArgumentsOrigin {
        source: source_argument,
        sink: sink_argument,
        written,
        laid,
    }));
    is_laid.map_err(|fault| origin.error(fault, &[]))?;
    let task = resolve::from_document(document, origin)?;
    Ok(Task {
        source,
        sink,
        ..task
    })
}

/// The source or sink in `text`, its options checked, and where they stand in it.
pub(super) fn parse(
    text: &str,
    side: Side,
    lookup: PluginLookup<'_>,
    defaults: &Defaults,
) -> Result<(PluginTask, Argument)> {
    let mut argument = Argument::new(side.argument(), text);
    let (name, rest, query) = divide(text);
    let name_place = argument.place((name, 0));
    if !is_plugin_name(name) {
        let message = format!(
            "found `{}`, wanted the name of a plugin first",
            shorten(name)
        );
        let error = Error::new(ErrorKind::Config, message).help(FORM);
        return Err(argument.error_at(name_place, error));
    }
    let info = lookup(name).map_err(|error| argument.error_at(name_place, error))?;
    argument
        .options
        .push(("plugin".to_owned(), None, name_place));
    let schema = options::need_schema(side, &info).map_err(|fault| argument.error(fault, &[]))?;
    let given = given(schema, name, rest, query, &argument)?;
    argument.options.extend(
        given
            .iter()
            .map(|option| option.places(&argument))
            .collect::<Vec<_>>(),
    );
    let names: Map<_, _> = given
        .iter()
        .map(|option| (option.name.clone(), Value::Null))
        .collect();
    let hidden = secrets::pointers(Some(schema), &names, side.pointer());
    let mut options = Map::new();
    for option in given {
        let value = option
            .value(schema, side)
            .map_err(|fault| argument.error(*fault, &hidden))?;
        options.insert(option.name, value);
    }
    let ground = (&mut argument.laid, &mut argument.written);
    defaults
        .lay_options_under(side, name, &mut options, ground, &env::of_process)
        .map_err(|fault| argument.error(fault, &hidden))?;
    let hidden = secrets::pointers(Some(schema), &options, side.pointer());
    let plugin = PluginTask {
        plugin: name.to_owned(),
        options,
    };
    options::check(&plugin, side, &info, &argument.written)
        .map_err(|fault| argument.error(fault, &hidden))?;
    Ok((plugin, argument))
}

/// A part of the argument and the byte it starts at.
type Piece<'a> = (&'a str, usize);

/// Plugin name, REST and query.
fn divide(text: &str) -> (&str, Option<Piece<'_>>, Option<Piece<'_>>) {
    let name_end = text.find([':', '?']).unwrap_or(text.len());
    let (name, after) = text.split_at(name_end);
    let query_start = after.find('?').unwrap_or(after.len());
    let (rest, query) = after.split_at(query_start);
    let rest = rest.strip_prefix(':').map(|rest| (rest, name_end + 1));
    let query = query
        .strip_prefix('?')
        .map(|query| (query, name_end + query_start + 1));
    (name, rest.filter(|(rest, _)| !rest.is_empty()), query)
}

fn is_plugin_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// One option, as often as it is given.
struct Given<'a> {
    name: String,
    /// `None` for REST.
    key: Option<Piece<'a>>,
    /// The values, not decoded yet.
    values: Vec<Piece<'a>>,
}

/// The options in REST and query, each once, in their order.
fn given<'a>(
    schema: &Value,
    plugin: &str,
    rest: Option<Piece<'a>>,
    query: Option<Piece<'a>>,
    argument: &Argument,
) -> Result<Vec<Given<'a>>> {
    let mut given: Vec<Given<'a>> = Vec::new();
    if let Some(rest) = rest {
        let name = positional(schema).ok_or_else(|| {
            let message = format!("the plugin `{plugin}` takes no path");
            let error = Error::new(ErrorKind::Config, message).help(options_form(schema));
            argument.error_at(argument.place(rest), error)
        })?;
        given.push(Given {
            name,
            key: None,
            values: vec![rest],
        });
    }
    let Some((query, mut start)) = query else {
        return Ok(given);
    };
    for pair in query.split('&') {
        let piece = (pair, start);
        start += pair.len() + 1;
        if pair.is_empty() {
            continue;
        }
        let Some((key, value)) = pair.split_once('=') else {
            let message = format!("the option `{}` has no value", shorten(pair));
            let error = Error::new(ErrorKind::Config, message).help("write `key=value`");
            return Err(argument.error_at(argument.place(piece), error));
        };
        let name = decode(key).map_err(|message| {
            argument.error_at(
                argument.place(piece),
                Error::new(ErrorKind::Config, message).help(PLAIN),
            )
        })?;
        let value = (value, piece.1 + key.len() + 1);
        match given.iter_mut().find(|given| given.name == name) {
            Some(given) => given.values.push(value),
            None => given.push(Given {
                name,
                key: Some((key, piece.1)),
                values: vec![value],
            }),
        }
    }
    Ok(given)
}

impl Given<'_> {
    /// Name, place of the key, place of the value; of one that is given several times, the last.
    fn places(&self, argument: &Argument) -> (String, Option<Place>, Place) {
        let key = self.key.map(|key| argument.place(key));
        let value = self
            .values
            .last()
            .map_or(Place::in_line(0, 0), |value| argument.place(*value));
        (self.name.clone(), key, value)
    }

    fn value(&self, schema: &Value, side: Side) -> Result<Value, Box<Fault>> {
        let at = pointer::member(side.pointer(), &self.name);
        let own = shape::find(schema, schema, |schema| {
            schema.get("properties")?.get(&self.name)?.as_object()
        });
        let nothing = Map::new();
        let own = own.unwrap_or(&nothing);
        let has_commas = self.key.is_some() && typed::is_list(schema, own);
        let mut texts = Vec::new();
        for (value, _) in &self.values {
            let parts = if has_commas {
                value.split(',').collect()
            } else {
                vec![*value]
            };
            for part in parts {
                let text = decode(part).map_err(|m| Fault::of_value(&at, m).help(PLAIN))?;
                texts.push(text);
            }
        }
        typed::value(schema, own, &texts).ok_or_else(|| {
            let fault =
                Fault::of_value(&at, "this option is given more than once, wanted one value");
            Box::new(fault.help("only an option that takes a list may be repeated"))
        })
    }
}

/// The name of the option that REST stands for.
fn positional(schema: &Value) -> Option<String> {
    shape::find(schema, schema, |schema| {
        let mut properties = schema.get("properties")?.as_object()?.iter();
        let is_positional = |schema: &Value| schema.get("x-positional") == Some(&Value::Bool(true));
        properties
            .find(|(_, schema)| is_positional(schema))
            .map(|(name, _)| name.clone())
    })
}

fn options_form(schema: &Value) -> String {
    let names = shape::find(schema, schema, |schema| {
        schema.get("properties")?.as_object()
    });
    let names: Vec<&str> = names
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    match names.as_slice() {
        [] => "leave away what stands after the name".to_owned(),
        names => format!(
            "write options as `?key=value`; there are {}",
            quoted_list(names)
        ),
    }
}

/// How to write what is no percent code.
const PLAIN: &str = "write `%25` for a plain `%`";

fn decode(text: &str) -> Result<String, String> {
    for (at, _) in text.match_indices('%') {
        let code = text.get(at + 1..at + 3);
        if !code.is_some_and(|code| code.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err("found a `%` without two hexadecimal digits after it".to_owned());
        }
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| "the percent codes are not UTF-8 text".to_owned())
}

#[cfg(test)]
mod tests;
