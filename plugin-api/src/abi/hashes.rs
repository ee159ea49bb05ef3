// SPDX-License-Identifier: Apache-2.0
//! Hashes of the table's entries: what the plain door has in place of a layout check.
//!
//! A plugin in C brings the hashes of the header that it was compiled with. Hash `k` covers the
//! names and arguments of the entries 0 to `k`, and the layouts of the structs among the
//! arguments, so that one comparison tells whether both sides mean the same by all of them.
//! FNV-1a, 64 bits.

use std::mem::{align_of, offset_of};

use super::c_data::FfiArray;
use super::c_schema::FfiSchema;
use super::plain::{Doc, ServicesHead, Str};
use super::table::Opaque;
use crate::WriteAt;

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A type that stands in the table's signatures.
pub(super) trait Crosses {
    /// Tells the type and its layout.
    const HASH: u64;
}

/// The chain over all entries: name, and the hashes of the arguments.
pub(super) const fn chain<const N: usize>(entries: &[(&str, &[u64]); N]) -> [u64; N] {
    let mut chained = [0; N];
    let mut hash = OFFSET_BASIS;
    let mut entry = 0;
    while entry < N {
        let (name, arguments) = entries[entry];
        hash = text(hash, name);
        let mut argument = 0;
        while argument < arguments.len() {
            hash = number(hash, arguments[argument]);
            argument += 1;
        }
        chained[entry] = hash;
        entry += 1;
    }
    chained
}

const fn text(mut hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(PRIME);
        i += 1;
    }
    // Names end somewhere: without a mark, `ab` + `c` would count as `a` + `bc`.
    hash.wrapping_mul(PRIME)
}

const fn number(mut hash: u64, number: u64) -> u64 {
    let bytes = number.to_le_bytes();
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(PRIME);
        i += 1;
    }
    hash
}

/// Of a struct: its name, size, alignment and the offsets of its members.
const fn layout(name: &str, size: usize, align: usize, offsets: &[usize]) -> u64 {
    let mut hash = number(number(text(OFFSET_BASIS, name), size as u64), align as u64);
    let mut i = 0;
    while i < offsets.len() {
        hash = number(hash, offsets[i] as u64);
        i += 1;
    }
    hash
}

impl<T: Crosses> Crosses for *const T {
    const HASH: u64 = text(T::HASH, "const*");
}

impl<T: Crosses> Crosses for *mut T {
    const HASH: u64 = text(T::HASH, "*");
}

/// Declares the hash of a struct from its members.
macro_rules! crosses {
    ($($name:ident { $($member:ident),* })+) => {$(
        impl Crosses for $name {
            const HASH: u64 = layout(
                stringify!($name),
                size_of::<$name>(),
                align_of::<$name>(),
                &[$(offset_of!($name, $member)),*],
            );
        }
    )+};
}

crosses! {
    Opaque {}
    Str { ptr, len }
    Doc { ptr, len, capacity, release }
    ServicesHead { size, major, minor }
    WriteAt { split, row }
    FfiArray {
        length, null_count, offset, n_buffers, n_children, buffers, children, dictionary,
        release, private_data
    }
    FfiSchema {
        format, name, metadata, flags, n_children, children, dictionary, release, private_data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::PluginTable;

    #[test]
    fn a_change_shows_in_its_entry_and_all_behind() {
        let doc = <*mut Doc>::HASH;
        let was = chain(&[("a", &[doc]), ("b", &[]), ("c", &[])]);
        let renamed = chain(&[("a", &[doc]), ("x", &[]), ("c", &[])]);
        assert_eq!(was[0], renamed[0]);
        assert_ne!(was[1], renamed[1]);
        assert_ne!(was[2], renamed[2]);
        let argument = chain(&[("a", &[<*const Doc>::HASH]), ("b", &[]), ("c", &[])]);
        assert_ne!(was[0], argument[0]);
        let shifted = chain(&[("ab", &[]), ("c", &[])]);
        assert_ne!(shifted[1], chain(&[("a", &[]), ("bc", &[])])[1]);
    }

    /// Every plugin in C that was ever compiled carries these numbers.
    #[test]
    fn the_hashes_of_version_1_0_are_as_they_always_were() {
        let hashes = PluginTable::ENTRY_HASHES;
        assert_eq!(hashes[0], 0x4b8d_f52b_8cfb_4317);
        assert_eq!(hashes[20], 0x9a95_f6f4_37d4_d795);
    }
}
