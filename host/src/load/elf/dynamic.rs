// SPDX-License-Identifier: Apache-2.0
//! What the system's loader will do for the library: other libraries that it brings in, and the
//! symbols that lead into it.

use milvusdm_plugin_api::abi::doors;
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use object::elf;
use object::read::elf::{Dyn as _, ProgramHeader as _, Sym as _};

use super::{Facts, Library, Sections, damaged};

/// A library is loaded from a private copy: what it looks for beside itself is not there, and
/// what it looks for in the working directory is nobody's to run.
pub(super) fn check_libraries<'a>(library: &Library<'a>, sections: &Sections<'a>) -> Result<()> {
    let (endian, data) = (library.endian, library.data);
    let Some((dynamic, strings)) = sections.dynamic(endian, data).map_err(damaged)? else {
        return Err(damaged("it has no dynamic section"));
    };
    let strings = sections.strings(endian, data, strings).map_err(damaged)?;
    for entry in dynamic {
        let is_list = match entry.d_tag(endian) {
            elf::DT_RPATH | elf::DT_RUNPATH => true,
            elf::DT_NEEDED
            | elf::DT_FILTER
            | elf::DT_AUXILIARY
            | elf::DT_AUDIT
            | elf::DT_DEPAUDIT => false,
            _ => continue,
        };
        let text = u32::try_from(entry.d_val(endian))
            .ok()
            .and_then(|offset| strings.get(offset).ok())
            .ok_or_else(|| damaged("a name in its dynamic section is not there"))?;
        let text = String::from_utf8_lossy(text);
        let is_good = match is_list {
            true => text.split(':').all(|path| path.starts_with('/')),
            false => !text.contains('/') || text.starts_with('/'),
        };
        if !is_good {
            let message = format!(
                "the library looks for others in `{text}`, relative to itself or to the working directory"
            );
            return Err(Error::new(ErrorKind::Unsupported, message)
                .help("link them statically, or name absolute folders"));
        }
    }
    Ok(())
}

/// Which of our doors there are.
pub(super) fn doors<'a>(library: &Library<'a>, sections: &Sections<'a>) -> Result<Facts> {
    let endian = library.endian;
    let symbols = sections
        .symbols(endian, library.data, elf::SHT_DYNSYM)
        .map_err(damaged)?;
    let mut facts = Facts {
        note: None,
        root_module: false,
        plain: false,
    };
    for symbol in symbols.iter() {
        if symbol.is_undefined(endian) {
            continue;
        }
        let name = symbol.name(endian, symbols.strings()).unwrap_or_default();
        if name == doors::ROOT_MODULE.as_bytes() {
            expect_door(library, symbol, Door::RootModule)?;
            facts.root_module = true;
        } else if name == doors::PLAIN.as_bytes() {
            expect_door(library, symbol, Door::Plain)?;
            facts.plain = true;
        }
    }
    Ok(facts)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    RootModule,
    Plain,
}

/// That the symbol leads to something of the right kind inside the library: calling data, or
/// reading what is not there, would end the process.
fn expect_door(
    library: &Library<'_>,
    symbol: &elf::Sym64<object::Endianness>,
    door: Door,
) -> Result<()> {
    let endian = library.endian;
    let (name, kind, flags, bytes) = match door {
        Door::Plain => (doors::PLAIN, elf::STT_FUNC, elf::PF_R | elf::PF_X, 1),
        Door::RootModule => (
            "the root module",
            elf::STT_OBJECT,
            elf::PF_R,
            size_of::<doors::LibHeader>() as u64,
        ),
    };
    if symbol.st_type() != kind {
        let wanted = match door {
            Door::Plain => "a function",
            Door::RootModule => "an object",
        };
        let message = format!(
            "the library exports `{name}`, but as a symbol of ELF type {}, wanted {wanted} ({kind})",
            symbol.st_type()
        );
        return Err(Error::new(ErrorKind::Plugin, message));
    }
    let start = symbol.st_value(endian);
    let is_inside = library.segments.iter().any(|segment| {
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
