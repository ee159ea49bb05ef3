// SPDX-License-Identifier: Apache-2.0
//! Reads and writes what a field's metadata says: role, vector kind, element, dimension.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};

use super::keys;
use super::metadata::decimal;
use crate::{Error, ErrorKind, Result};

/// Makes an enum whose values stand in metadata under fixed lower-case names.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value, in the order of the data model.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in metadata.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value of that name, if there is one.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use named;

named! {
    /// What a column is; a column without a role is a scalar.
    Role {
        /// The entity's id; at most one, never null.
        Id = "id",
        /// A vector.
        Vector = "vector",
        /// JSON objects whose members are columns that the schema does not name.
        Dynamic = "dynamic",
        /// The partition's name, where one stream mixes partitions.
        Partition = "partition",
        /// Reserved: insert, upsert or delete.
        Op = "op",
    }
}

named! {
    /// The shape of a vector.
    Kind {
        /// `dim` numbers.
        Dense = "dense",
        /// `dim` bits, packed.
        Binary = "binary",
        /// Indices and values.
        Sparse = "sparse",
        /// A list of dense or binary vectors.
        Multi = "multi",
    }
}

named! {
    /// The type of a vector's elements.
    Elem {
        /// IEEE single.
        F32 = "f32",
        /// IEEE double.
        F64 = "f64",
        /// IEEE half.
        F16 = "f16",
        /// The upper half of an IEEE single.
        Bf16 = "bf16",
        /// Signed byte.
        I8 = "i8",
        /// Unsigned byte.
        U8 = "u8",
        /// One bit.
        Bit = "bit",
    }
}

named! {
    /// Which bit of a byte comes first in a binary vector.
    BitOrder {
        /// Most significant first.
        Msb = "msb",
        /// Least significant first.
        Lsb = "lsb",
        /// The source does not say.
        Unknown = "unknown",
    }
}

impl Elem {
    /// Bytes of one element; `None` for bits.
    pub const fn bytes(self) -> Option<usize> {
        match self {
            Self::F64 => Some(8),
            Self::F32 => Some(4),
            Self::F16 | Self::Bf16 => Some(2),
            Self::I8 | Self::U8 => Some(1),
            Self::Bit => None,
        }
    }

    /// The field of one element inside a dense vector; `None` for bits.
    pub fn arrow_field(self) -> Option<Field> {
        let data_type = match self {
            Self::F32 => DataType::Float32,
            Self::F64 => DataType::Float64,
            Self::F16 => DataType::Float16,
            Self::I8 => DataType::Int8,
            Self::U8 => DataType::UInt8,
            Self::Bf16 => {
                let field = Field::new("item", DataType::FixedSizeBinary(2), false);
                return Some(with_extension(field, keys::BFLOAT16));
            }
            Self::Bit => return None,
        };
        Some(Field::new("item", data_type, false))
    }
}

/// Kind, element and dimension of a vector column, as its metadata says.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorType {
    /// Shape.
    pub kind: Kind,
    /// Element type.
    pub elem: Elem,
    /// Elements (bits for `bit`); 0 where a sparse vector does not bound it.
    pub dim: u32,
    /// Canonical metric name, `None` if unknown.
    pub metric: Option<String>,
    /// The metric's argument.
    pub metric_arg: Option<f64>,
    /// For `bit`: the order of bits.
    pub bit_order: Option<BitOrder>,
}

impl VectorType {
    /// A dense vector of `dim` elements, metric unknown.
    pub fn dense(elem: Elem, dim: u32) -> Self {
        Self {
            kind: Kind::Dense,
            elem,
            dim,
            metric: None,
            metric_arg: None,
            bit_order: None,
        }
    }

    /// A binary vector of `dim` bits, metric unknown.
    pub fn binary(dim: u32, bit_order: BitOrder) -> Self {
        Self {
            kind: Kind::Binary,
            elem: Elem::Bit,
            dim,
            metric: None,
            metric_arg: None,
            bit_order: Some(bit_order),
        }
    }

    /// The same with a metric; `None` stays unknown.
    #[must_use]
    pub fn with_metric(mut self, metric: Option<impl Into<String>>) -> Self {
        self.metric = metric.map(Into::into);
        self
    }

    /// Bytes of one vector, where all are of one size.
    pub fn row_bytes(&self) -> Option<usize> {
        match self.kind {
            Kind::Dense => self.elem.bytes()?.checked_mul(self.dim as usize),
            Kind::Binary => Some(self.dim.div_ceil(8) as usize),
            Kind::Sparse | Kind::Multi => None,
        }
    }

    /// The Arrow type that stores it (data model 5.2).
    ///
    /// # Errors
    /// `Config` if kind and element don't go together or the dimension is out of range.
    pub fn data_type(&self) -> Result<DataType> {
        let dim = i32::try_from(self.dim)
            .ok()
            .filter(|d| *d >= 1 && self.dim <= keys::MAX_DIM);
        let bad = |what: &str| {
            Error::new(
                ErrorKind::Config,
                format!(
                    "{what} (kind {}, elem {}, dim {})",
                    self.kind, self.elem, self.dim
                ),
            )
        };
        let dim_or_err = || dim.ok_or_else(|| bad("a vector's dimension must be 1 to 1048576"));
        match (self.kind, self.elem.arrow_field()) {
            (Kind::Dense, Some(item)) => Ok(DataType::FixedSizeList(Arc::new(item), dim_or_err()?)),
            (Kind::Binary, None) => {
                dim_or_err()?;
                Ok(DataType::FixedSizeBinary(self.dim.div_ceil(8) as i32))
            }
            (Kind::Sparse, Some(item)) => Ok(DataType::Struct(Fields::from(vec![
                Field::new(
                    "indices",
                    DataType::List(Arc::new(Field::new("item", DataType::UInt32, false))),
                    false,
                ),
                Field::new("values", DataType::List(Arc::new(item)), false),
            ]))),
            (Kind::Multi, item) => {
                let inner = match item {
                    Some(item) => DataType::FixedSizeList(Arc::new(item), dim_or_err()?),
                    None => DataType::FixedSizeBinary((dim_or_err()? as u32).div_ceil(8) as i32),
                };
                Ok(DataType::List(Arc::new(Field::new("item", inner, false))))
            }
            (Kind::Dense, None) => Err(bad("a dense vector can't have elements of one bit")),
            (Kind::Binary, Some(_)) => Err(bad("a binary vector's elements are bits")),
            (Kind::Sparse, None) => Err(bad("a sparse vector can't have elements of one bit")),
        }
    }

    /// A non-null field of that type with the metadata that says so.
    ///
    /// # Errors
    /// As [`data_type`](Self::data_type).
    pub fn field(&self, name: &str) -> Result<Field> {
        let mut metadata = HashMap::from([
            (keys::ROLE.to_owned(), Role::Vector.to_string()),
            (keys::KIND.to_owned(), self.kind.to_string()),
            (keys::ELEM.to_owned(), self.elem.to_string()),
        ]);
        if self.dim > 0 {
            metadata.insert(keys::DIM.to_owned(), self.dim.to_string());
        }
        if let Some(metric) = &self.metric {
            metadata.insert(keys::METRIC.to_owned(), metric.clone());
        }
        if let Some(arg) = self.metric_arg {
            metadata.insert(keys::METRIC_ARG.to_owned(), arg.to_string());
        }
        if self.elem == Elem::Bit {
            let order = self.bit_order.unwrap_or(BitOrder::Unknown);
            metadata.insert(keys::BIT_ORDER.to_owned(), order.to_string());
        }
        Ok(Field::new(name, self.data_type()?, false).with_metadata(metadata))
    }

    /// Reads a vector field's metadata; `None` if the field is no vector.
    ///
    /// # Errors
    /// `Unsupported` if role, kind or elem has a value that this data model does not know: the
    /// column is of a later version. `Format` if a key is missing or malformed.
    pub fn of(field: &Field) -> Result<Option<Self>> {
        if role(field)? != Some(Role::Vector) {
            return Ok(None);
        }
        let kind = required(field, keys::KIND, Kind::from_name, ErrorKind::Unsupported)?;
        let elem = required(field, keys::ELEM, Elem::from_name, ErrorKind::Unsupported)?;
        let dim = match (meta(field, keys::DIM), kind) {
            (None, Kind::Sparse) => 0,
            (None, _) => return Err(bad_key(field, keys::DIM, "it is missing")),
            (Some(text), _) => decimal::<u32>(text)
                .filter(|d| (1..=keys::MAX_DIM).contains(d))
                .ok_or_else(|| {
                    bad_key(
                        field,
                        keys::DIM,
                        &format!("found `{text}`, wanted 1 to 1048576"),
                    )
                })?,
        };
        let bit_order = match elem {
            Elem::Bit => Some(required(
                field,
                keys::BIT_ORDER,
                BitOrder::from_name,
                ErrorKind::Format,
            )?),
            _ => None,
        };
        let metric_arg = match meta(field, keys::METRIC_ARG) {
            None => None,
            Some(text) => {
                let number = text.parse().ok().filter(|n: &f64| n.is_finite());
                let what = || format!("found `{text}`, wanted a finite number");
                Some(number.ok_or_else(|| bad_key(field, keys::METRIC_ARG, &what()))?)
            }
        };
        let metric = meta(field, keys::METRIC).map(str::to_owned);
        Ok(Some(Self {
            kind,
            elem,
            dim,
            metric,
            metric_arg,
            bit_order,
        }))
    }
}

/// The role of a field; `None` for a scalar.
///
/// # Errors
/// `Unsupported` for a role that this data model does not know.
pub fn role(field: &Field) -> Result<Option<Role>> {
    match meta(field, keys::ROLE) {
        None => Ok(None),
        Some(name) => match Role::from_name(name) {
            Some(role) => Ok(Some(role)),
            None => {
                let what = format!("`{name}` is unknown");
                Err(key_error(ErrorKind::Unsupported, field, keys::ROLE, &what))
            }
        },
    }
}

/// The id field: non-null, of one of the id types.
pub fn id_field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false).with_metadata(HashMap::from([(
        keys::ROLE.to_owned(),
        Role::Id.to_string(),
    )]))
}

/// The same field with an Arrow extension name and empty extension metadata.
#[must_use]
pub fn with_extension(field: Field, name: &str) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(keys::EXTENSION_NAME.to_owned(), name.to_owned());
    metadata.insert(keys::EXTENSION_METADATA.to_owned(), String::new());
    field.with_metadata(metadata)
}

/// The Arrow extension name of a field.
pub fn extension(field: &Field) -> Option<&str> {
    meta(field, keys::EXTENSION_NAME)
}

/// The position and field of the one column of that role.
pub fn find_role(fields: &Fields, wanted: Role) -> Option<(usize, &FieldRef)> {
    fields
        .iter()
        .enumerate()
        .find(|(_, f)| meta(f, keys::ROLE) == Some(wanted.as_str()))
}

pub(super) fn meta<'a>(field: &'a Field, key: &str) -> Option<&'a str> {
    field.metadata().get(key).map(String::as_str)
}

fn bad_key(field: &Field, key: &str, what: &str) -> Error {
    key_error(ErrorKind::Format, field, key, what)
}

fn key_error(kind: ErrorKind, field: &Field, key: &str, what: &str) -> Error {
    let name = field.name();
    Error::new(
        kind,
        format!("column `{name}`: metadata key `{key}`: {what}"),
    )
}

/// A key that must be there; `unknown` is the kind of error for a value that `parse` does not know.
fn required<T>(
    field: &Field,
    key: &str,
    parse: impl Fn(&str) -> Option<T>,
    unknown: ErrorKind,
) -> Result<T> {
    let text = meta(field, key).ok_or_else(|| bad_key(field, key, "it is missing"))?;
    parse(text).ok_or_else(|| key_error(unknown, field, key, &format!("`{text}` is unknown")))
}

#[cfg(test)]
#[path = "field_tests.rs"]
mod tests;
