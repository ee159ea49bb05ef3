// SPDX-License-Identifier: Apache-2.0
//! No metadata at all: what the folders themselves tell. For directories whose database is lost.
//!
//! Which folder belongs to which collection, and which segments were merged away or dropped, is
//! told nowhere but in the metadata: every folder is a collection of its own, and every segment
//! is read.

use milvusdm_plugin_api::model::{BitOrder, Elem, IdPolicy, VectorType, keys};
use milvusdm_plugin_api::{Error, ErrorKind, Result, Services};
use serde_json::Map;

use crate::cold::catalog::{Catalog, Listed, Part};
use crate::cold::files::Folder;
use crate::cold::segment;
use crate::options::{Element, Milvus1SourceOptions};

const VECTORS: &str = ".rv";

/// Lists the folders.
///
/// # Errors
/// `Denied`, `Io`; `Config` where the dimension can't be told.
pub fn read(
    tables: &Folder,
    options: &Milvus1SourceOptions,
    services: &Services,
) -> Result<Catalog> {
    let mut catalog = Catalog::default();
    catalog.notices.push(
        "Without metadata, segments that were merged away, compacted or dropped can't be told from live ones: rows may come twice, and dropped ones come back.".to_owned(),
    );
    let element = options.element.unwrap_or_default();
    for name in tables.names()? {
        services.check_cancelled()?;
        let Some(folder) = folder(tables, &name, &mut catalog.notices)? else {
            continue;
        };
        let segments = segments(&folder, &mut catalog.notices)?;
        let widths = widths(&folder, &segments);
        let Some(vector) = vector(&name, &widths, element, options.dimension)? else {
            catalog
                .notices
                .push(format!("Folder `{name}` holds no rows; it is not read."));
            continue;
        };
        catalog.parts.push(Part {
            folder: name.clone(),
            collection: name,
            partition: None,
            is_default: false,
            vector,
            id_policy: IdPolicy::Given,
            index: None,
            properties: Map::new(),
            flush_lsn: 0,
            segments,
        });
    }
    Ok(catalog)
}

/// A folder in another; `None` for a file that lies there.
fn folder(parent: &Folder, name: &str, notices: &mut Vec<String>) -> Result<Option<Folder>> {
    match parent.folder(name) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if error.kind() == ErrorKind::Io => {
            let path = parent.path().join(name);
            notices.push(format!("{} is no folder; it is not read.", path.display()));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The segments of a folder, in the order of their numbers: that of their making.
fn segments(folder: &Folder, notices: &mut Vec<String>) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    for segment_id in folder.names()? {
        let Some(segment) = self::folder(folder, &segment_id, notices)? else {
            continue;
        };
        let names = segment.names()?;
        for file_id in names.iter().filter_map(|n| n.strip_suffix(VECTORS)) {
            found.push(Listed {
                segment_id: segment_id.clone(),
                file_id: file_id.to_owned(),
                row_count: None,
                file_type: None,
                built_index: None,
            });
        }
    }
    found.sort_by_cached_key(|s| (s.segment_id.parse::<u64>().unwrap_or(u64::MAX), s.id()));
    Ok(found)
}

/// Bytes of a vector in each segment that tells.
fn widths(folder: &Folder, segments: &[Listed]) -> Vec<u64> {
    let mut widths: Vec<u64> = segments
        .iter()
        .filter_map(|s| segment::width(folder, s))
        .collect();
    widths.sort_unstable();
    widths.dedup();
    widths
}

/// The vectors of a folder; `None` if it holds none.
fn vector(
    name: &str,
    widths: &[u64],
    element: Element,
    dimension: Option<u32>,
) -> Result<Option<VectorType>> {
    let bits = match element {
        Element::Float => 32,
        Element::Binary => 1,
    };
    let dim = match (widths, dimension) {
        ([], None) => return Ok(None),
        (_, Some(dim)) => dim,
        ([width], None) => width
            .checked_mul(8)
            .filter(|width| width.is_multiple_of(bits))
            .and_then(|width| u32::try_from(width / bits).ok())
            .filter(|dim| (1..=keys::MAX_DIM).contains(dim))
            .ok_or_else(|| {
                let message =
                    format!("folder `{name}` has vectors of {width} bytes, which are no floats");
                wrong("element", message).help("`element: binary` takes them as bits")
            })?,
        (_, None) => {
            let message =
                format!("the segments of folder `{name}` have vectors of {widths:?} bytes");
            return Err(wrong("dimension", message)
                .help("some of them are damaged: say the right one with `dimension`"));
        }
    };
    if element == Element::Binary && dim % 8 != 0 {
        return Err(wrong(
            "dimension",
            format!("found {dim}, wanted a multiple of 8"),
        ));
    }
    Ok(Some(match element {
        Element::Float => VectorType::dense(Elem::F32, dim),
        Element::Binary => VectorType::binary(dim, BitOrder::Unknown),
    }))
}

fn wrong(option: &str, message: String) -> Error {
    Error::new(ErrorKind::Config, message).with("option", option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dimension_follows_from_the_width_or_is_asked_for() {
        let of = |widths: &[u64], element, dimension| vector("x", widths, element, dimension);
        assert_eq!(of(&[64], Element::Float, None).unwrap().unwrap().dim, 16);
        assert_eq!(of(&[8], Element::Binary, None).unwrap().unwrap().dim, 64);
        assert_eq!(of(&[], Element::Float, None).unwrap(), None);
        assert_eq!(of(&[], Element::Float, Some(3)).unwrap().unwrap().dim, 3);
        assert_eq!(
            of(&[64, 32], Element::Float, Some(8)).unwrap().unwrap().dim,
            8
        );
        for (widths, element, dimension, option) in [
            (&[6][..], Element::Float, None, "element"),
            (&[64, 32], Element::Float, None, "dimension"),
            (&[8], Element::Binary, Some(4), "dimension"),
            (&[1 << 40], Element::Float, None, "element"),
        ] {
            let error = of(widths, element, dimension).unwrap_err();
            assert_eq!(error.context_value("option"), Some(option), "{error}");
        }
    }
}
