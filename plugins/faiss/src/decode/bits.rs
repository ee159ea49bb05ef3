// SPDX-License-Identifier: Apache-2.0
//! Numbers of any width in a stream of bits, lowest bit first (Faiss' `BitstringReader`).

/// Reads numbers of up to 32 bits one after the other.
#[derive(Debug)]
pub struct BitReader<'a> {
    bytes: std::slice::Iter<'a, u8>,
    held: u64,
    held_bits: u32,
}

impl<'a> BitReader<'a> {
    /// A reader at the first bit.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.iter(),
            held: 0,
            held_bits: 0,
        }
    }

    /// The next `bits` bits, at most 32; zeros behind the end.
    pub fn take(&mut self, bits: u32) -> u32 {
        let bits = bits.min(32);
        while self.held_bits < bits {
            let byte = self.bytes.next().copied().unwrap_or(0);
            self.held |= u64::from(byte) << self.held_bits;
            self.held_bits += 8;
        }
        let taken = self.held & ((1u64 << bits) - 1);
        self.held >>= bits;
        self.held_bits -= bits;
        taken as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_cross_bytes_lowest_bit_first() {
        let mut reader = BitReader::new(&[0b1011_0101, 0b0000_0001, 0xFF]);
        assert_eq!(reader.take(3), 0b101);
        assert_eq!(reader.take(6), 0b1_10110);
        assert_eq!(reader.take(7), 0);
        assert_eq!(reader.take(24), 0xFF);
    }
}
