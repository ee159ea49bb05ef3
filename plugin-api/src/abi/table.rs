// SPDX-License-Identifier: Apache-2.0
//! The one table of functions that a plugin offers, whichever way it was found.
//!
//! Rules: an entry is never removed, reordered or given another signature; growth is by
//! appending optional entries; what may grow in content crosses as JSON. Every entry returns
//! [`OK`](super::plain::OK), [`END`](super::plain::END) or
//! [`FAILED`](super::plain::FAILED), and in the last case fills in the error document. Calls
//! block. A handle may be used from any thread; a reader from one at a time.

// The derive for the layout check puts its code into a constant, as it did before this lint was.
#![allow(non_local_definitions)]

use std::fmt;

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::prefix_type::WithMetadata;
use abi_stable::sabi_types::VersionStrings;

use super::c_data::FfiArray;
use super::c_schema::FfiSchema;
use super::hashes;
use super::plain::{Doc, ServicesHead, Str};
use crate::WriteAt;

/// Major version of the API: tables of another one are refused.
pub const API_MAJOR: u16 = 1;
/// Minor version: entries that were appended.
pub const API_MINOR: u16 = 0;
/// Entries that every table of this major version has.
pub const BASE_ENTRIES: u32 = 21;

/// An object of the plugin's; only its address crosses.
#[derive(Debug, StableAbi)]
#[repr(C)]
pub struct Opaque {
    _private: [u8; 0],
}

/// Declares the table and the names of its entries from one list.
macro_rules! table {
    ($($(#[$doc:meta])* $entry:ident: ($($arg:ty),*),)+) => {
        /// What a plugin offers; see the module's page for the rules.
        ///
        /// It is at once the abi_stable root module, so that both doors lead to one address.
        #[derive(Debug, Clone, Copy, StableAbi)]
        #[repr(C)]
        #[sabi(kind(Prefix(prefix_ref = PluginTableRef, prefix_fields = PluginTablePrefix)))]
        #[sabi(missing_field(option))]
        pub struct PluginTable {
            /// Bytes of the whole table: entries beyond it are not there.
            pub size: usize,
            /// Major version of the API that the plugin was built with.
            pub api_major: u16,
            /// Minor version.
            pub api_minor: u16,
            /// Number of entries.
            pub n_entries: u32,
            /// As many hashes: each tells the entry and all before it, with their arguments.
            pub entry_hashes: *const u64,
            $($(#[$doc])* pub $entry: Option<unsafe extern "C" fn($($arg),*) -> u32>,)+
        }

        impl PluginTable {
            /// Names of the entries, in their order.
            pub const ENTRIES: &'static [&'static str] = &[$(stringify!($entry)),+];

            /// What [`entry_hashes`](Self::entry_hashes) points to.
            pub const ENTRY_HASHES: &'static [u64] = &hashes::chain(&[
                $((stringify!($entry), &[$(<$arg as hashes::Crosses>::HASH),*])),+
            ]);

            /// A table of this version without any entry.
            pub const fn empty() -> Self {
                Self {
                    size: size_of::<Self>(),
                    api_major: API_MAJOR,
                    api_minor: API_MINOR,
                    n_entries: Self::ENTRIES.len() as u32,
                    entry_hashes: Self::ENTRY_HASHES.as_ptr(),
                    $($entry: None,)+
                }
            }
        }
    };
}

table! {
    /// `PluginInfo` as JSON.
    info: (*mut Doc, *mut Doc),

    /// Opens a source: services, options as JSON, the new source, error.
    source_open: (*const ServicesHead, Str, *mut *mut Opaque, *mut Doc),
    /// JSON list of `{key, descriptor}`: source, list, error.
    source_datasets: (*mut Opaque, *mut Doc, *mut Doc),
    /// A dataset's schema: source, key, schema, error.
    source_schema: (*mut Opaque, Str, *mut FfiSchema, *mut Doc),
    /// JSON list of `Split`: source, key, list, error.
    source_splits: (*mut Opaque, Str, *mut Doc, *mut Doc),
    /// `Inspection` as JSON: source, request (JSON, `{}`), document, error.
    source_inspect: (*mut Opaque, Str, *mut Doc, *mut Doc),
    /// Opens a reader: source, key, `Split` as JSON, `ReadRequest` as JSON, reader, error.
    source_read: (*mut Opaque, Str, Str, Str, *mut *mut Opaque, *mut Doc),
    /// Frees a source; its readers are closed before.
    source_close: (*mut Opaque),

    /// The next batch: reader, batch, error. `END` at the end.
    reader_next: (*mut Opaque, *mut FfiArray, *mut Doc),
    /// `ReadAccount` as JSON: reader, document, error.
    reader_account: (*mut Opaque, *mut Doc, *mut Doc),
    /// Frees a reader.
    reader_close: (*mut Opaque),

    /// Opens a sink: services, options as JSON, the new sink, error.
    sink_open: (*const ServicesHead, Str, *mut *mut Opaque, *mut Doc),
    /// `Capabilities` as JSON: sink, document, error.
    sink_capabilities: (*mut Opaque, *mut Doc, *mut Doc),
    /// JSON list of `TargetState`: sink, JSON list of `TargetSpec`, as many schemas, list, error.
    sink_check: (*mut Opaque, Str, *const FfiSchema, *mut Doc, *mut Doc),
    /// Opens a writer: sink, `TargetSpec` as JSON, schema, writer, error.
    sink_prepare: (*mut Opaque, Str, *const FfiSchema, *mut *mut Opaque, *mut Doc),
    /// Frees a sink; its writers are closed before.
    sink_close: (*mut Opaque),

    /// Writes a batch, which it takes over: writer, place, batch, `WriteAck` as JSON, error.
    writer_write: (*mut Opaque, WriteAt, *mut FfiArray, *mut Doc, *mut Doc),
    /// Makes what was written durable: writer, error.
    writer_flush: (*mut Opaque, *mut Doc),
    /// Publishes the target: writer, `FinishAck` as JSON, error.
    writer_finish: (*mut Opaque, *mut Doc, *mut Doc),
    /// Takes back what can be taken back: writer, error.
    writer_abort: (*mut Opaque, *mut Doc),
    /// Frees a writer.
    #[sabi(last_prefix_field)]
    writer_close: (*mut Opaque),
}

/// Bytes before the first entry.
pub const HEAD_BYTES: usize = 24;

const _: () = assert!(size_of::<PluginTable>() == HEAD_BYTES + 8 * PluginTable::ENTRIES.len());
const _: () = assert!(std::mem::offset_of!(PluginTable, info) == HEAD_BYTES);
// Each minor version appends at least one entry, and nothing else does.
const _: () = assert!((API_MINOR == 0) == (PluginTable::ENTRIES.len() as u32 == BASE_ENTRIES));

// SAFETY: a table is never written to; its entries may be called from any thread.
unsafe impl Sync for PluginTable {}
unsafe impl Send for PluginTable {}
unsafe impl Sync for PluginTablePrefix {}
unsafe impl Send for PluginTablePrefix {}

impl RootModule for PluginTableRef {
    abi_stable::declare_root_module_statics! {PluginTableRef}

    const BASE_NAME: &'static str = "milvusdm_plugin";
    const NAME: &'static str = "milvusdm_plugin";
    const VERSION_STRINGS: VersionStrings = abi_stable::package_version_strings!();
}

/// A table in the form that abi_stable hands out, two words of its own before it.
pub struct StaticTable(WithMetadata<PluginTable>);

impl fmt::Debug for StaticTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.value.0.fmt(f)
    }
}

// SAFETY: as for the table.
unsafe impl Sync for StaticTable {}

impl StaticTable {
    /// Wraps a table.
    pub const fn new(table: PluginTable) -> Self {
        Self(WithMetadata::new(table))
    }

    /// The table alone, as the plain door gives it.
    pub const fn table(&'static self) -> &'static PluginTable {
        &self.0.value.0
    }

    /// The table as a root module.
    pub const fn root_module(&'static self) -> PluginTableRef {
        PluginTableRef(self.0.static_as_prefix())
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{align_of, offset_of};

    use super::*;
    use crate::abi::plain::HostServices;

    /// The order is the contract: an entry that moves breaks every plugin that was ever built.
    #[test]
    fn entries_stand_where_they_always_stood() {
        const FROZEN: [&str; 21] = [
            "info",
            "source_open",
            "source_datasets",
            "source_schema",
            "source_splits",
            "source_inspect",
            "source_read",
            "source_close",
            "reader_next",
            "reader_account",
            "reader_close",
            "sink_open",
            "sink_capabilities",
            "sink_check",
            "sink_prepare",
            "sink_close",
            "writer_write",
            "writer_flush",
            "writer_finish",
            "writer_abort",
            "writer_close",
        ];
        assert_eq!(PluginTable::ENTRIES, FROZEN);
        assert_eq!(size_of::<PluginTable>(), 24 + 8 * FROZEN.len());
        assert_eq!(align_of::<PluginTable>(), 8);
        assert_eq!(offset_of!(PluginTable, size), 0);
        assert_eq!(offset_of!(PluginTable, api_major), 8);
        assert_eq!(offset_of!(PluginTable, api_minor), 10);
        assert_eq!(offset_of!(PluginTable, n_entries), 12);
        assert_eq!(offset_of!(PluginTable, entry_hashes), 16);
        assert_eq!(offset_of!(PluginTable, info), 24);
        assert_eq!(offset_of!(PluginTable, source_open), 32);
        assert_eq!(offset_of!(PluginTable, reader_next), 88);
        assert_eq!(offset_of!(PluginTable, sink_open), 112);
        assert_eq!(offset_of!(PluginTable, writer_write), 152);
        assert_eq!(offset_of!(PluginTable, writer_close), 184);
    }

    #[test]
    fn structs_in_signatures_are_laid_out_as_they_always_were() {
        assert_eq!((size_of::<Str>(), align_of::<Str>()), (16, 8));
        assert_eq!((offset_of!(Str, ptr), offset_of!(Str, len)), (0, 8));
        assert_eq!((size_of::<Doc>(), align_of::<Doc>()), (32, 8));
        assert_eq!((offset_of!(Doc, ptr), offset_of!(Doc, len)), (0, 8));
        assert_eq!(
            (offset_of!(Doc, capacity), offset_of!(Doc, release)),
            (16, 24)
        );
        assert_eq!((size_of::<WriteAt>(), align_of::<WriteAt>()), (16, 8));
        assert_eq!(
            (offset_of!(WriteAt, split), offset_of!(WriteAt, row)),
            (0, 8)
        );
        assert_eq!(
            (size_of::<ServicesHead>(), align_of::<ServicesHead>()),
            (16, 8)
        );
        assert_eq!(offset_of!(ServicesHead, size), 0);
        assert_eq!(
            (
                offset_of!(ServicesHead, major),
                offset_of!(ServicesHead, minor)
            ),
            (8, 10)
        );
        assert_eq!(offset_of!(HostServices, head), 0);
        assert_eq!(offset_of!(HostServices, context), 16);
        assert_eq!(
            (
                offset_of!(HostServices, log),
                offset_of!(HostServices, progress)
            ),
            (24, 32)
        );
        assert_eq!(offset_of!(HostServices, is_cancelled), 40);
        assert_eq!(offset_of!(HostServices, mask_secret), 48);
        assert_eq!(size_of::<HostServices>(), 56);
        assert_eq!((size_of::<FfiArray>(), size_of::<FfiSchema>()), (80, 72));
    }

    #[test]
    fn statuses_keep_their_numbers() {
        use crate::abi::plain::{END, FAILED, OK};
        assert_eq!((OK, END, FAILED), (0, 1, 2));
        assert_eq!((API_MAJOR, API_MINOR), (1, 0));
    }
}
