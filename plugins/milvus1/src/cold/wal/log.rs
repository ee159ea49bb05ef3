// SPDX-License-Identifier: Apache-2.0
//! The files of the log, walked record by record from the first that may not be in segments to
//! the last that was acknowledged.

use milvusdm_plugin_api::{Error, ErrorKind, Result, Services};

use super::record::{HEADER_BYTES, Header, Lsn, META_BYTES, last_lsn};
use crate::cold::files::{DataFile, Folder};

const META: &str = "mxlog.meta";
/// Bytes that are read ahead: headers and names of many small records, or one with long names.
const WINDOW: u64 = 256 << 10;
/// Ids that are looked at at once.
const IDS_AT_ONCE: u64 = 8 << 10;

/// The part of the log that is read.
#[derive(Debug)]
pub struct Log {
    files: Vec<LogFile>,
    start: Lsn,
    end: Lsn,
}

#[derive(Debug)]
struct LogFile {
    number: u64,
    file: DataFile,
}

/// A record on the way through the log.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its header, held against its place.
    pub header: Header,
    /// Which of the log's files.
    pub file: usize,
    /// Where its ids begin.
    pub ids_at: u64,
    /// The collection's name.
    pub collection: &'a str,
    /// The partition's name; empty for the default one.
    pub tag: &'a str,
    /// Whether the file ends inside of it.
    pub is_torn: bool,
}

impl Log {
    /// Opens what the log holds behind `start`; `None` if that is nothing.
    ///
    /// # Errors
    /// `Format` where files are missing or cut.
    pub fn open(folder: &Folder, start: Lsn, notices: &mut Vec<String>) -> Result<Option<Self>> {
        let mut numbers: Vec<u64> = folder.names()?.iter().filter_map(|n| number(n)).collect();
        numbers.sort_unstable();
        let Some(end) = read_end(folder, &numbers)? else {
            return Ok(None);
        };
        if end <= start {
            return Ok(None);
        }
        // A file that ends with the log at its start may not have been made yet.
        let last = if end.offset() == 0 {
            end.file().saturating_sub(1)
        } else {
            end.file()
        };
        numbers.retain(|n| (start.file()..=last).contains(n));
        let first = *numbers.first().ok_or_else(|| lost_file(folder, last))?;
        for wanted in first..=last {
            if !numbers.contains(&wanted) {
                return Err(lost_file(folder, wanted));
            }
        }
        let start = match first == start.file() {
            true => start,
            false => {
                notices.push(format!(
                    "The write-ahead log begins with file {first}, not {}: the server removes files whose rows are all in segments.",
                    start.file()
                ));
                Lsn::new(first, 0)
            }
        };
        let files = numbers
            .into_iter()
            .map(|number| {
                let file = folder.file(&format!("{number}.wal"))?;
                Ok(LogFile { number, file })
            })
            .collect::<Result<_>>()?;
        Ok(Some(Self { files, start, end }))
    }

    /// Calls `each` with every record, in order.
    ///
    /// # Errors
    /// `Format` for a record that can't be true, with its place; `Cancelled`; what `each` says.
    pub fn walk(
        &self,
        services: &Services,
        mut each: impl FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        for (index, LogFile { number, file }) in self.files.iter().enumerate() {
            let mut at = match *number == self.start.file() {
                true => self.start.offset(),
                false => 0,
            };
            let limit = match *number == self.end.file() {
                true => self.end.offset(),
                false => file.size(),
            };
            let mut window = Window::new(file);
            while at < limit {
                services.check_cancelled()?;
                let place = Lsn::new(*number, at);
                let record = self.record(index, place, Lsn::new(*number, limit), &mut window);
                let record = record.map_err(|e| damaged(e, file, at))?;
                at = record.header.lsn.offset();
                each(record).map_err(|e| match e.context_value("file") {
                    Some(_) => e,
                    None => e
                        .with("file", file.path().display())
                        .with("offset", place.offset()),
                })?;
            }
        }
        Ok(())
    }

    fn record<'w>(
        &self,
        index: usize,
        place: Lsn,
        limit: Lsn,
        window: &'w mut Window<'_>,
    ) -> Result<Record<'w>> {
        let mut bytes = [0; HEADER_BYTES];
        bytes.copy_from_slice(window.get(place.offset(), HEADER_BYTES as u64)?);
        let header = Header::parse(&bytes, place, limit)?;
        let is_torn = header.lsn.offset() > window.file.size();
        if is_torn && header.lsn != self.end {
            let message = format!("the file ends inside a record of {} bytes", header.bytes());
            return Err(Error::new(ErrorKind::Format, message));
        }
        let ids_at = place.offset() + header.names_bytes();
        let names = window.get(
            place.offset() + HEADER_BYTES as u64,
            header.collection_bytes + header.tag_bytes,
        )?;
        let (collection, tag) = names.split_at(header.collection_bytes as usize);
        let text = |bytes: &'w [u8]| {
            std::str::from_utf8(bytes)
                .map_err(|_| Error::new(ErrorKind::Format, "a name in a record is no text"))
        };
        Ok(Record {
            header,
            file: index,
            ids_at,
            collection: text(collection)?,
            tag: text(tag)?,
            is_torn,
        })
    }

    /// Reads from one of the files.
    ///
    /// # Errors
    /// `Format`, `Io`.
    pub fn read_at(&self, file: usize, offset: u64, buf: &mut [u8], what: &str) -> Result<()> {
        match self.files.get(file) {
            Some(LogFile { file, .. }) => file.read_at(offset, buf, what),
            None => Err(Error::new(ErrorKind::Internal, "no such file of the log")),
        }
    }

    /// Calls `each` with the ids that stand there, and which of them each is.
    ///
    /// # Errors
    /// `Format`, `Io`.
    pub fn each_id(
        &self,
        file: usize,
        at: u64,
        ids: u64,
        mut each: impl FnMut(u64, i64),
    ) -> Result<()> {
        let mut buffer = vec![0; (ids * 8).min(IDS_AT_ONCE * 8) as usize];
        let mut done = 0;
        while done < ids {
            let count = (ids - done).min(IDS_AT_ONCE);
            let (bytes, _) = buffer.split_at_mut((count * 8) as usize);
            self.read_at(file, at + done * 8, bytes, "ids")?;
            let (numbers, _) = bytes.as_chunks::<8>();
            for (index, id) in (done..).zip(numbers) {
                each(index, i64::from_le_bytes(*id));
            }
            done += count;
        }
        Ok(())
    }

    /// Asks whether the files are those that were opened.
    ///
    /// # Errors
    /// `Format` if not.
    pub fn check_unchanged(&self) -> Result<()> {
        self.files.iter().try_for_each(|f| f.file.check_unchanged())
    }

    /// Changes when the log does.
    pub fn fingerprint(&self) -> String {
        let files = self.files.iter().map(|f| f.file.fingerprint());
        format!(
            "wal={}-{} files={}",
            self.start.0,
            self.end.0,
            files.collect::<Vec<_>>().join(",")
        )
    }
}

/// The number of a log file.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(u64::from(number))
}

/// Where the log ends; `None` if there is none.
fn read_end(folder: &Folder, numbers: &[u64]) -> Result<Option<Lsn>> {
    let Some(meta) = folder.file_if_any(META)? else {
        return match numbers {
            [] => Ok(None),
            _ => Err(unreadable(
                "the write-ahead log has files, but `mxlog.meta`, which says where it ends, is missing",
                folder,
            )),
        };
    };
    // A server that never wrote a record leaves it empty.
    if meta.size() == 0 && numbers.is_empty() {
        return Ok(None);
    }
    if meta.size() != META_BYTES as u64 {
        let message = format!(
            "`mxlog.meta` has {} bytes, wanted {META_BYTES}",
            meta.size()
        );
        return Err(unreadable(&message, folder));
    }
    let mut bytes = [0; META_BYTES];
    meta.read_at(0, &mut bytes, "the end of the log")?;
    Ok(Some(last_lsn(&bytes)))
}

fn lost_file(folder: &Folder, number: u64) -> Error {
    let message = format!(
        "file `{number}.wal` of the write-ahead log is missing: rows that were acknowledged and not flushed are lost"
    );
    unreadable(&message, folder)
}

fn unreadable(message: &str, folder: &Folder) -> Error {
    Error::new(ErrorKind::Format, message)
        .with("folder", folder.path().display())
        .help(HELP)
}

const HELP: &str = "name the right folder with `wal_path`, or leave out what is only in the log with `wal: ignore`";

/// What is said of a record that can't be read: it can't be told where the next one begins.
fn damaged(error: Error, file: &DataFile, at: u64) -> Error {
    match error.kind() {
        ErrorKind::Format => Error::new(
            ErrorKind::Format,
            "the write-ahead log is damaged: this record and all behind it are lost, and how many rows they hold is not known",
        )
        .with("file", file.path().display())
        .with("offset", at)
        .caused_by(error.message())
        .help("`wal: ignore` reads the segments alone"),
        _ => error,
    }
}

/// Bytes that were read ahead.
struct Window<'a> {
    file: &'a DataFile,
    bytes: Vec<u8>,
    at: u64,
}

impl<'a> Window<'a> {
    fn new(file: &'a DataFile) -> Self {
        Self {
            file,
            bytes: Vec::new(),
            at: 0,
        }
    }

    /// Some bytes, at most [`WINDOW`] of them.
    fn get(&mut self, at: u64, bytes: u64) -> Result<&[u8]> {
        let is_there = at >= self.at && at + bytes <= self.at + self.bytes.len() as u64;
        if !is_there {
            let left = self.file.size().saturating_sub(at);
            if left < bytes {
                return Err(Error::new(
                    ErrorKind::Format,
                    "the file ends inside a record",
                ));
            }
            self.bytes.resize(left.min(WINDOW) as usize, 0);
            self.at = at;
            self.file.read_at(at, &mut self.bytes, "records")?;
        }
        let from = (at - self.at) as usize;
        Ok(self
            .bytes
            .get(from..from + bytes as usize)
            .unwrap_or_default())
    }
}
