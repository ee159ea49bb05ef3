// SPDX-License-Identifier: Apache-2.0
//! Plugins by name: those that are linked in, and those that are loaded when a task names them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use milvusdm_plugin_api::abi::PluginHandle;
use milvusdm_plugin_api::{Error, ErrorKind, PluginInfo, Result, is_plugin_name};

use crate::load::{Digest, Loaded, Loader, Search};
use crate::plugin_options::PluginOptions;
use crate::task::{Prefer, nearest};

/// A plugin and what it says of itself.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Calls into it.
    pub handle: PluginHandle,
    /// Name, version, options.
    pub info: PluginInfo,
    /// The file that it was loaded from; `None` if it is linked in.
    pub file: Option<PluginFile>,
}

/// A file whose code runs.
#[derive(Debug, Clone)]
pub struct PluginFile {
    /// The file, its links resolved.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

impl From<Loaded> for Entry {
    fn from(loaded: Loaded) -> Self {
        Self {
            handle: loaded.handle,
            info: loaded.info,
            file: Some(PluginFile {
                path: loaded.path,
                digest: loaded.digest,
            }),
        }
    }
}

/// The plugins that a task can name.
#[derive(Debug)]
pub struct Registry {
    linked: BTreeMap<String, Arc<Entry>>,
    loader: Option<Loader>,
    /// What came of each name that was looked for: it means one plugin all through a command,
    /// and what is refused is not tried again.
    found: Mutex<BTreeMap<String, Result<Arc<Entry>>>>,
    options: PluginOptions,
}

impl Registry {
    /// The plugins that are linked in, and no others.
    ///
    /// # Errors
    /// `Plugin` where one fails to describe itself, or two have one name.
    pub fn linked() -> Result<Self> {
        let mut linked = BTreeMap::new();
        for handle in PluginHandle::linked() {
            let info = handle.info()?;
            let name = info.name.clone();
            let entry = Arc::new(Entry {
                handle,
                info,
                file: None,
            });
            if linked.insert(name.clone(), entry).is_some() {
                let message = format!("two plugins with the name `{name}` are linked in");
                return Err(Error::new(ErrorKind::Plugin, message));
            }
        }
        Ok(Self {
            linked,
            loader: None,
            found: Mutex::default(),
            options: PluginOptions::default(),
        })
    }

    /// The same, and those that can be loaded.
    ///
    /// # Errors
    /// As [`linked`](Self::linked).
    pub fn new(options: &PluginOptions) -> Result<Self> {
        Ok(Self {
            loader: Some(Loader::new(options)),
            options: options.clone(),
            ..Self::linked()?
        })
    }

    /// The plugins that are linked in, by name.
    pub fn all_linked(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.linked.values()
    }

    /// The plugin of that name, loaded if need be; `prefer` is what the task says.
    ///
    /// # Errors
    /// `Config` if there is none, with every place that was searched; else why the one that is
    /// there can't be loaded.
    pub fn get(&self, name: &str, prefer: Option<Prefer>) -> Result<Arc<Entry>> {
        let linked = self.linked.get(name);
        match (linked, self.options.prefer_over(prefer)) {
            (Some(linked), Prefer::Linked) => return Ok(Arc::clone(linked)),
            (None, _) | (Some(_), Prefer::Loaded) => {}
        }
        let mut known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(name) {
            return known.clone();
        }
        let found = self.find(name, linked);
        known.insert(name.to_owned(), found.clone());
        found
    }

    /// Looks for a plugin file; `linked` serves where there is none.
    fn find(&self, name: &str, linked: Option<&Arc<Entry>>) -> Result<Arc<Entry>> {
        let mut search = match &self.loader {
            Some(loader) if is_plugin_name(name) => loader.find(name),
            _ => Search::default(),
        };
        match (search.loaded.take(), linked) {
            (Some(found), _) => {
                for error in &search.refused {
                    tracing::warn!("A file of the plugin `{name}` was passed over: {error}.");
                }
                Ok(Arc::new(Entry::from(found)))
            }
            (None, Some(linked)) if search.refused.is_empty() => {
                tracing::info!(
                    "There is no file of the plugin `{name}`: the one that is linked in is used."
                );
                Ok(Arc::clone(linked))
            }
            (None, _) => Err(self.missing(name, &search)),
        }
    }

    /// Why there is no plugin of that name.
    fn missing(&self, name: &str, search: &Search) -> Error {
        if let Some(first) = search.refused.first() {
            let mut message = format!("the plugin `{name}` can't be loaded");
            for refused in &search.refused {
                let _ = write!(message, "\n  {}", without_help(refused));
            }
            // Where nothing was found it may have been expected.
            list_places(&mut message, search);
            // What is wrong with the file itself is the plugin's fault, as `plugins check` has it.
            let kind = match first.kind() {
                ErrorKind::Format | ErrorKind::Unsupported => ErrorKind::Plugin,
                kind => kind,
            };
            let error = Error::new(kind, message);
            return match first.help_text() {
                Some(help) => error.help(help),
                None => error,
            };
        }
        let known: Vec<&str> = self.linked.keys().map(String::as_str).collect();
        let mut message = format!("there is no plugin `{name}`");
        if !search.searched.is_empty() {
            let _ = write!(message, "; searched\n  linked in: {}", known.join(", "));
        }
        list_places(&mut message, search);
        Error::new(ErrorKind::Config, message).help(nearest::advice(name, &known))
    }

    /// Every plugin that a task can name, the loadable ones loaded: those that fail are told of
    /// and left out.
    pub fn everything(&self) -> Vec<Arc<Entry>> {
        let mut names: Vec<String> = self.linked.keys().cloned().collect();
        let files = self.loader.as_ref().map(Loader::list).unwrap_or_default();
        for file in files {
            match (file.known, file.refused) {
                (_, Some(error)) => {
                    let path = file.path.display();
                    tracing::warn!("The plugin file `{path}` is left out: {error}.");
                }
                (Some(known), None) if !names.contains(&known.name) => {
                    names.push(known.name);
                }
                _ => {}
            }
        }
        let entry = |name: &String| match self.get(name, None) {
            Ok(entry) => Some(entry),
            Err(error) => {
                tracing::warn!("The plugin `{name}` is left out: {error}.");
                None
            }
        };
        names.iter().filter_map(entry).collect()
    }

    /// What looks for plugins, where that is wanted.
    pub fn loader(&self) -> Option<&Loader> {
        self.loader.as_ref()
    }
}

/// The places where no file was tried, a line each.
fn list_places(message: &mut String, search: &Search) {
    for (place, nothing) in &search.searched {
        if let Some(why) = nothing {
            let _ = write!(message, "\n  {place}: {why}");
        }
    }
}

/// An error in one line, without its advice.
fn without_help(error: &Error) -> String {
    let text = error.to_string();
    match error.help_text() {
        Some(help) => text
            .strip_suffix(&format!("; {help}"))
            .unwrap_or(&text)
            .to_owned(),
        None => text,
    }
}
