// SPDX-License-Identifier: Apache-2.0
//! Builds schemas and refuses those that break the convention (data model 5.1, 5.2).

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::descriptor::Descriptor;
use super::field::{self, Kind, Role, VectorType};
use super::{keys, wire};
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
    check_version(schema)?;
    check_sizes(schema)?;
    let mut ids = 0;
    let mut dynamics = 0;
    for (i, field) in schema.fields().iter().enumerate() {
        if schema
            .fields()
            .iter()
            .take(i)
            .any(|f| f.name() == field.name())
        {
            return Err(bad(format!("two columns are named `{}`", field.name())));
        }
        wire::check(field)?;
        match classify(field) {
            Column::Id => {
                ids += 1;
                if !wire::is_id_type(field) {
                    return Err(bad(format!(
                        "column `{}`: an id is Int64, UInt64, Utf8 or a UUID, found {}",
                        field.name(),
                        wire::type_name(field)
                    )));
                }
            }
            Column::Vector(vector) => check_vector(field, &vector)?,
            Column::Dynamic => {
                dynamics += 1;
                if wire::type_name(field) != "Json" {
                    return Err(bad(format!(
                        "column `{}`: the dynamic column is Utf8 with `arrow.json`, found {}",
                        field.name(),
                        wire::type_name(field)
                    )));
                }
            }
            Column::Partition if *field.data_type() != DataType::Utf8 => {
                return Err(bad(format!(
                    "column `{}`: a partition's name is Utf8",
                    field.name()
                )));
            }
            Column::Partition | Column::Scalar | Column::Unrepresentable(_) => {}
        }
    }
    if ids > 1 || dynamics > 1 {
        return Err(bad(format!(
            "found {ids} id and {dynamics} dynamic columns, at most one of each is allowed"
        )));
    }
    Ok(())
}

/// Checks the shape that a vector column is stored in.
fn check_vector(field: &Field, vector: &VectorType) -> Result<()> {
    let wanted = vector.data_type()?;
    let fits = match (field.data_type(), &wanted) {
        (DataType::Struct(found), DataType::Struct(wanted)) => {
            found.len() == wanted.len()
                && found.iter().zip(wanted).all(|(f, w)| {
                    f.name() == w.name() && same_storage(f.data_type(), w.data_type())
                })
        }
        (found, wanted) => same_storage(found, wanted),
    };
    let bf16 = vector.elem == super::Elem::Bf16 && vector.kind == Kind::Dense;
    if fits && (!bf16 || child_extension(field.data_type()) == Some(keys::BFLOAT16)) {
        return Ok(());
    }
    Err(bad(format!(
        "column `{}`: a {} vector of {} x {} is stored as {wanted}, found {}",
        field.name(),
        vector.kind,
        vector.dim,
        vector.elem,
        field.data_type()
    )))
}

/// Equal types, names and nullability of children aside (pyarrow flags every child nullable).
fn same_storage(found: &DataType, wanted: &DataType) -> bool {
    match (found, wanted) {
        (DataType::List(f), DataType::List(w)) => same_storage(f.data_type(), w.data_type()),
        (DataType::FixedSizeList(f, n), DataType::FixedSizeList(w, m)) => {
            n == m && same_storage(f.data_type(), w.data_type())
        }
        (f, w) => f == w,
    }
}

fn child_extension(data_type: &DataType) -> Option<&str> {
    match data_type {
        DataType::FixedSizeList(item, _) => field::extension(item),
        _ => None,
    }
}

fn check_version(schema: &Schema) -> Result<()> {
    let found = schema.metadata().get(keys::VERSION);
    match found.and_then(|v| v.parse::<u32>().ok()) {
        Some(version) if (1..=keys::MODEL_VERSION).contains(&version) => Ok(()),
        Some(version) => Err(bad(format!(
            "data model version {version} is newer than this host's {}",
            keys::MODEL_VERSION
        ))
        .help("update milvusdm")),
        None => Err(bad(format!(
            "schema metadata `{}` is {}, wanted `{}`",
            keys::VERSION,
            found.map_or_else(|| "missing".to_owned(), |v| format!("`{v}`")),
            keys::MODEL_VERSION
        ))),
    }
}

fn check_sizes(schema: &Schema) -> Result<()> {
    let mut total = 0usize;
    let mut add = |owner: &str, key: &str, value: &str| {
        if value.len() > keys::MAX_VALUE_BYTES {
            return Err(bad(format!(
                "{owner}: metadata `{key}` has {} bytes, at most {} are allowed",
                value.len(),
                keys::MAX_VALUE_BYTES
            )));
        }
        if key.contains('\0') || value.contains('\0') {
            return Err(bad(format!(
                "{owner}: metadata `{}` holds a NUL byte",
                key.escape_debug()
            )));
        }
        total = total.saturating_add(key.len()).saturating_add(value.len());
        Ok(())
    };
    for (key, value) in schema.metadata() {
        add("schema", key, value)?;
    }
    for field in schema.fields() {
        add("column name", field.name(), "")?;
        for (key, value) in field.metadata() {
            add(field.name(), key, value)?;
        }
    }
    if total > keys::MAX_SCHEMA_BYTES {
        return Err(bad(format!(
            "the schema's names and metadata take {total} bytes, at most {} are allowed",
            keys::MAX_SCHEMA_BYTES
        )));
    }
    Ok(())
}

fn bad(message: String) -> Error {
    Error::new(ErrorKind::Format, message)
}

#[cfg(test)]
mod tests {
    use super::super::{BitOrder, Elem};
    use super::*;

    fn versioned(fields: Vec<Field>) -> Schema {
        Schema::new_with_metadata(
            fields,
            HashMap::from([(keys::VERSION.to_owned(), "1".to_owned())]),
        )
    }

    #[test]
    fn the_worked_examples_are_valid() {
        let dense = VectorType::dense(Elem::F32, 128).with_metric(Some("ip"));
        let bits = VectorType::binary(512, BitOrder::Unknown).with_metric(Some("jaccard"));
        let half = VectorType::dense(Elem::Bf16, 256);
        let sparse = VectorType {
            kind: Kind::Sparse,
            dim: 0,
            ..VectorType::dense(Elem::F32, 1)
        };
        for vector in [dense, bits, half, sparse] {
            SchemaBuilder::new()
                .id("id", DataType::Int64)
                .vector("vector", &vector)
                .unwrap()
                .finish()
                .unwrap();
        }
    }

    #[test]
    fn repeated_names_and_second_ids_are_refused() {
        let twice = versioned(vec![
            Field::new("a", DataType::Int8, true),
            Field::new("a", DataType::Int8, true),
        ]);
        assert!(validate(&twice).unwrap_err().to_string().contains("`a`"));
        let ids = versioned(vec![
            field::id_field("a", DataType::Int64),
            field::id_field("b", DataType::Int64),
        ]);
        assert!(validate(&ids).unwrap_err().to_string().contains("2 id"));
    }

    #[test]
    fn a_missing_or_newer_version_is_refused() {
        assert!(
            validate(&Schema::empty())
                .unwrap_err()
                .to_string()
                .contains("missing")
        );
        let newer = Schema::new_with_metadata(
            Vec::<Field>::new(),
            HashMap::from([(keys::VERSION.to_owned(), "2".to_owned())]),
        );
        assert!(validate(&newer).unwrap_err().to_string().contains("newer"));
    }

    #[test]
    fn storage_must_fit_what_the_metadata_says() {
        let field = VectorType::dense(Elem::F32, 4).field("v").unwrap();
        let lying =
            Field::new("v", DataType::Float32, false).with_metadata(field.metadata().clone());
        let error = validate(&versioned(vec![lying])).unwrap_err();
        assert!(
            error.to_string().contains("dense vector of 4 x f32"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_kind_makes_the_column_unrepresentable_not_the_schema_invalid() {
        let mut field = VectorType::dense(Elem::F32, 4).field("v").unwrap();
        let mut metadata = field.metadata().clone();
        metadata.insert(keys::KIND.to_owned(), "quantum".to_owned());
        field = field.with_metadata(metadata);
        validate(&versioned(vec![field.clone()])).unwrap();
        assert!(
            matches!(classify(&field), Column::Unrepresentable(why) if why.contains("quantum"))
        );
    }

    #[test]
    fn large_metadata_is_refused() {
        let field = Field::new("a", DataType::Int8, true).with_metadata(HashMap::from([(
            "x".to_owned(),
            "y".repeat(keys::MAX_VALUE_BYTES + 1),
        )]));
        assert!(validate(&versioned(vec![field])).is_err());
    }
}
