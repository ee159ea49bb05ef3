// SPDX-License-Identifier: Apache-2.0
//! Decides how vectors get into a target: widened unasked, rounded only by leave (data model 5.8).

use arrow_schema::Field;
use milvusdm_plugin_api::model::{Elem, Kind, VectorType, keys};
use milvusdm_plugin_api::{Error, Result};

use super::decide::{Decider, refused};
use super::{Class, How};
use crate::task::ColumnConversion;

impl Decider<'_> {
    pub(super) fn vector(&mut self, from: usize, field: &Field, vector: &VectorType) -> Result<()> {
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
    pub(super) fn other_elem(
        &self,
        field: &Field,
        vector: &VectorType,
    ) -> Result<(VectorType, How, Class)> {
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
    pub(super) fn too_many(&self, vectors: &[(Kind, u32)]) -> Option<Error> {
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
}
