// SPDX-License-Identifier: Apache-2.0
//! Task files of MilvusDM 1.0: a channel (`F2M` is Faiss to Milvus) at the top.
//!
//! This is the one place that knows them. Each channel is a type that says which keys there are
//! ([`f2m`], [`h2m`], [`m2m`], [`m2h`]) and becomes a task of today, which then goes the way that
//! every task goes: what its values may be is the plugins' to say. [`draft::Moved`] keeps where
//! each value came from, so that an error about it still points into the old file.

mod convert;
mod draft;
mod f2m;
mod h2m;
mod keys;
mod load_back;
mod m2h;
mod m2m;
mod source;
mod target;
#[cfg(test)]
mod tests;

use milvusdm_plugin_api::ErrorKind;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::check;
use super::env::{Lookup, Written};
use super::fault::Fault;
use super::pointer;
use super::render::shorten;
use crate::program;
pub use convert::{Converted, convert};
pub(super) use draft::Moved;
use draft::{Draft, Note};
pub(crate) use load_back::{LoadBack, Loadable};

/// A channel of MilvusDM 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    F2m,
    H2m,
    M2m,
    M2h,
}

const CHANNELS: [Channel; 4] = [Channel::F2m, Channel::H2m, Channel::M2m, Channel::M2h];

impl Channel {
    /// Its key at the top of a task file.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::F2m => "F2M",
            Self::H2m => "H2M",
            Self::M2m => "M2M",
            Self::M2h => "M2H",
        }
    }

    fn route(self) -> &'static str {
        match self {
            Self::F2m => "Faiss to Milvus 1.x",
            Self::H2m => "HDF5 to Milvus 1.x",
            Self::M2m => "Milvus 1.x to Milvus 1.x",
            Self::M2h => "Milvus 1.x to HDF5",
        }
    }

    /// The channel of a document; `None` for a task of today.
    ///
    /// # Errors
    /// For keys beside the channel: MilvusDM 1.0 took the first and passed over the others in
    /// silence.
    pub(super) fn of(document: &Value) -> Result<Option<Self>, Fault> {
        let Some(members) = document.as_object() else {
            return Ok(None);
        };
        let named = |key: &String| CHANNELS.into_iter().find(|channel| channel.key() == key);
        let Some(channel) = members.keys().find_map(named) else {
            return Ok(None);
        };
        match members.keys().find(|key| *key != channel.key()) {
            None => Ok(Some(channel)),
            Some(other) => {
                let message = format!(
                    "`{}` stands beside `{}`, wanted one channel of MilvusDM 1.0 and nothing else",
                    shorten(other),
                    channel.key()
                );
                let at = pointer::member("", other);
                Err(Fault::of_key(&at, message).help(format!(
                    "write a file for each task; {} makes a task of today of it, which has more keys",
                    program::typed("convert")
                )))
            }
        }
    }
}

/// What a task of today is made for.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// To be run now.
    Run(Lookup<'a>),
    /// To be read and kept: what must not be seen or is new with each run stays a variable.
    Show(Lookup<'a>),
}

impl Purpose<'_> {
    fn is_run(self) -> bool {
        matches!(self, Self::Run(_))
    }

    /// Whether a variable has a value that is text.
    fn is_set(self, name: &str) -> bool {
        let (Self::Run(lookup) | Self::Show(lookup)) = self;
        matches!(lookup(name), Some(Ok(value)) if !value.is_empty())
    }
}

/// A task of today, made of an old one.
#[derive(Debug)]
pub(super) struct Translated {
    /// As it would be written: with variables, and `$$` for a plain `$`.
    pub document: Value,
    pub moved: Moved,
    pub notes: Vec<Note>,
    /// The tasks to write after the run.
    pub load_back: Option<LoadBack>,
}

/// Makes a task of today of an old one.
///
/// # Errors
/// For whatever is wrong in it, at its pointer in the old file.
pub(super) fn translate(
    channel: Channel,
    document: &Value,
    purpose: Purpose<'_>,
) -> Result<Translated, Fault> {
    let root = pointer::member("", channel.key());
    let keys = document.get(channel.key()).unwrap_or(&Value::Null);
    let mut draft = Draft::new(&root);
    let load_back = match channel {
        Channel::F2m => f2m::translate(read(keys, &root)?, &mut draft, purpose).map(|()| None),
        Channel::H2m => h2m::translate(read(keys, &root)?, &mut draft, purpose).map(|()| None),
        Channel::M2m => m2m::translate(read(keys, &root)?, &mut draft, purpose).map(|()| None),
        Channel::M2h => m2h::translate(read(keys, &root)?, &mut draft, purpose).map(Some),
    }?;
    let (document, moved, notes) = draft.finish();
    Ok(Translated {
        document,
        moved,
        notes,
        load_back,
    })
}

/// The keys of a channel, checked as those of every task are.
fn read<T: DeserializeOwned + JsonSchema>(keys: &Value, at: &str) -> Result<T, Fault> {
    let schema = schemars::schema_for!(T).to_value();
    check::check(&schema, keys, at, &Written::default())?;
    serde_path_to_error::deserialize(keys).map_err(|error| {
        let at = pointer::from_option_path(at, &error.path().to_string());
        Fault::of_value(&at, error.into_inner().to_string())
    })
}

/// Refuses a task for a version of Milvus that this build can't write.
fn expect_milvus_1(version: Option<&keys::Version>, at: &str) -> Result<(), Fault> {
    let Some(version) = version else {
        return Ok(());
    };
    let text = version.text();
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let major: String = digits.chars().take_while(char::is_ascii_digit).collect();
    if !major.parse().is_ok_and(|major: u64| major >= 2) {
        return Ok(());
    }
    let message = format!(
        "found `{}`, wanted `1.x`: Milvus 2 and later need the plugin `milvus2`, which is not in \
         this build",
        shorten(&text)
    );
    let fault = Fault::of_value(at, message);
    Err(Fault {
        kind: ErrorKind::Unsupported,
        ..fault
    }
    .help("if the server is a Milvus 1.x, write `milvus_version: 1.x`"))
}

/// Refuses an empty text where MilvusDM 1.0 did.
fn expect_text(text: &str, at: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(Fault::of_value(at, "found an empty text, wanted a value"));
    }
    Ok(())
}
