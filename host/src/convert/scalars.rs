// SPDX-License-Identifier: Apache-2.0
//! Decides how scalar and dynamic columns get into a target (data model 5.6).

use arrow_schema::{DataType, Field};
use milvusdm_plugin_api::model::wire;
use milvusdm_plugin_api::{Error, Result};

use super::decide::{Decider, refused};
use super::{Class, How};
use crate::task::ColumnConversion;

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

impl Decider<'_> {
    pub(super) fn dynamic(&mut self, from: usize, field: &Field) -> Result<()> {
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

    pub(super) fn scalar(&mut self, from: usize, field: &Field) -> Result<()> {
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

    pub(super) fn no_way_for_scalar(&self, field: &Field) -> Error {
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

    pub(super) fn scalar_as(&mut self, from: usize, target: Field, how: How) {
        let refuses_null = target.is_nullable() && !self.sink.nullable;
        let nullable = target.is_nullable() && self.sink.nullable;
        self.push(from, target.with_nullable(nullable), how, refuses_null);
    }
}
