// SPDX-License-Identifier: Apache-2.0
//! Reads root attributes: one string or one number each.

use milvusdm_plugin_api::Result;

use super::file::H5File;
use super::stored::{Number, StoredType};
use super::text;

impl H5File {
    fn attribute(&self, name: &str) -> Result<Option<hdf5::Attribute>> {
        if !self
            .attributes
            .iter()
            .any(|n| n.as_bytes() == name.as_bytes())
        {
            return Ok(None);
        }
        let open = || {
            let attribute = self.handle.attr(name)?;
            let space = attribute.space()?;
            Ok((attribute, space.is_null(), space.size()))
        };
        let (attribute, is_null, size) =
            open().map_err(|e| self.library(format!("reading root attribute `{name}`"), &e))?;
        match (is_null, size) {
            (true, _) => Ok(None),
            (false, 1) => Ok(Some(attribute)),
            _ => Err(self.unsupported(format!(
                "root attribute `{name}` holds {size} values, wanted one"
            ))),
        }
    }

    fn attribute_type(&self, name: &str, attribute: &hdf5::Attribute) -> Result<StoredType> {
        let datatype = attribute
            .dtype()
            .map_err(|e| self.library(format!("reading root attribute `{name}`"), &e))?;
        Ok(StoredType::of(&datatype))
    }

    /// The text of a root attribute, if it is there.
    ///
    /// # Errors
    /// `Unsupported` if it is no string, `Format` if it is damaged or not UTF-8.
    pub fn text_attribute(&self, name: &str) -> Result<Option<String>> {
        let Some(attribute) = self.attribute(name)? else {
            return Ok(None);
        };
        let stored = self.attribute_type(name, &attribute)?;
        let StoredType::Text {
            fixed_bytes,
            is_utf8,
        } = stored
        else {
            return Err(self.unsupported(format!(
                "root attribute `{name}` is {stored}, wanted a string"
            )));
        };
        let mut value = Vec::new();
        text::read(&attribute, fixed_bytes, is_utf8, None, &mut |bytes| {
            value.extend_from_slice(bytes)
        })
        .map_err(|e| self.library(format!("reading root attribute `{name}`"), &e))?;
        match String::from_utf8(value) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(self.format_error(format!("root attribute `{name}` is not UTF-8"))),
        }
    }

    /// The value of an integer root attribute, if it is there.
    ///
    /// # Errors
    /// `Unsupported` if it is no integer of 64 signed bits, `Format` if it is damaged.
    pub fn int_attribute(&self, name: &str) -> Result<Option<i64>> {
        let Some(attribute) = self.attribute(name)? else {
            return Ok(None);
        };
        let stored = self.attribute_type(name, &attribute)?;
        let wrong = |what: String| {
            self.unsupported(format!(
                "root attribute `{name}` is {what}, wanted a 64-bit integer"
            ))
        };
        match stored {
            StoredType::Number {
                number: Number::U64,
                ..
            } => {
                let values = attribute.read_raw::<u64>();
                let value = values
                    .map_err(|e| self.library(format!("reading root attribute `{name}`"), &e))?;
                value
                    .first()
                    .map(|v| i64::try_from(*v).map_err(|_| wrong(v.to_string())))
                    .transpose()
            }
            StoredType::Number { number, .. } if number.is_int() => {
                let values = attribute.read_raw::<i64>();
                let value = values
                    .map_err(|e| self.library(format!("reading root attribute `{name}`"), &e))?;
                Ok(value.first().copied())
            }
            other => Err(wrong(other.to_string())),
        }
    }

    /// The value of a numeric root attribute, if it is there.
    ///
    /// # Errors
    /// `Unsupported` if it is no number, `Format` if it is damaged.
    pub fn float_attribute(&self, name: &str) -> Result<Option<f64>> {
        let Some(attribute) = self.attribute(name)? else {
            return Ok(None);
        };
        match self.attribute_type(name, &attribute)? {
            StoredType::Number { .. } => {
                let values = attribute
                    .read_raw::<f64>()
                    .map_err(|e| self.library(format!("reading root attribute `{name}`"), &e))?;
                Ok(values.first().copied())
            }
            other => Err(self.unsupported(format!(
                "root attribute `{name}` is {other}, wanted a number"
            ))),
        }
    }
}
