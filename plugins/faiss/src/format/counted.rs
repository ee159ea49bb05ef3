// SPDX-License-Identifier: Apache-2.0
//! Lists whose sizes stand before each of them, not in a table: the layouts of 2017, and the
//! buckets of binary hash indexes.

use milvusdm_plugin_api::Result;

use super::cursor::{Cursor, damaged};
use super::invlists::{ListTable, Lists};
use super::node::Fourcc;

/// Passes over the ids of the layouts of 2017: one counted vector a list.
///
/// # Errors
/// `Format` if they don't fit into the file.
pub fn counted_ids(cursor: &mut Cursor<'_>, nlist: u64) -> Result<Lists> {
    let at = cursor.position();
    let mut lists = Lists::empty(Fourcc(*b"    "), at, nlist);
    for _ in 0..nlist {
        let list_at = cursor.position();
        let ids = cursor.vector(8, "a list's ids")?;
        lists.count(ids.count, list_at)?;
    }
    Ok(lists)
}

/// Passes over the codes that belong to [`counted_ids`].
///
/// # Errors
/// `Format` if a list's codes don't fit its ids, or the file.
pub fn counted_codes(
    cursor: &mut Cursor<'_>,
    lists: &mut Lists,
    code_bytes: u64,
    elem_bytes: u64,
) -> Result<()> {
    let mut ids = Cursor::at(cursor.file(), lists.at);
    let codes_at = cursor.position();
    for list in 0..lists.nlist {
        let at = cursor.position();
        let rows = ids.vector(8, "a list's ids")?.count;
        let codes = cursor.vector(elem_bytes, "a list's codes")?;
        if rows.checked_mul(code_bytes) != Some(codes.bytes()) {
            return Err(damaged(
                at,
                format!(
                    "list {list} of {rows} vectors has {} bytes of codes, expected {code_bytes} each",
                    codes.bytes()
                ),
            ));
        }
    }
    lists.code_bytes = code_bytes;
    lists.table = ListTable::Counted {
        ids_at: lists.at,
        codes_at,
        elem_bytes,
    };
    Ok(())
}

/// Passes over the buckets of a binary hash index, which are lists in all but name.
///
/// # Errors
/// `Format` if a bucket's codes don't fit its ids, or the file.
pub fn buckets(cursor: &mut Cursor<'_>, buckets: u64, code_bytes: u64) -> Result<Lists> {
    let data_at = cursor.position();
    let mut lists = Lists::empty(Fourcc(*b"    "), data_at, buckets);
    lists.code_bytes = code_bytes;
    for bucket in 0..buckets {
        let at = cursor.position();
        let ids = cursor.vector(8, "a bucket's ids")?.count;
        let codes = cursor.vector(1, "a bucket's vectors")?.count;
        if ids.checked_mul(code_bytes) != Some(codes) {
            return Err(damaged(
                at,
                format!(
                    "bucket {bucket} has {ids} ids, but {codes} bytes of vectors of {code_bytes} bytes"
                ),
            ));
        }
        lists.count(ids, at)?;
    }
    lists.table = ListTable::Buckets { data_at };
    Ok(lists)
}
