// SPDX-License-Identifier: Apache-2.0
//! Sets room aside on the disk before anything is written into it.
//!
//! libhdf5 1.14 does not survive a disk that fills up under it: a chunk that finds no room when
//! its dataset is closed can crash the process. So the library is only ever let write where the
//! file system has promised room already; what it does not use is given back at the end.

use std::fs::File;

use milvusdm_plugin_api::{Error, Result};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

/// What the library may hold back of each dataset: its cache of chunks.
const HELD_BACK_BYTES: u64 = 1 << 20;

/// Room behind what is written, kept ahead of the library.
#[derive(Debug)]
pub struct Room {
    /// Up to where room was promised, from the file's start.
    end: u64,
    /// What has to be there beside the rows: cached chunks of every dataset, and tables.
    slack: u64,
}

impl Room {
    /// Room for a file with that many datasets.
    pub fn new(datasets: usize) -> Self {
        let slack = HELD_BACK_BYTES.saturating_mul(datasets as u64 + 1);
        Self { end: 0, slack }
    }

    /// The library cuts the file to its length when it is flushed, which gives kept room back.
    pub fn forget(&mut self) {
        self.end = 0;
    }

    /// Makes sure that the library finds room for `bytes` more.
    ///
    /// # Errors
    /// `Io` if there is none; the file is as it was.
    pub fn keep(&mut self, file: &File, bytes: u64) -> Result<()> {
        let length = length(file)?;
        let needed = length.saturating_add(bytes).saturating_add(self.slack);
        if needed > self.end {
            // A slack's worth more, so that small chunks don't ask every time.
            let end = needed.saturating_add(self.slack);
            set_aside(file, FallocateFlags::KEEP_SIZE, self.end, end - self.end)?;
            self.end = end;
        }
        Ok(())
    }
}

/// Gives back room behind the file's end.
///
/// # Errors
/// `Io`.
pub fn give_back(file: &File) -> Result<()> {
    let length = length(file)?;
    file.set_len(length)
        .map_err(|e| Error::io("giving unused room of the file back", &e))
}

/// Has the file system set the file's whole length aside.
///
/// # Errors
/// `Io` if it has no room.
pub fn take_whole(file: &File) -> Result<()> {
    set_aside(file, FallocateFlags::empty(), 0, length(file)?)
}

fn length(file: &File) -> Result<u64> {
    let metadata = file.metadata();
    let metadata = metadata.map_err(|e| Error::io("asking for the file's length", &e))?;
    Ok(metadata.len())
}

fn set_aside(file: &File, flags: FallocateFlags, from: u64, bytes: u64) -> Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    for _ in 0..16 {
        match rustix::fs::fallocate(file, flags, from, bytes) {
            // Not every file system can; then writing tells.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(e) => {
                return Err(Error::io("setting room aside for the file", &e.into())
                    .with("offset", from)
                    .with("bytes", bytes)
                    .help("free some space, or choose another target"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn room_is_kept_ahead_and_given_back() {
        let file = tempfile::tempfile().unwrap();
        let mut room = Room::new(1);
        room.keep(&file, 100).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0, "the length stays");
        let end = room.end;
        room.keep(&file, 200).unwrap();
        assert_eq!(room.end, end, "what was promised covers it");
        file.set_len(3 << 20).unwrap();
        room.keep(&file, 100).unwrap();
        assert!(room.end > end);
        give_back(&file).unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), 3 << 20);
        assert!(metadata.blocks() * 512 <= 3 << 20);
    }
}
