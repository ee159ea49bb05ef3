// SPDX-License-Identifier: Apache-2.0
//! Checks a value against a JSON Schema and says what is wrong as a person would.
//!
//! Own code for the subset that schemars writes for serde types, and not the `jsonschema`
//! crate, for three reasons: a task error must name the nearest key or value, which needs the
//! schema at hand where the value failed; an alternative (`oneOf`) must be reported by the one
//! that was meant, where a validator says only that none fits; and the crate brings 80 packages
//! to do it. Tests hold both to the same verdicts. It must not be taken for a validator of
//! arbitrary schemas: keywords it does not know are ignored, the plugin's own parsing of its
//! options comes after.

use milvusdm_plugin_api::ErrorKind;
use serde_json::{Map, Value};

use super::env::Written;
use super::fault::Fault;
use super::nearest::{advice, quoted_list};
use super::render::{looks_secret, shorten};
use super::{pointer, shape};

#[cfg(test)]
mod tests;

/// Steps of one check; reached only by schemas that multiply alternatives.
const MAX_STEPS: u32 = 1_000_000;
/// Nesting of one check: values are at most 64 deep, the rest is for `$ref` and alternatives.
const MAX_DEPTH: u32 = 256;

const GIVE_VALUE: &str = "give it a value, or leave the key out";

type Outcome = Result<(), Box<Fault>>;

/// Checks `value`, which stands at the pointer `at`, against `schema`; `written` says which
/// values must be shown as they are in the file.
pub(super) fn check(
    schema: &Value,
    value: &Value,
    at: &str,
    written: &Written,
) -> Result<(), Fault> {
    let mut checker = Checker {
        root: schema,
        written,
        steps: 0,
        is_hidden: false,
    };
    checker.value(schema, value, at, 0).map_err(|fault| *fault)
}

/// The schema is at fault, not the value.
fn schema_fault(at: &str, message: &str) -> Box<Fault> {
    let fault = Fault::of_value(
        at,
        format!("the options schema can't be followed: {message}"),
    );
    Box::new(Fault {
        kind: ErrorKind::Plugin,
        ..fault
    })
}

struct Checker<'a> {
    root: &'a Value,
    written: &'a Written,
    steps: u32,
    /// Inside an option that is secret.
    is_hidden: bool,
}

impl<'a> Checker<'a> {
    fn value(&mut self, schema: &'a Value, value: &Value, at: &str, depth: u32) -> Outcome {
        self.steps += 1;
        if self.steps > MAX_STEPS || depth > MAX_DEPTH {
            return Err(schema_fault(at, "it is nested without end"));
        }
        let schema = match schema {
            Value::Bool(false) => {
                return Err(Fault::of_value(at, "nothing may stand here").into());
            }
            Value::Object(schema) => schema,
            _ => return Ok(()),
        };
        let was_hidden = self.is_hidden;
        self.is_hidden |= shape::is_secret(schema);
        let outcome = self.keywords(schema, value, at, depth + 1);
        self.is_hidden = was_hidden;
        outcome
    }

    fn keywords(
        &mut self,
        schema: &'a Map<String, Value>,
        value: &Value,
        at: &str,
        depth: u32,
    ) -> Outcome {
        if let Some(Value::String(reference)) = schema.get("$ref") {
            let target = shape::resolve(self.root, reference)
                .ok_or_else(|| schema_fault(at, &format!("`{reference}` is not in it")))?;
            self.value(target, value, at, depth)?;
        }
        for part in shape::list(schema, "allOf") {
            self.value(part, value, at, depth)?;
        }
        self.check_type(schema, value, at)?;
        self.check_constants(schema, value, at)?;
        for keyword in ["oneOf", "anyOf"] {
            if let Some(Value::Array(choices)) = schema.get(keyword) {
                self.alternatives(choices, schema, value, at, depth)?;
            }
        }
        match value {
            Value::Number(_) => self.bounds(schema, value, at),
            Value::String(text) => self.length(schema, text, value, at),
            Value::Array(items) => self.items(schema, items, at, depth),
            Value::Object(members) => self.members(schema, members, at, depth),
            Value::Null | Value::Bool(_) => Ok(()),
        }
    }

    fn check_type(&self, schema: &Map<String, Value>, value: &Value, at: &str) -> Outcome {
        let types = shape::own_types(schema);
        if types.is_empty() || types.iter().any(|name| shape::is_of_type(value, name)) {
            return Ok(());
        }
        Err(self
            .mismatch(&shape::wanted(self.root, schema), schema, value, at)
            .into())
    }

    /// "found …, wanted …", with the usual slip of YAML explained.
    fn mismatch(
        &self,
        wanted: &str,
        schema: &Map<String, Value>,
        value: &Value,
        at: &str,
    ) -> Fault {
        let fault = Fault::of_value(
            at,
            format!("found {}, wanted {wanted}", self.found(value, at)),
        );
        let types = shape::all_types(self.root, schema);
        let wants = |name: &str| types.iter().any(|t| t == name);
        match value {
            Value::Number(_) | Value::Bool(_) if wants("string") && !wants("integer") => {
                fault.help("put it in quotes to make it a string")
            }
            Value::String(_) if self.written.get(at).is_some() => {
                fault.help("what comes from `${…}` is always a string")
            }
            Value::String(text)
                if wants("boolean")
                    && ["yes", "no", "on", "off", "True", "False"].contains(&text.as_str()) =>
            {
                fault.help("write `true` or `false`")
            }
            Value::String(text) if wants("integer") && text.parse::<i64>().is_ok() => {
                fault.help("leave the quotes away")
            }
            Value::String(_) if wants("array") && !wants("string") => {
                fault.help("put it in brackets to make it a list")
            }
            Value::Null => fault.help(GIVE_VALUE),
            _ => fault,
        }
    }

    /// What stands there, for a message; never the value of a variable or of a secret.
    fn found(&self, value: &Value, at: &str) -> String {
        if let Some(written) = self.written.get(at) {
            return format!("the value of `{}`", shorten(written));
        }
        if self.is_hidden {
            return format!("a secret {}", shape::kind_of(value));
        }
        match value {
            Value::String(text) => format!("string {}", Value::String(shorten(text))),
            Value::Number(number) => format!("number {number}"),
            Value::Bool(truth) => format!("boolean {truth}"),
            other => shape::kind_of(other).to_owned(),
        }
    }

    fn check_constants(&self, schema: &Map<String, Value>, value: &Value, at: &str) -> Outcome {
        let known = match (schema.get("const"), schema.get("enum")) {
            (Some(only), _) => std::slice::from_ref(only),
            (None, Some(Value::Array(known))) => known.as_slice(),
            _ => return Ok(()),
        };
        if known.contains(value) {
            return Ok(());
        }
        Err(self.not_among(known, value, at).into())
    }

    fn not_among(&self, known: &[Value], value: &Value, at: &str) -> Fault {
        let texts: Vec<String> = known
            .iter()
            .filter(|v| !v.is_null())
            .map(shape::plain)
            .collect();
        let names: Vec<&str> = texts.iter().map(String::as_str).collect();
        let wanted = match names.as_slice() {
            [only] => format!("`{only}`"),
            many => format!("one of {}", quoted_list(many)),
        };
        let found = self.found(value, at);
        let fault = Fault::of_value(at, format!("found {found}, wanted {wanted}"));
        match value {
            Value::String(text) if self.written.get(at).is_none() && !self.is_hidden => {
                match super::nearest::nearest(text, names) {
                    Some(near) => fault.help(format!("did you mean `{near}`?")),
                    None => fault,
                }
            }
            Value::Null => fault.help(GIVE_VALUE),
            _ => fault,
        }
    }

    /// Takes the value if any alternative does; else reports the one that was meant.
    fn alternatives(
        &mut self,
        choices: &'a [Value],
        schema: &Map<String, Value>,
        value: &Value,
        at: &str,
        depth: u32,
    ) -> Outcome {
        let mut failures = Vec::new();
        for choice in choices {
            match self.value(choice, value, at, depth) {
                Ok(()) => return Ok(()),
                Err(failure) if failure.kind == ErrorKind::Plugin => return Err(failure),
                Err(failure) => failures.push((choice, failure)),
            }
        }
        let constants: Vec<Value> = choices
            .iter()
            .flat_map(|choice| shape::constants(self.root, choice))
            .collect();
        let all_constant = choices
            .iter()
            .all(|c| shape::is_null(c) || !shape::constants(self.root, c).is_empty());
        if all_constant && !constants.is_empty() {
            return Err(self.not_among(&constants, value, at).into());
        }
        if let Some(tagged) = shape::tagged_choice(self.root, choices, value) {
            failures.retain(|(choice, _)| std::ptr::eq(*choice, tagged));
        } else {
            failures.retain(|(choice, _)| shape::may_hold(self.root, choice, value));
        }
        if failures.len() == 1 {
            return Err(failures.remove(0).1);
        }
        let wanted = shape::wanted(self.root, schema);
        Err(self.mismatch(&wanted, schema, value, at).into())
    }

    fn bounds(&self, schema: &Map<String, Value>, value: &Value, at: &str) -> Outcome {
        if shape::is_in_bounds(schema, value) {
            return Ok(());
        }
        Err(self
            .mismatch(&shape::wanted(self.root, schema), schema, value, at)
            .into())
    }

    fn length(&self, schema: &Map<String, Value>, text: &str, value: &Value, at: &str) -> Outcome {
        let chars = text.chars().count() as u64;
        let limit = |key| schema.get(key).and_then(Value::as_u64);
        let wanted = match (limit("minLength"), limit("maxLength")) {
            (Some(1), _) if chars == 0 => "a string that is not empty".to_owned(),
            (Some(least), _) if chars < least => format!("at least {least} characters"),
            (_, Some(most)) if chars > most => format!("at most {most} characters"),
            _ => return Ok(()),
        };
        Err(self.mismatch(&wanted, schema, value, at).into())
    }

    fn items(
        &mut self,
        schema: &'a Map<String, Value>,
        items: &[Value],
        at: &str,
        depth: u32,
    ) -> Outcome {
        let limit = |key| schema.get(key).and_then(Value::as_u64);
        let count = items.len() as u64;
        if let Some(least) = limit("minItems").filter(|least| count < *least) {
            let message = format!("found a list of {count}, wanted at least {least} elements");
            return Err(Fault::of_value(at, message).into());
        }
        if let Some(most) = limit("maxItems").filter(|most| count > *most) {
            let message = format!("found a list of {count}, wanted at most {most} elements");
            return Err(Fault::of_value(at, message).into());
        }
        let prefix: Vec<&Value> = shape::list(schema, "prefixItems").collect();
        for (index, item) in items.iter().enumerate() {
            let wanted = prefix.get(index).copied().or_else(|| schema.get("items"));
            if let Some(wanted) = wanted {
                self.value(wanted, item, &pointer::element(at, index), depth)?;
            }
        }
        Ok(())
    }

    fn members(
        &mut self,
        schema: &'a Map<String, Value>,
        members: &Map<String, Value>,
        at: &str,
        depth: u32,
    ) -> Outcome {
        let properties = match schema.get("properties") {
            Some(Value::Object(properties)) => Some(properties),
            _ => None,
        };
        let others = schema.get("additionalProperties");
        // Unknown keys come first: a mistyped key explains the missing one.
        for key in members.keys() {
            let is_known = properties.is_some_and(|known| known.contains_key(key));
            if !is_known && others == Some(&Value::Bool(false)) {
                return Err(unknown_key(key, properties, at).into());
            }
        }
        for required in shape::list(schema, "required").filter_map(Value::as_str) {
            if !members.contains_key(required) {
                let message = format!("`{required}` is missing in {}", pointer::readable(at));
                let fault = Fault::of_key(at, message);
                let member = properties
                    .and_then(|p| p.get(required))
                    .and_then(Value::as_object);
                return Err(match member {
                    Some(member) => fault.help(format!(
                        "add `{required}:` with {}",
                        shape::wanted(self.root, member)
                    )),
                    None => fault.help(format!("add `{required}:`")),
                }
                .into());
            }
        }
        let was_hidden = self.is_hidden;
        for (key, member) in members {
            let wanted = properties.and_then(|known| known.get(key)).or(others);
            if let Some(wanted) = wanted {
                self.is_hidden = was_hidden || looks_secret(key);
                let outcome = self.value(wanted, member, &pointer::member(at, key), depth);
                self.is_hidden = was_hidden;
                outcome?;
            }
        }
        Ok(())
    }
}

fn unknown_key(key: &str, properties: Option<&Map<String, Value>>, at: &str) -> Fault {
    let known: Vec<&str> = properties
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    let message = format!(
        "unknown key `{}` in {}",
        shorten(key),
        pointer::readable(at)
    );
    Fault::of_key(&pointer::member(at, key), message).help(advice(key, &known))
}
