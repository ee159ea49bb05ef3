// SPDX-License-Identifier: Apache-2.0
//! The one trampoline: no panic leaves it, and every failure becomes an error document.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::plain::{Doc, FAILED};
use crate::{Error, ErrorKind, Result};

/// Runs code; a panic becomes an error of kind `Panic` that names what was being done.
pub(super) fn caught<T>(doing: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let what = payload
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        // A payload whose own drop panics must not be dropped outside the guard.
        std::mem::forget(payload);
        Err(Error::new(
            ErrorKind::Panic,
            format!("plugin panicked in `{doing}`: {what}"),
        ))
    })
}

/// Runs an entry and puts its failure into the caller's error document.
///
/// # Safety
/// `error` is null or points to a `Doc` of the caller's.
pub(super) unsafe fn entry(name: &str, error: *mut Doc, run: impl FnOnce() -> Result<u32>) -> u32 {
    match caught(name, run) {
        Ok(status) => status,
        Err(failure) => {
            // SAFETY: the caller's own document, which it made empty.
            if let (Some(slot), Ok(doc)) = (unsafe { error.as_mut() }, Doc::of(&failure)) {
                *slot = doc;
            }
            FAILED
        }
    }
}

/// Runs code without a result whose panic can only be swallowed.
pub(super) fn quiet(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        std::mem::forget(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status_and_a_document() {
        let mut error = Doc::empty();
        // SAFETY: our own document.
        let status = unsafe { entry("read_next", &mut error, || panic!("row {}", 7)) };
        assert_eq!(status, FAILED);
        // SAFETY: filled in by `entry`.
        let error: Error = unsafe { error.json("error") }.unwrap();
        assert_eq!(error.kind(), ErrorKind::Panic);
        assert_eq!(error.to_string(), "plugin panicked in `read_next`: row 7");
    }

    #[test]
    fn success_leaves_the_document_alone() {
        let mut error = Doc::empty();
        // SAFETY: our own document.
        assert_eq!(unsafe { entry("x", &mut error, || Ok(0)) }, 0);
        assert!(error.ptr.is_null());
    }
}
