// SPDX-License-Identifier: Apache-2.0
//! The note in a plugin's `.so` that says what it is, so that it can be listed without running it.
//!
//! An ELF note of name [`NAME`] and type [`KIND`] in the section `.note.milvusdm`; its content is
//! a JSON document, padded with spaces.

use serde::Deserialize;

use super::table::{API_MAJOR, API_MINOR};
use crate::PanicStrategy;

/// The note's name.
pub const NAME: &str = "milvusdm";
/// The note's type.
pub const KIND: u32 = 1;

/// What the note says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NoteDoc {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of the API that it was built with: `1.0`.
    pub api: String,
    /// What a panic in it does.
    #[serde(default)]
    pub panic: PanicStrategy,
}

/// The note as it lies in the file.
#[doc(hidden)]
#[derive(Debug)]
#[repr(C, align(4))]
pub struct Note<const N: usize> {
    name_bytes: u32,
    content_bytes: u32,
    kind: u32,
    name: [u8; 12],
    content: [u8; N],
}

const API: [u8; 3] = {
    assert!(
        API_MAJOR < 10 && API_MINOR < 10,
        "the note's version has one digit each"
    );
    [b'0' + API_MAJOR as u8, b'.', b'0' + API_MINOR as u8]
};

/// The pieces that the document is made of.
const fn pieces<'a>(name: &'a str, version: &'a str, panic: PanicStrategy) -> [&'a [u8]; 9] {
    let panic = match panic {
        PanicStrategy::Unwind => "unwind",
        PanicStrategy::Abort => "abort",
    };
    [
        br#"{"name":""#,
        name.as_bytes(),
        br#"","version":""#,
        version.as_bytes(),
        br#"","api":""#,
        &API,
        br#"","panic":""#,
        panic.as_bytes(),
        br#""}"#,
    ]
}

/// Bytes of the document of that plugin, a multiple of 4.
#[doc(hidden)]
pub const fn bytes(name: &str, version: &str, panic: PanicStrategy) -> usize {
    let pieces = pieces(name, version, panic);
    let mut bytes = 0;
    let mut i = 0;
    while i < pieces.len() {
        bytes += pieces[i].len();
        i += 1;
    }
    bytes.next_multiple_of(4)
}

impl<const N: usize> Note<N> {
    /// The note of that plugin; `N` is what [`bytes`] says of it.
    pub const fn of(name: &str, version: &str, panic: PanicStrategy) -> Self {
        let pieces = pieces(name, version, panic);
        let mut content = [b' '; N];
        let (mut piece, mut at) = (0, 0);
        while piece < pieces.len() {
            let mut i = 0;
            while i < pieces[piece].len() {
                let byte = pieces[piece][i];
                assert!(
                    byte.is_ascii_graphic()
                        && (piece.is_multiple_of(2) || !matches!(byte, b'"' | b'\\')),
                    "name and version are plain ASCII without quotation marks"
                );
                content[at] = byte;
                at += 1;
                i += 1;
            }
            piece += 1;
        }
        Self {
            name_bytes: NAME.len() as u32 + 1,
            content_bytes: N as u32,
            kind: KIND,
            name: *b"milvusdm\0\0\0\0",
            content,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_json_that_is_laid_out_as_elf_says() {
        const PANIC: PanicStrategy = PanicStrategy::Unwind;
        const N: usize = bytes("vecs", "1.2.3", PANIC);
        static NOTE: Note<N> = Note::of("vecs", "1.2.3", PANIC);
        assert_eq!(N % 4, 0);
        assert_eq!(NOTE.content_bytes as usize, N);
        assert_eq!(std::mem::offset_of!(Note<N>, content), 24);
        let note: NoteDoc = serde_json::from_slice(&NOTE.content).unwrap();
        assert_eq!(
            (note.name.as_str(), note.version.as_str()),
            ("vecs", "1.2.3")
        );
        assert_eq!(
            (note.api.as_str(), note.panic),
            ("1.0", PanicStrategy::Unwind)
        );
    }
}
