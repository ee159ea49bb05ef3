// SPDX-License-Identifier: Apache-2.0
//! The gate behind both doors: nothing of a table is called before it has passed.
//!
//! Behind the first door abi_stable compares the layout of everything that the table's
//! signatures reach. Its check takes plugins that are newer than the host, never older ones, so
//! it is made both ways round. Behind the second there is no such description: size, version and
//! the hashes of the entries stand in for it. A table that came through the first door must pass
//! the second's check too.

use std::ffi::c_void;
use std::ptr::NonNull;

use abi_stable::StableAbi as _;
use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError, RootModule as _};
use abi_stable::type_layout::TypeLayout;

use super::PluginHandle;
use super::guard::caught;
use super::plain::broken;
use super::table::{
    API_MAJOR, API_MINOR, BASE_ENTRIES, HEAD_BYTES, PluginTable, PluginTablePrefix, PluginTableRef,
};
use crate::{Error, ErrorKind, Result};

/// Most entries that a table can have; far more than there will ever be.
const MAX_ENTRIES: u32 = 4096;

impl PluginHandle {
    /// Enters by the first door: `symbol` is the address of
    /// [`ROOT_MODULE`](super::doors::ROOT_MODULE).
    ///
    /// # Safety
    /// `symbol` is that symbol of a library that is never unloaded.
    ///
    /// # Errors
    /// `Plugin`, saying what does not fit.
    pub unsafe fn enter_root_module(symbol: NonNull<c_void>) -> Result<Self> {
        caught("the root module's door", || {
            // SAFETY: the symbol is a `LibHeader`, which begins with what an `AbiHeaderRef`
            // points to; nothing behind that is looked at before `upgrade` has checked it.
            let header: AbiHeaderRef = unsafe { std::mem::transmute(symbol) };
            let header = header.upgrade().map_err(|e| foreign(&e))?;
            check_layout(header)?;
            // SAFETY: the layout was just checked.
            let module =
                unsafe { header.init_root_module_with_unchecked_layout::<PluginTableRef>() };
            let module = module.map_err(|e| foreign(&e))?;
            let table: *const PluginTablePrefix = module.0.prefix();
            // SAFETY: a live table; `admit` checks how far it reaches.
            unsafe { admit(table.cast()) }
        })
    }

    /// Enters by the second door: `table` is what [`PLAIN`](super::doors::PLAIN) gave.
    ///
    /// # Safety
    /// `table` is null or points to a table, of whatever version, that is never unloaded.
    ///
    /// # Errors
    /// `Plugin`, saying what does not fit.
    pub unsafe fn enter_plain(table: *const PluginTable) -> Result<Self> {
        // SAFETY: passed on.
        caught("the plain door", || unsafe { admit(table) })
    }
}

/// What abi_stable says of a library that it does not take, without its pages of detail.
fn foreign(cause: &LibraryError) -> Error {
    refused("its root module can't be entered").caused_by(brief(&cause.to_string()))
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::Plugin, format!("the plugin does not fit this host: {what}")).help(
        format!("build it again with version {API_MAJOR}.{API_MINOR} of milvusdm-plugin-api or of milvusdm_plugin.h"),
    )
}

/// The lines of a long text that say something, on one line.
fn brief(text: &str) -> String {
    const MOST: usize = 300;
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

fn check_layout(header: &'static LibHeader) -> Result<()> {
    let Some(theirs) = header.layout() else {
        return Err(refused("its root module does not describe its layout"));
    };
    let ours: &'static TypeLayout = PluginTableRef::LAYOUT;
    let Err(forward) = check_layout_compatibility(ours, theirs) else {
        return Ok(());
    };
    if check_layout_compatibility(theirs, ours).is_ok() {
        return Ok(());
    }
    let version = header.version_strings().to_string();
    let what = format!(
        "its table is laid out otherwise than version {} of the API has it (it was built with {version})",
        PluginTableRef::VERSION_STRINGS
    );
    Err(refused(&what).caused_by(brief(&forward.to_string())))
}

/// Checks a table by itself: size, version, hashes, and that no side is half there.
///
/// # Safety
/// Null, or a table of whatever version that lives as long as the process.
unsafe fn admit(table: *const PluginTable) -> Result<PluginHandle> {
    let Some(found) = NonNull::new(table.cast_mut()) else {
        return Err(broken("the door gives no table"));
    };
    if !found.is_aligned() {
        return Err(broken(
            "the table stands at an address that is no multiple of 8",
        ));
    }
    // SAFETY: every table begins with this head; it is read field by field.
    let (size, major, minor, entries, hashes) = unsafe {
        (
            (&raw const (*table).size).read(),
            (&raw const (*table).api_major).read(),
            (&raw const (*table).api_minor).read(),
            (&raw const (*table).n_entries).read(),
            (&raw const (*table).entry_hashes).read(),
        )
    };
    if major != API_MAJOR {
        let what = format!("it was built with version {major}.{minor} of the API");
        return Err(refused(&what));
    }
    if entries > MAX_ENTRIES || size != HEAD_BYTES + 8 * entries as usize {
        let what =
            format!("its table says {size} bytes and {entries} entries, which do not go together");
        return Err(refused(&what));
    }
    if entries < BASE_ENTRIES {
        let what = format!("its table has {entries} entries, version 1.0 had {BASE_ENTRIES}");
        return Err(refused(&what));
    }
    if hashes.is_null() || !hashes.is_aligned() {
        return Err(broken("the table has no hashes of its entries"));
    }
    // SAFETY: a table has as many hashes as entries.
    check_hashes(unsafe { std::slice::from_raw_parts(hashes, entries as usize) })?;
    // SAFETY: checked above.
    let handle = unsafe { PluginHandle::admitted(found) };
    handle.check_sides()?;
    Ok(handle)
}

/// Compares what both sides know; the last hash tells of all before it.
fn check_hashes(theirs: &[u64]) -> Result<()> {
    let ours = PluginTable::ENTRY_HASHES;
    let both = ours.len().min(theirs.len());
    if ours[..both].last() == theirs[..both].last() {
        return Ok(());
    }
    let first = (0..both)
        .find(|i| ours[*i] != theirs[*i])
        .unwrap_or(both - 1);
    let name = PluginTable::ENTRIES[first];
    Err(refused(&format!(
        "entry {first} of its table is not what version {API_MAJOR}.{API_MINOR} calls `{name}`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::TrampolineTable;

    crate::export_plugin! {
        name: "gated",
        summary: "s",
        docs: "d",
        source: crate::NoSource,
    }

    fn enter(change: impl FnOnce(&mut PluginTable)) -> Result<PluginHandle> {
        let mut table = *PLUGIN_TABLE.stands().table();
        change(&mut table);
        // SAFETY: a whole table, leaked as one of a library is.
        unsafe { PluginHandle::enter_plain(Box::leak(Box::new(table))) }
    }

    fn refusal(change: impl FnOnce(&mut PluginTable)) -> String {
        enter(change).unwrap_err().to_string()
    }

    #[test]
    fn a_table_of_this_version_passes() {
        assert_eq!(enter(|_| {}).unwrap().info().unwrap().name, "gated");
        // SAFETY: null is allowed.
        assert!(unsafe { PluginHandle::enter_plain(std::ptr::null()) }.is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused_by_what_it_is() {
        let text = refusal(|t| t.api_major = 2);
        assert!(
            text.contains("version 2.0 of the API") && text.contains("build it again"),
            "{text}"
        );
        assert!(refusal(|t| t.size -= 8).contains("do not go together"));
        assert!(refusal(|t| t.n_entries = u32::MAX).contains("do not go together"));
        let text = refusal(|t| {
            t.n_entries = 20;
            t.size = HEAD_BYTES + 8 * 20;
        });
        assert!(text.contains("20 entries, version 1.0 had 21"), "{text}");
        assert!(refusal(|t| t.entry_hashes = std::ptr::null()).contains("no hashes"));
        assert!(refusal(|t| t.reader_next = None).contains("`reader_next`"));
        assert!(refusal(|t| t.info = None).contains("`info`"));
    }

    #[test]
    fn the_first_entry_that_differs_is_named() {
        let mut hashes = PluginTable::ENTRY_HASHES.to_vec();
        hashes[7..].iter_mut().for_each(|hash| *hash ^= 1);
        let hashes: &'static [u64] = hashes.leak();
        let text = refusal(|t| t.entry_hashes = hashes.as_ptr());
        assert!(
            text.contains("entry 7") && text.contains("`source_close`"),
            "{text}"
        );
    }

    #[test]
    fn newer_and_older_tables_pass_by_what_both_know() {
        let mut longer = PluginTable::ENTRY_HASHES.to_vec();
        longer.push(7);
        check_hashes(&longer).unwrap();
        check_hashes(&PluginTable::ENTRY_HASHES[..3]).unwrap();
    }

    #[test]
    fn the_root_module_of_this_version_passes_both_ways() {
        extern "C" fn constructor() -> crate::abi::doors::RootModuleResult {
            crate::abi::doors::root_module(&PLUGIN_TABLE, PLUGIN_IDENTITY)
        }
        static HEADER: LibHeader = crate::abi::doors::header(constructor);
        let _: &TrampolineTable = &PLUGIN_TABLE;
        // SAFETY: what the symbol of a library would be.
        let handle = unsafe { PluginHandle::enter_root_module(NonNull::from(&HEADER).cast()) };
        assert_eq!(handle.unwrap().info().unwrap().name, "gated");
    }
}
