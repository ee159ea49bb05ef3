// SPDX-License-Identifier: Apache-2.0
//! One segment's files: `.rv`, `.uid` and `deleted_docs`, each a length and what it says of the
//! bytes behind it (fact sheet section 2; `core/src/codecs/default/`).
//!
//! Nothing is believed that another file contradicts: lengths are held against the files' sizes,
//! ids against vectors, deleted offsets against ids.

use milvusdm_plugin_api::{Error, ErrorKind, Result, Services};

use super::catalog::{Listed, MAX_SEGMENT_ROWS};
use super::deleted::Deleted;
use super::files::{DataFile, Folder};
use super::reader::Rows;

/// Bytes of the length in front of everything.
const HEADER: u64 = 8;
const ID_BYTES: u64 = 8;
/// `offset_t` is an int32 (`core/src/segment/DeletedDocs.h`).
const OFFSET_BYTES: u64 = 4;
/// Bytes of ids or offsets that are looked at at once.
const CHUNK: u64 = 256 << 10;
const DELETED_DOCS: &str = "deleted_docs";

/// The open files of a segment, which fit together.
#[derive(Debug)]
pub struct Segment {
    vectors: DataFile,
    ids: DataFile,
    deleted: Option<DataFile>,
    vector_bytes: u64,
    rows: u64,
}

/// The length that a file says follows, held against its size.
///
/// # Errors
/// `Format` if they differ, or if it is no multiple of `unit`.
pub fn payload(file_bytes: u64, header: [u8; 8], unit: u64) -> Result<u64> {
    let said = u64::from_le_bytes(header);
    let there = file_bytes.saturating_sub(HEADER);
    if said != there {
        let message = format!("its header says that {said} bytes follow, but {there} do");
        return Err(Error::new(ErrorKind::Format, message).with("offset", 0));
    }
    if !said.is_multiple_of(unit.max(1)) {
        let message = format!("it holds {said} bytes, which is no multiple of {unit}");
        return Err(Error::new(ErrorKind::Format, message).with("offset", 0));
    }
    Ok(said)
}

fn payload_of(file: &DataFile, unit: u64) -> Result<u64> {
    let mut header = [0; HEADER as usize];
    file.read_at(0, &mut header, "the length at its start")?;
    payload(file.size(), header, unit).map_err(|e| e.with_first("file", file.path().display()))
}

fn open_ids(folder: &Folder, listed: &Listed) -> Result<(DataFile, u64)> {
    let ids = needed(folder, &format!("{}.uid", listed.file_id))?;
    let rows = payload_of(&ids, ID_BYTES)? / ID_BYTES;
    if rows > MAX_SEGMENT_ROWS {
        let message =
            format!("found {rows} ids in a segment, at most {MAX_SEGMENT_ROWS} are possible");
        return Err(Error::new(ErrorKind::Format, message).with("file", ids.path().display()));
    }
    Ok((ids, rows))
}

/// A file that the metadata promises: one that is missing is damage.
fn needed(folder: &Folder, name: &str) -> Result<DataFile> {
    folder.file(name).map_err(missing)
}

fn missing(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => {
            let file = error.context_value("file").unwrap_or_default();
            Error::new(
                ErrorKind::Format,
                "the metadata lists a segment whose files are missing",
            )
            .with("file", file)
        }
        _ => error,
    }
}

/// Bytes of a vector, as the sizes of the files tell; `None` if they don't.
pub fn width(table: &Folder, listed: &Listed) -> Option<u64> {
    let folder = table.folder(&listed.segment_id).ok()?;
    let (_, rows) = open_ids(&folder, listed).ok()?;
    let vectors = folder.file(&format!("{}.rv", listed.file_id)).ok()?;
    let bytes = payload_of(&vectors, 1).ok()?;
    bytes
        .checked_div(rows)
        .filter(|width| width * rows == bytes && *width > 0)
}

/// Rows of a damaged segment and how many of them are deleted, as far as its files still tell.
pub fn count(table: &Folder, listed: &Listed, services: &Services) -> (u64, u64) {
    let told = || -> Result<(u64, u64)> {
        let folder = table.folder(&listed.segment_id)?;
        let (_, rows) = open_ids(&folder, listed)?;
        let file = folder.file_if_any(DELETED_DOCS)?;
        let deleted = read_deleted(file.as_ref(), rows, services).map_or(0, |d| d.count());
        Ok((rows, deleted))
    };
    told().unwrap_or_else(|_| (listed.promised(), 0))
}

impl Segment {
    /// Opens a segment of a table's folder and checks its sizes.
    ///
    /// # Errors
    /// `Format` where files are missing, cut or don't fit together; `Denied`, `Io`.
    pub fn open(table: &Folder, listed: &Listed, vector_bytes: u64) -> Result<Self> {
        let folder = table.folder(&listed.segment_id).map_err(missing)?;
        let (ids, rows) = open_ids(&folder, listed)?;
        let vectors = needed(&folder, &format!("{}.rv", listed.file_id))?;
        let bytes = payload_of(&vectors, 1)?;
        if bytes != rows * vector_bytes {
            let message = format!(
                "it holds {bytes} bytes of vectors, wanted {} for the {rows} ids in `{}` and {vector_bytes} bytes each",
                rows * vector_bytes,
                ids.path().file_name().unwrap_or_default().display(),
            );
            return Err(
                Error::new(ErrorKind::Format, message).with("file", vectors.path().display())
            );
        }
        let deleted = folder.file_if_any(DELETED_DOCS)?;
        Ok(Self {
            vectors,
            ids,
            deleted,
            vector_bytes,
            rows,
        })
    }

    /// Rows, deleted ones included.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether there is a list of deleted rows; one that is missing counts as empty.
    pub fn has_deleted_docs(&self) -> bool {
        self.deleted.is_some()
    }

    /// The rows that the segment itself says are deleted.
    ///
    /// # Errors
    /// `Format` for offsets of rows that there are not.
    pub fn deleted(&self, services: &Services) -> Result<Deleted> {
        read_deleted(self.deleted.as_ref(), self.rows, services)
    }

    /// Changes when the segment's files do.
    pub fn fingerprint(&self) -> String {
        let deleted = self.deleted.as_ref().map(|f| f.fingerprint());
        format!(
            "rv={} uid={} deleted={} width={}",
            self.vectors.fingerprint(),
            self.ids.fingerprint(),
            deleted.as_deref().unwrap_or("none"),
            self.vector_bytes
        )
    }

    /// Calls `each` with every row and its id.
    ///
    /// # Errors
    /// `Format`, `Io`, `Cancelled`.
    pub fn each_id(&self, services: &Services, mut each: impl FnMut(u64, i64)) -> Result<()> {
        let bytes = self.rows * ID_BYTES;
        in_chunks(&self.ids, bytes, "the ids", services, |at, chunk| {
            let (ids, _) = chunk.as_chunks::<8>();
            for (row, id) in (at / ID_BYTES..).zip(ids) {
                each(row, i64::from_le_bytes(*id));
            }
            Ok(())
        })
    }
}

fn read_deleted(file: Option<&DataFile>, rows: u64, services: &Services) -> Result<Deleted> {
    let mut deleted = Deleted::none_of(rows);
    let Some(file) = file else {
        return Ok(deleted);
    };
    let bytes = payload_of(file, OFFSET_BYTES)?;
    in_chunks(file, bytes, "the deleted offsets", services, |at, chunk| {
        mark(chunk, at, &mut deleted).map_err(|e| e.with_first("file", file.path().display()))
    })?;
    Ok(deleted)
}

/// Marks the rows whose offsets these bytes are; they stand at `at` behind the header.
///
/// # Errors
/// `Format` for an offset that is negative or beyond the rows.
pub fn mark(offsets: &[u8], at: u64, deleted: &mut Deleted) -> Result<()> {
    let (offsets, _) = offsets.as_chunks::<4>();
    for (offset, place) in offsets.iter().zip((at + HEADER..).step_by(4)) {
        let offset = i32::from_le_bytes(*offset);
        match u64::try_from(offset)
            .ok()
            .filter(|row| *row < deleted.rows())
        {
            Some(row) => deleted.insert(row),
            None => {
                let rows = deleted.rows();
                let message = format!("deleted row {offset} is none of the segment's {rows} rows");
                return Err(Error::new(ErrorKind::Format, message).with("offset", place));
            }
        };
    }
    Ok(())
}

/// Reads the bytes behind the header piece by piece; the length was held against the file's.
fn in_chunks(
    file: &DataFile,
    bytes: u64,
    what: &str,
    services: &Services,
    mut each: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut buffer = vec![0; bytes.min(CHUNK) as usize];
    let mut at = 0;
    while at < bytes {
        services.check_cancelled()?;
        let (chunk, _) = buffer.split_at_mut((bytes - at).min(CHUNK) as usize);
        file.read_at(HEADER + at, chunk, what)?;
        each(at, chunk)?;
        at += chunk.len() as u64;
    }
    Ok(())
}

impl Rows for Segment {
    fn fill(&mut self, first: u64, vectors: &mut [u8], ids: &mut [u8]) -> Result<()> {
        let place = HEADER + first * self.vector_bytes;
        self.vectors.read_at(place, vectors, "the vectors")?;
        self.ids.read_at(HEADER + first * ID_BYTES, ids, "the ids")
    }

    fn check_unchanged(&self) -> Result<()> {
        self.vectors.check_unchanged()?;
        self.ids.check_unchanged()?;
        self.deleted
            .as_ref()
            .map_or(Ok(()), DataFile::check_unchanged)
    }

    fn expect_sequential(&self) {
        self.vectors.expect_sequential();
        self.ids.expect_sequential();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_held_against_the_file() {
        assert_eq!(payload(24, 16u64.to_le_bytes(), 8).unwrap(), 16);
        assert_eq!(payload(8, [0; 8], 8).unwrap(), 0);
        for (bytes, said, unit) in [(24, 15, 1), (24, 17, 1), (23, 15, 8), (8, u64::MAX, 1)] {
            assert!(payload(bytes, said.to_le_bytes(), unit).is_err());
        }
    }

    #[test]
    fn offsets_repeat_in_any_order_but_lie_inside() {
        let bytes =
            |offsets: &[i32]| -> Vec<u8> { offsets.iter().flat_map(|o| o.to_le_bytes()).collect() };
        let mut deleted = Deleted::none_of(5);
        mark(&bytes(&[4, 0, 4]), 0, &mut deleted).unwrap();
        assert_eq!(deleted.count(), 2);
        for bad in [-1, 5, i32::MIN] {
            let error = mark(&bytes(&[1, bad]), 400, &mut deleted).unwrap_err();
            assert_eq!(error.context_value("offset"), Some("412"));
        }
    }
}
