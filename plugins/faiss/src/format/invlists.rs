// SPDX-License-Identifier: Apache-2.0
//! Inverted lists: where sizes, codes and ids lie (index_write.cpp `write_InvertedLists`, and the
//! hooks in invlists/).
//!
//! Tables of lists are passed over in a stream and never kept, whatever the count of lists.

use milvusdm_plugin_api::{Error, ErrorKind, Result};

use super::cursor::{Cursor, Span, damaged};
use super::node::Fourcc;

/// Rows of a block of `ilpn` lists, in every version (Panorama.h `kLegacyBatchSize`).
pub const OLD_PANORAMA_BATCH: u64 = 128;
/// Longest file name that is taken from an index.
const MAX_NAME_BYTES: u64 = 4096;

/// Inverted lists as the file describes them.
#[derive(Debug, Clone)]
pub struct Lists {
    /// Type code, `    ` for the layouts of 2017.
    pub fourcc: Fourcc,
    /// Offset of the type code.
    pub at: u64,
    /// Number of lists, empty ones included.
    pub nlist: u64,
    /// Bytes of a code; 0 where there are no lists.
    pub code_bytes: u64,
    /// Vectors in all lists.
    pub rows: u64,
    /// Lists that are not empty.
    pub used: u64,
    /// Where sizes, codes and ids are.
    pub table: ListTable,
}

/// Where sizes, codes and ids of lists are.
#[derive(Debug, Clone)]
pub enum ListTable {
    /// Not in the file.
    Absent,
    /// A size for each list; then list after list codes, ids.
    Full {
        /// Offset of the sizes.
        sizes_at: u64,
        /// Offset of the first list.
        data_at: u64,
    },
    /// Pairs (list, size) for the lists that are not empty; then as `Full`.
    Sparse {
        /// Offset of the pairs.
        pairs_at: u64,
        /// How many.
        pairs: u64,
        /// Offset of the first list.
        data_at: u64,
    },
    /// As `Full`, but codes in blocks of levels, and partial norms behind the ids.
    Panorama {
        /// Offset of the sizes.
        sizes_at: u64,
        /// Offset of the first list.
        data_at: u64,
        /// Levels that the dimensions are cut into.
        levels: u64,
        /// Rows of a block.
        batch: u64,
    },
    /// List after list ids (counted), blocks of packed codes (counted).
    Blocks {
        /// Offset of the first list.
        data_at: u64,
        /// Rows of a block.
        block_rows: u64,
        /// Bytes of a block.
        block_bytes: u64,
    },
    /// Bucket after bucket ids (counted), codes (counted).
    Buckets {
        /// Offset of the first bucket.
        data_at: u64,
    },
    /// In a second file.
    OnDisk {
        /// Offset of the entries: size, capacity, offset.
        entries_at: u64,
        /// The second file's name, as the writer saw it: not to be trusted.
        file_name: Vec<u8>,
    },
    /// All ids, list after list (counted); elsewhere all codes, list after list (counted).
    Counted {
        /// Offset of the first list's ids.
        ids_at: u64,
        /// Offset of the first list's codes.
        codes_at: u64,
        /// Bytes of an element of the codes' vectors: 1 or 4.
        elem_bytes: u64,
    },
}

/// Reads what an index says of its lists, which must have codes of `code_bytes`, if that is known.
///
/// # Errors
/// `Format` for sizes that can't be, `Unsupported` for unknown types.
pub fn parse(cursor: &mut Cursor<'_>, nlist: u64, code_bytes: Option<u64>) -> Result<Lists> {
    let at = cursor.position();
    let fourcc = cursor.fourcc("the inverted lists' type code")?;
    let mut lists = Lists::empty(fourcc, at, nlist);
    if &fourcc.0 == b"il00" {
        return Ok(lists);
    }
    if !matches!(&fourcc.0, b"ilar" | b"ilpn" | b"ilp2" | b"ilbl" | b"ilod") {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("inverted lists of the unknown type `{fourcc}`, expected `ilar`, `ilod`, `ilbl`, `ilpn` or `ilp2`"),
        )
        .with("offset", at));
    }
    let found = cursor.u64("the number of inverted lists")?;
    if found != nlist {
        return Err(damaged(
            cursor.position() - 8,
            format!("the inverted lists number {found}, but the index has {nlist}"),
        ));
    }
    let found = cursor.u64("the inverted lists' code size")?;
    if let Some(wanted) = code_bytes
        && found != wanted
    {
        return Err(damaged(
            cursor.position() - 8,
            format!("the inverted lists' code size is {found}, expected {wanted}"),
        ));
    }
    lists.code_bytes = found;
    match &fourcc.0 {
        b"ilar" => array(cursor, &mut lists)?,
        b"ilbl" => blocks(cursor, &mut lists)?,
        b"ilod" => on_disk(cursor, &mut lists)?,
        _ => panorama(cursor, &mut lists)?,
    }
    Ok(lists)
}

impl Lists {
    pub(super) fn empty(fourcc: Fourcc, at: u64, nlist: u64) -> Self {
        Self {
            fourcc,
            at,
            nlist,
            code_bytes: 0,
            rows: 0,
            used: 0,
            table: ListTable::Absent,
        }
    }

    pub(super) fn count(&mut self, rows: u64, at: u64) -> Result<()> {
        self.rows = self.rows.checked_add(rows).ok_or_else(|| {
            damaged(
                at,
                "the sizes of the inverted lists add up to more than 2^64",
            )
        })?;
        self.used += u64::from(rows > 0);
        Ok(())
    }
}

/// The sizes of lists, read at `span`, while `cursor` passes over their data.
fn walk_sizes(
    cursor: &mut Cursor<'_>,
    lists: &mut Lists,
    sizes: Span,
    list_bytes: impl Fn(u64) -> Option<u64>,
) -> Result<()> {
    let pair = u64::from(sizes.elem_bytes == 16);
    let mut table = Cursor::at(cursor.file(), sizes.at);
    let mut next_list = 0;
    for _ in 0..sizes.count {
        let at = table.position();
        if pair == 1 {
            let list = table.u64("a list number")?;
            if list >= lists.nlist {
                return Err(damaged(
                    at,
                    format!("list number {list} of {} lists", lists.nlist),
                ));
            }
            if list < next_list {
                return Err(damaged(
                    at,
                    format!("list number {list} is out of order, expected {next_list} or more"),
                ));
            }
            next_list = list + 1;
        }
        let rows = table.u64("a list's size")?;
        lists.count(rows, at)?;
        let bytes = list_bytes(rows).ok_or_else(|| {
            damaged(
                at,
                format!("a list of {rows} vectors is larger than any file"),
            )
        })?;
        cursor.skip(
            bytes,
            &format_args!("an inverted list of {rows} vectors (its size is at offset {at})"),
        )?;
    }
    Ok(())
}

fn array(cursor: &mut Cursor<'_>, lists: &mut Lists) -> Result<()> {
    let list_type = cursor.fourcc("the kind of list sizes")?;
    let row_bytes = row_bytes(lists.code_bytes, lists.at)?;
    match &list_type.0 {
        b"full" => {
            let sizes = full_sizes(cursor, lists)?;
            let data_at = cursor.position();
            walk_sizes(cursor, lists, sizes, |rows| rows.checked_mul(row_bytes))?;
            lists.table = ListTable::Full {
                sizes_at: sizes.at,
                data_at,
            };
        }
        b"sprs" => {
            let at = cursor.position();
            let numbers = cursor.vector(8, "the list sizes")?;
            if numbers.count % 2 != 0 {
                return Err(damaged(
                    at,
                    format!(
                        "expected pairs of list and size, found {} numbers",
                        numbers.count
                    ),
                ));
            }
            let pairs = Span {
                at: numbers.at,
                count: numbers.count / 2,
                elem_bytes: 16,
            };
            let data_at = cursor.position();
            walk_sizes(cursor, lists, pairs, |rows| rows.checked_mul(row_bytes))?;
            lists.table = ListTable::Sparse {
                pairs_at: pairs.at,
                pairs: pairs.count,
                data_at,
            };
        }
        _ => {
            return Err(damaged(
                cursor.position() - 4,
                format!("list sizes of the unknown kind `{list_type}`, expected `full` or `sprs`"),
            ));
        }
    }
    Ok(())
}

fn row_bytes(code_bytes: u64, at: u64) -> Result<u64> {
    code_bytes
        .checked_add(8)
        .ok_or_else(|| damaged(at, format!("a code size of {code_bytes} bytes can't be")))
}

fn full_sizes(cursor: &mut Cursor<'_>, lists: &Lists) -> Result<Span> {
    let at = cursor.position();
    let sizes = cursor.vector(8, "the list sizes")?;
    if sizes.count != lists.nlist {
        return Err(damaged(
            at,
            format!(
                "found sizes of {} lists, expected {}",
                sizes.count, lists.nlist
            ),
        ));
    }
    Ok(sizes)
}

/// Bytes of a panorama list: blocks of codes, ids, partial norms.
pub fn panorama_list_bytes(rows: u64, code_bytes: u64, levels: u64, batch: u64) -> Option<u64> {
    let padded = rows.div_ceil(batch).checked_mul(batch)?;
    let norms = padded.checked_mul(levels.checked_add(1)?)?.checked_mul(4)?;
    padded
        .checked_mul(code_bytes)?
        .checked_add(rows.checked_mul(8)?)?
        .checked_add(norms)
}

fn panorama(cursor: &mut Cursor<'_>, lists: &mut Lists) -> Result<()> {
    let levels = cursor.u64("the number of levels")?;
    let batch = match &lists.fourcc.0 {
        b"ilp2" => cursor.u64("the rows of a block")?,
        _ => OLD_PANORAMA_BATCH,
    };
    if levels == 0 || batch == 0 {
        return Err(damaged(
            cursor.position(),
            format!("a panorama layout of {levels} levels and blocks of {batch} rows can't be"),
        ));
    }
    let list_type = cursor.fourcc("the kind of list sizes")?;
    if &list_type.0 != b"full" {
        return Err(damaged(
            cursor.position() - 4,
            format!("list sizes of the unknown kind `{list_type}`, expected `full`"),
        ));
    }
    let sizes = full_sizes(cursor, lists)?;
    let data_at = cursor.position();
    let code_bytes = lists.code_bytes;
    walk_sizes(cursor, lists, sizes, |rows| {
        panorama_list_bytes(rows, code_bytes, levels, batch)
    })?;
    lists.table = ListTable::Panorama {
        sizes_at: sizes.at,
        data_at,
        levels,
        batch,
    };
    Ok(())
}

fn blocks(cursor: &mut Cursor<'_>, lists: &mut Lists) -> Result<()> {
    let block_rows = cursor.u64("the rows of a block")?;
    let block_bytes = cursor.u64("the bytes of a block")?;
    if block_rows == 0 || block_bytes == 0 {
        return Err(damaged(
            cursor.position() - 16,
            format!("blocks of {block_rows} rows in {block_bytes} bytes can't be"),
        ));
    }
    let data_at = cursor.position();
    for list in 0..lists.nlist {
        let at = cursor.position();
        let ids = cursor.vector(8, "a list's ids")?;
        let codes = cursor.vector(1, "a list's codes")?;
        let expected = ids.count.div_ceil(block_rows).checked_mul(block_bytes);
        if expected != Some(codes.count) {
            return Err(damaged(
                at,
                format!(
                    "list {list} of {} vectors has {} bytes of codes, expected blocks of {block_bytes} bytes for each {block_rows}",
                    ids.count, codes.count
                ),
            ));
        }
        lists.count(ids.count, at)?;
    }
    lists.table = ListTable::Blocks {
        data_at,
        block_rows,
        block_bytes,
    };
    Ok(())
}

fn on_disk(cursor: &mut Cursor<'_>, lists: &mut Lists) -> Result<()> {
    let at = cursor.position();
    let entries = cursor.vector(24, "the on-disk lists")?;
    if entries.count != lists.nlist {
        return Err(damaged(
            at,
            format!(
                "found {} on-disk lists, expected {}",
                entries.count, lists.nlist
            ),
        ));
    }
    let mut table = Cursor::at(cursor.file(), entries.at);
    for list in 0..entries.count {
        let at = table.position();
        let rows = table.u64("a list's size")?;
        let capacity = table.u64("a list's capacity")?;
        table.u64("a list's offset")?;
        if rows > capacity {
            return Err(damaged(
                at,
                format!("on-disk list {list} has {rows} vectors in space for {capacity}"),
            ));
        }
        lists.count(rows, at)?;
    }
    cursor.vector(16, "the free slots")?;
    let at = cursor.position();
    let name = cursor.vector(1, "the name of the file of lists")?;
    cursor.u64("the size of the file of lists")?;
    if name.count > MAX_NAME_BYTES {
        return Err(damaged(
            at,
            format!(
                "the name of the file of lists has {} bytes, expected at most {MAX_NAME_BYTES}",
                name.count
            ),
        ));
    }
    let mut file_name = vec![0; name.count as usize];
    super::read_at::read_at(
        cursor.file(),
        name.at,
        &mut file_name,
        "the name of the file of lists",
    )?;
    lists.table = ListTable::OnDisk {
        entries_at: entries.at,
        file_name,
    };
    Ok(())
}
