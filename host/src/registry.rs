// SPDX-License-Identifier: Apache-2.0
//! Plugins by name: those that are linked in, and those that are loaded when a task names them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use milvusdm_plugin_api::abi::PluginHandle;
use milvusdm_plugin_api::{Error, ErrorKind, PluginInfo, Result};

use crate::load::{Loaded, Loader, Search};
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFile {
    /// The file, its links resolved.
    pub path: PathBuf,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl From<Loaded> for Entry {
    fn from(loaded: Loaded) -> Self {
        Self {
            handle: loaded.handle,
            info: loaded.info,
            file: Some(PluginFile {
                path: loaded.path,
                sha256: loaded.sha256,
            }),
        }
    }
}

/// The plugins that a task can name.
#[derive(Debug)]
pub struct Registry {
    linked: BTreeMap<String, Arc<Entry>>,
    loader: Option<Loader>,
    /// What was loaded, so that a name means one plugin all through a command.
    loaded: Mutex<BTreeMap<String, Arc<Entry>>>,
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
            loaded: Mutex::default(),
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
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = loaded.get(name) {
            return Ok(Arc::clone(known));
        }
        let mut search = match &self.loader {
            Some(loader) if is_name(name) => loader.find(name),
            _ => Search::default(),
        };
        let Search { loaded: found, .. } = &mut search;
        match (found.take(), linked) {
            (Some(found), _) => {
                for refused in &search.refused {
                    let error = &refused.error;
                    tracing::warn!("A file of the plugin `{name}` was passed over: {error}.");
                }
                let file = found.path.display();
                tracing::info!(%file, sha256 = found.sha256, version = found.info.version, "Loaded the plugin `{name}`.");
                let entry = Arc::new(Entry::from(found));
                loaded.insert(name.to_owned(), Arc::clone(&entry));
                Ok(entry)
            }
            (None, Some(linked)) if search.refused.is_empty() => Ok(Arc::clone(linked)),
            (None, _) => Err(self.missing(name, &search)),
        }
    }

    /// Why there is no plugin of that name.
    fn missing(&self, name: &str, search: &Search) -> Error {
        if let Some(first) = search.refused.first() {
            let mut message = format!("the plugin `{name}` can't be loaded");
            for refused in &search.refused {
                let _ = write!(message, "\n  {}", without_help(&refused.error));
            }
            let error = Error::new(first.error.kind(), message);
            return match first.error.help_text() {
                Some(help) => error.help(help),
                None => error,
            };
        }
        let known: Vec<&str> = self.linked.keys().map(String::as_str).collect();
        let mut message = format!("there is no plugin `{name}`");
        if !search.searched.is_empty() {
            let _ = write!(message, "; searched\n  linked in: {}", known.join(", "));
        }
        for (place, found) in &search.searched {
            let _ = write!(message, "\n  {place}: {found}");
        }
        Error::new(ErrorKind::Config, message).help(nearest::advice(name, &known))
    }

    /// Every plugin that a task can name, the loadable ones loaded: those that fail are told of
    /// and left out.
    pub fn everything(&self) -> Vec<Arc<Entry>> {
        let mut names: Vec<String> = self.linked.keys().cloned().collect();
        let files = self.loader.as_ref().map(Loader::list).unwrap_or_default();
        for file in files {
            match (file.candidate, file.refused) {
                (_, Some(error)) => {
                    let path = file.path.display();
                    tracing::warn!("The plugin file `{path}` is left out: {error}.");
                }
                (Some(candidate), None) if !names.contains(&candidate.name) => {
                    names.push(candidate.name);
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

/// Whether a file could be named after it: nothing that leads to another folder.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
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
