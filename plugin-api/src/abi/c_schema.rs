// SPDX-License-Identifier: Apache-2.0
//! Schemas as Arrow C Data: checked before arrow-rs reads them.

#![allow(non_local_definitions)] // As in `table`.

use std::collections::HashSet;
use std::ffi::{CStr, c_char, c_void};

use abi_stable::StableAbi;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{Schema, SchemaRef};

use super::guard::caught;
use super::plain::broken;
use crate::model::{self, keys};
use crate::{Error, ErrorKind, Result};

/// Most fields of a schema, nested ones included.
const MAX_FIELDS: i64 = 65_536;

/// Mirror of `struct ArrowSchema`.
#[derive(Debug, StableAbi)]
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
    /// `Plugin` where the structs are malformed, or the schema breaks the data model.
    ///
    /// # Safety
    /// A callee filled the struct in as the Arrow C Data interface says, apart from what is
    /// checked here.
    pub unsafe fn import(&self) -> Result<SchemaRef> {
        // SAFETY: passed on.
        unsafe { Walk::default().node(self, 0)? };
        let schema = caught("import of a schema", || {
            // SAFETY: same C struct, borrowed for the length of the call.
            let foreign = unsafe { &*std::ptr::from_ref(self).cast::<FFI_ArrowSchema>() };
            Schema::try_from(foreign).map_err(|e| broken("an invalid schema").caused_by(e))
        })?;
        model::schema::validate(&schema)
            .map_err(|e| broken("a schema that breaks the data model").caused_by(e))?;
        Ok(SchemaRef::new(schema))
    }
}

/// The check of a schema's structs: what was met so far, which bounds the work.
#[derive(Debug, Default)]
struct Walk {
    fields: i64,
    bytes: usize,
}

impl Walk {
    /// Counts names and metadata against the ceiling of a schema.
    fn add(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        match self.bytes > keys::MAX_SCHEMA_BYTES {
            true => Err(broken(
                "a schema with more than 1 MiB of names and metadata",
            )),
            false => Ok(()),
        }
    }

    /// Checks a node and its children.
    ///
    /// # Safety
    /// As [`FfiSchema::import`].
    unsafe fn node(&mut self, schema: &FfiSchema, depth: usize) -> Result<()> {
        if schema.release.is_none() {
            let what = "a schema that is released already, or was never filled in";
            return Err(broken(what));
        }
        // One level for the schema itself, the others for its columns.
        if depth > keys::MAX_DEPTH + 1 {
            return Err(broken("a schema nested too deep"));
        }
        if schema.format.is_null() || !schema.dictionary.is_null() {
            return Err(broken("a schema without a format, or with a dictionary"));
        }
        // SAFETY: NUL-terminated by contract.
        unsafe { self.text(schema.format, "format")? };
        if !schema.name.is_null() {
            // SAFETY: as above.
            unsafe { self.text(schema.name, "name")? };
        }
        // SAFETY: laid out by contract; lengths are checked as they are met.
        unsafe { self.metadata(schema.metadata.cast())? };
        let children = schema.n_children;
        self.fields = self.fields.saturating_add(children.max(0));
        if children < 0 || self.fields > MAX_FIELDS {
            return Err(broken(&format!(
                "a schema with {children} children; at most {MAX_FIELDS} fields are allowed in all"
            )));
        }
        if children > 0 && (schema.children.is_null() || !schema.children.addr().is_multiple_of(8))
        {
            return Err(broken("a schema's list of children has no usable address"));
        }
        for i in 0..children as usize {
            // SAFETY: the count is checked.
            let child = unsafe { *schema.children.add(i) };
            if child.is_null() || !child.addr().is_multiple_of(align_of::<FfiSchema>()) {
                return Err(broken("a schema's child has no usable address"));
            }
            // SAFETY: a child of a live schema.
            unsafe { self.node(&*child, depth + 1)? };
        }
        Ok(())
    }

    /// # Safety
    /// `text` is NUL-terminated.
    unsafe fn text(&mut self, text: *const c_char, what: &str) -> Result<()> {
        // SAFETY: see above.
        let text = unsafe { CStr::from_ptr(text) };
        if text.to_str().is_err() {
            return Err(broken(&format!("a column's {what} is not UTF-8")));
        }
        self.add(text.count_bytes())
    }

    /// Walks metadata as Arrow C Data lays it out: count, then length and bytes of key and value.
    ///
    /// # Safety
    /// Null, or laid out so, apart from what is checked here.
    unsafe fn metadata(&mut self, start: *const u8) -> Result<()> {
        if start.is_null() {
            return Ok(());
        }
        let mut at = start;
        // SAFETY (all of this function): by contract, a length stands where one is read, and so
        // many bytes behind it; the ceiling bounds how far a lie leads.
        let pairs = unsafe { self.length(&mut at)? };
        let mut seen: HashSet<&[u8]> = HashSet::new();
        for _ in 0..pairs {
            let key = unsafe { self.part(&mut at)? };
            unsafe { self.part(&mut at)? };
            if !seen.insert(key.as_bytes()) {
                return Err(broken(&format!("metadata key `{key}` twice")));
            }
        }
        Ok(())
    }

    /// # Safety
    /// As [`metadata`](Self::metadata).
    unsafe fn length(&mut self, at: &mut *const u8) -> Result<usize> {
        // SAFETY: by contract an i32 stands here; it may be misaligned.
        let length = unsafe { at.cast::<i32>().read_unaligned() };
        *at = at.wrapping_add(4);
        let length = usize::try_from(length).map_err(|_| broken("a negative metadata length"))?;
        self.add(length)?;
        Ok(length)
    }

    /// # Safety
    /// As [`metadata`](Self::metadata).
    unsafe fn part<'a>(&mut self, at: &mut *const u8) -> Result<&'a str> {
        // SAFETY: passed on.
        let length = unsafe { self.length(at)? };
        // SAFETY: `length` bytes stand here by contract.
        let bytes = unsafe { std::slice::from_raw_parts(*at, length) };
        *at = at.wrapping_add(length);
        std::str::from_utf8(bytes).map_err(|_| broken("metadata that is not UTF-8"))
    }
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
        for count in [-1, MAX_FIELDS + 1, i64::MAX] {
            lying.n_children = count;
            // SAFETY: refused before a child is touched.
            let error = unsafe { lying.import() }.unwrap_err();
            assert!(error.message().contains(&count.to_string()), "{error}");
        }
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
        let error = unsafe { Walk::default().metadata(bytes.as_ptr()) }.unwrap_err();
        assert!(error.to_string().contains("twice"), "{error}");
    }

    /// The sample, with another format for its second column.
    fn with_format(format: &[u8]) -> Result<SchemaRef> {
        let sample = sample();
        let format = CString::new(format).unwrap();
        // SAFETY: the sample has two children, which nobody else looks at; `format` lives until
        // after the call, and the old one is put back for `release`.
        unsafe {
            let child = *sample.children.add(1);
            let old = std::mem::replace(&mut (*child).format, format.as_ptr());
            let outcome = sample.import();
            (*child).format = old;
            outcome
        }
    }

    #[test]
    fn an_unknown_format_is_an_error() {
        for format in [
            "+w:abc",
            "+w:",
            "w:-3",
            "w:0",
            "w:99999999999",
            "d:39,1",
            "d:0,0",
            "?",
            "",
        ] {
            assert!(with_format(format.as_bytes()).is_err(), "{format}");
        }
        assert!(with_format(b"\xff\xfe").is_err());
        assert!(with_format(b"d:38,3").is_ok());
    }

    #[test]
    fn a_fixed_size_list_of_no_or_fewer_elements_is_refused() {
        let vector = crate::model::VectorType::dense(crate::model::Elem::F32, 4);
        let schema = SchemaBuilder::new().vector("v", &vector).unwrap().finish();
        for format in ["+w:0", "+w:-3", "+w:1048577", "+w:5"] {
            let exported = FfiSchema::export(schema.as_ref().unwrap()).unwrap();
            let format = CString::new(format).unwrap();
            // SAFETY: as in `with_format`.
            unsafe {
                let child = *exported.children;
                let old = std::mem::replace(&mut (*child).format, format.as_ptr());
                assert!(exported.import().is_err(), "{format:?}");
                (*child).format = old;
            }
        }
    }

    #[test]
    fn metadata_lengths_are_checked_as_they_are_met() {
        for (lengths, what) in [
            (vec![-1], "negative"),
            (vec![1, -5], "negative"),
            (vec![i32::MAX], "1 MiB"),
            (vec![1, 2 << 20], "1 MiB"),
        ] {
            let bytes: Vec<u8> = lengths.iter().flat_map(|l: &i32| l.to_le_bytes()).collect();
            // SAFETY: the walk stops at the first length that is out of range.
            let error = unsafe { Walk::default().metadata(bytes.as_ptr()) }.unwrap_err();
            assert!(error.message().contains(what), "{error}");
        }
    }

    /// Any bytes as metadata: refused or read, never a panic, never past the ceiling.
    #[test]
    fn metadata_of_any_bytes_is_read_or_refused() {
        // What a lie can reach: 1 MiB of parts, and two lengths for each of 1 Mi pairs.
        const REACH: usize = 10 << 20;
        let mut memory = vec![0u8; REACH];
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let length = bytes.len().min(1 << 16);
            memory[..length].copy_from_slice(&bytes[..length]);
            let mut schema = sample();
            let old = std::mem::replace(&mut schema.metadata, memory.as_ptr().cast());
            // SAFETY: the memory reaches as far as the walk lets a length lead.
            let outcome = unsafe { schema.import() };
            schema.metadata = old;
            memory[..length].fill(0);
            if let Err(error) = outcome {
                assert_ne!(error.kind(), ErrorKind::Panic, "{error}");
            }
        });
    }
}
