// SPDX-License-Identifier: Apache-2.0
//! Reads strings of any length past the library, where a dataset holds them in one piece.
//!
//! Such a dataset holds references of 16 bytes: length, address of a heap, number of an object
//! in it. The library reads a heap without end if zeros stand where an object should, which is
//! what a lost block of a disk looks like, and says how long a string is only once it is in
//! memory. Here every length is known, and checked against the file, before it is read.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use milvusdm_plugin_api::{Error, Result};

use super::file::H5File;

/// Bytes of a reference.
pub const REFERENCE_BYTES: u64 = 16;
const HEADER_BYTES: u64 = 16;
/// Heaps up to this size are read as a whole; larger ones hold few, large strings.
const WHOLE_BYTES: u64 = 64 << 10;
/// Heaps that are held: as many as the library leaves open to be filled, and some.
const HELD: usize = 24;
/// What they take in memory, all together; the one that is read may take more by itself.
const HELD_BYTES: u64 = 2 << 20;
/// An object's place in memory, about.
const OBJECT_BYTES: u64 = 40;
/// Numbers of objects have 16 bits.
const MAX_OBJECTS: usize = 1 << 16;

/// Where a string is, as its dataset says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    length: u64,
    heap: u64,
    object: u16,
}

impl Reference {
    /// Reads a reference, if its number can be one.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (heap, rest) = rest.split_first_chunk::<8>()?;
        let (object, _) = rest.split_first_chunk::<4>()?;
        let heap = u64::from_le_bytes(*heap);
        let length = u64::from(u32::from_le_bytes(*length));
        Some(Self {
            // A reference to nowhere is the empty string.
            length: if heap == 0 || heap == u64::MAX {
                0
            } else {
                length
            },
            heap,
            object: u16::try_from(u32::from_le_bytes(*object)).ok()?,
        })
    }
}

/// The heaps of one file that were read last.
#[derive(Debug, Default)]
pub struct Heaps {
    held: VecDeque<Heap>,
}

#[derive(Debug)]
struct Heap {
    address: u64,
    /// By number: where an object's bytes are in the file.
    objects: BTreeMap<u16, Range<u64>>,
    /// All of it, if it is small.
    bytes: Option<Vec<u8>>,
}

impl Heaps {
    /// Hands a string's bytes to `take`.
    ///
    /// # Errors
    /// `Format` if there is no such string, naming the heap's offset, `Io`; what `take` answers.
    pub fn read<T>(
        &mut self,
        file: &H5File,
        reference: &Reference,
        take: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        if reference.length == 0 {
            return take(&[]);
        }
        let heap = self.heap(file, reference.heap)?;
        let place = heap.objects.get(&reference.object).ok_or_else(|| {
            let what = format!("it has no object {}", reference.object);
            damaged(file, reference.heap, &what)
        })?;
        let end = place.start.saturating_add(reference.length);
        if end > place.end {
            return Err(damaged(
                file,
                reference.heap,
                &format!(
                    "object {} has {} bytes, a string of {} is said to be in it",
                    reference.object,
                    place.end - place.start,
                    reference.length
                ),
            ));
        }
        let held;
        let bytes = match &heap.bytes {
            Some(bytes) => {
                let range = place.start - heap.address..end - heap.address;
                bytes
                    .get(range.start as usize..range.end as usize)
                    .unwrap_or_default()
            }
            None => {
                held = read(file, place.start, reference.length)?;
                &held
            }
        };
        // As the library does: a string ends at the first NUL.
        let length = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        take(bytes.get(..length).unwrap_or_default())
    }

    fn heap(&mut self, file: &H5File, address: u64) -> Result<&Heap> {
        match self.held.iter().position(|heap| heap.address == address) {
            Some(0) => {}
            Some(at) => self.held.swap(0, at),
            None => {
                let heap = Heap::open(file, address)?;
                let mut room = HELD_BYTES.saturating_sub(heap.memory_bytes());
                let fitting = self.held.iter().take(HELD - 1).take_while(|held| {
                    let left = room.checked_sub(held.memory_bytes());
                    room = left.unwrap_or(0);
                    left.is_some()
                });
                let fitting = fitting.count();
                self.held.truncate(fitting);
                self.held.push_front(heap);
            }
        }
        self.held
            .front()
            .ok_or_else(|| damaged(file, address, "it was let go"))
    }
}

impl Heap {
    fn open(file: &H5File, address: u64) -> Result<Self> {
        let left = file.bytes().saturating_sub(address);
        if left < HEADER_BYTES {
            return Err(damaged(file, address, "it begins outside the file"));
        }
        let header = read(file, address, HEADER_BYTES)?;
        let size = match header.split_at_checked(8) {
            Some((b"GCOL\x01\0\0\0", size)) => word(size),
            _ => return Err(damaged(file, address, "there is none")),
        };
        if size < HEADER_BYTES || size > left {
            let what = format!("it claims {size} bytes, {left} are left in the file");
            return Err(damaged(file, address, &what));
        }
        let mut heap = Self {
            address,
            objects: BTreeMap::new(),
            bytes: match size <= WHOLE_BYTES {
                true => Some(read(file, address, size)?),
                false => None,
            },
        };
        heap.list(file, size)?;
        Ok(heap)
    }

    /// What it takes in memory, about.
    fn memory_bytes(&self) -> u64 {
        let bytes = self.bytes.as_ref().map_or(0, Vec::len) as u64;
        bytes + self.objects.len() as u64 * OBJECT_BYTES
    }

    /// Goes from object to object; each step goes on, so it comes to an end.
    fn list(&mut self, file: &H5File, size: u64) -> Result<()> {
        let mut at = HEADER_BYTES;
        let mut count = 0;
        while at + HEADER_BYTES <= size {
            let header = self.header(file, at)?;
            let number = u16::from_le_bytes([header[0], header[1]]);
            let length = word(&header[8..]);
            let start = at + HEADER_BYTES;
            let end = match number {
                // What is free, its own header counted; always the last.
                0 => at.checked_add(length).filter(|_| length >= HEADER_BYTES),
                _ => start
                    .checked_add(length)
                    .and_then(|end| end.checked_next_multiple_of(8)),
            };
            count += 1;
            let next = end
                .filter(|end| *end <= size && count <= MAX_OBJECTS)
                .ok_or_else(|| {
                    let what =
                        format!("object {number} at {at} has {length} bytes, the heap {size}");
                    damaged(file, self.address, &what)
                })?;
            if number > 0 {
                let place = self.address + start..self.address + start + length;
                self.objects.insert(number, place);
            }
            at = next;
        }
        Ok(())
    }

    fn header(&self, file: &H5File, at: u64) -> Result<[u8; HEADER_BYTES as usize]> {
        let held;
        let bytes = match &self.bytes {
            Some(bytes) => bytes.get(at as usize..).unwrap_or_default(),
            None => {
                held = read(file, self.address + at, HEADER_BYTES)?;
                &held
            }
        };
        bytes
            .first_chunk()
            .copied()
            .ok_or_else(|| damaged(file, self.address, "it ends early"))
    }
}

/// The first 8 bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().copied().map_or(0, u64::from_le_bytes)
}

/// Reads bytes that are known to be inside the file.
fn read(file: &H5File, offset: u64, bytes: u64) -> Result<Vec<u8>> {
    let mut buffer = vec![0; bytes as usize];
    file.raw().read_exact_at(&mut buffer, offset).map_err(|e| {
        Error::io("reading strings", &e)
            .with("file", file.path().display())
            .with("offset", offset)
    })?;
    Ok(buffer)
}

fn damaged(file: &H5File, heap: u64, what: &str) -> Error {
    file.format_error(format!("the heap of strings is damaged: {what}"))
        .with("offset", heap)
        .help("the file is cut short or damaged; copy it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A heap of that many objects of 8 bytes, which say their number.
    fn heap(objects: u16) -> Vec<u8> {
        let size = HEADER_BYTES + u64::from(objects) * (HEADER_BYTES + 8);
        let mut bytes = b"GCOL\x01\0\0\0".to_vec();
        bytes.extend(size.to_le_bytes());
        for number in 1..=objects {
            bytes.extend(u64::from(number).to_le_bytes());
            bytes.extend(8u64.to_le_bytes());
            bytes.extend(format!("{number:08}").as_bytes());
        }
        bytes
    }

    #[test]
    fn heaps_of_many_objects_are_not_all_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        hdf5::File::create(&path).unwrap().close().unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let mut addresses = Vec::new();
        for objects in [[20_000; 24], [2_000; 24], [10; 24]].concat() {
            addresses.push(bytes.len() as u64);
            bytes.extend(heap(objects));
        }
        std::fs::write(&path, bytes).unwrap();
        let file = H5File::open(&path).unwrap();
        let mut heaps = Heaps::default();
        // Those that were read last are read from memory, however often it goes round.
        for address in addresses.iter().chain(&addresses) {
            let reference = Reference {
                length: 8,
                heap: *address,
                object: 7,
            };
            let text = heaps.read(&file, &reference, |text| Ok(text.to_vec()));
            assert_eq!(text.unwrap(), b"00000007");
            let held: u64 = heaps.held.iter().map(Heap::memory_bytes).sum();
            assert!(held <= HELD_BYTES, "{held} bytes are held");
            assert!(heaps.held.len() <= HELD);
        }
        assert_eq!(heaps.held.len(), HELD, "small ones are held");
    }

    #[test]
    fn references_to_nowhere_are_empty_strings() {
        let reference = |length: u32, heap: u64, object: u32| {
            let mut bytes = length.to_le_bytes().to_vec();
            bytes.extend(heap.to_le_bytes());
            bytes.extend(object.to_le_bytes());
            Reference::of(&bytes)
        };
        let empty = |heap| Reference {
            length: 0,
            heap,
            object: 1,
        };
        assert_eq!(reference(7, 0, 1), Some(empty(0)));
        assert_eq!(reference(7, u64::MAX, 1), Some(empty(u64::MAX)));
        assert_eq!(
            reference(7, 9, 1),
            Some(Reference {
                length: 7,
                heap: 9,
                object: 1
            })
        );
        assert_eq!(reference(7, 9, 1 << 16), None);
        assert_eq!(Reference::of(&[0; 15]), None);
    }
}
