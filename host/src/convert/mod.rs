// SPDX-License-Identifier: Apache-2.0
//! What happens to columns that a sink can't hold as they are (data model 5.5, 5.6, 5.8).
//!
//! [`Recipe::decide`] compares a dataset's schema with the sink's capabilities and the task's
//! `convert`, before anything is written: widening needs no option, everything else is refused
//! unless the task allows it by name. [`Recipe::apply`] then converts batch after batch. A value
//! that does not fit makes its row a rejected one; nothing is ever truncated or rounded unasked.

mod decide;
mod ids;
mod scalars;
mod values;
mod vectors;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use milvusdm_plugin_api::model::Role;
use milvusdm_plugin_api::model::field::find_role;
use milvusdm_plugin_api::model::schema::{Column, classify};
use milvusdm_plugin_api::{Error, ErrorKind, Rejected, Result};
use serde::{Deserialize, Serialize};

/// A column that does not arrive as it was, as plan and receipt list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// The column's name in the source.
    pub column: String,
    /// What it was.
    pub from: String,
    /// What it becomes; absent if it is left out.
    pub to: Option<String>,
    /// What that does to the values.
    pub class: Class,
}

/// What a conversion does to values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Every value can be had back.
    Lossless,
    /// Every value is held exactly by a wider type.
    Widening,
    /// Values may be rounded.
    Lossy,
    /// The column is left out.
    Dropped,
}

/// How batches of one dataset become batches of its target.
#[derive(Debug, Clone)]
pub struct Recipe {
    steps: Vec<Step>,
    target: SchemaRef,
    conversions: Vec<Conversion>,
}

/// One column of the target.
#[derive(Debug, Clone)]
struct Step {
    /// Its position in the source's batches.
    from: usize,
    how: How,
    /// The sink can't hold nulls in it, but the source may have some.
    refuses_null: bool,
}

/// How a column becomes another.
#[derive(Debug, Clone, PartialEq)]
enum How {
    /// As it is.
    Keep,
    /// By Arrow's cast; values that do not fit become null.
    Cast,
    /// The upper halves of floats as floats.
    WidenBf16,
    /// Doubles to the nearest float; those beyond its range do not fit.
    Narrow,
    /// UUIDs as text.
    UuidText,
    /// A name-based UUID of each id.
    Uuid5,
}

/// A converted batch, and the rows that are not in it.
#[derive(Debug)]
pub struct Converted {
    /// The rows that fit.
    pub batch: RecordBatch,
    /// The rows that don't; positions in the batch that was converted.
    pub rejected: Vec<Rejected>,
}

impl Recipe {
    /// The schema that the target gets.
    pub fn target(&self) -> &SchemaRef {
        &self.target
    }

    /// What is converted, for plan and receipt.
    pub fn conversions(&self) -> &[Conversion] {
        &self.conversions
    }

    /// Whether every batch goes through as it is.
    pub fn keeps_all(&self) -> bool {
        self.conversions.is_empty() && !self.can_reject()
    }

    /// Whether a row may turn out not to fit.
    pub fn can_reject(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.refuses_null || matches!(step.how, How::Cast | How::Narrow))
    }

    /// How many times larger a converted batch is than the one it was made of, rounded up.
    pub fn growth(&self, source: &Schema) -> u64 {
        let width = |schema: &Schema| -> u64 {
            schema
                .fields()
                .iter()
                .map(|field| row_bytes(field))
                .fold(0, u64::saturating_add)
        };
        width(&self.target).div_ceil(width(source).max(1)).max(1)
    }

    /// Converts a batch of the source's schema.
    ///
    /// # Errors
    /// `Internal` where a conversion that was decided on fails as a whole.
    pub fn apply(&self, batch: &RecordBatch) -> Result<Converted> {
        let mut columns = Vec::with_capacity(self.steps.len());
        let mut faults = Faults::default();
        for (step, field) in self.steps.iter().zip(self.target.fields()) {
            let source = batch.columns().get(step.from).ok_or_else(|| {
                Error::new(
                    ErrorKind::Internal,
                    format!("column `{}` is missing", field.name()),
                )
            })?;
            let column = values::convert(&step.how, source, field)?;
            if matches!(step.how, How::Cast | How::Narrow) {
                let reason = || {
                    format!(
                        "column `{}`: the value does not fit {}",
                        field.name(),
                        field.data_type()
                    )
                };
                faults.note_new_nulls(source, &column, reason);
            }
            if step.refuses_null {
                let reason = || {
                    format!(
                        "column `{}`: it is null, which the sink can't hold",
                        field.name()
                    )
                };
                faults.note_nulls(&column, reason);
            }
            columns.push(column);
        }
        self.without(batch, columns, faults)
    }

    /// Makes the target's batch, without the rows at fault.
    fn without(
        &self,
        batch: &RecordBatch,
        columns: Vec<ArrayRef>,
        faults: Faults,
    ) -> Result<Converted> {
        let internal = |e| Error::new(ErrorKind::Internal, "make a converted batch").caused_by(e);
        let rows = batch.num_rows();
        if faults.0.is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let batch =
                RecordBatch::try_new_with_options(Arc::clone(&self.target), columns, &options)
                    .map_err(internal)?;
            return Ok(Converted {
                batch,
                rejected: Vec::new(),
            });
        }
        let keep: BooleanArray = (0..rows)
            .map(|row| Some(!faults.0.contains_key(&row)))
            .collect();
        let columns: Vec<ArrayRef> = columns
            .iter()
            .map(|column| arrow_select::filter::filter(column, &keep))
            .collect::<Result<_, _>>()
            .map_err(internal)?;
        let kept = rows - faults.0.len();
        let options = RecordBatchOptions::new().with_row_count(Some(kept));
        let converted =
            RecordBatch::try_new_with_options(Arc::clone(&self.target), columns, &options)
                .map_err(internal)?;
        let rejected = faults
            .0
            .into_iter()
            .map(|(row, reason)| Rejected {
                row: row as u64,
                id: id_text(batch, row),
                reason,
            })
            .collect();
        Ok(Converted {
            batch: converted,
            rejected,
        })
    }
}

/// Bytes that a row of a column takes in a batch, about.
pub fn row_bytes(field: &Field) -> u64 {
    /// What is assumed of texts and lists, whose length only the data tell.
    const VARIABLE: u64 = 32;
    if let Column::Vector(vector) = classify(field) {
        return vector.row_bytes().map_or(VARIABLE, |bytes| bytes as u64);
    }
    match field.data_type() {
        DataType::FixedSizeBinary(bytes) => u64::from(bytes.unsigned_abs()),
        DataType::FixedSizeList(item, count) => {
            row_bytes(item).saturating_mul(u64::from(count.unsigned_abs()))
        }
        other => other
            .primitive_width()
            .map_or(VARIABLE, |bytes| bytes as u64),
    }
}

/// Rows at fault, each with the first reason.
#[derive(Debug, Default)]
struct Faults(std::collections::BTreeMap<usize, String>);

impl Faults {
    fn note_new_nulls(&mut self, before: &ArrayRef, after: &ArrayRef, reason: impl Fn() -> String) {
        if after.null_count() > before.null_count() {
            let rows = (0..after.len()).filter(|row| after.is_null(*row) && before.is_valid(*row));
            self.note(rows, reason);
        }
    }

    fn note_nulls(&mut self, column: &ArrayRef, reason: impl Fn() -> String) {
        if column.null_count() > 0 {
            self.note((0..column.len()).filter(|row| column.is_null(*row)), reason);
        }
    }

    fn note(&mut self, rows: impl Iterator<Item = usize>, reason: impl Fn() -> String) {
        for row in rows {
            self.0.entry(row).or_insert_with(&reason);
        }
    }
}

/// A row's id as text, if the batch has ids.
pub fn id_text(batch: &RecordBatch, row: usize) -> Option<String> {
    let schema = batch.schema_ref();
    let (position, field) = find_role(schema.fields(), Role::Id)?;
    values::text(batch.columns().get(position)?, field, row)
}
