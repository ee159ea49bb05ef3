// SPDX-License-Identifier: Apache-2.0
//! What stands in where a task leaves something out: a partial task file that a program brings.
//!
//! They are laid under what the user wrote before it is checked, so that one check sees the
//! whole task. Which values are theirs is kept in [`Laid`]: an error about one of those must
//! point into the defaults and say so, an error about any other into the user's own words.
//! What is wrong with the text itself is the program's fault, never the user's.

use std::sync::Arc;

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::env::{self, Lookup, Written};
use super::fault::Fault;
use super::old::Moved;
use super::origin::{self, FileOrigin};
use super::place::Part;
use super::places::Places;
use super::raw::{Prefer, RawTask, envelope_schema};
use super::{Side, check, pointer, resolve, yaml};

#[cfg(test)]
mod tests;

/// What stands in where a task leaves something out; nothing, by default.
#[derive(Debug, Clone, Default)]
pub struct Defaults(Option<Arc<Layer>>);

/// The text of defaults, parsed.
pub(super) struct Layer {
    /// The program that brings them.
    program: String,
    text: String,
    places: Places,
    /// Variables not put in yet: one that is not set matters only where it is needed.
    document: Map<String, Value>,
    /// The plugins of source and sink.
    plugins: [Option<String>; 2],
    prefer: Option<Prefer>,
}

impl std::fmt::Debug for Layer {
    /// The text may hold passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layer")
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

/// Which values of a task are defaults.
#[derive(Debug, Clone, Default)]
pub(super) struct Laid {
    layer: Option<Arc<Layer>>,
    pointers: Vec<String>,
}

impl Defaults {
    /// Reads the defaults of a program: a task file of which everything may be left out.
    ///
    /// # Errors
    /// `Internal` for whatever is wrong in it.
    pub fn parse(text: &str, program: &str) -> Result<Self> {
        let name = file_name(program);
        let (document, places) = yaml::read(text)
            .map_err(|refusal| blame(program, resolve::refused(refusal, &name, text)))?;
        let file = FileOrigin {
            name,
            text: text.to_owned(),
            places,
            written: Written::default(),
            laid: Laid::default(),
            moved: Moved::default(),
        };
        match layer(document, file, program) {
            Ok(layer) => Ok(Self(layer.map(Arc::new))),
            Err(error) => Err(blame(program, *error)),
        }
    }

    /// Which plugin is meant where a name has two.
    pub fn prefer(&self) -> Option<Prefer> {
        self.0.as_deref()?.prefer
    }

    /// The plugin of a side and its options, variables as they are written.
    pub(super) fn endpoint(&self, side: Side) -> Option<(&str, &Map<String, Value>)> {
        let layer = self.0.as_deref()?;
        let plugin = layer.plugins.get(side as usize)?.as_deref()?;
        Some((plugin, layer.document.get(side.name())?.as_object()?))
    }

    /// All keys but source and sink, variables as they are written.
    pub(super) fn top_level(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.members().filter(|(key, _)| side_of(key).is_none())
    }

    fn members(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().flat_map(|layer| layer.document.iter())
    }

    /// Lays everything under a task.
    pub(super) fn lay_under(
        &self,
        task: &mut Value,
        ground: (&mut Laid, &mut Written),
        lookup: Lookup<'_>,
    ) -> Result<(), Fault> {
        let Value::Object(task) = task else {
            return Ok(());
        };
        let mut laying = self.laying(ground, lookup);
        for (key, value) in self.members() {
            match (task.get_mut(key), side_of(key)) {
                (None, _) => laying.lay(task, key, value, &pointer::member("", key))?,
                (Some(Value::Object(options)), Some(side)) => {
                    // A name that is no text is refused later.
                    let name = |plugin: &Value| plugin.as_str().unwrap_or_default().to_owned();
                    let plugin = options.get("plugin").map(name);
                    self.lay_options(side, plugin.as_deref(), options, &mut laying)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lays the keys beside source and sink under a task.
    pub(super) fn lay_keys(
        &self,
        task: &mut Value,
        ground: (&mut Laid, &mut Written),
        lookup: Lookup<'_>,
    ) -> Result<(), Fault> {
        let Value::Object(task) = task else {
            return Ok(());
        };
        let mut laying = self.laying(ground, lookup);
        for (key, value) in self.top_level() {
            if !task.contains_key(key) {
                laying.lay(task, key, value, &pointer::member("", key))?;
            }
        }
        Ok(())
    }

    /// Lays the options of a side under those of an endpoint, if it has their plugin.
    pub(super) fn lay_options_under(
        &self,
        side: Side,
        plugin: &str,
        options: &mut Map<String, Value>,
        ground: (&mut Laid, &mut Written),
        lookup: Lookup<'_>,
    ) -> Result<(), Fault> {
        let mut laying = self.laying(ground, lookup);
        self.lay_options(side, Some(plugin), options, &mut laying)
    }

    fn laying<'a>(
        &self,
        (laid, written): (&'a mut Laid, &'a mut Written),
        lookup: Lookup<'a>,
    ) -> Laying<'a> {
        laid.layer.clone_from(&self.0);
        Laying {
            laid,
            written,
            lookup,
        }
    }

    /// A plugin that is left out is one of the things that defaults stand in for.
    fn lay_options(
        &self,
        side: Side,
        own_plugin: Option<&str>,
        members: &mut Map<String, Value>,
        laying: &mut Laying<'_>,
    ) -> Result<(), Fault> {
        let Some((plugin, options)) = self.endpoint(side) else {
            return Ok(());
        };
        if own_plugin.is_some_and(|own| own != plugin) {
            return Ok(());
        }
        for (key, value) in options {
            let is_named = key == "plugin" && own_plugin.is_some();
            if !is_named && !members.contains_key(key) {
                let at = pointer::member(side.pointer(), key);
                laying.lay(members, key, value, &at)?;
            }
        }
        Ok(())
    }
}

/// Defaults on their way into a task.
struct Laying<'a> {
    laid: &'a mut Laid,
    written: &'a mut Written,
    lookup: Lookup<'a>,
}

impl Laying<'_> {
    /// It is noted first: what is wrong with a variable in it is to be shown where it stands.
    fn lay(
        &mut self,
        members: &mut Map<String, Value>,
        key: &str,
        value: &Value,
        at: &str,
    ) -> Result<(), Fault> {
        self.laid.pointers.push(at.to_owned());
        let mut value = value.clone();
        self.written
            .extend(env::interpolate(&mut value, at, self.lookup)?);
        members.insert(key.to_owned(), value);
        Ok(())
    }
}

impl Laid {
    /// Whether the value at `pointer` is a default.
    pub(super) fn covers(&self, pointer: &str) -> bool {
        self.pointers.iter().any(|laid| {
            pointer
                .strip_prefix(laid.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// What the values that are defaults are called.
    pub(super) fn readable(&self) -> Vec<String> {
        let pointers = self.pointers.iter();
        pointers.map(|laid| pointer::readable(laid)).collect()
    }

    /// The value at `pointer` was replaced, and is no default any more.
    pub(super) fn forget(&mut self, pointer: &str) {
        self.pointers.retain(|laid| laid != pointer);
    }

    /// Gives an error about a default its place; one about anything else comes back as it is.
    pub(super) fn locate(
        &self,
        pointer: &str,
        part: Part,
        error: Error,
        secrets: &[String],
    ) -> Result<Error, Error> {
        let Some(layer) = self.layer.as_deref().filter(|_| self.covers(pointer)) else {
            return Err(error);
        };
        if origin::is_located(&error) {
            return Ok(error);
        }
        let advice = format!(
            "this is a default of {}; what the task says of `{}` wins over it",
            layer.program,
            pointer::readable(&self.settable(pointer))
        );
        let help = match error.help_text() {
            Some(help) => format!("{help}; {advice}"),
            None => advice,
        };
        let hidden = origin::hidden(&layer.places, secrets);
        let place = layer.places.find(pointer, part);
        let name = file_name(&layer.program);
        let error = error.help(help);
        Ok(origin::located(
            error,
            &name,
            &layer.text,
            place,
            Some(&hidden),
        ))
    }

    /// The pointer to what the task can say itself to do without a default.
    fn settable(&self, pointer: &str) -> String {
        let depth = match Side::of_pointer(pointer) {
            Some(_) => 2,
            None => 1,
        };
        let parts = pointer::segments(pointer).take(depth);
        parts.fold(String::new(), |at, part| pointer::member(&at, &part))
    }
}

/// How the defaults of a program are called where a file would have its name.
fn file_name(program: &str) -> String {
    format!("defaults of {program}")
}

fn side_of(key: &str) -> Option<Side> {
    [Side::Source, Side::Sink]
        .into_iter()
        .find(|side| side.name() == key)
}

/// Whoever wrote the task can do nothing about it.
fn blame(program: &str, error: Error) -> Error {
    let blame = format!("this is a fault of {program}, not of the task; please report it");
    let help = match error.help_text() {
        Some(help) => format!("{help}; {blame}"),
        None => blame,
    };
    let context: Vec<(String, String)> = error
        .context()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let message = error.message().to_owned();
    let blamed = Error::new(ErrorKind::Internal, message).help(help);
    let blamed = match error.cause_text() {
        Some(cause) => blamed.caused_by(cause),
        None => blamed,
    };
    context
        .into_iter()
        .fold(blamed, |error, (key, value)| error.with(&key, value))
}

/// Checks everything that can be checked without a task: keys, types and what values mean. A
/// value that the environment gives is left to the check of the task that needs it.
fn layer(
    mut document: Value,
    mut file: FileOrigin,
    program: &str,
) -> Result<Option<Layer>, Box<Error>> {
    if document.is_null() {
        return Ok(None);
    }
    resolve::name_null_plugins(&mut document, &file);
    let mut trial = document.clone();
    let lenient = |name: &str| match env::of_process(name) {
        Some(Ok(value)) => Some(Ok(value)),
        None | Some(Err(_)) => Some(Ok(String::new())),
    };
    file.written =
        env::interpolate(&mut trial, "", &lenient).map_err(|fault| Box::new(file.error(fault)))?;
    let raw = match check::check(&partial_schema(), &trial, "", &file.written) {
        Ok(()) => complete(&trial),
        Err(fault) => Err(fault),
    };
    let checked = raw.and_then(|raw| {
        let prefer = raw.prefer;
        resolve::Meaning::of(raw, &file.written).map(|_| prefer)
    });
    let prefer = match checked {
        Ok(prefer) => prefer,
        Err(fault) if file.written.get(&fault.pointer).is_some() => None,
        Err(fault) => return Err(Box::new(file.error(fault))),
    };
    let plugin = |side: Side| Some(trial.get(side.name())?.get("plugin")?.as_str()?.to_owned());
    let plugins = [plugin(Side::Source), plugin(Side::Sink)];
    let Value::Object(document) = document else {
        return Ok(None);
    };
    Ok(Some(Layer {
        program: program.to_owned(),
        text: file.text,
        places: file.places,
        document,
        plugins,
        prefer,
    }))
}

/// The schema of a task file of which everything may be left out.
fn partial_schema() -> Value {
    let mut schema = envelope_schema();
    if let Value::Object(members) = &mut schema {
        members.shift_remove("required");
    }
    schema
}

/// The task that these defaults alone would make, with an endpoint where they have none.
fn complete(document: &Value) -> Result<RawTask, Fault> {
    let mut document = document.clone();
    if let Value::Object(members) = &mut document {
        for side in [Side::Source, Side::Sink] {
            members
                .entry(side.name())
                .or_insert_with(|| serde_json::json!({"plugin": "any"}));
        }
    }
    resolve::deserialize(document)
}
