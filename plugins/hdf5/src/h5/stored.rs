// SPDX-License-Identifier: Apache-2.0
//! What type a dataset's elements are stored as.

use std::fmt;

use hdf5::datatype::{ByteOrder, Datatype};
use hdf5::types::{FloatSize, IntSize, TypeDescriptor};

/// A number as it stands in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// IEEE half.
    F16,
    /// IEEE single.
    F32,
    /// IEEE double.
    F64,
}

impl Number {
    /// Bytes of one.
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Whether it is a whole number.
    pub const fn is_int(self) -> bool {
        !matches!(self, Self::F16 | Self::F32 | Self::F64)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::F16 => "float16",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Runs an expression with `$t` standing for the Rust type of a [`Number`].
macro_rules! with_number {
    ($number:expr, $t:ident => $body:expr) => {{
        use $crate::h5::Number as N;
        match $number {
            N::I8 => {
                type $t = i8;
                $body
            }
            N::I16 => {
                type $t = i16;
                $body
            }
            N::I32 => {
                type $t = i32;
                $body
            }
            N::I64 => {
                type $t = i64;
                $body
            }
            N::U8 => {
                type $t = u8;
                $body
            }
            N::U16 => {
                type $t = u16;
                $body
            }
            N::U32 => {
                type $t = u32;
                $body
            }
            N::U64 => {
                type $t = u64;
                $body
            }
            N::F16 => {
                type $t = ::half::f16;
                $body
            }
            N::F32 => {
                type $t = f32;
                $body
            }
            N::F64 => {
                type $t = f64;
                $body
            }
        }
    }};
}
pub(crate) use with_number;

/// What type a dataset's elements are stored as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredType {
    /// A number.
    Number {
        /// Which, once read into memory without loss.
        number: Number,
        /// Whether the bytes in the file are those in memory.
        is_native: bool,
        /// Whether every value must be compared with a wider reading: a 2-byte float of the
        /// other byte order may be an IEEE half or not, and the library's interface, as far as
        /// it can be reached, does not tell.
        is_doubtful: bool,
    },
    /// h5py's bool: an enum of 8 bits with FALSE = 0, TRUE = 1.
    Bool,
    /// A string.
    Text {
        /// Bytes of one, where the length is fixed.
        fixed_bytes: Option<usize>,
        /// Whether it is flagged UTF-8 (else ASCII).
        is_utf8: bool,
    },
    /// Anything else, in words.
    Other(String),
}

impl StoredType {
    /// Looks at a type of the file.
    pub fn of(datatype: &Datatype) -> Self {
        let descriptor = match datatype.to_descriptor() {
            Ok(descriptor) => descriptor,
            Err(_) => {
                return Self::Other(format!(
                    "a type of {} bytes that is no number, string or bool",
                    datatype.size()
                ));
            }
        };
        let number = |number| Self::Number {
            number,
            is_native: Datatype::from_descriptor(&descriptor).is_ok_and(|t| t == *datatype),
            is_doubtful: false,
        };
        match &descriptor {
            TypeDescriptor::Integer(IntSize::U1) => number(Number::I8),
            TypeDescriptor::Integer(IntSize::U2) => number(Number::I16),
            TypeDescriptor::Integer(IntSize::U4) => number(Number::I32),
            TypeDescriptor::Integer(IntSize::U8) => number(Number::I64),
            TypeDescriptor::Unsigned(IntSize::U1) => number(Number::U8),
            TypeDescriptor::Unsigned(IntSize::U2) => number(Number::U16),
            TypeDescriptor::Unsigned(IntSize::U4) => number(Number::U32),
            TypeDescriptor::Unsigned(IntSize::U8) => number(Number::U64),
            TypeDescriptor::Float(FloatSize::U2) => {
                Self::short_float(number(Number::F16), datatype.byte_order())
            }
            TypeDescriptor::Float(FloatSize::U4) => number(Number::F32),
            TypeDescriptor::Float(FloatSize::U8) => number(Number::F64),
            TypeDescriptor::Boolean => Self::Bool,
            TypeDescriptor::FixedAscii(n) => Self::Text {
                fixed_bytes: Some(*n),
                is_utf8: false,
            },
            TypeDescriptor::FixedUnicode(n) => Self::Text {
                fixed_bytes: Some(*n),
                is_utf8: true,
            },
            TypeDescriptor::VarLenAscii => Self::Text {
                fixed_bytes: None,
                is_utf8: false,
            },
            TypeDescriptor::VarLenUnicode => Self::Text {
                fixed_bytes: None,
                is_utf8: true,
            },
            other => Self::Other(other.to_string()),
        }
    }

    /// A float of 2 bytes, which is `half` if it is of this machine's byte order and IEEE.
    fn short_float(half: Self, order: ByteOrder) -> Self {
        let is_half = matches!(
            half,
            Self::Number {
                is_native: true,
                ..
            }
        );
        match order {
            _ if is_half => half,
            ByteOrder::BigEndian => Self::Number {
                number: Number::F16,
                is_native: false,
                is_doubtful: true,
            },
            // bfloat16 and the like: a single holds every value.
            _ => Self::Number {
                number: Number::F32,
                is_native: false,
                is_doubtful: false,
            },
        }
    }
}

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { number, .. } => number.fmt(f),
            Self::Bool => f.write_str("bool"),
            Self::Text {
                fixed_bytes: Some(n),
                ..
            } => write!(f, "string of {n} bytes"),
            Self::Text {
                fixed_bytes: None, ..
            } => f.write_str("string"),
            Self::Other(what) => f.write_str(what),
        }
    }
}
