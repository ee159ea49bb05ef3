// SPDX-License-Identifier: Apache-2.0
//! Gives the bytes of Arrow columns as they stand in a file, without a copy where Arrow has
//! them so.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_buffer::Buffer;
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::h5::Element;
use crate::plan::PlanColumn;

/// The rows of one column of a batch.
#[derive(Debug)]
pub enum Cells {
    /// Rows of one size, back to back.
    Fixed(Buffer),
    /// Strings.
    Texts(StringArray),
}

impl Cells {
    /// Takes the rows of an array that is to go into `column`; `row` is the first, for messages.
    ///
    /// # Errors
    /// `Unsupported` for values that have no form in a file, naming column and row; `Plugin`
    /// where the array is not what was agreed on.
    pub fn of(column: &PlanColumn, array: &ArrayRef, row: u64) -> Result<Self> {
        if let Some(at) = first_null(array) {
            return Err(refused(
                column,
                row + at,
                "is null, which HDF5 datasets can't hold",
            ));
        }
        let buffer = match column.dataset.element {
            Element::Text => {
                let texts = array
                    .as_string_opt::<i32>()
                    .ok_or_else(|| unexpected(column, array))?;
                if texts.value_data().contains(&0)
                    && let Some(at) = texts.iter().flatten().position(|t| t.contains('\0'))
                {
                    let what = "holds a NUL byte, which HDF5 strings can't hold";
                    return Err(refused(column, row + at as u64, what));
                }
                return Ok(Self::Texts(texts.clone()));
            }
            Element::Bool => array
                .as_boolean_opt()
                .map(|bools| bools.values().iter().map(u8::from).collect()),
            Element::Number(_) => numbers(array),
        };
        let wanted = column.dataset.row_bytes().checked_mul(array.len() as u64);
        match buffer {
            Some(buffer) if wanted == Some(buffer.len() as u64) => Ok(Self::Fixed(buffer)),
            _ => Err(unexpected(column, array)),
        }
    }
}

/// The values of a column of one size, those of vectors back to back.
fn numbers(array: &ArrayRef) -> Option<Buffer> {
    if let Some(lists) = array.as_fixed_size_list_opt() {
        return numbers(lists.values());
    }
    if let Some(bytes) = array.as_fixed_size_binary_opt() {
        return Some(bytes.clone().into_parts().1);
    }
    let data = array.to_data();
    let width = data.data_type().primitive_width()?;
    let start = data.offset().checked_mul(width)?;
    let length = data.len().checked_mul(width)?;
    let buffer = data.buffers().first()?;
    let fits = start.checked_add(length)? <= buffer.len();
    fits.then(|| buffer.slice_with_length(start, length))
}

/// The first row that is null, or that holds one.
fn first_null(array: &ArrayRef) -> Option<u64> {
    let null_at = |array: &ArrayRef| {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0)?;
        nulls.iter().position(|is_valid| !is_valid)
    };
    if let Some(row) = null_at(array) {
        return Some(row as u64);
    }
    let lists = array.as_fixed_size_list_opt()?;
    let element = null_at(lists.values())? as u64;
    Some(element / u64::from(lists.value_length().unsigned_abs().max(1)))
}

fn refused(column: &PlanColumn, row: u64, what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("a value of column `{}` {what}", column.name),
    )
    .with("row", row)
    .help(format!(
        "drop the column with `convert: {{columns: {{{}: drop}}}}`, or mend the source",
        column.name
    ))
}

fn unexpected(column: &PlanColumn, array: &ArrayRef) -> Error {
    Error::new(
        ErrorKind::Plugin,
        format!(
            "column `{}` came as {}, {} was agreed on",
            column.name,
            array.data_type(),
            column.data_type
        ),
    )
}
