// SPDX-License-Identifier: Apache-2.0
//! Builds schemas and refuses those that break the convention (data model 5.1, 5.2).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::descriptor::Descriptor;
use super::field::{self, Role, VectorType};
use super::{Elem, keys, metadata, wire};
use crate::{Error, ErrorKind, Result};

/// What one column is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Column {
    /// The id.
    Id,
    /// A vector.
    Vector(VectorType),
    /// JSON objects with further members.
    Dynamic,
    /// The partition's name.
    Partition,
    /// Any other value.
    Scalar,
    /// Something of a later version, with the reason; no sink can hold it, only drop it.
    Unrepresentable(String),
}

/// Says what a field is by its metadata.
pub fn classify(field: &Field) -> Column {
    match field::role(field) {
        Err(error) => Column::Unrepresentable(error.message().to_owned()),
        Ok(None) => Column::Scalar,
        Ok(Some(Role::Id)) => Column::Id,
        Ok(Some(Role::Dynamic)) => Column::Dynamic,
        Ok(Some(Role::Partition)) => Column::Partition,
        Ok(Some(Role::Op)) => Column::Unrepresentable("role `op` is reserved".to_owned()),
        Ok(Some(Role::Vector)) => match VectorType::of(field) {
            Ok(Some(vector)) => Column::Vector(vector),
            Ok(None) => Column::Scalar,
            Err(error) => Column::Unrepresentable(error.message().to_owned()),
        },
    }
}

/// Builds a schema with the metadata that the convention asks for.
///
/// ```
/// use arrow_schema::DataType;
/// use milvusdm_plugin_api::model::{Elem, SchemaBuilder, VectorType};
/// let schema = SchemaBuilder::new()
///     .id("id", DataType::Int64)
///     .vector("vector", &VectorType::dense(Elem::F32, 128).with_metric(Some("l2")))?
///     .finish()?;
/// assert_eq!(schema.fields().len(), 2);
/// # Ok::<(), milvusdm_plugin_api::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct SchemaBuilder {
    fields: Vec<Field>,
    descriptor: Option<String>,
}

impl SchemaBuilder {
    /// An empty schema.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the id column.
    #[must_use]
    pub fn id(self, name: &str, data_type: DataType) -> Self {
        self.field(field::id_field(name, data_type))
    }

    /// Adds a vector column.
    ///
    /// # Errors
    /// `Config` if kind, element and dimension don't go together.
    pub fn vector(self, name: &str, vector: &VectorType) -> Result<Self> {
        Ok(self.field(vector.field(name)?))
    }

    /// Adds any column.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Puts the descriptor into the schema's metadata, for schemas that are dumped.
    #[must_use]
    pub fn describe(mut self, descriptor: &Descriptor) -> Self {
        self.descriptor = serde_json::to_string(descriptor).ok();
        self
    }

    /// The schema, checked.
    ///
    /// # Errors
    /// As [`validate`].
    pub fn finish(self) -> Result<SchemaRef> {
        let mut metadata =
            HashMap::from([(keys::VERSION.to_owned(), keys::MODEL_VERSION.to_string())]);
        if let Some(descriptor) = self.descriptor {
            metadata.insert(keys::DATASET.to_owned(), descriptor);
        }
        let schema = Arc::new(Schema::new_with_metadata(self.fields, metadata));
        validate(&schema)?;
        Ok(schema)
    }
}

/// Refuses a schema that breaks the convention.
///
/// # Errors
/// `Format`, naming the column and the rule.
pub fn validate(schema: &Schema) -> Result<()> {
    let mut names = HashSet::new();
    for field in schema.fields() {
        if !names.insert(field.name()) {
            return Err(bad(format!("two columns are named `{}`", field.name())));
        }
        wire::check(field)?;
    }
    metadata::check(schema)?;
    let mut roles = Roles::default();
    for field in schema.fields() {
        check_column(field, &mut roles)?;
    }
    for (role, count) in [
        (Role::Id, roles.ids),
        (Role::Dynamic, roles.dynamics),
        (Role::Partition, roles.partitions),
    ] {
        if count > 1 {
            return Err(bad(format!(
                "found {count} {role} columns, at most one is allowed"
            )));
        }
    }
    Ok(())
}

/// How many columns have a role that only one may have.
#[derive(Default)]
struct Roles {
    ids: u32,
    dynamics: u32,
    partitions: u32,
}

fn check_column(field: &Field, roles: &mut Roles) -> Result<()> {
    let wanted = |what: &str| {
        let (name, found) = (field.name(), wire::type_name(field));
        Err(bad(format!("column `{name}`: {what}, found {found}")))
    };
    match known(field)? {
        Column::Id => {
            roles.ids += 1;
            match wire::is_id_type(field) {
                true => Ok(()),
                false => wanted("an id is Int64, UInt64, Utf8 or a UUID"),
            }
        }
        Column::Vector(vector) => check_vector(field, &vector),
        Column::Dynamic => {
            roles.dynamics += 1;
            match wire::type_name(field).as_str() {
                "Json" => Ok(()),
                _ => wanted("the dynamic column is Utf8 with `arrow.json`"),
            }
        }
        Column::Partition => {
            roles.partitions += 1;
            match field.data_type() {
                DataType::Utf8 => Ok(()),
                _ => wanted("a partition's name is Utf8"),
            }
        }
        Column::Scalar => check_members(field),
        Column::Unrepresentable(_) => Ok(()),
    }
}

/// What a field is; malformed metadata is an error, a value of a later version is not.
fn known(field: &Field) -> Result<Column> {
    match VectorType::of(field) {
        Err(error) if error.kind() != ErrorKind::Unsupported => Err(error),
        _ => Ok(classify(field)),
    }
}

/// Inside a column there are scalars and, in a struct array, vectors.
fn check_members(field: &Field) -> Result<()> {
    let check = |child: &Field| match known(child)? {
        Column::Vector(vector) => check_vector(child, &vector),
        Column::Scalar => check_members(child),
        Column::Unrepresentable(_) => Ok(()),
        Column::Id | Column::Dynamic | Column::Partition => Err(bad(format!(
            "column `{}`: its `{}` has a role that only a whole column can have",
            field.name(),
            child.name()
        ))),
    };
    match field.data_type() {
        DataType::List(item) | DataType::FixedSizeList(item, _) => check(item),
        DataType::Struct(fields) => fields.iter().try_for_each(|f| check(f)),
        _ => Ok(()),
    }
}

/// Checks the shape that a vector column is stored in.
fn check_vector(field: &Field, vector: &VectorType) -> Result<()> {
    let name = field.name();
    let wanted = vector
        .data_type()
        .map_err(|e| bad(format!("column `{name}`: {}", e.message())))?;
    let is_named = vector.elem != Elem::Bf16 || element_extension(field) == Some(keys::BFLOAT16);
    if same_storage(field.data_type(), &wanted) && is_named {
        return Ok(());
    }
    Err(bad(format!(
        "column `{name}`: a {} vector of {} x {} is stored as {wanted}{}, found {}",
        vector.kind,
        vector.dim,
        vector.elem,
        if is_named {
            ""
        } else {
            " with `lance.bfloat16` on the elements"
        },
        field.data_type()
    )))
}

/// Equal types, names and nullability of children aside: children go by position, and pyarrow
/// flags every child nullable.
fn same_storage(found: &DataType, wanted: &DataType) -> bool {
    match (found, wanted) {
        (DataType::List(f), DataType::List(w)) => same_storage(f.data_type(), w.data_type()),
        (DataType::FixedSizeList(f, n), DataType::FixedSizeList(w, m)) => {
            n == m && same_storage(f.data_type(), w.data_type())
        }
        (DataType::Struct(f), DataType::Struct(w)) => {
            f.len() == w.len()
                && f.iter()
                    .zip(w)
                    .all(|(f, w)| same_storage(f.data_type(), w.data_type()))
        }
        (f, w) => f == w,
    }
}

/// The extension of the innermost element; of a sparse vector, that of its values.
fn element_extension(field: &Field) -> Option<&str> {
    match field.data_type() {
        DataType::List(item) | DataType::FixedSizeList(item, _) => element_extension(item),
        DataType::Struct(parts) => element_extension(parts.last()?),
        _ => field::extension(field),
    }
}

fn bad(message: String) -> Error {
    Error::new(ErrorKind::Format, message)
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
