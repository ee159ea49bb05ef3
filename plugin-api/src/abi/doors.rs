// SPDX-License-Identifier: Apache-2.0
//! The two symbols by which a plugin's `.so` is entered; both lead to its one table.
//!
//! A plugin crate must not carry them itself: two plugins that are linked into one host would
//! define them twice. [`export_doors!`](crate::export_doors!) puts them into a thin cdylib
//! beside it, with the note that says what the file is.

use std::sync::OnceLock;

use abi_stable::library::CheckTypeLayout;
pub use abi_stable::library::LibHeader;
pub use abi_stable::library::RootModuleResult;
use abi_stable::prefix_type::PrefixRefTrait;
use abi_stable::std_types::RResult;

use super::guard::quiet;
use super::table::{PluginTable, PluginTableRef};
use crate::{PluginIdentity, TrampolineTable};

/// The symbol of the first door: an abi_stable root module.
pub const ROOT_MODULE: &str = abi_stable::library::ROOT_MODULE_LOADER_NAME;
/// The symbol of the second door: a C function that gives the table.
pub const PLAIN: &str = "milvusdm_plugin_init_v1";

/// The crate of the plugin that was entered through a door; empty in a host, whose plugins are
/// linked in.
static ENTERED: OnceLock<&'static str> = OnceLock::new();

/// The plugin's crate, if this copy of the API stands in a loaded `.so`.
pub(crate) fn entered() -> Option<&'static str> {
    ENTERED.get().copied()
}

/// What lies under the first door's symbol.
#[doc(hidden)]
pub const fn header(constructor: extern "C" fn() -> RootModuleResult) -> LibHeader {
    // SAFETY: `constructor` is one that `root_module` serves: it gives a `PluginTableRef`.
    unsafe { LibHeader::from_constructor::<PluginTableRef>(constructor, CheckTypeLayout::Yes) }
}

/// Serves the first door.
#[doc(hidden)]
pub fn root_module(table: &'static TrampolineTable, plugin: PluginIdentity) -> RootModuleResult {
    quiet(|| _ = ENTERED.set(plugin.crate_name));
    // SAFETY: erased as `header` promises, and cast back by who checked the layout.
    RResult::ROk(unsafe { table.stands().root_module().to_prefix_ref().cast() })
}

/// Serves the second door.
#[doc(hidden)]
pub fn plain(table: &'static TrampolineTable, plugin: PluginIdentity) -> *const PluginTable {
    quiet(|| _ = ENTERED.set(plugin.crate_name));
    table.stands().table()
}

/// Makes a cdylib the loadable form of a plugin crate.
///
/// It is all that stands in the cdylib, whose file is to be called `libmilvusdm_NAME.so`:
///
/// ```ignore
/// milvusdm_plugin_api::export_doors!(milvusdm_plugin_faiss);
/// ```
#[macro_export]
macro_rules! export_doors {
    ($($plugin:ident)::+) => {
        const _: () = {
            use $($plugin)::+::{PLUGIN_IDENTITY, PLUGIN_TABLE};
            const NAME: &str = PLUGIN_IDENTITY.name;
            const VERSION: &str = PLUGIN_IDENTITY.version;
            // Of the cdylib: it decides what all that is linked into it does on a panic.
            const PANIC: $crate::PanicStrategy = match cfg!(panic = "abort") {
                true => $crate::PanicStrategy::Abort,
                false => $crate::PanicStrategy::Unwind,
            };

            extern "C" fn constructor() -> $crate::abi::doors::RootModuleResult {
                $crate::abi::doors::root_module(&PLUGIN_TABLE, PLUGIN_IDENTITY)
            }

            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            static ROOT_MODULE: $crate::abi::doors::LibHeader =
                $crate::abi::doors::header(constructor);

            #[unsafe(no_mangle)]
            extern "C" fn milvusdm_plugin_init_v1() -> *const $crate::abi::PluginTable {
                $crate::abi::doors::plain(&PLUGIN_TABLE, PLUGIN_IDENTITY)
            }

            #[used]
            #[unsafe(link_section = ".note.milvusdm")]
            static NOTE: $crate::abi::note::Note<
                { $crate::abi::note::bytes(NAME, VERSION, PANIC) },
            > = $crate::abi::note::Note::of(NAME, VERSION, PANIC);
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The macro needs the name as a literal.
    #[test]
    fn the_first_door_is_where_abi_stable_looks() {
        assert_eq!(ROOT_MODULE, "_1as_0lib_1header_0root_bmodule_bloader");
    }
}
