// SPDX-License-Identifier: Apache-2.0
//! Decides what a dataset of vectors is: dense of which element, or bits.

use milvusdm_plugin_api::model::{BitOrder, Elem, VectorType, keys};
use milvusdm_plugin_api::{Error, ErrorKind, Result};

use crate::column::Reading;
use crate::contents::Attributes;
use crate::h5::{H5File, Number, StoredDataset, StoredType};
use crate::options::{Binary, SourceOptions, WideInts};
use crate::{VECTORS, metric};

/// What the vectors are and how they are read.
///
/// # Errors
/// `Unsupported` for shapes and types that are no vectors, `Format` where attributes and shape
/// differ, `Config` where an option does not fit the file.
pub fn interpret(
    file: &H5File,
    stored: &StoredDataset,
    attributes: &Attributes,
    options: &SourceOptions,
) -> Result<(VectorType, Reading)> {
    let path = stored.path();
    let width = width(file, stored)?;
    let (vector, reading) = match stored.stored() {
        StoredType::Number {
            number: Number::U8, ..
        } if is_packed(path, width, attributes, options) => {
            let dim = packed_dim(file, path, width, attributes)?;
            let order = bit_order(file, attributes, options)?;
            (
                VectorType::binary(dim, order),
                Reading::Packed { dim, order },
            )
        }
        StoredType::Bool if options.binary == Binary::No => {
            return Err(not_binary(file, stored, "bools"));
        }
        StoredType::Bool => (VectorType::binary(width, BitOrder::Msb), Reading::PackBools),
        _ if options.binary == Binary::Yes => return Err(not_binary(file, stored, "no bytes")),
        StoredType::Number { number, .. } => {
            let (elem, reading) = dense(file, stored, *number, options)?;
            (VectorType::dense(elem, width), reading)
        }
        StoredType::Text { .. } | StoredType::Other(_) => {
            return Err(no_vectors(file, stored, "numbers"));
        }
    };
    if attributes.is_own
        && attributes
            .dim
            .is_some_and(|dim| dim != i64::from(vector.dim))
    {
        return Err(file.format_error(format!(
            "root attribute `dim` is {}, but the vectors `{path}` have dimension {}",
            attributes.dim.unwrap_or(0),
            vector.dim
        )));
    }
    let mut vector = vector.with_metric(attributes.metric.clone());
    vector.metric_arg = attributes.metric_arg.filter(|_| vector.metric.is_some());
    Ok((vector, reading))
}

/// Elements of a row.
fn width(file: &H5File, stored: &StoredDataset) -> Result<u32> {
    let &[_, width] = stored.shape() else {
        return Err(no_vectors(file, stored, "rows x dimension"));
    };
    let width = u32::try_from(width).ok();
    width
        .filter(|w| (1..=keys::MAX_DIM).contains(w))
        .ok_or_else(|| {
            let wanted = format!("a dimension of 1 to {}", keys::MAX_DIM);
            no_vectors(file, stored, &wanted)
        })
}

fn no_vectors(file: &H5File, stored: &StoredDataset, wanted: &str) -> Error {
    file.unsupported(format!(
        "vectors `{}` are {}, wanted {wanted}",
        stored.path(),
        stored.shape_text()
    ))
    .help("name the right dataset with the option `vectors`")
}

/// The element that holds every value of the stored number.
fn dense(
    file: &H5File,
    stored: &StoredDataset,
    number: Number,
    options: &SourceOptions,
) -> Result<(Elem, Reading)> {
    Ok(match number {
        Number::F16 => (Elem::F16, Reading::Numbers(Number::F16)),
        Number::F32 | Number::I16 | Number::U16 => (Elem::F32, Reading::Numbers(Number::F32)),
        Number::F64 | Number::I32 | Number::U32 => (Elem::F64, Reading::Numbers(Number::F64)),
        Number::I8 => (Elem::I8, Reading::Numbers(Number::I8)),
        Number::U8 => (Elem::U8, Reading::Numbers(Number::U8)),
        Number::I64 | Number::U64 if options.wide_ints == WideInts::F64 => {
            (Elem::F64, Reading::WideInts(number))
        }
        Number::I64 | Number::U64 => {
            return Err(file
                .unsupported(format!(
                    "vectors `{}` are {number}, which no float holds exactly",
                    stored.path()
                ))
                .help("set the option `wide_ints: f64` if all values are below 2^53 in size"));
        }
    })
}

fn not_binary(file: &H5File, stored: &StoredDataset, what: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "vectors `{}` are {}, {what}; option `binary` does not fit",
            stored.path(),
            stored.shape_text()
        ),
    )
    .with("option", "binary")
    .with("file", file.path().display())
}

/// Whether bytes are 8 bits each.
fn is_packed(path: &str, width: u32, attributes: &Attributes, options: &SourceOptions) -> bool {
    let bits = i64::from(width) * 8;
    match options.binary {
        Binary::Yes => return true,
        Binary::No => return false,
        Binary::Auto => {}
    }
    if attributes.bit_order.is_some() {
        return true;
    }
    match (
        attributes.dim,
        attributes.metric.as_deref().and_then(metric::is_binary),
    ) {
        (Some(dim), _) if attributes.is_own && dim == i64::from(width) => false,
        (Some(dim), _) if attributes.is_own && (bits - 7..=bits).contains(&dim) => true,
        (_, Some(is_binary)) => is_binary,
        _ => path.rsplit('/').next() == Some(VECTORS),
    }
}

fn packed_dim(file: &H5File, path: &str, width: u32, attributes: &Attributes) -> Result<u32> {
    let bits = u64::from(width) * 8;
    let dim = match attributes.dim {
        Some(dim) if attributes.is_own => u64::try_from(dim)
            .ok()
            .filter(|dim| dim.div_ceil(8) == u64::from(width))
            .ok_or_else(|| {
                file.format_error(format!(
                    "root attribute `dim` is {dim}, but binary vectors `{path}` of {width} bytes have {} to {bits} bits",
                    bits - 7
                ))
            })?,
        _ => bits,
    };
    u32::try_from(dim)
        .ok()
        .filter(|dim| *dim <= keys::MAX_DIM)
        .ok_or_else(|| {
            file.unsupported(format!(
                "vectors `{path}` have {dim} bits, at most {} are supported",
                keys::MAX_DIM
            ))
        })
}

fn bit_order(file: &H5File, attributes: &Attributes, options: &SourceOptions) -> Result<BitOrder> {
    let said = match attributes.bit_order.as_deref() {
        None => None,
        Some(name) => Some(
            BitOrder::from_name(&name.to_ascii_lowercase()).ok_or_else(|| {
                file.format_error(format!(
                    "root attribute `bit_order` is `{name}`, wanted `msb`, `lsb` or `unknown`"
                ))
            })?,
        ),
    };
    match (said, options.bit_order) {
        (Some(said @ (BitOrder::Msb | BitOrder::Lsb)), Some(wanted)) if said != wanted => {
            Err(Error::new(
                ErrorKind::Config,
                format!("option `bit_order` is `{wanted}`, but the file says `{said}`"),
            )
            .with("option", "bit_order")
            .with("file", file.path().display()))
        }
        (_, Some(wanted)) => Ok(wanted),
        (said, None) => Ok(said.unwrap_or(BitOrder::Unknown)),
    }
}
