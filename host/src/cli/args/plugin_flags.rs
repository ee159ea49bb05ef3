// SPDX-License-Identifier: Apache-2.0
//! Where plugins come from: options of every command.
//!
//! They are not `global` for clap, which would drop what stands before the command where there
//! is some behind it, but added to every command and gathered by [`PluginFlags::of`].

use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches, ValueEnum};

use crate::plugin_options::PluginOptions;
use crate::task::Prefer;

// A doc comment here would become the help of every command.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Plugin options")]
pub(in crate::cli) struct PluginFlags {
    /// Look for plugins in this folder before the others; may be given repeatedly
    ///
    /// The file of a plugin `fvecs` is `libmilvusdm_fvecs.so`. Then come the folders of
    /// MILVUSDM_PLUGIN_PATH, ~/.local/lib/milvusdm/plugins and /usr/lib/milvusdm/plugins. Example:
    /// `--plugin-dir ~/plugins`.
    #[arg(long, value_name = "DIR")]
    pub plugin_dir: Vec<PathBuf>,

    /// Trust this plugin file, for this run only; may be given repeatedly
    ///
    /// `plugins trust FILE.so` trusts it from then on, as long as it stays the same. Example:
    /// `--allow-plugin ~/plugins/libmilvusdm_fvecs.so`.
    #[arg(long, value_name = "FILE")]
    pub allow_plugin: Vec<PathBuf>,

    /// Which plugin is meant where one is linked in and another of its name can be loaded
    ///
    /// Wins over `prefer` in the task. Example: `--prefer loaded` [default: linked]
    #[arg(long, value_name = "WHICH", value_enum)]
    pub prefer: Option<PreferArg>,
}

/// The task file's `prefer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PreferArg {
    /// The one that is linked into this program
    Linked,
    /// The one that is loaded from a file
    Loaded,
}

impl PluginFlags {
    /// What was given before and behind the command, and behind the command's own.
    pub(super) fn of(mut matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut all = Self::from_arg_matches(matches)?;
        while let Some((_, inner)) = matches.subcommand() {
            matches = inner;
            let flags = Self::from_arg_matches(matches)?;
            all.plugin_dir.extend(flags.plugin_dir);
            all.allow_plugin.extend(flags.allow_plugin);
            all.prefer = flags.prefer.or(all.prefer);
        }
        Ok(all)
    }
}

impl From<PluginFlags> for PluginOptions {
    fn from(flags: PluginFlags) -> Self {
        Self {
            dirs: flags.plugin_dir,
            allowed: flags.allow_plugin,
            prefer: flags.prefer.map(|prefer| match prefer {
                PreferArg::Linked => Prefer::Linked,
                PreferArg::Loaded => Prefer::Loaded,
            }),
            usual: None,
        }
    }
}
