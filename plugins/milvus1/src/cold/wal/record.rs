// SPDX-License-Identifier: Apache-2.0
//! The bytes of the write-ahead log: `mxlog.meta`, and the header of a record (fact sheet
//! section 5; `core/src/db/wal/WalBuffer.h`, `WalMetaHandler.cpp`). No I/O.

use milvusdm_plugin_api::{Error, ErrorKind, Result};

/// Bytes of `mxlog.meta`.
pub const META_BYTES: usize = 24;
/// Bytes of a record's header (`MXLogRecordHeader`, packed).
pub const HEADER_BYTES: usize = 21;

/// A place in the log: a file, and the end of a record in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// A place by file and offset.
    pub fn new(file: u64, offset: u64) -> Self {
        Self(file << 32 | offset)
    }

    /// The number in the file's name.
    pub fn file(self) -> u64 {
        self.0 >> 32
    }

    /// The offset in that file.
    pub fn offset(self) -> u64 {
        self.0 & u64::from(u32::MAX)
    }
}

/// The end of the last record that was acknowledged: three numbers, of which the last two agree
/// unless the server was stopped while it wrote them; then the first still holds.
pub fn last_lsn(meta: &[u8; META_BYTES]) -> Lsn {
    let (numbers, _) = meta.as_chunks::<8>();
    let at = |i: usize| numbers.get(i).map_or(0, |n| u64::from_le_bytes(*n));
    Lsn(if at(1) == at(2) { at(2) } else { at(0) })
}

/// What a record is (`WalDefinations.h`, `MXLogType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Binary vectors.
    InsertBinary,
    /// Float vectors.
    InsertFloat,
    /// Ids that are deleted.
    Delete,
    /// Nothing to do.
    Flush,
}

/// The header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Where the record ends.
    pub lsn: Lsn,
    /// What it is.
    pub kind: Kind,
    /// Bytes of the collection's name.
    pub collection_bytes: u64,
    /// Bytes of the partition's name.
    pub tag_bytes: u64,
    /// Ids.
    pub rows: u64,
    /// Bytes of vectors.
    pub data_bytes: u64,
}

impl Header {
    /// Reads the header of the record that begins at `start`, and holds its lengths against the
    /// place where it says that it ends, and that against `end`, where the log ends.
    ///
    /// # Errors
    /// `Format` if they differ.
    pub fn parse(bytes: &[u8; HEADER_BYTES], start: Lsn, end: Lsn) -> Result<Self> {
        let number = |from: usize, len: usize| {
            let bytes = bytes.iter().skip(from).take(len).rev();
            bytes.fold(0u64, |n, b| n << 8 | u64::from(*b))
        };
        let bad = |what: String| Error::new(ErrorKind::Format, what);
        let kind = match number(8, 1) {
            1 => Kind::InsertBinary,
            2 => Kind::InsertFloat,
            3 => Kind::Delete,
            5 => Kind::Flush,
            other => {
                return Err(bad(format!(
                    "found a record of type {other}, wanted 1, 2 or 3"
                )));
            }
        };
        let header = Self {
            lsn: Lsn(number(0, 8)),
            kind,
            collection_bytes: number(9, 2),
            tag_bytes: number(11, 2),
            rows: number(13, 4),
            data_bytes: number(17, 4),
        };
        let has_rows = matches!(kind, Kind::InsertBinary | Kind::InsertFloat);
        if !has_rows && header.data_bytes > 0 {
            return Err(bad(format!(
                "a record that inserts nothing holds {} bytes of vectors",
                header.data_bytes
            )));
        }
        let ends_at = start.offset() + header.bytes();
        if header.lsn.file() != start.file() || header.lsn.offset() != ends_at {
            return Err(bad(format!(
                "a record says that it ends at {} of file {}, its lengths say at {ends_at} of file {}",
                header.lsn.offset(),
                header.lsn.file(),
                start.file()
            )));
        }
        if header.lsn > end {
            return Err(bad(format!(
                "a record ends at {ends_at}, behind the end of the log at {}",
                end.offset()
            )));
        }
        Ok(header)
    }

    /// Bytes of the record.
    pub fn bytes(&self) -> u64 {
        self.names_bytes() + self.rows * 8 + self.data_bytes
    }

    /// Bytes of header and names.
    pub fn names_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + self.collection_bytes + self.tag_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(lsn: u64, kind: u8, names: (u16, u16), rows: u32, data: u32) -> [u8; HEADER_BYTES] {
        let mut all = Vec::new();
        all.extend(lsn.to_le_bytes());
        all.push(kind);
        all.extend(names.0.to_le_bytes());
        all.extend(names.1.to_le_bytes());
        all.extend(rows.to_le_bytes());
        all.extend(data.to_le_bytes());
        all.try_into().unwrap()
    }

    #[test]
    fn the_last_place_is_that_which_two_numbers_agree_on() {
        let meta = |numbers: [u64; 3]| -> [u8; META_BYTES] {
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            bytes.try_into().unwrap()
        };
        assert_eq!(last_lsn(&meta([7, 9, 9])), Lsn(9));
        assert_eq!(last_lsn(&meta([7, 9, 8])), Lsn(7));
    }

    #[test]
    fn a_header_that_contradicts_itself_is_refused() {
        let start = Lsn::new(3, 100);
        let end = Lsn::new(3, 1000);
        let lsn = Lsn::new(3, 100 + 21 + 5 + 2 + 16 + 8).0;
        let good = Header::parse(&bytes(lsn, 2, (5, 2), 2, 8), start, end).unwrap();
        assert_eq!(
            (good.rows, good.data_bytes, good.kind),
            (2, 8, Kind::InsertFloat)
        );
        for bad in [
            bytes(lsn + 1, 2, (5, 2), 2, 8),
            bytes(lsn, 2, (5, 2), 3, 8),
            bytes(lsn, 9, (5, 2), 2, 8),
            bytes(lsn | 1 << 40, 2, (5, 2), 2, 8),
            bytes(u64::MAX, 2, (u16::MAX, u16::MAX), u32::MAX, u32::MAX),
        ] {
            assert!(Header::parse(&bad, start, end).is_err());
        }
        let short = Lsn::new(3, 120);
        assert!(Header::parse(&bytes(lsn, 2, (5, 2), 2, 8), start, short).is_err());
    }
}
