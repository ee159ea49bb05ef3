// SPDX-License-Identifier: Apache-2.0
//! Rows to write: values of every wire type, the same for the same seed.
//!
//! They keep the data model's rules (unique ids, no null inside a vector, zero pad bits,
//! ascending sparse indices) and are what any sink takes that declares the type: finite, and no
//! vector of zeros.

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};

use crate::model::schema::{Column, classify};
use crate::model::{BitOrder, Kind, VectorType, wire};
use crate::{Error, ErrorKind, Result};

/// Makes a batch of a valid schema; `first_row` is the row that its ids start with. Nullable
/// columns (ids aside) get nulls if `nulls` says so.
pub fn batch(
    schema: &SchemaRef,
    first_row: u64,
    rows: usize,
    seed: u64,
    nulls: bool,
) -> Result<RecordBatch> {
    let wrong = |e: ArrowError| Error::new(ErrorKind::Internal, "make sample rows").caused_by(e);
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for (i, field) in schema.fields().iter().enumerate() {
        let mut values = Values {
            random: Random(seed ^ (i as u64 + 1).wrapping_mul(0x9E37_79B9) ^ (first_row << 20)),
            first_row,
            nulls,
        };
        columns.push(make_array(values.column(field, rows).map_err(wrong)?));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(wrong)
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// In (0, 1], so that no vector is all zeros.
    fn unit(&mut self) -> f64 {
        (self.below(1 << 20) + 1) as f64 / f64::from(1 << 20)
    }
}

type Made = Result<ArrayData, ArrowError>;

struct Values {
    random: Random,
    first_row: u64,
    nulls: bool,
}

impl Values {
    fn column(&mut self, field: &Field, rows: usize) -> Made {
        match classify(field) {
            Column::Id => self.ids(field, rows),
            Column::Vector(vector) => self.vectors(field, &vector, rows),
            Column::Dynamic => self.texts(field, rows, |r| format!("{{\"m{}\":1}}", r.below(9))),
            _ => self.scalars(field, rows),
        }
    }

    /// One in five is null, where that is wanted and allowed.
    fn validity(&mut self, field: &Field, rows: usize) -> Option<NullBuffer> {
        if !self.nulls || !field.is_nullable() {
            return None;
        }
        let valid: BooleanBuffer = (0..rows).map(|_| self.random.below(5) != 0).collect();
        Some(NullBuffer::new(valid))
    }

    fn ids(&mut self, field: &Field, rows: usize) -> Made {
        let ids = self.first_row..self.first_row + rows as u64;
        match field.data_type() {
            DataType::Utf8 => text_array(field, ids.map(|id| format!("id-{id:06}")), None),
            DataType::FixedSizeBinary(_) => {
                let bytes: Vec<u8> = ids
                    .flat_map(|id| (u128::from(id) << 64 | 7).to_be_bytes())
                    .collect();
                fixed(field, rows, None, Buffer::from(bytes))
            }
            _ => fixed(
                field,
                rows,
                None,
                Buffer::from_iter(ids.map(|id| id * 3 + 1)),
            ),
        }
    }

    fn scalars(&mut self, field: &Field, rows: usize) -> Made {
        match (field.data_type(), wire::type_name(field).as_str()) {
            (DataType::Utf8, "Json") => {
                self.texts(field, rows, |r| format!("[{},null]", r.below(99)))
            }
            (DataType::Utf8 | DataType::Binary, _) => self.texts(field, rows, |r| {
                // With letters of one to four bytes.
                "aé€𝄞"
                    .chars()
                    .cycle()
                    .skip(r.below(4) as usize)
                    .take(r.below(9) as usize)
                    .collect()
            }),
            _ => self.plain(field, rows),
        }
    }

    fn texts(
        &mut self,
        field: &Field,
        rows: usize,
        mut text: impl FnMut(&mut Random) -> String,
    ) -> Made {
        let validity = self.validity(field, rows);
        let texts: Vec<String> = (0..rows).map(|_| text(&mut self.random)).collect();
        text_array(field, texts.into_iter(), validity)
    }

    /// Values without rules of their own.
    fn plain(&mut self, field: &Field, rows: usize) -> Made {
        use DataType as T;
        let validity = self.validity(field, rows);
        match field.data_type() {
            T::Null => Ok(ArrayData::new_null(&T::Null, rows)),
            T::Boolean => {
                let bits: BooleanBuffer = (0..rows).map(|_| self.random.below(2) == 1).collect();
                fixed(field, rows, validity, bits.into_inner())
            }
            T::List(item) => {
                let lengths: Vec<usize> =
                    (0..rows).map(|_| self.random.below(4) as usize).collect();
                let child = self.column(item, lengths.iter().sum())?;
                list(field, rows, validity, lengths, child)
            }
            T::FixedSizeList(item, size) => {
                let child = self.column(item, rows * *size as usize)?;
                nested(field, rows, validity, vec![child])
            }
            T::Struct(fields) => {
                let children = fields.iter().map(|f| self.column(f, rows));
                let children = children.collect::<Result<Vec<_>, _>>()?;
                nested(field, rows, validity, children)
            }
            T::FixedSizeBinary(bytes) => {
                let bytes = self.bytes(rows * *bytes as usize);
                fixed(field, rows, validity, bytes)
            }
            other => {
                let values = self.numbers(other, rows);
                fixed(field, rows, validity, values)
            }
        }
    }

    fn bytes(&mut self, count: usize) -> Buffer {
        Buffer::from_iter((0..count).map(|_| self.random.next() as u8))
    }

    /// The values of a type of fixed width; those of times and decimals are small, so that they
    /// are in range.
    fn numbers(&mut self, data_type: &DataType, count: usize) -> Buffer {
        use DataType as T;
        let r = &mut self.random;
        let rows = 0..count;
        match data_type {
            T::Int8 | T::UInt8 => Buffer::from_iter(rows.map(|_| r.next() as u8)),
            T::Int16 | T::UInt16 => Buffer::from_iter(rows.map(|_| r.next() as u16)),
            T::Int32 | T::UInt32 => Buffer::from_iter(rows.map(|_| r.next() as u32)),
            T::Int64 | T::UInt64 => Buffer::from_iter(rows.map(|_| r.next())),
            // 1.m x 2^-1 in half precision.
            T::Float16 => Buffer::from_iter(rows.map(|_| 0x3800 | r.below(0x400) as u16)),
            T::Float32 => Buffer::from_iter(rows.map(|_| r.unit() as f32)),
            T::Float64 => Buffer::from_iter(rows.map(|_| r.unit())),
            T::Decimal128(..) => Buffer::from_iter(rows.map(|_| r.below(10) as i128)),
            T::Date32 | T::Time32(_) => Buffer::from_iter(rows.map(|_| r.below(20_000) as i32)),
            _ => Buffer::from_iter(rows.map(|_| r.below(1 << 40) as i64)),
        }
    }

    fn vectors(&mut self, field: &Field, vector: &VectorType, rows: usize) -> Made {
        let validity = self.validity(field, rows);
        match (vector.kind, field.data_type()) {
            (Kind::Dense, DataType::FixedSizeList(item, dim)) => {
                let child = self.elements(item, rows * *dim as usize)?;
                nested(field, rows, validity, vec![child])
            }
            (Kind::Binary, _) => {
                let bytes = self.packed(vector, rows);
                fixed(field, rows, validity, bytes)
            }
            (Kind::Multi, DataType::List(item)) => {
                let lengths: Vec<usize> =
                    (0..rows).map(|_| self.random.below(4) as usize).collect();
                let kind = match vector.elem.bytes() {
                    Some(_) => Kind::Dense,
                    None => Kind::Binary,
                };
                let inner = VectorType {
                    kind,
                    ..vector.clone()
                };
                let item = item.as_ref().clone().with_nullable(false);
                let child = self.vectors(&item, &inner, lengths.iter().sum())?;
                list(field, rows, validity, lengths, child)
            }
            (Kind::Sparse, DataType::Struct(parts)) => self.sparse(field, parts, rows, validity),
            (_, other) => Err(ArrowError::InvalidArgumentError(format!(
                "a vector stored as {other}"
            ))),
        }
    }

    /// Elements of vectors: never null.
    fn elements(&mut self, item: &Field, count: usize) -> Made {
        let values = match item.data_type() {
            // bfloat16: 1.m x 2^-1, little-endian.
            DataType::FixedSizeBinary(_) => {
                Buffer::from_iter((0..count).map(|_| 0x3F00 | self.random.below(0x80) as u16))
            }
            other => self.numbers(other, count),
        };
        fixed(item, count, None, values)
    }

    fn packed(&mut self, vector: &VectorType, rows: usize) -> Buffer {
        let width = vector.dim.div_ceil(8) as usize;
        let pad = match (vector.dim % 8, vector.bit_order) {
            (0, _) => 0xFF,
            (used, Some(BitOrder::Msb)) => !(0xFFu8 >> used),
            (used, _) => !(0xFFu8 << used),
        };
        let mut bytes = MutableBuffer::from_len_zeroed(rows * width);
        for row in bytes.as_slice_mut().chunks_exact_mut(width.max(1)) {
            row.fill_with(|| self.random.next() as u8 | 0x81);
            if let Some(last) = row.last_mut() {
                *last &= pad;
            }
        }
        bytes.into()
    }

    fn sparse(
        &mut self,
        field: &Field,
        parts: &arrow_schema::Fields,
        rows: usize,
        validity: Option<NullBuffer>,
    ) -> Made {
        let lengths: Vec<usize> = (0..rows)
            .map(|_| 1 + self.random.below(3) as usize)
            .collect();
        let mut children = Vec::with_capacity(2);
        for (i, part) in parts.iter().enumerate() {
            let DataType::List(item) = part.data_type() else {
                let what = "a sparse vector's part that is no list";
                return Err(ArrowError::InvalidArgumentError(what.to_owned()));
            };
            let count = lengths.iter().sum();
            let child = match i {
                0 => {
                    let places = lengths
                        .iter()
                        .flat_map(|n| (0..*n).map(|k| (k * k + 2) as u32));
                    let places: Vec<u32> = places.collect();
                    fixed(item, count, None, Buffer::from_vec(places))?
                }
                _ => self.elements(item, count)?,
            };
            children.push(list(part, rows, None, lengths.clone(), child)?);
        }
        nested(field, rows, validity, children)
    }
}

fn text_array(
    field: &Field,
    texts: impl Iterator<Item = String>,
    validity: Option<NullBuffer>,
) -> Made {
    let texts: Vec<String> = texts.collect();
    let offsets = OffsetBuffer::<i32>::from_lengths(texts.iter().map(String::len));
    ArrayData::builder(field.data_type().clone())
        .len(texts.len())
        .nulls(validity)
        .add_buffer(offsets.into_inner().into_inner())
        .add_buffer(Buffer::from_vec(texts.concat().into_bytes()))
        .build()
}

fn fixed(field: &Field, rows: usize, validity: Option<NullBuffer>, values: Buffer) -> Made {
    ArrayData::builder(field.data_type().clone())
        .len(rows)
        .nulls(validity)
        .add_buffer(values)
        .align_buffers(true)
        .build()
}

fn list(
    field: &Field,
    rows: usize,
    validity: Option<NullBuffer>,
    lengths: Vec<usize>,
    child: ArrayData,
) -> Made {
    ArrayData::builder(field.data_type().clone())
        .len(rows)
        .nulls(validity)
        .add_buffer(
            OffsetBuffer::<i32>::from_lengths(lengths)
                .into_inner()
                .into_inner(),
        )
        .add_child_data(child)
        .build()
}

fn nested(
    field: &Field,
    rows: usize,
    validity: Option<NullBuffer>,
    children: Vec<ArrayData>,
) -> Made {
    ArrayData::builder(field.data_type().clone())
        .len(rows)
        .nulls(validity)
        .child_data(children)
        .build()
}
