// SPDX-License-Identifier: Apache-2.0
//! Every change, one behind the other in a file, so that a server that was killed has again what
//! it acknowledged. What is written survives the process, though not the machine: no fsync.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use prost::bytes::Bytes;

use crate::calls::Call;

/// A change, and when it was made: a replay makes the same ids and names.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub change: Change,
    pub at_us: i64,
    pub request: Bytes,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Change {
    /// A client's call.
    Call(Call),
    /// The merge of a collection that the request is the name of.
    Merge,
}

/// The code of a merge; those of calls are their places in [`Call::ALL`].
const MERGE: u8 = 0xff;

/// Bytes before a request: code, time, length.
const HEAD_BYTES: usize = 1 + 8 + 8;

/// The file of one folder.
pub(crate) struct Journal(File);

impl Journal {
    /// Opens the journal of a folder, and gives each entry in it to `replay`. An entry that a kill
    /// has cut off at the end was not acknowledged: it is taken away.
    pub(crate) fn open(
        folder: &Path,
        mut replay: impl FnMut(Entry) -> io::Result<()>,
    ) -> io::Result<Journal> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join("journal");
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path)?;
        let length = file.metadata()?.len();
        let mut reader = BufReader::new(&file);
        let mut whole = 0;
        while let Some((entry, size)) = read(&mut reader, length - whole)? {
            replay(entry)?;
            whole += size;
        }
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        Ok(Journal(file))
    }

    /// Writes a change down; it is acknowledged only after.
    pub(crate) fn append(&mut self, change: Change, at_us: i64, request: &[u8]) -> io::Result<()> {
        let code = match change {
            Change::Merge => MERGE,
            Change::Call(call) => call as u8,
        };
        let mut head = vec![code];
        head.extend(at_us.to_le_bytes());
        head.extend((request.len() as u64).to_le_bytes());
        self.0.write_all(&head)?;
        self.0.write_all(request)
    }
}

/// The next entry and its size, or none if `left` bytes don't hold a whole one.
fn read(reader: &mut impl Read, left: u64) -> io::Result<Option<(Entry, u64)>> {
    if left < HEAD_BYTES as u64 {
        return Ok(None);
    }
    let (mut code, mut at_us, mut length) = ([0; 1], [0; 8], [0; 8]);
    reader.read_exact(&mut code)?;
    reader.read_exact(&mut at_us)?;
    reader.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > left - HEAD_BYTES as u64 {
        return Ok(None);
    }
    let change = match code {
        [MERGE] => Change::Merge,
        [code] => {
            let call = Call::ALL.get(usize::from(code)).copied();
            let unknown = || {
                let text = format!("the journal has a change of unknown kind {code}");
                io::Error::new(io::ErrorKind::InvalidData, text)
            };
            Change::Call(call.ok_or_else(unknown)?)
        }
    };
    let mut request = vec![0; length as usize];
    reader.read_exact(&mut request)?;
    let entry = Entry {
        change,
        at_us: i64::from_le_bytes(at_us),
        request: request.into(),
    };
    Ok(Some((entry, HEAD_BYTES as u64 + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_cut_off_is_taken_away_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), |_| Ok(())).unwrap();
        let change = Change::Call(Call::Flush);
        journal.append(change, 7, b"first").unwrap();
        journal.append(Change::Merge, 8, b"second").unwrap();
        drop(journal);
        let path = folder.path().join("journal");
        let bytes = std::fs::read(&path).unwrap();
        for cut in 1..HEAD_BYTES + 6 {
            std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
            let mut entries = Vec::new();
            Journal::open(folder.path(), |entry| {
                entries.push(entry);
                Ok(())
            })
            .unwrap();
            let request = Bytes::from_static(b"first");
            let whole = Entry {
                change,
                at_us: 7,
                request,
            };
            assert_eq!(entries, [whole]);
            assert_eq!(
                std::fs::metadata(&path).unwrap().len(),
                (HEAD_BYTES + 5) as u64
            );
        }
    }

    #[test]
    fn the_place_of_a_call_in_the_list_is_its_code() {
        for (place, call) in Call::ALL.into_iter().enumerate() {
            assert_eq!(place, call as usize, "{}", call.name());
        }
    }
}
