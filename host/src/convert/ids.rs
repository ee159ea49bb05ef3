// SPDX-License-Identifier: Apache-2.0
//! Decides how ids get into a target (data model 5.5).

use arrow_schema::{DataType, Field};
use milvusdm_plugin_api::model::{field, keys, wire};
use milvusdm_plugin_api::{Error, Result};

use super::decide::{Decider, refused};
use super::{Class, How};
use crate::task::IdConversion;

/// The column that keeps ids which a UUID stands for.
const SOURCE_ID: &str = "_source_id";

impl Decider<'_> {
    pub(super) fn id(&mut self, from: usize, field: &Field) -> Result<()> {
        // Whoever asks the target to make ids wants new ones, also where it could hold the old.
        if self.allowed.ids == Some(IdConversion::Generate) && self.makes_ids() {
            self.drop(field);
            return Ok(());
        }
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

    fn makes_ids(&self) -> bool {
        self.sink
            .id_policy
            .iter()
            .any(|policy| policy == "generate")
    }

    pub(super) fn no_way_for_ids(&self, found: &str, option: Option<IdConversion>) -> Error {
        let holds = self.sink.id_types.join(", ");
        let message = format!("ids of type {found} don't fit the sink, which holds {holds}");
        match option {
            None => refused(message).help("allow one of `convert: {ids: text|uuid5|generate}`"),
            Some(_) => refused(message).help(
                "the task's `convert: {ids: …}` does not help: the sink can't hold its result",
            ),
        }
    }
}
