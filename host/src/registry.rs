// SPDX-License-Identifier: Apache-2.0
//! Plugins by name.

use std::collections::BTreeMap;

use milvusdm_plugin_api::abi::PluginHandle;
use milvusdm_plugin_api::{Error, ErrorKind, PluginInfo, Result};

use crate::task::nearest;

/// A plugin and what it says of itself.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Calls into it.
    pub handle: PluginHandle,
    /// Name, version, options.
    pub info: PluginInfo,
}

/// The plugins that a task can name.
#[derive(Debug)]
pub struct Registry(BTreeMap<String, Entry>);

impl Registry {
    /// The plugins that are linked in.
    ///
    /// # Errors
    /// `Plugin` where one fails to describe itself, or two have one name.
    pub fn linked() -> Result<Self> {
        let mut entries = BTreeMap::new();
        for handle in PluginHandle::linked() {
            let info = handle.info()?;
            let name = info.name.clone();
            if entries
                .insert(name.clone(), Entry { handle, info })
                .is_some()
            {
                let message = format!("two plugins with the name `{name}` are linked in");
                return Err(Error::new(ErrorKind::Plugin, message));
            }
        }
        Ok(Self(entries))
    }

    /// All plugins, by name.
    pub fn all(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }

    /// The plugin of that name.
    ///
    /// # Errors
    /// `Config`, with the nearest name.
    pub fn get(&self, name: &str) -> Result<&Entry> {
        self.0.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
            Error::new(ErrorKind::Config, format!("there is no plugin `{name}`"))
                .help(nearest::advice(name, &names))
        })
    }
}
