// SPDX-License-Identifier: Apache-2.0
//! Rows that may differ, kept in files so that memory stays bounded however many they are.
//!
//! Both sides are cut alike, by what rows are told apart by, and then compared piece by piece.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind as IoKind, Read as _, Seek as _, Write as _};
use std::sync::Mutex;

use milvusdm_plugin_api::{Error, Result};

use super::report::{Difference, TargetVerdict};
use super::side::lock;

/// Files of a side. Two sides of them stay below the usual ceiling of open files.
const FILES: usize = 256;
/// Bytes kept before they are written, of each file.
const BUFFER_BYTES: usize = 8 << 10;
/// Longest name of a row that is kept.
const MAX_NAME_BYTES: usize = 1 << 10;

/// The rows of one side.
#[derive(Debug)]
pub(super) struct Spill {
    files: Vec<Mutex<BufWriter<File>>>,
}

/// A row that was kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    key: u128,
    hash: u128,
    name: String,
}

impl Spill {
    /// Files without a name, in the folder for temporary ones.
    pub fn create() -> Result<Self> {
        let file = |_| {
            let file = tempfile::tempfile()?;
            Ok(Mutex::new(BufWriter::with_capacity(BUFFER_BYTES, file)))
        };
        let files = (0..FILES).map(file).collect::<std::io::Result<_>>();
        Ok(Self {
            files: files.map_err(|e| failed(&e))?,
        })
    }

    /// Keeps a row.
    pub fn add(&self, (key, hash): (u128, u128), name: &str) -> Result<()> {
        let mut end = name.len().min(MAX_NAME_BYTES);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let name = name.as_bytes().get(..end).unwrap_or_default();
        // The topmost bits choose the group of rows that is looked into, so others choose here.
        let Some(file) = self.files.get(key as usize % FILES) else {
            return Ok(());
        };
        let mut file = lock(file);
        let mut write = || {
            file.write_all(&key.to_le_bytes())?;
            file.write_all(&hash.to_le_bytes())?;
            file.write_all(&(name.len() as u16).to_le_bytes())?;
            file.write_all(name)
        };
        write().map_err(|e| failed(&e))
    }

    /// The rows of each file, one file at a time.
    fn into_rows(self) -> impl Iterator<Item = Result<Vec<Kept>>> {
        self.files.into_iter().map(|file| {
            let file = file
                .into_inner()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut rows = read_all(file).map_err(|e| failed(&e))?;
            rows.sort();
            Ok(rows)
        })
    }
}

fn read_all(writer: BufWriter<File>) -> std::io::Result<Vec<Kept>> {
    let mut file = writer.into_inner().map_err(|e| e.into_error())?;
    file.rewind()?;
    let mut reader = BufReader::new(file);
    let mut rows = Vec::new();
    loop {
        let (mut key, mut hash, mut length) = ([0; 16], [0; 16], [0; 2]);
        match reader.read_exact(&mut key) {
            Err(e) if e.kind() == IoKind::UnexpectedEof => return Ok(rows),
            outcome => outcome?,
        }
        reader.read_exact(&mut hash)?;
        reader.read_exact(&mut length)?;
        let mut name = vec![0; usize::from(u16::from_le_bytes(length))];
        reader.read_exact(&mut name)?;
        rows.push(Kept {
            key: u128::from_le_bytes(key),
            hash: u128::from_le_bytes(hash),
            name: String::from_utf8_lossy(&name).into_owned(),
        });
    }
}

/// Compares both sides and counts, and names, what differs.
pub(super) fn compare(source: Spill, target: Spill, verdict: &mut TargetVerdict) -> Result<()> {
    for (source, target) in source.into_rows().zip(target.into_rows()) {
        let (source, target) = (source?, target?);
        let mut there = target.chunk_by(|a, b| a.key == b.key).peekable();
        for here in source.chunk_by(|a, b| a.key == b.key) {
            let key = here.first().map(|row| row.key);
            while let Some(only) = there.next_if(|rows| rows.first().map(|row| row.key) < key) {
                compare_one(&[], only, verdict);
            }
            let same = there.next_if(|rows| rows.first().map(|row| row.key) == key);
            compare_one(here, same.unwrap_or_default(), verdict);
        }
        there.for_each(|only| compare_one(&[], only, verdict));
    }
    Ok(())
}

/// Compares the rows that one id has on both sides; both are in the order of their hashes.
fn compare_one(source: &[Kept], target: &[Kept], verdict: &mut TargetVerdict) {
    let (mut missing, mut extra) = (Vec::new(), Vec::new());
    let (mut here, mut there) = (source.iter().peekable(), target.iter().peekable());
    while let (Some(a), Some(b)) = (here.peek(), there.peek()) {
        match a.hash.cmp(&b.hash) {
            std::cmp::Ordering::Equal => {
                here.next();
                there.next();
            }
            std::cmp::Ordering::Less => missing.extend(here.next()),
            std::cmp::Ordering::Greater => extra.extend(there.next()),
        }
    }
    missing.extend(here);
    extra.extend(there);
    // A row of the source's own that is there once more is not another row.
    let (doubled, mut extra): (Vec<_>, Vec<_>) = extra
        .into_iter()
        .partition(|row| source.iter().any(|known| known.hash == row.hash));
    for row in doubled {
        verdict.note(Difference::Doubled, &row.name);
    }
    let changed = missing.len().min(extra.len());
    for row in missing.drain(..changed) {
        verdict.note(Difference::Changed, &row.name);
    }
    extra.drain(..changed);
    for row in missing {
        verdict.note(Difference::Missing, &row.name);
    }
    for row in extra {
        verdict.note(Difference::Extra, &row.name);
    }
}

fn failed(cause: &std::io::Error) -> Error {
    Error::io("keep the rows that differ", cause)
        .with("folder", std::env::temp_dir().display())
        .help("they take some 60 bytes a row there; set TMPDIR to a folder with more room")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(source: &[(u128, u128)], target: &[(u128, u128)]) -> TargetVerdict {
        let spill = |rows: &[(u128, u128)]| {
            let spill = Spill::create().unwrap();
            for row in rows {
                spill.add(*row, &row.0.to_string()).unwrap();
            }
            spill
        };
        let mut verdict = TargetVerdict::default();
        compare(spill(source), spill(target), &mut verdict).unwrap();
        verdict
    }

    #[test]
    fn every_kind_of_difference_is_told_from_the_others() {
        let source = [(1, 10), (2, 20), (3, 30), (3, 31), (4, 40), (300, 7)];
        let found = compared(
            &source,
            &[(300, 7), (4, 40), (3, 31), (3, 30), (2, 20), (1, 10)],
        );
        assert_eq!((found.differences(), found.examples.len()), (0, 0));
        // 1 is gone, 2 changed, of 3 one is gone, 4 is there twice, 5 is new.
        let target = [(5, 50), (4, 40), (4, 40), (3, 30), (2, 21), (300, 7)];
        let found = compared(&source, &target);
        let counts = (found.missing, found.extra, found.changed, found.doubled);
        assert_eq!(counts, (2, 1, 1, 1));
        let of = |what| {
            let rows = found.examples.iter().filter(move |e| e.what == what);
            rows.map(|e| e.row.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(Difference::Missing), ["1", "3"]);
        assert_eq!(of(Difference::Extra), ["5"]);
        assert_eq!(of(Difference::Changed), ["2"]);
        assert_eq!(of(Difference::Doubled), ["4"]);
    }

    #[test]
    fn all_are_counted_and_the_first_are_named() {
        let rows: Vec<(u128, u128)> = (0..1000).map(|i| (i, i)).collect();
        let found = compared(&rows, &[]);
        assert_eq!((found.missing, found.examples.len()), (1000, 100));
    }
}
