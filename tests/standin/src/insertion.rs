// SPDX-License-Identifier: Apache-2.0
//! Reads the request of an insert by hand: a message object for each row would make the server
//! slower than the clients it is to measure.

use crate::rows::Vectors;

/// What an insert asks for, its rows already one behind the other as the server puts them.
#[derive(Debug, PartialEq)]
pub(crate) struct Insertion {
    pub collection: String,
    pub tag: String,
    pub ids: Vec<i64>,
    /// Number of rows sent.
    pub rows: u64,
    /// Floats sent, also where they are not kept.
    pub floats: u64,
    /// Bytes of binary vectors sent, also where they are not kept.
    pub bytes: u64,
    /// Binary only if there are no floats. Empty where they are not kept.
    pub vectors: Vectors,
}

/// What is wrong with the bytes of a request.
pub(crate) type Malformed = &'static str;

impl Insertion {
    /// Reads `milvus.grpc.InsertParam`; `keeps` says whether vectors are to be copied out of it.
    pub(crate) fn parse(request: &[u8], keeps: bool) -> Result<Insertion, Malformed> {
        let mut found = Found::new(request.len(), keeps);
        let mut rest = request;
        while let Some(size) = field_size(rest)? {
            let field = rest.split_at_checked(size);
            let (field, after) = field.ok_or("a field ends outside its message")?;
            found.field(field)?;
            rest = after;
        }
        match rest {
            [] => Ok(found.finish()),
            _ => Err("the last field is cut off"),
        }
    }

    /// Whether any element is not a number; only told of kept ones.
    pub(crate) fn has_nan(&self) -> bool {
        matches!(&self.vectors, Vectors::Float(values) if values.iter().any(|v| v.is_nan()))
    }
}

/// What was read of a request so far.
#[derive(Default)]
pub(crate) struct Found {
    keeps: bool,
    collection: String,
    tag: String,
    ids: Vec<i64>,
    rows: u64,
    floats: u64,
    bytes: u64,
    values: Vec<f32>,
    binary: Vec<u8>,
}

impl Found {
    /// Nothing yet of a request of so many bytes.
    pub(crate) fn new(request_bytes: usize, keeps: bool) -> Found {
        let mut found = Found {
            keeps,
            ..Found::default()
        };
        if keeps {
            found.values.reserve(request_bytes / size_of::<f32>());
        }
        found
    }

    /// Takes one field of the request with its key.
    pub(crate) fn field(&mut self, field: &[u8]) -> Result<(), Malformed> {
        let mut fields = Fields(field);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(text)) => self.collection = utf8(text)?,
                (2, Value::Bytes(row)) => self.row(row)?,
                (3, Value::Bytes(packed)) => ids(packed, &mut self.ids)?,
                (3, Value::Varint(id)) => self.ids.push(id as i64),
                (4, Value::Bytes(text)) => self.tag = utf8(text)?,
                (1..=4, _) => return Err("a field of InsertParam has the wrong wire type"),
                _ => {}
            }
        }
        Ok(())
    }

    fn row(&mut self, row: &[u8]) -> Result<(), Malformed> {
        let keeps = self.keeps;
        self.rows += 1;
        let mut fields = Fields(row);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(packed)) => {
                    let (elements, rest) = packed.as_chunks();
                    if !rest.is_empty() {
                        return Err("packed floats end inside an element");
                    }
                    self.floats += elements.len() as u64;
                    if keeps {
                        let elements = elements.iter().map(|bytes| f32::from_le_bytes(*bytes));
                        self.values.extend(elements);
                    }
                }
                (1, Value::Fixed32(bytes)) => {
                    self.floats += 1;
                    if keeps {
                        self.values.push(f32::from_le_bytes(bytes));
                    }
                }
                (2, Value::Bytes(bytes)) => {
                    self.bytes += bytes.len() as u64;
                    if keeps {
                        self.binary.extend_from_slice(bytes);
                    }
                }
                (1 | 2, _) => return Err("a field of RowRecord has the wrong wire type"),
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Insertion {
        // As the server has it: floats decide, where there are any.
        let vectors = if self.floats == 0 && self.bytes > 0 {
            Vectors::Binary(self.binary)
        } else {
            Vectors::Float(self.values)
        };
        Insertion {
            collection: self.collection,
            tag: self.tag,
            ids: self.ids,
            rows: self.rows,
            floats: self.floats,
            bytes: self.bytes,
            vectors,
        }
    }
}

fn utf8(text: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(text.to_vec()).map_err(|_| "a text is not UTF-8")
}

fn ids(packed: &[u8], ids: &mut Vec<i64>) -> Result<(), Malformed> {
    // One id takes a byte or more, so this never allocates more than eight times the request.
    let ends = packed.iter().filter(|byte| **byte < 0x80).count();
    ids.reserve(ends);
    let mut fields = Fields(packed);
    while !fields.0.is_empty() {
        ids.push(fields.varint()? as i64);
    }
    Ok(())
}

enum Value<'a> {
    Varint(u64),
    Fixed64,
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// Bytes that a key and a length may take.
const MAX_KEY_AND_LENGTH: usize = 20;

/// The size of the first field with its key, or none where too little of it is there to tell.
pub(crate) fn field_size(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut fields = Fields(bytes);
    let mut head = || {
        let kind = fields.varint()? & 7;
        let value = match kind {
            0 => return fields.varint().map(|_| bytes.len() - fields.0.len()),
            1 => 8,
            2 => usize::try_from(fields.varint()?).map_err(|_| "a length is too large")?,
            5 => 4,
            _ => return Err("a wire type is unknown"),
        };
        let head = bytes.len() - fields.0.len();
        head.checked_add(value).ok_or("a length is too large")
    };
    match head() {
        Err(_) if bytes.len() < MAX_KEY_AND_LENGTH => Ok(None),
        size => size.map(Some),
    }
}

/// The rest of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed64)?,
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| "a length is too large")?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let (bytes, rest) = self.0.split_first_chunk().ok_or("a number is cut off")?;
                self.0 = rest;
                Value::Fixed32(*bytes)
            }
            _ => return Err("a wire type is unknown"),
        };
        Ok(Some((key >> 3, value)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or("a field ends outside its message")?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (place, byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.0 = self.0.get(place + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err("a number is cut off or too long")
    }
}

#[cfg(test)]
mod tests {
    use milvusdm_proto::milvus1::{InsertParam, RowRecord};
    use prost::Message;

    use super::*;

    fn request(rows: Vec<RowRecord>) -> Vec<u8> {
        let request = InsertParam {
            collection_name: "c".to_owned(),
            row_record_array: rows,
            row_id_array: vec![-1, 0, 1 << 62],
            partition_tag: "p".to_owned(),
            extra_params: Vec::new(),
        };
        request.encode_to_vec()
    }

    fn float(values: &[f32]) -> RowRecord {
        RowRecord {
            float_data: values.to_vec(),
            ..Default::default()
        }
    }

    #[test]
    fn rows_of_uneven_length_are_put_one_behind_the_other() {
        let bytes = request(vec![float(&[1.0]), float(&[]), float(&[2.0, -0.0])]);
        let parsed = Insertion::parse(&bytes, true).unwrap();
        assert_eq!(parsed.vectors, Vectors::Float(vec![1.0, 2.0, -0.0]));
        assert_eq!((parsed.rows, parsed.floats, parsed.bytes), (3, 3, 0));
        assert_eq!(parsed.ids, [-1, 0, 1 << 62]);
        assert_eq!(
            (parsed.collection.as_str(), parsed.tag.as_str()),
            ("c", "p")
        );
    }

    #[test]
    fn rows_are_counted_also_where_they_are_not_kept() {
        let binary = RowRecord {
            binary_data: vec![1, 2, 3].into(),
            ..Default::default()
        };
        let parsed = Insertion::parse(&request(vec![binary]), false).unwrap();
        assert_eq!((parsed.rows, parsed.floats, parsed.bytes), (1, 0, 3));
        assert_eq!(parsed.vectors, Vectors::Binary(Vec::new()));
    }

    #[test]
    fn a_request_that_is_cut_off_anywhere_is_malformed_or_shorter() {
        let bytes = request(vec![float(&[1.0, 2.0]), float(&[3.0, 4.0])]);
        let whole = Insertion::parse(&bytes, true).unwrap();
        for end in 0..bytes.len() {
            if let Ok(part) = Insertion::parse(&bytes[..end], true) {
                assert_ne!(part, whole);
            }
        }
    }
}
