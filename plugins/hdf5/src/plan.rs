// SPDX-License-Identifier: Apache-2.0
//! Says what a target's file will hold: which dataset each column becomes, and the attributes.

use arrow_schema::{DataType, Field, Schema};
use milvusdm_plugin_api::model::schema::{Column as Role, classify};
use milvusdm_plugin_api::model::{BitOrder, IndexDefinition, Kind, VectorType, wire};
use milvusdm_plugin_api::{Error, ErrorKind, Result, TargetSpec};

use crate::h5::{AttributeValue, Chunking, Compression, Element, NewDataset, Number};
use crate::options::SinkOptions;
use crate::{FORMAT_VERSION, IDS, VECTORS, names};

/// Bytes of a chunk of vectors, where the task does not say how many rows.
const CHUNK_BYTES: u64 = 1 << 20;
/// Largest row of chunks, all columns together: it is held in memory until it is full.
pub const MAX_CHUNK_BYTES: u64 = 32 << 20;

/// A column of the target.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanColumn {
    /// Its name in batches, for messages.
    pub name: String,
    /// Its type in batches.
    pub data_type: DataType,
    /// The dataset that it becomes.
    pub dataset: NewDataset,
}

/// What a target's file will hold.
#[derive(Debug, Clone, PartialEq)]
pub struct FilePlan {
    /// Columns, in the order of batches.
    pub columns: Vec<PlanColumn>,
    /// What the vectors are.
    pub vector: VectorType,
    /// Definitions of indexes, for a system that can build them.
    pub indexes: Vec<IndexDefinition>,
    collection: String,
    partition: Option<String>,
}

impl FilePlan {
    /// Turns a target's schema into datasets.
    ///
    /// # Errors
    /// `Unsupported` for columns that can't be held, naming column, type and the cure.
    pub fn of(schema: &Schema, spec: &TargetSpec, options: &SinkOptions) -> Result<Self> {
        let mut vectors = Vec::new();
        let mut columns: Vec<PlanColumn> = Vec::new();
        for field in schema.fields() {
            let dataset = match classify(field) {
                Role::Id => id_dataset(field, &options.ids)?,
                Role::Vector(vector) => {
                    let dataset = vector_dataset(field, &vector, &options.vectors)?;
                    vectors.push(vector);
                    dataset
                }
                Role::Scalar => scalar_dataset(field, options)?,
                Role::Unrepresentable(why) => return Err(refused(field, &why)),
                // Dynamic members, partition names, and what later versions add.
                _ => return Err(refused(field, "it is no id, vector or plain value")),
            };
            if columns.iter().any(|c| c.dataset.name == dataset.name) {
                return Err(unsupported(format!(
                    "two columns would become dataset `{}`",
                    dataset.name
                )));
            }
            columns.push(PlanColumn {
                name: field.name().clone(),
                data_type: field.data_type().clone(),
                dataset,
            });
        }
        let count = vectors.len();
        let (Some(vector), 1) = (vectors.pop(), count) else {
            return Err(unsupported(format!(
                "an HDF5 file holds one column of vectors, {count} are to be written"
            )));
        };
        let plan = Self {
            columns,
            vector,
            indexes: indexes(spec),
            collection: spec.collection.clone(),
            partition: spec.partition.clone(),
        };
        plan.check_texts()?;
        Ok(plan)
    }

    fn check_texts(&self) -> Result<()> {
        let texts = [
            ("collection", Some(&self.collection)),
            ("partition", self.partition.as_ref()),
            ("metric", self.vector.metric.as_ref()),
        ];
        match texts
            .iter()
            .find(|(_, t)| t.is_some_and(|t| t.contains('\0')))
        {
            None => Ok(()),
            Some((what, _)) => Err(unsupported(format!(
                "the {what}'s name holds a NUL byte, which HDF5 strings can't hold"
            ))),
        }
    }

    /// The root attributes.
    ///
    /// # Errors
    /// `Internal` where a definition of an index is no JSON.
    pub fn attributes(&self) -> Result<Vec<(&'static str, AttributeValue)>> {
        let text = |value: &str| AttributeValue::Text(value.to_owned());
        let mut attributes = vec![
            ("milvusdm_format", AttributeValue::Int(FORMAT_VERSION)),
            ("collection", text(&self.collection)),
        ];
        if let Some(partition) = &self.partition {
            attributes.push(("partition", text(partition)));
        }
        if let Some(metric) = &self.vector.metric {
            attributes.push(("metric", text(metric)));
        }
        if let Some(argument) = self.vector.metric_arg {
            attributes.push(("metric_arg", AttributeValue::Float(argument)));
        }
        attributes.push(("dim", AttributeValue::Int(i64::from(self.vector.dim))));
        if self.vector.kind == Kind::Binary {
            let order = self.vector.bit_order.unwrap_or(BitOrder::Unknown);
            attributes.push(("bit_order", text(order.as_str())));
        }
        if !self.indexes.is_empty() {
            let indexes = serde_json::to_string(&self.indexes)
                .map_err(|e| Error::new(ErrorKind::Internal, format!("write an index: {e}")))?;
            attributes.push(("indexes", text(&indexes)));
        }
        Ok(attributes)
    }

    /// Bytes of a row in datasets; strings' own bytes are elsewhere.
    pub fn row_bytes(&self) -> u64 {
        let bytes = self.columns.iter().map(|c| c.dataset.row_bytes());
        bytes.fold(0, u64::saturating_add)
    }

    /// How many columns are strings.
    pub fn text_columns(&self) -> usize {
        let is_text = |c: &&PlanColumn| c.dataset.element == Element::Text;
        self.columns.iter().filter(is_text).count()
    }

    /// How datasets are cut into chunks, where they are.
    ///
    /// # Errors
    /// `Config` where `chunk_rows` asks for too much memory.
    pub fn chunking(&self, options: &SinkOptions) -> Result<Chunking> {
        let vector_bytes = self.vector.row_bytes().unwrap_or(1).max(1) as u64;
        let row_bytes = self.row_bytes().max(1);
        let most_rows = (MAX_CHUNK_BYTES / row_bytes).max(1);
        let rows = options
            .chunk_rows
            .unwrap_or((CHUNK_BYTES / vector_bytes).clamp(1, most_rows));
        let bytes = row_bytes.saturating_mul(rows);
        if options.chunk_rows.is_some() && rows > 1 && bytes > MAX_CHUNK_BYTES {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "option `chunk_rows` is {rows}; together, a chunk of every column takes {bytes} bytes, \
                     more than {MAX_CHUNK_BYTES} are not held in memory"
                ),
            )
            .with("option", "chunk_rows")
            .help(format!(
                "rows of {row_bytes} bytes allow `chunk_rows: {most_rows}`"
            )));
        }
        Ok(Chunking {
            rows,
            compression: options.compression()?,
            shuffle: options.shuffle,
        })
    }
}

impl FilePlan {
    /// Bytes that writing chunks of this kind holds at most: the rows that wait for theirs to be
    /// full, and the library's copies while it packs them.
    pub fn held_bytes(&self, chunking: &Chunking) -> u64 {
        let copies = match (chunking.compression, chunking.shuffle) {
            (Compression::None, _) => 3,
            (_, false) => 5,
            (_, true) => 6,
        };
        let chunk = self.row_bytes().saturating_mul(chunking.rows);
        chunk.saturating_mul(copies)
    }
}

/// Whether the options leave it open that datasets are written in one piece.
pub fn is_contiguous(options: &SinkOptions) -> Result<bool> {
    Ok(options.compression()? == Compression::None && options.chunk_rows.is_none())
}

/// The definitions on which all datasets of a target agree.
fn indexes(spec: &TargetSpec) -> Vec<IndexDefinition> {
    let first = &spec.descriptor.indexes;
    match spec
        .parts
        .iter()
        .all(|part| part.descriptor.indexes == *first)
    {
        true => first.clone(),
        false => Vec::new(),
    }
}

fn id_dataset(field: &Field, name: &str) -> Result<NewDataset> {
    let element = match field.data_type() {
        DataType::Int64 => Element::Number(Number::I64),
        DataType::UInt64 => Element::Number(Number::U64),
        DataType::Utf8 => Element::Text,
        _ => {
            return Err(refused(field, "ids are Int64, UInt64 or Utf8")
                .help("set `convert: {ids: text}` in the task"));
        }
    };
    Ok(NewDataset {
        name: name.to_owned(),
        element,
        width: None,
    })
}

fn vector_dataset(field: &Field, vector: &VectorType, name: &str) -> Result<NewDataset> {
    let (element, width) = match field.data_type() {
        DataType::FixedSizeBinary(bytes) if vector.kind == Kind::Binary => {
            (Element::Number(Number::U8), *bytes)
        }
        DataType::FixedSizeList(item, dim) if vector.kind == Kind::Dense => {
            let number = number(item.data_type());
            let number = number.ok_or_else(|| refused(field, "its elements are no numbers"))?;
            (Element::Number(number), *dim)
        }
        _ => {
            return Err(refused(
                field,
                "only dense and binary vectors have a form in HDF5",
            ));
        }
    };
    Ok(NewDataset {
        name: name.to_owned(),
        element,
        width: Some(u64::try_from(width).unwrap_or(0)),
    })
}

fn scalar_dataset(field: &Field, options: &SinkOptions) -> Result<NewDataset> {
    let name = field.name();
    if !names::is_dataset_name(name) {
        return Err(refused(
            field,
            "a dataset can't have its name (`/`, `.` or a NUL byte)",
        )
        .help("rename the column, or drop it with `convert: {columns: {…: drop}}`"));
    }
    if [IDS, VECTORS, &options.ids, &options.vectors].contains(&name.as_str()) {
        return Err(refused(field, "its name is that of the ids or vectors")
            .help("rename the column, or drop it with `convert: {columns: {…: drop}}`"));
    }
    // An extension makes another type of it, which would be lost.
    if wire::type_name(field) != field.data_type().to_string() {
        return Err(refused(field, "columns are numbers, bools or strings"));
    }
    let element = match field.data_type() {
        DataType::Boolean => Element::Bool,
        DataType::Utf8 => Element::Text,
        data_type => number(data_type)
            .map(Element::Number)
            .ok_or_else(|| refused(field, "columns are numbers, bools or strings"))?,
    };
    Ok(NewDataset {
        name: name.clone(),
        element,
        width: None,
    })
}

const fn number(data_type: &DataType) -> Option<Number> {
    Some(match data_type {
        DataType::Int8 => Number::I8,
        DataType::Int16 => Number::I16,
        DataType::Int32 => Number::I32,
        DataType::Int64 => Number::I64,
        DataType::UInt8 => Number::U8,
        DataType::UInt16 => Number::U16,
        DataType::UInt32 => Number::U32,
        DataType::UInt64 => Number::U64,
        DataType::Float16 => Number::F16,
        DataType::Float32 => Number::F32,
        DataType::Float64 => Number::F64,
        _ => return None,
    })
}

fn refused(field: &Field, why: &str) -> Error {
    unsupported(format!(
        "column `{}` ({}) can't be held: {why}",
        field.name(),
        wire::type_name(field)
    ))
}

fn unsupported(message: String) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use milvusdm_plugin_api::model::{Elem, SchemaBuilder};

    use super::*;

    fn plan_of(builder: SchemaBuilder) -> Result<FilePlan> {
        let spec = TargetSpec {
            collection: "c".to_owned(),
            ..TargetSpec::default()
        };
        FilePlan::of(&builder.finish().unwrap(), &spec, &SinkOptions::at("a"))
    }

    fn vectors() -> SchemaBuilder {
        SchemaBuilder::new()
            .vector("v", &VectorType::dense(Elem::F32, 4))
            .unwrap()
    }

    #[test]
    fn columns_become_datasets() {
        let plan = plan_of(vectors().id("key", DataType::Int64).field(Field::new(
            "price",
            DataType::Float64,
            false,
        )))
        .unwrap();
        let names: Vec<_> = plan
            .columns
            .iter()
            .map(|c| c.dataset.name.as_str())
            .collect();
        assert_eq!(names, ["embeddings", "ids", "price"]);
        assert_eq!(plan.row_bytes(), 16 + 8 + 8);
    }

    #[test]
    fn what_has_no_form_is_refused_by_name() {
        let refusal = |builder| plan_of(builder).unwrap_err().to_string();
        let column = |name: &str, data_type| vectors().field(Field::new(name, data_type, false));
        assert!(refusal(column("day", DataType::Date32)).contains("`day` (Date32)"));
        assert!(refusal(column("a/b", DataType::Int8)).contains("a/b"));
        assert!(refusal(column("ids", DataType::Int8)).contains("`ids`"));
        let two = vectors()
            .vector("w", &VectorType::dense(Elem::F32, 4))
            .unwrap();
        assert!(refusal(two).contains("embeddings"));
        assert!(refusal(SchemaBuilder::new().id("i", DataType::Int64)).contains("0 are"));
    }

    #[test]
    fn chunks_that_take_too_much_memory_are_refused() {
        let plan = plan_of(vectors()).unwrap();
        let rows = |rows| SinkOptions {
            chunk_rows: Some(rows),
            ..SinkOptions::at("a")
        };
        assert_eq!(plan.chunking(&rows(1000)).unwrap().rows, 1000);
        let error = plan.chunking(&rows(1 << 30)).unwrap_err().to_string();
        assert!(error.contains("`chunk_rows: 2097152`"), "{error}");
        assert!(error.contains("(option: chunk_rows)"), "{error}");
        assert_eq!(plan.chunking(&SinkOptions::at("a")).unwrap().rows, 65_536);
        // Few bytes of vectors beside many columns.
        let wide = (0..99).fold(vectors(), |builder, i| {
            builder.field(Field::new(format!("c{i}"), DataType::Float64, false))
        });
        let wide = plan_of(wide).unwrap();
        let rows = wide.chunking(&SinkOptions::at("a")).unwrap().rows;
        assert_eq!(rows, MAX_CHUNK_BYTES / (16 + 99 * 8));
    }
}
