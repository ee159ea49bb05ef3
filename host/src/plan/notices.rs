// SPDX-License-Identifier: Apache-2.0
//! What a person should know of a plan that nothing stands in the way of.

use milvusdm_plugin_api::model::Role;
use milvusdm_plugin_api::model::field::find_role;

use super::Part;
use crate::task::{ColumnConversion, Task};

/// Conversions that are allowed but not made, because the target holds the values as they are:
/// whoever took the permission for an order should know.
pub(super) fn unneeded(task: &Task, parts: &[Part]) -> Vec<String> {
    let is_converted = |column: &str| {
        let mut conversions = parts.iter().flat_map(|part| part.recipe.conversions());
        conversions.any(|conversion| conversion.column == column)
    };
    let mut notices = Vec::new();
    let mut ids = parts.iter().filter_map(|part| {
        let (_, field) = find_role(part.dataset.schema.fields(), Role::Id)?;
        Some(field.name().as_str())
    });
    if task.conversions.ids.is_some() && !ids.any(is_converted) {
        notices
            .push("`convert.ids` is not needed: the target takes the ids as they are".to_owned());
    }
    for (column, conversion) in &task.conversions.columns {
        if *conversion != ColumnConversion::Drop && !is_converted(column) && !parts.is_empty() {
            notices.push(format!(
                "`convert.columns.{column}` is not needed: the target takes the column as it is"
            ));
        }
    }
    notices
}
