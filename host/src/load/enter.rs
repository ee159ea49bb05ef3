// SPDX-License-Identifier: Apache-2.0
//! The one place where foreign code comes in: dlopen, and the door that leads to the table.
//!
//! A library is never unloaded: its threads may be running, and what it allocated is freed by
//! functions of its own.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr::NonNull;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use milvusdm_plugin_api::abi::{PluginHandle, PluginTable, doors};
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::copy::PrivateCopy;
use super::elf::Facts;
use super::process;
use super::trace::Trace;

/// Keeps the library's code in place even if it were closed (dlfcn.h of Linux).
const RTLD_NODELETE: i32 = 0x1000;

/// Loads a library that was checked, and enters it by its best door.
pub(super) fn enter(
    copy: &PrivateCopy,
    facts: &Facts,
    trace: &mut Trace<'_>,
) -> Result<PluginHandle> {
    process::keep_stdout();
    let path = copy.path();
    let shown = path.to_string_lossy();
    // SAFETY: constructors of the library run here; that its bytes may be run is what all the
    // checks before were for.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) };
    let library = library.map_err(|e| {
        // The system's loader speaks of the copy's path, which the user never saw.
        let text = causes(&e).replace(shown.as_ref(), "the library");
        Error::new(ErrorKind::Plugin, "the system can't load the library")
            .caused_by(text)
            .help("a library that it needs may be missing: `readelf -d` lists them")
    })?;
    // Never closed; see the head of this file.
    let library = std::mem::ManuallyDrop::new(library);
    trace.pass("dlopen", "loaded".to_owned());
    let (door, handle) = if facts.root_module {
        let symbol = symbol(&library, doors::ROOT_MODULE)?;
        // SAFETY: the root module's symbol of a library that stays loaded.
        ("root module", unsafe {
            PluginHandle::enter_root_module(symbol)
        })
    } else {
        let symbol = symbol(&library, doors::PLAIN)?;
        // SAFETY: the door's symbol is a function of this type (plugin contract).
        let open = unsafe {
            std::mem::transmute::<NonNull<c_void>, extern "C" fn() -> *const PluginTable>(symbol)
        };
        // SAFETY: what the door gives, of a library that stays loaded.
        ("plain", unsafe { PluginHandle::enter_plain(open()) })
    };
    let handle = handle?;
    trace.pass("door", format!("entered by the {door} door"));
    Ok(handle)
}

fn symbol(library: &Library, name: &str) -> Result<NonNull<c_void>> {
    let missing = |cause: String| {
        Error::new(
            ErrorKind::Plugin,
            format!("the library has no symbol `{name}`"),
        )
        .caused_by(cause)
    };
    // SAFETY: only the address is taken; what it points to is checked by the gate.
    let found = unsafe { library.get::<*mut c_void>(name.as_bytes()) };
    let found = found.map_err(|e| missing(e.to_string()))?;
    NonNull::new(found.into_raw()).ok_or_else(|| missing("its address is null".to_owned()))
}

/// An error with what is behind it: libloading keeps the loader's own words there.
fn causes(error: &libloading::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}
