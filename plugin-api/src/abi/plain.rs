// SPDX-License-Identifier: Apache-2.0
//! The plain types in the table's signatures: borrowed text, owned documents, host services.

// The derive for the layout check puts its code into a constant, as it did before this lint was.
#![allow(non_local_definitions)]

use std::ffi::c_void;

use abi_stable::StableAbi;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, HostCalls, LogLevel, Result, Services};

/// The call did what it should.
pub const OK: u32 = 0;
/// A reader is at its end.
pub const END: u32 = 1;
/// The call failed; the error document says how.
pub const FAILED: u32 = 2;

/// Largest JSON document that is taken from the other side.
const MAX_DOC_BYTES: usize = 256 << 20;

/// Bytes that are lent for the length of a call.
#[derive(Debug, Clone, Copy, StableAbi)]
#[repr(C)]
pub struct Str {
    /// First byte; may be anything if `len` is 0.
    pub ptr: *const u8,
    /// Number of bytes.
    pub len: usize,
}

impl Str {
    /// Lends a text.
    pub fn new(text: &str) -> Self {
        Self {
            ptr: text.as_ptr(),
            len: text.len(),
        }
    }

    /// Looks at the bytes.
    ///
    /// # Safety
    /// `ptr` points to `len` bytes that live for `'a`.
    pub unsafe fn bytes<'a>(self) -> Result<&'a [u8]> {
        if self.len == 0 {
            return Ok(&[]);
        }
        if self.ptr.is_null() {
            return Err(broken(&format!(
                "a text of {} bytes without an address",
                self.len
            )));
        }
        if self.len > MAX_DOC_BYTES {
            return Err(broken(&format!(
                "a text of {} bytes, wanted at most {MAX_DOC_BYTES}",
                self.len
            )));
        }
        // SAFETY: non-null, and the caller vouches for length and lifetime.
        Ok(unsafe { std::slice::from_raw_parts(self.ptr, self.len) })
    }

    /// Looks at the text; broken UTF-8 is replaced.
    ///
    /// # Safety
    /// As [`bytes`](Self::bytes).
    pub unsafe fn text<'a>(self) -> Result<std::borrow::Cow<'a, str>> {
        // SAFETY: passed on.
        unsafe { self.bytes() }.map(String::from_utf8_lossy)
    }

    /// Reads a JSON document.
    ///
    /// # Safety
    /// As [`bytes`](Self::bytes).
    pub unsafe fn json<T: DeserializeOwned>(self, what: &str) -> Result<T> {
        // SAFETY: passed on.
        let bytes = unsafe { self.bytes() }.map_err(|e| e.with("document", what))?;
        parse(bytes, what)
    }
}

/// A document whose maker frees it: UTF-8 JSON.
#[derive(Debug, StableAbi)]
#[repr(C)]
pub struct Doc {
    /// First byte.
    pub ptr: *mut u8,
    /// Number of bytes.
    pub len: usize,
    /// For the maker's own use.
    pub capacity: usize,
    /// Frees the bytes; null if there are none, or none any more.
    pub release: Option<unsafe extern "C" fn(*mut Doc)>,
}

impl Doc {
    /// No document, for a callee to fill in.
    pub const fn empty() -> Self {
        Self {
            ptr: std::ptr::null_mut(),
            len: 0,
            capacity: 0,
            release: None,
        }
    }

    /// Makes a document of a value.
    pub fn of(value: &impl Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(value)
            .map_err(|e| Error::new(ErrorKind::Internal, "write a JSON document").caused_by(e))?;
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        Ok(Self {
            ptr: bytes.as_mut_ptr(),
            len: bytes.len(),
            capacity: bytes.capacity(),
            release: Some(release_vec),
        })
    }

    /// Reads the document; its maker frees it afterwards.
    ///
    /// # Safety
    /// A callee of the table filled it in, or nobody did.
    pub unsafe fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        // SAFETY: the maker keeps the bytes until `release`.
        unsafe {
            Str {
                ptr: self.ptr,
                len: self.len,
            }
            .json(what)
        }
    }
}

impl Drop for Doc {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            // SAFETY: the maker's own function, called once.
            unsafe { release(self) }
        }
    }
}

unsafe extern "C" fn release_vec(doc: *mut Doc) {
    // SAFETY: only `Doc::of` sets this function, beside the parts of a Vec that it forgot.
    drop(unsafe { Vec::from_raw_parts((*doc).ptr, (*doc).len, (*doc).capacity) });
}

fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|e| broken(&format!("{what} is not the JSON that was expected")).caused_by(e))
}

/// The error for a side that does not keep the contract.
pub(super) fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Plugin, format!("plugin contract broken: {what}"))
}

/// The part of [`HostServices`] that stands in signatures and never changes.
#[derive(Debug, StableAbi)]
#[repr(C)]
pub struct ServicesHead {
    /// Bytes of the whole struct.
    pub size: usize,
    /// Major version of the API.
    pub major: u16,
    /// Minor version of the API.
    pub minor: u16,
}

/// What the host lends; stays valid for the life of the process.
#[derive(Debug)]
#[repr(C)]
pub struct HostServices {
    /// Size and version.
    pub head: ServicesHead,
    /// First argument of each call.
    pub context: *const c_void,
    /// Takes a log line (level as [`LogLevel`]).
    pub log: unsafe extern "C" fn(*const c_void, u32, Str),
    /// Takes note of progress: what, done, total.
    pub progress: unsafe extern "C" fn(*const c_void, Str, u64, u64),
    /// 1 if the run is to stop.
    pub is_cancelled: unsafe extern "C" fn(*const c_void) -> u32,
    /// Masks a text wherever the host would show it.
    pub mask_secret: unsafe extern "C" fn(*const c_void, Str),
}

impl HostServices {
    /// Lends services for the rest of the process's life (a plugin's thread may outlive all else).
    pub fn lend(services: Services) -> &'static ServicesHead {
        let services: &'static Services = Box::leak(Box::new(services));
        let lent: &'static Self = Box::leak(Box::new(Self {
            head: ServicesHead {
                size: size_of::<Self>(),
                major: super::table::API_MAJOR,
                minor: super::table::API_MINOR,
            },
            context: std::ptr::from_ref(services).cast(),
            log,
            progress,
            is_cancelled,
            mask_secret,
        }));
        &lent.head
    }
}

/// SAFETY (of the four below): `context` is the leaked `Services` that `lend` put there.
unsafe extern "C" fn log(context: *const c_void, level: u32, message: Str) {
    super::guard::quiet(|| {
        let services = unsafe { &*context.cast::<Services>() };
        if let Ok(text) = unsafe { message.text() } {
            services.log(LogLevel::from_number(level), &text);
        }
    });
}

unsafe extern "C" fn progress(context: *const c_void, what: Str, done: u64, total: u64) {
    super::guard::quiet(|| {
        let services = unsafe { &*context.cast::<Services>() };
        if let Ok(text) = unsafe { what.text() } {
            services.progress(&text, done, total);
        }
    });
}

unsafe extern "C" fn is_cancelled(context: *const c_void) -> u32 {
    let services = unsafe { &*context.cast::<Services>() };
    let mut cancelled = true;
    super::guard::quiet(|| cancelled = services.is_cancelled());
    u32::from(cancelled)
}

unsafe extern "C" fn mask_secret(context: *const c_void, secret: Str) {
    super::guard::quiet(|| {
        let services = unsafe { &*context.cast::<Services>() };
        if let Ok(text) = unsafe { secret.text() } {
            services.mask_secret(&text);
        }
    });
}

/// Bytes of the services that every host of this major version lends.
const BASE_SERVICES_BYTES: usize = 56;

/// The plugin's view of the host's services.
pub(super) struct LentServices(&'static HostServices);

// SAFETY: the host's functions may be called from any thread (contract of `HostServices`).
unsafe impl Send for LentServices {}
unsafe impl Sync for LentServices {}

impl LentServices {
    /// Takes what the host lent.
    ///
    /// # Safety
    /// `head` is what [`HostServices::lend`] gave, or what a host of another version gave.
    pub(super) unsafe fn take(head: *const ServicesHead) -> Result<Services> {
        // SAFETY: the head is frozen; its size is read before anything behind it.
        let known = unsafe { head.as_ref() }.ok_or_else(|| broken("no host services"))?;
        if known.major != super::table::API_MAJOR {
            return Err(broken(&format!(
                "the host speaks version {} of the plugin API, this plugin version {}",
                known.major,
                super::table::API_MAJOR
            )));
        }
        // When a function is appended, this stays, and the new one is asked for by size.
        if known.size < BASE_SERVICES_BYTES {
            return Err(broken(
                "the host's services are smaller than this plugin needs",
            ));
        }
        // SAFETY: large enough, valid for the life of the process.
        let lent = unsafe { &*head.cast::<HostServices>() };
        Ok(Services::new(std::sync::Arc::new(Self(lent))))
    }
}

impl HostCalls for LentServices {
    fn log(&self, level: LogLevel, message: &str) {
        // SAFETY: the host's own function and context.
        unsafe { (self.0.log)(self.0.context, level as u32, Str::new(message)) }
    }

    fn progress(&self, what: &str, done: u64, total: u64) {
        // SAFETY: as above.
        unsafe { (self.0.progress)(self.0.context, Str::new(what), done, total) }
    }

    fn is_cancelled(&self) -> bool {
        // SAFETY: as above.
        unsafe { (self.0.is_cancelled)(self.0.context) != 0 }
    }

    fn mask_secret(&self, secret: &str) {
        // SAFETY: as above.
        unsafe { (self.0.mask_secret)(self.0.context, Str::new(secret)) }
    }
}

const _: () = assert!(size_of::<Str>() == 16 && size_of::<Doc>() == 32);
const _: () = assert!(size_of::<ServicesHead>() == 16 && size_of::<HostServices>() == 56);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Default)]
    struct Seen(AtomicU64);

    impl HostCalls for Seen {
        fn log(&self, level: LogLevel, message: &str) {
            self.0
                .fetch_add(level as u64 * 100 + message.len() as u64, Ordering::Relaxed);
        }

        fn progress(&self, what: &str, done: u64, total: u64) {
            assert_eq!((what, done, total), ("read", 1, 2));
            self.0.fetch_add(10_000, Ordering::Relaxed);
        }

        fn is_cancelled(&self) -> bool {
            panic!("a host that panics must not unwind into the plugin")
        }

        fn mask_secret(&self, secret: &str) {
            assert_eq!(secret, "");
            self.0.fetch_add(1_000_000, Ordering::Relaxed);
        }
    }

    #[test]
    fn services_reach_the_host_through_the_table_of_functions() {
        let seen = Arc::new(Seen::default());
        // SAFETY: lent just now.
        let services =
            unsafe { LentServices::take(HostServices::lend(Services::new(seen.clone()))) }.unwrap();
        services.log(LogLevel::Debug, "four");
        services.progress("read", 1, 2);
        services.mask_secret("");
        assert!(
            services.is_cancelled(),
            "a host that fails counts as one that stops"
        );
        assert_eq!(seen.0.load(Ordering::Relaxed), 1_010_404);
    }

    #[test]
    fn smaller_or_foreign_services_are_refused() {
        for (size, major) in [(16, super::super::table::API_MAJOR), (56, 2)] {
            let head = ServicesHead {
                size,
                major,
                minor: 0,
            };
            // SAFETY: refused by the head alone.
            assert!(unsafe { LentServices::take(&head) }.is_err());
        }
        // SAFETY: null is allowed.
        assert!(unsafe { LentServices::take(std::ptr::null()) }.is_err());
    }

    #[test]
    fn texts_without_address_or_beyond_the_ceiling_are_refused() {
        let text = |ptr: *const u8, len| Str { ptr, len };
        // SAFETY: refused, or empty, before the address is used.
        unsafe {
            assert!(text(std::ptr::null(), 1).bytes().is_err());
            assert!(text(b"x".as_ptr(), MAX_DOC_BYTES + 1).bytes().is_err());
            assert_eq!(text(std::ptr::null(), 0).bytes().unwrap(), b"");
            assert_eq!(Str::new("a\u{fffd}").text().unwrap(), "a\u{fffd}");
        }
    }

    #[test]
    fn a_document_is_freed_once_by_its_maker() {
        let mut doc = Doc::of(&vec![1, 2]).unwrap();
        // SAFETY: made by `of`.
        assert_eq!(unsafe { doc.json::<Vec<u8>>("list") }.unwrap(), [1, 2]);
        let release = doc.release.take().unwrap();
        // SAFETY: the maker's function, once; the drop that follows finds none.
        unsafe { release(&mut doc) };
    }
}
