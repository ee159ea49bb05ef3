// SPDX-License-Identifier: Apache-2.0
//! Schemas to write: made of what the sink declares that it holds, and of what it does not.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, SchemaRef, TimeUnit};

use crate::Result;
use crate::model::capabilities::VectorCapability;
use crate::model::field::{id_field, with_extension};
use crate::model::{
    BitOrder, Capabilities, Elem, Kind, Metric, SchemaBuilder, VectorType, keys, wire,
};
use crate::testkit::report::{Checked, fail};

/// A schema, and what is special about it.
pub(super) struct Shape {
    pub(super) about: String,
    pub(super) schema: SchemaRef,
}

/// Id fields of every type.
pub(super) fn ids() -> Vec<Field> {
    let uuid = with_extension(id_field("id", DataType::FixedSizeBinary(16)), keys::UUID);
    let plain = [DataType::Int64, DataType::UInt64, DataType::Utf8];
    let mut fields: Vec<Field> = plain.into_iter().map(|t| id_field("id", t)).collect();
    fields.push(uuid);
    fields
}

/// Scalar fields of every type, and a few nested ones.
pub(super) fn scalars() -> Vec<Field> {
    use DataType as T;
    let list = |t: T| T::List(Arc::new(Field::new("item", t, true)));
    let part = Fields::from(vec![Field::new("a", T::Int32, true)]);
    let types = [
        T::Boolean,
        T::Int8,
        T::Int16,
        T::Int32,
        T::Int64,
        T::UInt8,
        T::UInt16,
        T::UInt32,
        T::UInt64,
        T::Float16,
        T::Float32,
        T::Float64,
        T::Decimal128(20, 2),
        T::Utf8,
        T::Binary,
        T::FixedSizeBinary(5),
        T::Date32,
        T::Time32(TimeUnit::Millisecond),
        T::Time64(TimeUnit::Microsecond),
        T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        list(T::Utf8),
        list(T::Int64),
        T::Struct(part),
    ];
    let mut fields: Vec<Field> = types
        .into_iter()
        .enumerate()
        .map(|(i, t)| Field::new(format!("c{i}"), t, true))
        .collect();
    fields.push(with_extension(
        Field::new("json", T::Utf8, true),
        keys::JSON,
    ));
    let uuid = Field::new("uuid", T::FixedSizeBinary(16), true);
    fields.push(with_extension(uuid, keys::UUID));
    fields
}

/// Every kind of vector with every element that it can have.
pub(super) fn vectors() -> Vec<VectorType> {
    let kinds = Kind::ALL.iter().flat_map(|kind| {
        Elem::ALL.iter().map(|elem| VectorType {
            kind: *kind,
            elem: *elem,
            ..VectorType::binary(12, BitOrder::Msb)
        })
    });
    kinds
        .filter(|v| v.data_type().is_ok())
        .map(|v| VectorType {
            bit_order: v.bit_order.filter(|_| v.elem == Elem::Bit),
            ..v
        })
        .collect()
}

/// A vector type with a dimension and a metric that the sink takes.
fn fitted(
    vector: VectorType,
    limits: &VectorCapability,
    capabilities: &Capabilities,
) -> VectorType {
    let step = limits.dim_multiple.unwrap_or(1).max(1);
    let dim = vector.dim.next_multiple_of(step);
    let dim = limits.max_dim.map_or(dim, |max| dim.min(max / step * step));
    let is_binary = vector.elem == Elem::Bit;
    let metric = capabilities
        .metrics
        .iter()
        .find(|name| Metric::from_name(name).is_some_and(|m| m.is_binary() == is_binary));
    VectorType {
        dim: dim.max(1),
        metric: metric.cloned(),
        ..vector
    }
}

/// The vector types that the sink holds, fitted to its limits.
pub(super) fn held_vectors(capabilities: &Capabilities) -> Vec<VectorType> {
    let held = vectors().into_iter().filter_map(|vector| {
        let limits = capabilities
            .vectors
            .iter()
            .find(|c| c.kind == vector.kind && c.elem.contains(&vector.elem))?;
        Some(fitted(vector, limits, capabilities))
    });
    held.collect()
}

/// The scalar fields that the sink holds, nullable where it takes nulls.
pub(super) fn held_scalars(capabilities: &Capabilities) -> Vec<Field> {
    let most = capabilities.max_columns.map_or(usize::MAX, |m| m as usize);
    let held = scalars()
        .into_iter()
        .filter(|f| capabilities.holds_scalar(f));
    held.take(most)
        .map(|f| f.with_nullable(capabilities.nullable))
        .collect()
}

/// Whether the sink takes rows without ids.
fn takes_no_ids(capabilities: &Capabilities) -> bool {
    capabilities
        .id_policy
        .iter()
        .any(|p| p == "none" || p == "generate")
}

/// The id of the first type that the sink holds.
fn usual_id(capabilities: &Capabilities) -> Option<Field> {
    ids().into_iter().find(|f| capabilities.holds_id(f))
}

fn schema(
    id: Option<Field>,
    vector: Option<&VectorType>,
    scalars: Vec<Field>,
) -> Result<SchemaRef> {
    let builder = id
        .into_iter()
        .fold(SchemaBuilder::new(), SchemaBuilder::field);
    let builder = match vector {
        Some(vector) => builder.vector("vector", vector)?,
        None => builder,
    };
    scalars
        .into_iter()
        .fold(builder, SchemaBuilder::field)
        .finish()
}

/// The schema that most cases write: an id, a vector, every scalar.
pub(super) fn usual(capabilities: &Capabilities) -> Checked<SchemaRef> {
    let vectors = held_vectors(capabilities);
    let scalars = held_scalars(capabilities);
    if vectors.is_empty() && scalars.is_empty() {
        return fail("the sink declares neither vectors nor scalars that it holds");
    }
    Ok(schema(usual_id(capabilities), vectors.first(), scalars)?)
}

/// The usual schema, and one with nothing but an id and a vector.
pub(super) fn wide_and_narrow(capabilities: &Capabilities) -> Checked<Vec<SchemaRef>> {
    let usual = usual(capabilities)?;
    let vectors = held_vectors(capabilities);
    let narrow = schema(usual_id(capabilities), vectors.first(), vec![])?;
    let is_another = !vectors.is_empty() && narrow != usual;
    Ok([usual]
        .into_iter()
        .chain(is_another.then_some(narrow))
        .collect())
}

/// Every schema that is worth a target of its own: each vector, each id.
pub(super) fn all(capabilities: &Capabilities) -> Checked<Vec<Shape>> {
    let mut shapes = vec![Shape {
        about: "every scalar".to_owned(),
        schema: usual(capabilities)?,
    }];
    for vector in held_vectors(capabilities) {
        shapes.push(Shape {
            about: format!("{} x {} {}", vector.dim, vector.elem, vector.kind),
            schema: schema(usual_id(capabilities), Some(&vector), vec![])?,
        });
    }
    let vector = held_vectors(capabilities).into_iter().next();
    for id in ids().into_iter().filter(|f| capabilities.holds_id(f)) {
        shapes.push(Shape {
            about: format!("ids of {}", wire::type_name(&id)),
            schema: schema(Some(id), vector.as_ref(), vec![])?,
        });
    }
    if takes_no_ids(capabilities) && vector.is_some() {
        shapes.push(Shape {
            about: "no ids".to_owned(),
            schema: schema(None, vector.as_ref(), vec![])?,
        });
    }
    Ok(shapes)
}

/// Schemas with one column, `odd`, that the sink does not declare.
pub(super) fn beyond(capabilities: &Capabilities) -> Checked<Vec<Shape>> {
    let mut fields = Vec::new();
    for field in scalars()
        .into_iter()
        .filter(|f| !capabilities.holds_scalar(f))
    {
        fields.push((wire::type_name(&field), field.with_name("odd")));
    }
    for vector in vectors() {
        let known = |c: &&VectorCapability| c.kind == vector.kind && c.elem.contains(&vector.elem);
        match capabilities.vectors.iter().find(known) {
            None => fields.push((
                format!("{} {}", vector.kind, vector.elem),
                vector.field("odd")?,
            )),
            Some(limits) => {
                let dims = [
                    limits.max_dim.and_then(|max| max.checked_add(1)),
                    limits.dim_multiple.filter(|m| *m > 1).map(|m| m + 1),
                ];
                for dim in dims.into_iter().flatten().filter(|d| *d <= keys::MAX_DIM) {
                    let vector = VectorType {
                        dim,
                        ..vector.clone()
                    };
                    fields.push((format!("dimension {dim}"), vector.field("odd")?));
                }
            }
        }
    }
    let id = usual_id(capabilities);
    let held = held_vectors(capabilities);
    let mut shapes = Vec::new();
    for (about, field) in fields {
        // A second vector would be refused for the count alone.
        let is_vector = VectorType::of(&field)?.is_some();
        let vector = held.first().filter(|_| !is_vector);
        shapes.push(Shape {
            about,
            schema: schema(id.clone(), vector, vec![field])?,
        });
    }
    for odd in ids().into_iter().filter(|f| !capabilities.holds_id(f)) {
        let about = format!("ids of {}", wire::type_name(&odd));
        shapes.push(Shape {
            about,
            schema: schema(Some(odd.with_name("odd")), held.first(), vec![])?,
        });
    }
    Ok(shapes)
}
