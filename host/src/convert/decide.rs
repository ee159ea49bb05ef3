// SPDX-License-Identifier: Apache-2.0
//! Decides, column by column, how a dataset gets into a target, or why it can't.

use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Schema};
use milvusdm_plugin_api::model::schema::{Column, classify, validate};
use milvusdm_plugin_api::model::{Capabilities, Kind, keys};
use milvusdm_plugin_api::{Dataset, Error, ErrorKind, Result};

use super::{Class, Conversion, How, Recipe, Step};
use crate::report::ColumnView;
use crate::task::{ColumnConversion, Conversions};

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

pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// What is decided so far, column after column.
pub(super) struct Decider<'a> {
    pub(super) sink: &'a Capabilities,
    pub(super) allowed: &'a Conversions,
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

    pub(super) fn option(&self, field: &Field) -> Option<ColumnConversion> {
        self.allowed.columns.get(field.name()).copied()
    }

    pub(super) fn drop_help(&self, field: &Field) -> String {
        format!(
            "`convert: {{columns: {{{}: drop}}}}` leaves the column out",
            field.name()
        )
    }

    pub(super) fn takes_no_ids(&self) -> bool {
        self.sink
            .id_policy
            .iter()
            .any(|policy| policy == "none" || policy == "generate")
    }

    /// Keeps a column; one that the source says may be null stays so only where the sink can.
    pub(super) fn keep(&mut self, from: usize, field: &Field, holds_null: bool) {
        let refuses_null = field.is_nullable() && !holds_null;
        let held = field
            .clone()
            .with_nullable(field.is_nullable() && holds_null);
        self.push(from, held, How::Keep, refuses_null);
    }

    pub(super) fn convert(
        &mut self,
        from: usize,
        field: &Field,
        to: Field,
        how: How,
        class: Class,
    ) {
        self.note(field, Some(&to), class);
        self.push(from, to, how, false);
    }

    pub(super) fn drop(&mut self, field: &Field) {
        self.note(field, None, Class::Dropped);
    }

    pub(super) fn note(&mut self, from: &Field, to: Option<&Field>, class: Class) {
        let name = |field: &Field| ColumnView::of(field).type_name;
        self.conversions.push(Conversion {
            column: from.name().clone(),
            from: name(from),
            to: to.map(name),
            class,
        });
    }

    pub(super) fn push(&mut self, from: usize, field: Field, how: How, refuses_null: bool) {
        self.fields.push(field);
        self.steps.push(Step {
            from,
            how,
            refuses_null,
        });
    }
}
