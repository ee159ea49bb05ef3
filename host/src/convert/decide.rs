// SPDX-License-Identifier: Apache-2.0
//! Decides, column by column, how a dataset gets into a target, or why it can't.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema};
use milvusdm_plugin_api::model::schema::{Column, classify, validate};
use milvusdm_plugin_api::model::{Capabilities, Elem, Kind, VectorType, field, keys, wire};
use milvusdm_plugin_api::{Dataset, Error, ErrorKind, Result};

use super::{Class, Conversion, How, Recipe, Step};
use crate::report::ColumnView;
use crate::task::{ColumnConversion, Conversions, IdConversion};

/// The column that keeps ids which a UUID stands for.
const SOURCE_ID: &str = "_source_id";

/// The wider types of each scalar type, nearest first.
const WIDER: &[(DataType, &[DataType])] = &[
    (
        DataType::Int8,
        &[DataType::Int16, DataType::Int32, DataType::Int64],
    ),
    (DataType::Int16, &[DataType::Int32, DataType::Int64]),
    (DataType::Int32, &[DataType::Int64]),
    (
        DataType::UInt8,
        &[
            DataType::UInt16,
            DataType::Int16,
            DataType::UInt32,
            DataType::Int32,
            DataType::Int64,
        ],
    ),
    (
        DataType::UInt16,
        &[
            DataType::UInt32,
            DataType::Int32,
            DataType::UInt64,
            DataType::Int64,
        ],
    ),
    (DataType::UInt32, &[DataType::UInt64, DataType::Int64]),
    (DataType::Float16, &[DataType::Float32, DataType::Float64]),
    (DataType::Float32, &[DataType::Float64]),
];

/// What `convert.columns` may narrow a number to, best first.
const NARROWER: &[DataType] = &[
    DataType::Int64,
    DataType::Float64,
    DataType::Float32,
    DataType::Int32,
    DataType::Int16,
    DataType::Int8,
];

impl Recipe {
    /// Decides how a dataset's columns get into a target of these capabilities.
    ///
    /// # Errors
    /// One error for each column that has no way, naming its type, the sink's limit and the options.
    pub fn decide(
        dataset: &Dataset,
        sink: &Capabilities,
        allowed: &Conversions,
    ) -> Result<Self, Vec<Error>> {
        let mut decider = Decider {
            sink,
            allowed,
            steps: Vec::new(),
            fields: Vec::new(),
            conversions: Vec::new(),
        };
        let mut errors = Vec::new();
        let mut has_id = false;
        let mut vectors: Vec<(Kind, u32)> = Vec::new();
        for (from, field) in dataset.schema.fields().iter().enumerate() {
            let column = classify(field);
            has_id |= column == Column::Id;
            let before = decider.steps.len();
            let outcome = decider.column(from, field, &column);
            if let (Ok(()), Column::Vector(vector)) = (&outcome, &column)
                && decider.steps.len() > before
            {
                count(&mut vectors, vector.kind);
            }
            errors.extend(outcome.err().map(|e| e.with("column", field.name())));
        }
        errors.extend(decider.too_many(&vectors));
        if !has_id && !decider.takes_no_ids() {
            errors.push(refused(
                "the dataset has no ids, and the sink can't do without",
            ));
        }
        let metadata = [(keys::VERSION.to_owned(), keys::MODEL_VERSION.to_string())];
        let target = Schema::new_with_metadata(decider.fields, metadata);
        if errors.is_empty() {
            errors.extend(validate(&target).err());
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            steps: decider.steps,
            target: Arc::new(target),
            conversions: decider.conversions,
        })
    }
}

fn count(vectors: &mut Vec<(Kind, u32)>, kind: Kind) {
    match vectors.iter_mut().find(|(known, _)| *known == kind) {
        Some((_, count)) => *count += 1,
        None => vectors.push((kind, 1)),
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

struct Decider<'a> {
    sink: &'a Capabilities,
    allowed: &'a Conversions,
    steps: Vec<Step>,
    fields: Vec<Field>,
    conversions: Vec<Conversion>,
}

impl Decider<'_> {
    fn column(&mut self, from: usize, field: &FieldRef, column: &Column) -> Result<()> {
        if *column != Column::Id && self.option(field) == Some(ColumnConversion::Drop) {
            self.drop(field);
            return Ok(());
        }
        match column {
            Column::Id => self.id(from, field),
            Column::Vector(vector) => self.vector(from, field, vector),
            Column::Dynamic if self.sink.dynamic => {
                self.keep(from, field, true);
                Ok(())
            }
            Column::Dynamic => self.dynamic(from, field),
            Column::Partition => Err(refused(
                "a stream that mixes partitions can't be taken apart",
            )
            .help(self.drop_help(field))),
            Column::Scalar => self.scalar(from, field),
            Column::Unrepresentable(why) => Err(refused(format!(
                "this version does not know what it is: {why}"
            ))
            .help(self.drop_help(field))),
            _ => Err(refused("this version does not know what it is").help(self.drop_help(field))),
        }
    }

    fn option(&self, field: &Field) -> Option<ColumnConversion> {
        self.allowed.columns.get(field.name()).copied()
    }

    fn drop_help(&self, field: &Field) -> String {
        format!(
            "`convert: {{columns: {{{}: drop}}}}` leaves the column out",
            field.name()
        )
    }

    fn takes_no_ids(&self) -> bool {
        self.sink
            .id_policy
            .iter()
            .any(|policy| policy == "none" || policy == "generate")
    }

    fn id(&mut self, from: usize, field: &Field) -> Result<()> {
        if self.sink.holds_id(field) {
            self.keep(from, field, true);
            return Ok(());
        }
        let like = |data_type: DataType| field::id_field(field.name(), data_type);
        let found = wire::type_name(field);
        let other = match field.data_type() {
            DataType::UInt64 => Some(DataType::Int64),
            DataType::Int64 => Some(DataType::UInt64),
            _ => None,
        };
        if let Some(other) = other.map(like).filter(|other| self.sink.holds_id(other)) {
            self.convert(from, field, other, How::Cast, Class::Lossless);
            return Ok(());
        }
        let text = like(DataType::Utf8);
        let uuid = field::with_extension(like(DataType::FixedSizeBinary(16)), keys::UUID);
        match self.allowed.ids {
            Some(IdConversion::Text) if self.sink.holds_id(&text) => {
                let how = if found == "Uuid" {
                    How::UuidText
                } else {
                    How::Cast
                };
                self.convert(from, field, text, how, Class::Lossless);
                Ok(())
            }
            Some(IdConversion::Uuid5) if self.sink.holds_id(&uuid) || self.sink.holds_id(&text) => {
                let kept = Field::new(SOURCE_ID, field.data_type().clone(), false);
                if !self.sink.holds_scalar(&kept) {
                    return Err(refused(format!(
                        "the sink has no place for the ids themselves: `{SOURCE_ID}` would be {found}, it holds {}",
                        self.sink.scalar_types.join(", ")
                    )));
                }
                let to = if self.sink.holds_id(&uuid) {
                    uuid
                } else {
                    text
                };
                self.convert(from, field, to, How::Uuid5, Class::Lossless);
                self.push(from, kept, How::Keep, false);
                Ok(())
            }
            Some(IdConversion::Generate) if self.takes_no_ids() => {
                self.drop(field);
                Ok(())
            }
            option => Err(self.no_way_for_ids(&found, option)),
        }
    }

    fn no_way_for_ids(&self, found: &str, option: Option<IdConversion>) -> Error {
        let holds = self.sink.id_types.join(", ");
        let message = format!("ids of type {found} don't fit the sink, which holds {holds}");
        match option {
            None => refused(message).help("allow one of `convert: {ids: text|uuid5|generate}`"),
            Some(_) => refused(message).help(
                "the task's `convert: {ids: …}` does not help: the sink can't hold its result",
            ),
        }
    }

    fn vector(&mut self, from: usize, field: &Field, vector: &VectorType) -> Result<()> {
        if let Some(capability) = self.sink.holding_vector(vector) {
            let refuses_null = field.is_nullable() && !capability.nullable;
            let held = field
                .clone()
                .with_nullable(field.is_nullable() && capability.nullable);
            self.push(from, held, How::Keep, refuses_null);
            return Ok(());
        }
        let (to, how, class) = self.other_elem(field, vector)?;
        let nullable = self.sink.holding_vector(&to).is_some_and(|c| c.nullable);
        let mut metadata = field.metadata().clone();
        metadata.insert(keys::ELEM.to_owned(), to.elem.to_string());
        let target = Field::new(
            field.name(),
            to.data_type()?,
            field.is_nullable() && nullable,
        )
        .with_metadata(metadata);
        self.note(field, Some(&target), class);
        self.push(from, target, how, field.is_nullable() && !nullable);
        Ok(())
    }

    /// The element type that a dense vector is carried in where its own is not held.
    fn other_elem(&self, field: &Field, vector: &VectorType) -> Result<(VectorType, How, Class)> {
        let with = |elem| VectorType {
            elem,
            ..vector.clone()
        };
        let holds = |elem| self.sink.holding_vector(&with(elem)).is_some();
        if vector.kind == Kind::Dense {
            let wide = match vector.elem {
                Elem::Bf16 => holds(Elem::F32).then_some((Elem::F32, How::WidenBf16)),
                Elem::F16 | Elem::I8 | Elem::U8 => [Elem::F32, Elem::F64]
                    .into_iter()
                    .find(|e| holds(*e))
                    .map(|e| (e, How::Cast)),
                Elem::F32 => holds(Elem::F64).then_some((Elem::F64, How::Cast)),
                _ => None,
            };
            if let Some((elem, how)) = wide {
                return Ok((with(elem), how, Class::Widening));
            }
            if vector.elem == Elem::F64 && holds(Elem::F32) {
                return match self.option(field) {
                    Some(ColumnConversion::Cast) => Ok((with(Elem::F32), How::Narrow, Class::Lossy)),
                    _ => Err(refused("the sink holds f32 vectors, not f64").help(format!(
                        "`convert: {{columns: {{{}: cast}}}}` rounds each number to the nearest f32",
                        field.name()
                    ))),
                };
            }
        }
        let holds: Vec<String> = self
            .sink
            .vectors
            .iter()
            .map(|capability| {
                let elems: Vec<&str> = capability.elem.iter().map(|e| e.as_str()).collect();
                let max = capability
                    .max_dim
                    .map_or_else(String::new, |max| format!(" up to dimension {max}"));
                format!("{} {}{max}", capability.kind, elems.join("/"))
            })
            .collect();
        Err(refused(format!(
            "a {} vector of {} x {} does not fit the sink, which holds {}",
            vector.kind,
            vector.dim,
            vector.elem,
            holds.join("; ")
        ))
        .help(self.drop_help(field)))
    }

    /// More vector columns of a kind than the sink can have.
    fn too_many(&self, vectors: &[(Kind, u32)]) -> Option<Error> {
        let (kind, count, max) = vectors.iter().find_map(|(kind, count)| {
            let max = self
                .sink
                .vectors
                .iter()
                .find(|c| c.kind == *kind)?
                .max_count?;
            (*count > max).then_some((kind, count, max))
        })?;
        Some(
            refused(format!(
                "the dataset has {count} {kind} vector columns, the sink holds {max}"
            ))
            .help("leave the others out with `convert: {columns: {NAME: drop}}`"),
        )
    }

    fn dynamic(&mut self, from: usize, field: &Field) -> Result<()> {
        let text = Field::new(field.name(), DataType::Utf8, field.is_nullable());
        if self.option(field) == Some(ColumnConversion::Text) && self.sink.holds_scalar(&text) {
            self.note(field, Some(&text), Class::Lossless);
            self.scalar_as(from, text, How::Keep);
            return Ok(());
        }
        Err(refused("the sink has no dynamic column").help(format!(
            "`convert: {{columns: {{{}: drop}}}}` leaves it out, `text` writes its JSON as text if the sink holds Utf8",
            field.name()
        )))
    }

    fn scalar(&mut self, from: usize, field: &Field) -> Result<()> {
        if self.sink.holds_scalar(field) {
            self.keep(from, field, self.sink.nullable);
            return Ok(());
        }
        let plain =
            |data_type: &DataType| Field::new(field.name(), data_type.clone(), field.is_nullable());
        let wider = WIDER
            .iter()
            .find(|(from, _)| from == field.data_type())
            .map(|(_, wider)| *wider);
        if let Some(to) = wider
            .into_iter()
            .flatten()
            .find(|t| self.sink.holds_scalar_type(t))
        {
            self.note(field, Some(&plain(to)), Class::Widening);
            self.scalar_as(from, plain(to), How::Cast);
            return Ok(());
        }
        let to = match self.option(field) {
            Some(ColumnConversion::Text) => Some((DataType::Utf8, Class::Lossless)),
            Some(ColumnConversion::Cast) if field.data_type().is_numeric() => {
                // A fraction is never cut off to make an integer.
                let mut narrower = NARROWER
                    .iter()
                    .filter(|t| t.is_floating() || field.data_type().is_integer());
                narrower
                    .find(|t| self.sink.holds_scalar_type(t))
                    .map(|t| (t.clone(), Class::Lossy))
            }
            _ => None,
        };
        let how = match &to {
            Some((DataType::Float32, _)) if *field.data_type() == DataType::Float64 => How::Narrow,
            _ if wire::type_name(field) == "Uuid" => How::UuidText,
            _ => How::Cast,
        };
        match to.filter(|(to, _)| self.sink.holds_scalar_type(to)) {
            Some((to, class))
                if how != How::Cast || arrow_cast::can_cast_types(field.data_type(), &to) =>
            {
                self.note(field, Some(&plain(&to)), class);
                self.scalar_as(from, plain(&to), how);
                Ok(())
            }
            _ => Err(self.no_way_for_scalar(field)),
        }
    }

    fn no_way_for_scalar(&self, field: &Field) -> Error {
        let holds = match self.sink.scalar_types.is_empty() {
            true => "no further columns".to_owned(),
            false => self.sink.scalar_types.join(", "),
        };
        let message = format!(
            "type {} does not fit the sink, which holds {holds}",
            wire::type_name(field)
        );
        match self.option(field) {
            Some(ColumnConversion::Json) if !self.sink.dynamic => {
                refused(message).help("`json` needs a sink with a dynamic column, which this one has not")
            }
            _ => refused(message).help(format!(
                "`convert: {{columns: {{{}: drop}}}}` leaves the column out; `cast` narrows a number, `text` writes text, where the sink holds that",
                field.name()
            )),
        }
    }

    /// Keeps a column; one that the source says may be null stays so only where the sink can.
    fn keep(&mut self, from: usize, field: &Field, holds_null: bool) {
        let refuses_null = field.is_nullable() && !holds_null;
        let held = field
            .clone()
            .with_nullable(field.is_nullable() && holds_null);
        self.push(from, held, How::Keep, refuses_null);
    }

    fn scalar_as(&mut self, from: usize, target: Field, how: How) {
        let refuses_null = target.is_nullable() && !self.sink.nullable;
        let nullable = target.is_nullable() && self.sink.nullable;
        self.push(from, target.with_nullable(nullable), how, refuses_null);
    }

    fn convert(&mut self, from: usize, field: &Field, to: Field, how: How, class: Class) {
        self.note(field, Some(&to), class);
        self.push(from, to, how, false);
    }

    fn drop(&mut self, field: &Field) {
        self.note(field, None, Class::Dropped);
    }

    fn note(&mut self, from: &Field, to: Option<&Field>, class: Class) {
        let name = |field: &Field| ColumnView::of(field).type_name;
        self.conversions.push(Conversion {
            column: from.name().clone(),
            from: name(from),
            to: to.map(name),
            class,
        });
    }

    fn push(&mut self, from: usize, field: Field, how: How, refuses_null: bool) {
        self.fields.push(field);
        self.steps.push(Step {
            from,
            how,
            refuses_null,
        });
    }
}
