// SPDX-License-Identifier: Apache-2.0
//! What the system's loader will do for the library: other libraries that it brings in, and the
//! symbols that lead into it.
//!
//! Read from where the loader reads it, the dynamic segment: a table of sections may be missing,
//! or say something else.

use std::path::{Path, PathBuf};

use milvusdm_plugin_api::abi::doors;
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use object::elf;
use object::pod::slice_from_bytes;
use object::read::elf::{Dyn as _, GnuHashTable, HashTable, ProgramHeader as _, Sym as _};
use object::{Endianness, ReadRef as _};

use super::{Facts, Header, Library, damaged};

/// Largest part that is read: entries, symbols, names. Real ones have some 100 KB.
const MAX_PART: u64 = 16 << 20;
/// What is read first of a part whose length has to be found.
const FIRST_PART: u64 = 16 << 10;

type Dyn = elf::Dyn64<Endianness>;
type Sym = elf::Sym64<Endianness>;

/// The dynamic segment, with the tables that it leads to.
pub(super) struct Dynamic<'a> {
    library: &'a Library<'a>,
    entries: &'a [Dyn],
    names: &'a [u8],
}

impl<'a> Dynamic<'a> {
    pub(super) fn of(library: &'a Library<'a>) -> Result<Self> {
        let endian = library.endian;
        let mut segments = library.segments.iter();
        let segment = segments
            .find(|segment| segment.p_type(endian) == elf::PT_DYNAMIC)
            .ok_or_else(|| damaged("it has no dynamic segment"))?;
        let (address, bytes) = (segment.p_vaddr(endian), segment.p_memsz(endian));
        let mut dynamic = Self {
            library,
            entries: array(library.at(address, bytes)?)?,
            names: &[],
        };
        let names = dynamic
            .value(elf::DT_STRTAB)
            .zip(dynamic.value(elf::DT_STRSZ));
        let (address, bytes) = names.ok_or_else(|| damaged("it has no dynamic names"))?;
        dynamic.names = library.at(address, bytes)?;
        Ok(dynamic)
    }

    /// The entries, as far as the loader reads them.
    fn entries(&self) -> impl Iterator<Item = (i64, u64)> {
        let endian = self.library.endian;
        let entries = self.entries.iter();
        entries
            .map(move |entry| (entry.d_tag(endian), entry.d_val(endian)))
            .take_while(|(tag, _)| *tag != elf::DT_NULL)
    }

    /// The loader takes the last of several.
    fn value(&self, tag: i64) -> Option<u64> {
        let values = self.entries().filter(|(found, _)| *found == tag);
        values.map(|(_, value)| value).last()
    }

    fn name(&self, offset: u64) -> Option<&'a [u8]> {
        let rest = self.names.get(usize::try_from(offset).ok()?..)?;
        rest.split(|byte| *byte == 0).next()
    }

    /// The folders in which the library has the loader look for others.
    ///
    /// A library is loaded from a private copy: what it looks for beside itself is not there, and
    /// what it looks for in the working directory is nobody's to run.
    pub(super) fn folders(&self) -> Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for (tag, value) in self.entries() {
            let is_list = match tag {
                elf::DT_RPATH | elf::DT_RUNPATH => true,
                elf::DT_NEEDED
                | elf::DT_FILTER
                | elf::DT_AUXILIARY
                | elf::DT_AUDIT
                | elf::DT_DEPAUDIT => false,
                _ => continue,
            };
            let text = self
                .name(value)
                .ok_or_else(|| damaged("a name in its dynamic segment is not there"))?;
            let text = String::from_utf8_lossy(text);
            let paths: Vec<&Path> = match is_list {
                true => text.split(':').map(Path::new).collect(),
                false if text.contains('/') => vec![Path::new(text.as_ref())],
                false => Vec::new(),
            };
            if paths.iter().any(|path| path.is_relative()) {
                let message = format!(
                    "the library looks for others in `{text}`, relative to itself or to the working directory"
                );
                return Err(Error::new(ErrorKind::Unsupported, message)
                    .help("link them statically, or name absolute folders"));
            }
            folders.extend(paths.into_iter().filter_map(|path| match is_list {
                true => Some(path.to_owned()),
                false => path.parent().map(Path::to_owned),
            }));
        }
        Ok(folders)
    }

    /// Which of our doors there are.
    pub(super) fn doors(&self) -> Result<Facts> {
        let endian = self.library.endian;
        let mut facts = Facts {
            folders: Vec::new(),
            note: None,
            root_module: false,
            plain: false,
        };
        for symbol in self.symbols()? {
            if symbol.is_undefined(endian) {
                continue;
            }
            let name = self.name(symbol.st_name(endian).into()).unwrap_or_default();
            if name == doors::ROOT_MODULE.as_bytes() {
                self.expect_door(symbol, Door::RootModule)?;
                facts.root_module = true;
            } else if name == doors::PLAIN.as_bytes() {
                self.expect_door(symbol, Door::Plain)?;
                facts.plain = true;
            }
        }
        Ok(facts)
    }

    /// The symbols; only the table by which the loader finds them says how many there are.
    fn symbols(&self) -> Result<&'a [Sym]> {
        let endian = self.library.endian;
        let Some(address) = self.value(elf::DT_SYMTAB) else {
            return Ok(&[]);
        };
        let count = if let Some(address) = self.value(elf::DT_GNU_HASH) {
            self.library.count(address, |table| {
                GnuHashTable::<Header>::parse(endian, table)
                    .map(|table| table.symbol_table_length(endian))
            })?
        } else if let Some(address) = self.value(elf::DT_HASH) {
            self.library.count(address, |table| {
                HashTable::<Header>::parse(endian, table)
                    .map(|table| Some(table.symbol_table_length()))
            })?
        } else {
            0
        };
        array(
            self.library
                .at(address, u64::from(count) * size_of::<Sym>() as u64)?,
        )
    }

    /// That the symbol leads to something of the right kind inside the library: calling data, or
    /// reading what is not there, would end the process.
    fn expect_door(&self, symbol: &Sym, door: Door) -> Result<()> {
        let endian = self.library.endian;
        let (name, wanted, kind, flags, bytes) = match door {
            Door::Plain => (
                doors::PLAIN,
                "a function",
                elf::STT_FUNC,
                elf::PF_R | elf::PF_X,
                1,
            ),
            Door::RootModule => (
                "the root module",
                "an object",
                elf::STT_OBJECT,
                elf::PF_R,
                size_of::<doors::LibHeader>() as u64,
            ),
        };
        if symbol.st_type() != kind {
            let message = format!(
                "the library exports `{name}`, but as a symbol of ELF type {}, wanted {wanted} ({kind})",
                symbol.st_type()
            );
            return Err(Error::new(ErrorKind::Plugin, message));
        }
        let start = symbol.st_value(endian);
        let is_inside = self.library.segments.iter().any(|segment| {
            let first = segment.p_vaddr(endian);
            let end = first.saturating_add(segment.p_memsz(endian));
            segment.p_type(endian) == elf::PT_LOAD
                && segment.p_flags(endian) & flags == flags
                && start >= first
                && start.checked_add(bytes).is_some_and(|last| last <= end)
        });
        match is_inside {
            true => Ok(()),
            false => Err(damaged(format!(
                "`{name}` is at address {start:#x}, which is no part of it that could hold it"
            ))),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    RootModule,
    Plain,
}

/// Bytes as an array, without what is left over.
fn array<T: object::pod::Pod>(bytes: &[u8]) -> Result<&[T]> {
    slice_from_bytes(bytes, bytes.len() / size_of::<T>())
        .map(|(array, _)| array)
        .map_err(|()| damaged("a table of it is misaligned"))
}

impl<'a> Library<'a> {
    /// The bytes at an address, which a segment must bring from the file.
    fn at(&self, address: u64, bytes: u64) -> Result<&'a [u8]> {
        let (offset, most) = self.place(address)?;
        if bytes > most.min(MAX_PART) {
            let what = format!(
                "{bytes} bytes at address {address:#x} are more than there are, or than are read"
            );
            return Err(damaged(what));
        }
        self.read(offset, bytes)
    }

    /// What a table counts. It does not say how long it is, and most are short: more of what
    /// follows its address is read only where it goes on.
    fn count(
        &self,
        address: u64,
        count: impl Fn(&'a [u8]) -> object::read::Result<Option<u32>>,
    ) -> Result<u32> {
        let (offset, most) = self.place(address)?;
        let most = most.min(MAX_PART);
        let mut length = FIRST_PART.min(most);
        loop {
            match count(self.read(offset, length)?) {
                Ok(Some(count)) => return Ok(count),
                Ok(None) | Err(_) if length < most => length = (length * 16).min(most),
                Ok(None) => return Ok(0),
                Err(e) => return Err(damaged(e)),
            }
        }
    }

    fn read(&self, offset: u64, bytes: u64) -> Result<&'a [u8]> {
        let read = self.data.read_bytes_at(offset, bytes);
        read.map_err(|()| damaged(format!("{bytes} bytes at byte {offset} can't be read")))
    }

    /// Where an address stands in the file, and how many bytes there are from there.
    fn place(&self, address: u64) -> Result<(u64, u64)> {
        let mut segments = self.segments.iter();
        let found = segments.find_map(|segment| {
            let into = address.checked_sub(segment.p_vaddr(self.endian))?;
            let most = segment.p_filesz(self.endian).checked_sub(into)?;
            let is_code = segment.p_type(self.endian) == elf::PT_LOAD;
            (is_code && most > 0).then(|| (segment.p_offset(self.endian) + into, most))
        });
        found.ok_or_else(|| damaged(format!("address {address:#x} is no part of its file")))
    }
}
