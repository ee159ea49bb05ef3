// SPDX-License-Identifier: Apache-2.0
//! The metadata of a data directory: rows of `Tables` and `TableFiles`, from wherever the server
//! kept them. What the rows mean is the catalog's business.

pub mod mysql;
pub mod none;
pub mod sqlite;

use milvusdm_plugin_api::{Error, ErrorKind, Result};

/// Longest text that a column may hold: names have up to 255 bytes, parameters up to 512.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// A row of `Tables`: a collection or a partition (fact sheet section 3).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableRow {
    /// The order in which they were made.
    pub id: i64,
    /// A collection's name, or a partition's number; the folder is called so.
    pub table_id: String,
    /// 0 is there, 1 is dropped.
    pub state: i64,
    /// Numbers or bits of a vector.
    pub dimension: i64,
    /// 1: the server made the ids; 2: the user gave them; 0: nothing was inserted yet.
    pub flag: i64,
    /// Bytes.
    pub index_file_size: i64,
    /// The index that was asked for.
    pub engine_type: i64,
    /// Its parameters, JSON.
    pub index_params: String,
    /// The metric's number.
    pub metric_type: i64,
    /// The collection of a partition, else empty.
    pub owner_table: String,
    /// The partition's name.
    pub partition_tag: String,
    /// The server that made it.
    pub version: String,
    /// All of the write-ahead log up to here is in segments.
    pub flush_lsn: i64,
}

/// A row of `TableFiles`: a raw or index file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileRow {
    /// The order in which they were made.
    pub id: i64,
    /// Its collection or partition.
    pub table_id: String,
    /// Its folder.
    pub segment_id: String,
    /// Its own name.
    pub file_id: String,
    /// Which type of index the collection had then.
    pub engine_type: i64,
    /// What it is; see the catalog.
    pub file_type: i64,
    /// Rows that are not deleted, as the server counted.
    pub row_count: i64,
}

/// All that the metadata says.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// Collections and partitions, in order of their ids.
    pub tables: Vec<TableRow>,
    /// Files, in order of their ids.
    pub files: Vec<FileRow>,
    /// `Environment.global_lsn`.
    pub global_lsn: i64,
    /// Where it was read, for messages.
    pub origin: String,
}

/// A value of a row, whatever the database.
#[derive(Debug, Clone)]
pub enum Cell {
    /// NULL.
    Null,
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
}

/// The columns that are read of a table: name, and what it is without that column or as NULL.
pub type Columns = &'static [(&'static str, Option<Cell>)];

/// Columns of `Tables`. Those without a default must be there in 0.7 to 1.1.
pub const TABLES: Columns = &[
    ("id", None),
    ("table_id", None),
    ("state", None),
    ("dimension", None),
    ("flag", Some(Cell::Int(0))),
    ("index_file_size", None),
    ("engine_type", None),
    ("index_params", Some(Cell::Null)),
    ("metric_type", None),
    ("owner_table", Some(Cell::Null)),
    ("partition_tag", Some(Cell::Null)),
    ("version", Some(Cell::Null)),
    ("flush_lsn", Some(Cell::Int(0))),
];

/// Columns of `TableFiles`.
pub const FILES: Columns = &[
    ("id", None),
    ("table_id", None),
    ("segment_id", None),
    ("file_id", None),
    ("engine_type", None),
    ("file_type", None),
    ("row_count", Some(Cell::Int(0))),
];

/// Column of `Environment`.
pub const ENVIRONMENT: Columns = &[("global_lsn", Some(Cell::Int(0)))];

/// One row's cells, taken in the order of its [`Columns`].
pub struct Cells<'a> {
    table: &'static str,
    columns: std::slice::Iter<'static, (&'static str, Option<Cell>)>,
    cells: std::vec::IntoIter<Cell>,
    origin: &'a str,
}

impl<'a> Cells<'a> {
    /// The cells of a row of that table.
    pub fn new(table: &'static str, columns: Columns, cells: Vec<Cell>, origin: &'a str) -> Self {
        Self {
            table,
            columns: columns.iter(),
            cells: cells.into_iter(),
            origin,
        }
    }

    fn next(&mut self) -> (&'static str, Option<&'static Cell>, Cell) {
        let (name, default) = match self.columns.next() {
            Some((name, default)) => (*name, default.as_ref()),
            None => ("", None),
        };
        (name, default, self.cells.next().unwrap_or(Cell::Null))
    }

    fn int(&mut self) -> Result<i64> {
        match self.next() {
            (_, _, Cell::Int(number)) => Ok(number),
            (_, Some(Cell::Int(default)), Cell::Null) => Ok(*default),
            (column, _, found) => Err(self.odd(column, "a number", &found)),
        }
    }

    fn text(&mut self) -> Result<String> {
        match self.next() {
            (_, _, Cell::Text(text)) if text.len() <= MAX_TEXT_BYTES => Ok(text),
            (_, Some(_), Cell::Null) => Ok(String::new()),
            (column, _, found) => Err(self.odd(column, "a text", &found)),
        }
    }

    fn odd(&self, column: &str, wanted: &str, found: &Cell) -> Error {
        let found = match found {
            Cell::Null => "NULL".to_owned(),
            Cell::Int(number) => number.to_string(),
            Cell::Text(text) if text.len() > MAX_TEXT_BYTES => format!("{} bytes", text.len()),
            Cell::Text(text) => format!("`{}`", text.escape_debug()),
        };
        Error::new(
            ErrorKind::Format,
            format!(
                "table `{}`, column `{column}`: found {found}, wanted {wanted}",
                self.table
            ),
        )
        .with("metadata", self.origin)
        .help("the metadata is damaged; `metadata: none` reads the folders without it")
    }
}

impl TableRow {
    /// From the cells of [`TABLES`].
    ///
    /// # Errors
    /// `Format` for a value of another kind.
    pub fn from_cells(mut cells: Cells<'_>) -> Result<Self> {
        Ok(Self {
            id: cells.int()?,
            table_id: cells.text()?,
            state: cells.int()?,
            dimension: cells.int()?,
            flag: cells.int()?,
            index_file_size: cells.int()?,
            engine_type: cells.int()?,
            index_params: cells.text()?,
            metric_type: cells.int()?,
            owner_table: cells.text()?,
            partition_tag: cells.text()?,
            version: cells.text()?,
            flush_lsn: cells.int()?,
        })
    }
}

impl FileRow {
    /// From the cells of [`FILES`].
    ///
    /// # Errors
    /// `Format` for a value of another kind.
    pub fn from_cells(mut cells: Cells<'_>) -> Result<Self> {
        Ok(Self {
            id: cells.int()?,
            table_id: cells.text()?,
            segment_id: cells.text()?,
            file_id: cells.text()?,
            engine_type: cells.int()?,
            file_type: cells.int()?,
            row_count: cells.int()?,
        })
    }
}

impl Metadata {
    /// Puts rows into the order in which they were made: that of flushes (fact sheet section 3).
    fn sort(&mut self) {
        self.tables
            .sort_by(|a, b| (a.id, &a.table_id).cmp(&(b.id, &b.table_id)));
        self.files
            .sort_by(|a, b| (a.id, &a.file_id).cmp(&(b.id, &b.file_id)));
    }
}

/// The columns to ask for, out of those that there are; `None` stands for one that is missing.
///
/// # Errors
/// `Unsupported` where a column is missing that 0.7 to 1.1 have.
fn choose(
    table: &str,
    columns: Columns,
    there: &[String],
    origin: &str,
) -> Result<Vec<Option<&'static str>>> {
    let has = |name: &str| there.iter().any(|t| t.eq_ignore_ascii_case(name));
    if table == "TableFiles" && !has("segment_id") || table == "Tables" && has("nlist") {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the metadata is that of Milvus 0.5 or 0.6, whose segments are whole Faiss indexes; 0.7 to 1.1 are read",
        )
        .with("metadata", origin)
        .help("start a Milvus 1.1 on a copy of the data, which upgrades it, or read the index files with plugin `faiss`"));
    }
    columns
        .iter()
        .map(|(name, default)| match (has(name), default) {
            (true, _) => Ok(Some(*name)),
            (false, Some(_)) => Ok(None),
            (false, None) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("table `{table}` has no column `{name}`, which Milvus 0.7 to 1.1 have"),
            )
            .with("metadata", origin)
            .with("columns", there.join(", "))),
        })
        .collect()
}

/// The query for these columns; NULL stands for a column that is missing.
fn select(table: &str, columns: &[Option<&str>], quote: char) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|c| c.map_or_else(|| "NULL".to_owned(), |name| format!("{quote}{name}{quote}")))
        .collect();
    format!("SELECT {} FROM {quote}{table}{quote}", list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_versions_are_refused_by_name() {
        let there = ["id", "table_id", "nlist"].map(str::to_owned);
        let error = choose("Tables", TABLES, &there, "x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("0.5 or 0.6"), "{error}");
    }

    #[test]
    fn cells_of_another_kind_are_an_error_that_names_the_column() {
        let cells = vec![Cell::Int(1), Cell::Null];
        let error = FileRow::from_cells(Cells::new("TableFiles", FILES, cells, "x")).unwrap_err();
        assert!(
            error
                .message()
                .contains("column `table_id`: found NULL, wanted a text"),
            "{error}"
        );
    }

    #[test]
    fn columns_that_are_missing_are_null() {
        assert_eq!(
            select("T", &[Some("a"), None], '"'),
            r#"SELECT "a", NULL FROM "T""#
        );
    }
}
