// SPDX-License-Identifier: Apache-2.0
//! What stands in a plugin file, found without running any of it.
//!
//! The system's loader trusts the file: one that is cut off inside a segment ends the process
//! with SIGBUS. So everything that it will look at is checked to be there first. Facts about the
//! format: System V ABI, ELF-64.

mod dynamic;

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use milvusdm_plugin_api::abi::doors;
use milvusdm_plugin_api::abi::note::{self, NoteDoc};
use milvusdm_plugin_api::{Error, ErrorKind, PanicStrategy, Result};
use object::elf;
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{Endianness, ReadCache, ReadRef as _};

use dynamic::Dynamic;

type Header = elf::FileHeader64<Endianness>;

/// Segments that a library has at most; real ones have about ten.
const MAX_SEGMENTS: usize = 128;
/// Largest note.
const MAX_NOTE: u64 = 64 << 10;

#[cfg(target_arch = "x86_64")]
const MACHINE: (u16, &str) = (elf::EM_X86_64, "x86-64");
#[cfg(target_arch = "aarch64")]
const MACHINE: (u16, &str) = (elf::EM_AARCH64, "aarch64");

/// What a plugin file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its note, if it has one.
    pub note: Option<NoteDoc>,
    /// Whether it has the door for Rust.
    pub root_module: bool,
    /// Whether it has the door for C.
    pub plain: bool,
    /// Folders of its own in which it looks for other libraries, absolute.
    pub folders: Vec<PathBuf>,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doors = match (self.root_module, self.plain) {
            (true, true) => "both doors",
            (true, false) => "the root module's door",
            _ => "the plain door",
        };
        write!(f, "a library for {} with {doors}", MACHINE.1)?;
        match &self.note {
            Some(note) => write!(
                f,
                ", of {} {} for API {}",
                note.name, note.version, note.api
            ),
            None => f.write_str(", without a note"),
        }
    }
}

impl Facts {
    /// That a panic would not take the host along, as far as the note says.
    pub(super) fn expect_unwinding(&self) -> Result<()> {
        expect_unwinding(
            self.note
                .as_ref()
                .map(|note| note.panic)
                .unwrap_or_default(),
        )
    }
}

/// That a panic would not take the host along.
pub(super) fn expect_unwinding(panic: PanicStrategy) -> Result<()> {
    match panic {
        PanicStrategy::Unwind => Ok(()),
        PanicStrategy::Abort => Err(Error::new(
            ErrorKind::Plugin,
            "the plugin was built with `panic = \"abort\"`: a panic in it would end milvusdm in the middle of a write",
        )
        .help("build it with `panic = \"unwind\"`, which is the default")),
    }
}

/// Looks at a file of that many bytes.
///
/// # Errors
/// `Format` for what is no whole library, `Unsupported` for one of another machine, `Plugin` for
/// one that is no plugin.
pub(super) fn preflight(file: &File, bytes: u64) -> Result<Facts> {
    let cache = ReadCache::new(file);
    let library = Library::open(&cache, bytes)?;
    library.check_segments()?;
    library.check_sections()?;
    let dynamic = Dynamic::of(&library)?;
    let folders = dynamic.folders()?;
    let symbols = dynamic.doors()?;
    if !(symbols.root_module || symbols.plain) {
        return Err(Error::new(
            ErrorKind::Plugin,
            format!(
                "the library is no plugin: it exports neither `{}` nor an abi_stable root module",
                doors::PLAIN
            ),
        )
        .help("in Rust `export_doors!` makes them, in C the function is yours to write"));
    }
    Ok(Facts {
        folders,
        note: library.note()?,
        ..symbols
    })
}

/// That a file begins as a library does, before more of it is looked at.
pub(super) fn expect_library(file: &File) -> Result<()> {
    let mut start = [0; 20];
    let read = file.read_at(&mut start, 0);
    let read = read.map_err(|e| Error::io("read the plugin file", &e))?;
    match start.get(..read).unwrap_or_default() {
        start if start.starts_with(&elf::ELFMAG) => Ok(()),
        start => Err(no_library(start)),
    }
}

type Cache<'a> = &'a ReadCache<&'a File>;

struct Library<'a> {
    data: Cache<'a>,
    bytes: u64,
    header: &'a Header,
    endian: Endianness,
    segments: &'a [elf::ProgramHeader64<Endianness>],
}

impl<'a> Library<'a> {
    fn open(data: Cache<'a>, bytes: u64) -> Result<Self> {
        let start = data.read_bytes_at(0, bytes.min(20)).unwrap_or_default();
        if !start.starts_with(&elf::ELFMAG) {
            return Err(no_library(start));
        }
        let header = Header::parse(data).map_err(|e| {
            Error::new(
                ErrorKind::Format,
                "the file is not a whole 64-bit ELF library",
            )
            .caused_by(e)
        })?;
        let endian = header.endian().map_err(damaged)?;
        let (machine, kind) = (header.e_machine(endian), header.e_type(endian));
        if machine != MACHINE.0 || endian != Endianness::default() {
            let message = format!(
                "the library is for another machine (ELF machine {machine}, {endian:?}-endian), wanted {} ({})",
                MACHINE.1, MACHINE.0
            );
            return Err(Error::new(ErrorKind::Unsupported, message)
                .help("build it on this kind of machine"));
        }
        if kind != elf::ET_DYN {
            let message = format!("the file is of ELF type {kind}, wanted a shared library (3)");
            return Err(Error::new(ErrorKind::Format, message));
        }
        let segments = header.program_headers(endian, data).map_err(damaged)?;
        if segments.len() > MAX_SEGMENTS {
            let message = format!(
                "the file says it has {} segments, wanted at most {MAX_SEGMENTS}",
                segments.len()
            );
            return Err(Error::new(ErrorKind::Format, message));
        }
        Ok(Self {
            data,
            bytes,
            header,
            endian,
            segments,
        })
    }

    /// That a part of the file is there.
    fn reaches(&self, what: fmt::Arguments<'_>, offset: u64, length: u64) -> Result<()> {
        match offset.checked_add(length) {
            Some(end) if end <= self.bytes => Ok(()),
            end => {
                let end =
                    end.map_or_else(|| "beyond 2^64".to_owned(), |end| format!("at byte {end}"));
                let message = format!(
                    "the file is cut off: {what} ends {end}, the file at byte {}",
                    self.bytes
                );
                Err(Error::new(ErrorKind::Format, message).help("copy or build it again"))
            }
        }
    }

    fn check_segments(&self) -> Result<()> {
        let mut has_code = false;
        for (i, segment) in self.segments.iter().enumerate() {
            let (offset, length) = segment.file_range(self.endian);
            self.reaches(format_args!("segment {i}"), offset, length)?;
            if segment.p_type(self.endian) == elf::PT_LOAD {
                has_code = true;
                if segment.p_filesz(self.endian) > segment.p_memsz(self.endian) {
                    return Err(damaged(format!(
                        "segment {i} is larger in the file than in memory"
                    )));
                }
            }
        }
        match has_code {
            true => Ok(()),
            false => Err(damaged("it has no segment to load")),
        }
    }

    /// The loader does not read it, but a file that has lost it was cut off.
    fn check_sections(&self) -> Result<()> {
        let table = self.header.e_shoff(self.endian);
        let count = self.header.e_shnum(self.endian).max(1);
        let length = u64::from(count) * u64::from(self.header.e_shentsize(self.endian));
        match table {
            0 => Ok(()),
            _ => self.reaches(format_args!("its table of sections"), table, length),
        }
    }

    fn note(&self) -> Result<Option<NoteDoc>> {
        for segment in self.segments {
            if segment.p_filesz(self.endian) > MAX_NOTE {
                continue;
            }
            let notes = segment.notes(self.endian, self.data).map_err(damaged)?;
            let Some(mut notes) = notes else { continue };
            while let Some(found) = notes.next().map_err(damaged)? {
                if found.name() != note::NAME.as_bytes() || found.n_type(self.endian) != note::KIND
                {
                    continue;
                }
                let text = found.desc().trim_ascii_end();
                let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
                let note: Result<NoteDoc, _> = serde_json::from_slice(text);
                return note.map(Some).map_err(|e| {
                    Error::new(
                        ErrorKind::Plugin,
                        "the plugin's note is not the JSON that was expected",
                    )
                    .caused_by(e)
                });
            }
        }
        Ok(None)
    }
}

fn no_library(start: &[u8]) -> Error {
    let found = match start {
        [] => "is empty".to_owned(),
        _ if start
            .iter()
            .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) =>
        {
            format!(
                "is text, beginning with `{}`",
                String::from_utf8_lossy(start).trim()
            )
        }
        _ => format!("begins with {:02x?}", start.get(..4).unwrap_or(start)),
    };
    Error::new(
        ErrorKind::Format,
        format!("the file {found}, wanted an ELF library"),
    )
}

fn damaged(cause: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Format, "the library is damaged")
        .caused_by(cause)
        .help("copy or build it again")
}

#[cfg(test)]
mod tests;
