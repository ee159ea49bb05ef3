// SPDX-License-Identifier: Apache-2.0
//! Schemas as Arrow C Data: checked before arrow-rs reads them.

use std::ffi::{CStr, c_char, c_void};

use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{Schema, SchemaRef};

use super::guard::caught;
use super::plain::broken;
use crate::model::{self, keys};
use crate::{Error, ErrorKind, Result};

/// Most columns, or members of a struct, of a schema.
const MAX_FIELDS: i64 = 65_536;

/// Mirror of `struct ArrowSchema`.
#[derive(Debug)]
#[repr(C)]
pub struct FfiSchema {
    /// Type, NUL-terminated.
    pub format: *const c_char,
    /// Name, NUL-terminated; may be null.
    pub name: *const c_char,
    /// Metadata as the Arrow C Data interface lays it out; may be null.
    pub metadata: *const c_char,
    /// Flags: 2 = nullable.
    pub flags: i64,
    /// Number of children.
    pub n_children: i64,
    /// The children.
    pub children: *mut *mut FfiSchema,
    /// Unused here: no dictionaries cross.
    pub dictionary: *mut FfiSchema,
    /// Frees the schema; null once that was done.
    pub release: Option<unsafe extern "C" fn(*mut FfiSchema)>,
    /// For the maker's own use.
    pub private_data: *mut c_void,
}

const _: () = assert!(size_of::<FfiSchema>() == 72 && size_of::<FFI_ArrowSchema>() == 72);
const _: () = assert!(align_of::<FfiSchema>() == align_of::<FFI_ArrowSchema>());
const _: () = assert!(std::mem::offset_of!(FfiSchema, release) == 56);

impl Drop for FfiSchema {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the maker's own function, which sets `release` to null.
            unsafe { release(self) }
        }
    }
}

impl FfiSchema {
    /// No schema, for a callee to fill in.
    pub const fn empty() -> Self {
        Self {
            format: std::ptr::null(),
            name: std::ptr::null(),
            metadata: std::ptr::null(),
            flags: 0,
            n_children: 0,
            children: std::ptr::null_mut(),
            dictionary: std::ptr::null_mut(),
            release: None,
            private_data: std::ptr::null_mut(),
        }
    }

    /// Hands a copy of a schema over.
    ///
    /// # Errors
    /// `Internal` for a type that Arrow C Data can't express.
    pub fn export(schema: &Schema) -> Result<Self> {
        let exported = FFI_ArrowSchema::try_from(schema).map_err(|e| {
            Error::new(ErrorKind::Internal, "express the schema as Arrow C Data").caused_by(e)
        })?;
        // SAFETY: both are the C struct `ArrowSchema` (sizes and alignment asserted above).
        Ok(unsafe { std::mem::transmute::<FFI_ArrowSchema, Self>(exported) })
    }

    /// Reads a schema, after checking its structs, and then the schema itself.
    ///
    /// # Errors
    /// `Plugin` where the structs are malformed, `Format` where the schema breaks the data model.
    ///
    /// # Safety
    /// A callee filled the struct in as the Arrow C Data interface says, apart from what is
    /// checked here.
    pub unsafe fn import(&self) -> Result<SchemaRef> {
        // SAFETY: passed on.
        unsafe { self.check(0)? };
        let schema = caught("import of a schema", || {
            // SAFETY: same C struct, borrowed for the length of the call.
            let foreign = unsafe { &*std::ptr::from_ref(self).cast::<FFI_ArrowSchema>() };
            Schema::try_from(foreign).map_err(|e| broken("an invalid schema").caused_by(e))
        })?;
        model::schema::validate(&schema)?;
        Ok(SchemaRef::new(schema))
    }

    unsafe fn check(&self, depth: usize) -> Result<()> {
        if self.release.is_none() {
            return Err(broken(
                "a schema that is released already, or was never filled in",
            ));
        }
        if depth > keys::MAX_DEPTH {
            return Err(broken("a schema nested too deep"));
        }
        if self.format.is_null() || !self.dictionary.is_null() {
            return Err(broken("a schema without a format, or with a dictionary"));
        }
        // SAFETY: NUL-terminated by contract.
        if unsafe { CStr::from_ptr(self.format) }.to_str().is_err() {
            return Err(broken("a schema's format is not UTF-8"));
        }
        // SAFETY: as above.
        if !self.name.is_null() && unsafe { CStr::from_ptr(self.name) }.to_str().is_err() {
            return Err(broken("a column's name is not UTF-8"));
        }
        // SAFETY: laid out by contract; lengths are checked as they are met.
        unsafe { check_metadata(self.metadata.cast())? };
        if !(0..=MAX_FIELDS).contains(&self.n_children)
            || (self.n_children > 0 && self.children.is_null())
        {
            return Err(broken(&format!(
                "a schema with {} children",
                self.n_children
            )));
        }
        for i in 0..self.n_children as usize {
            // SAFETY: the count is checked.
            match unsafe { (*self.children.add(i)).as_ref() } {
                // SAFETY: passed on.
                Some(child) => unsafe { child.check(depth + 1)? },
                None => return Err(broken("a schema's child has no address")),
            }
        }
        Ok(())
    }
}

/// Walks metadata as Arrow C Data lays it out: count, then length and bytes of key and value.
unsafe fn check_metadata(start: *const u8) -> Result<()> {
    if start.is_null() {
        return Ok(());
    }
    let mut at = start;
    let mut total = 0usize;
    let mut read_length = |at: &mut *const u8| -> Result<usize> {
        // SAFETY: by contract an i32 stands here; it may be misaligned.
        let length = unsafe { at.cast::<i32>().read_unaligned() };
        *at = at.wrapping_add(4);
        let length = usize::try_from(length).map_err(|_| broken("a negative metadata length"))?;
        total = total.saturating_add(length);
        if total > keys::MAX_SCHEMA_BYTES {
            return Err(broken("more than 1 MiB of metadata"));
        }
        Ok(length)
    };
    let pairs = read_length(&mut at)?;
    let mut seen: Vec<&[u8]> = Vec::new();
    for _ in 0..pairs {
        let length = read_length(&mut at)?;
        // SAFETY: `length` bytes stand here by contract.
        let key = unsafe { std::slice::from_raw_parts(at, length) };
        at = at.wrapping_add(length);
        let length = read_length(&mut at)?;
        // SAFETY: as above.
        let value = unsafe { std::slice::from_raw_parts(at, length) };
        at = at.wrapping_add(length);
        if std::str::from_utf8(key).is_err() || std::str::from_utf8(value).is_err() {
            return Err(broken("metadata that is not UTF-8"));
        }
        if seen.contains(&key) {
            return Err(broken(&format!(
                "metadata key `{}` twice",
                String::from_utf8_lossy(key)
            )));
        }
        seen.push(key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use arrow_schema::{DataType, Field};

    use super::*;
    use crate::model::SchemaBuilder;

    fn sample() -> FfiSchema {
        let schema = SchemaBuilder::new()
            .id("id", DataType::Int64)
            .field(Field::new("note", DataType::Utf8, true))
            .finish()
            .unwrap();
        FfiSchema::export(&schema).unwrap()
    }

    #[test]
    fn a_schema_survives_the_trip() {
        // SAFETY: made by `export`.
        let schema = unsafe { sample().import() }.unwrap();
        assert_eq!(schema.fields().len(), 2);
        assert!(schema.metadata().contains_key(keys::VERSION));
    }

    #[test]
    fn a_released_or_childless_schema_is_refused() {
        // SAFETY: `empty` holds no pointers.
        assert!(unsafe { FfiSchema::empty().import() }.is_err());
        let mut lying = sample();
        let children = lying.n_children;
        lying.n_children = -1;
        // SAFETY: refused before a child is touched.
        assert!(unsafe { lying.import() }.is_err());
        lying.n_children = children;
    }

    #[test]
    fn repeated_metadata_keys_are_refused() {
        let mut bytes = 2i32.to_le_bytes().to_vec();
        for _ in 0..2 {
            for text in ["milvusdm.version", "1"] {
                bytes.extend_from_slice(&(text.len() as i32).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
        // SAFETY: laid out as the interface says.
        let error = unsafe { check_metadata(bytes.as_ptr()) }.unwrap_err();
        assert!(error.to_string().contains("twice"), "{error}");
    }

    #[test]
    fn an_unknown_format_is_an_error() {
        let mut odd = sample();
        let format = CString::new("+w:abc").unwrap();
        let old = std::mem::replace(&mut odd.format, format.as_ptr());
        // SAFETY: `format` lives until after the call.
        assert!(unsafe { odd.import() }.is_err());
        odd.format = old;
    }
}
