// SPDX-License-Identifier: Apache-2.0
//! What `plugins new` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct NewArgs {
    /// The plugin's name: lower-case letters, digits and `_`, a letter first
    #[arg(value_name = "NAME")]
    pub name: String,

    /// The language of the project
    #[arg(long, value_name = "LANG", value_enum, default_value_t)]
    pub lang: PluginLanguage,

    /// Folder of the crate `milvusdm-plugin-api` to build with [default: a copy in the project]
    #[arg(long, value_name = "PATH")]
    pub api: Option<PathBuf>,

    /// Folder to make the project's folder in
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// The language of a plugin's project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum PluginLanguage {
    /// Safe Rust over Arrow record batches
    #[default]
    Rust,
    /// C over one header
    C,
}
