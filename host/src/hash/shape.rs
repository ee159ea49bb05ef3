// SPDX-License-Identifier: Apache-2.0
//! What a column's values look like to the hash: found out once, before the first row.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, Field};
use milvusdm_plugin_api::model::schema::{Column, classify};
use milvusdm_plugin_api::model::wire;
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::vector::Vector;
use super::{json, scalar};

/// How a field's values are fed.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A value whose Arrow type says everything.
    Plain,
    /// JSON text.
    Json,
    /// Sixteen bytes that are a UUID.
    Uuid,
    /// A list, of any or of a fixed length.
    List(Box<Shape>),
    /// Members in the order of their names' bytes.
    Struct(Vec<Member>),
    /// A vector.
    Vector(Vector),
}

/// A member of a struct.
#[derive(Debug, Clone)]
pub(super) struct Member {
    name: String,
    position: usize,
    shape: Shape,
}

impl Shape {
    /// # Errors
    /// `Unsupported`, naming the column and the type.
    pub(super) fn of(field: &Field) -> Result<Self> {
        Self::of_part(field, field.name())
    }

    fn of_part(field: &Field, column: &str) -> Result<Self> {
        let unsupported = |why: &str| {
            Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "hash column `{column}`: {why} (type {})",
                    wire::type_name(field)
                ),
            ))
        };
        match classify(field) {
            Column::Vector(vector) => return Ok(Self::Vector(Vector::new(&vector))),
            Column::Unrepresentable(why) => return unsupported(&why),
            _ => {}
        }
        match field.data_type() {
            DataType::Utf8 if wire::type_name(field) == "Json" => Ok(Self::Json),
            DataType::FixedSizeBinary(16) if wire::type_name(field) == "Uuid" => Ok(Self::Uuid),
            DataType::List(item) | DataType::FixedSizeList(item, _) => {
                let path = format!("{column}.{}", item.name());
                Ok(Self::List(Box::new(Self::of_part(item, &path)?)))
            }
            DataType::Struct(fields) => {
                let mut members = Vec::with_capacity(fields.len());
                for (position, child) in fields.iter().enumerate() {
                    members.push(Member {
                        name: child.name().clone(),
                        position,
                        shape: Self::of_part(child, &format!("{column}.{}", child.name()))?,
                    });
                }
                members.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(Self::Struct(members))
            }
            _ => match wire::check(field) {
                Ok(()) => Ok(Self::Plain),
                Err(_) => unsupported("the hash knows no such values"),
            },
        }
    }

    /// Writes a value's feed; `false`, and nothing written, if it is null.
    pub(super) fn write(&self, values: &dyn Array, row: usize, out: &mut Vec<u8>) -> bool {
        if *values.data_type() == DataType::Null || values.is_null(row) {
            return false;
        }
        match self {
            Self::Plain => scalar::write(values, row, out),
            Self::Json => return json::write_text(values.as_string::<i32>().value(row), out),
            Self::Uuid => scalar::uuid(values.as_fixed_size_binary().value(row), out),
            Self::List(item) => match values.data_type() {
                DataType::FixedSizeList(..) => {
                    item.write_list(&*values.as_fixed_size_list().value(row), out);
                }
                _ => item.write_list(&*values.as_list::<i32>().value(row), out),
            },
            Self::Struct(members) => {
                let parts = values.as_struct();
                scalar::object(out, |out| {
                    let mut count = 0;
                    for member in members {
                        let before = out.len();
                        scalar::text(&member.name, out);
                        let part = parts.column(member.position).as_ref();
                        if member.shape.write(part, row, out) {
                            count += 1;
                        } else {
                            out.truncate(before);
                        }
                    }
                    count
                });
            }
            Self::Vector(vector) => vector.write(values, row, out),
        }
        true
    }

    fn write_list(&self, items: &dyn Array, out: &mut Vec<u8>) {
        out.push(scalar::LIST);
        out.extend_from_slice(&(items.len() as u64).to_le_bytes());
        for item in 0..items.len() {
            if !self.write(items, item, out) {
                out.push(scalar::NULL);
            }
        }
    }
}

/// Whether arrays of both types are read alike: names and nullability of children mean nothing.
pub(super) fn same(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::List(a), DataType::List(b)) => same(a.data_type(), b.data_type()),
        (DataType::FixedSizeList(a, m), DataType::FixedSizeList(b, n)) => {
            m == n && same(a.data_type(), b.data_type())
        }
        (DataType::Struct(a), DataType::Struct(b)) => {
            let mut pairs = a.iter().zip(b.iter());
            a.len() == b.len() && pairs.all(|(a, b)| same(a.data_type(), b.data_type()))
        }
        (a, b) => a == b,
    }
}
