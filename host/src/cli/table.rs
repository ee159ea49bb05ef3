// SPDX-License-Identifier: Apache-2.0
//! Aligned text in columns, without lines around it, so that other tools can cut it up.

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::text;

/// How a column is aligned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Lays out rows under a header; every cell is cleaned, every line ends in its last letter.
pub(super) fn table(header: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().map(|(name, align)| cell(name, *align)));
    for row in rows {
        let cells = row.iter().zip(header);
        table.add_row(cells.map(|(content, (_, align))| cell(&text::line(content), *align)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut shown = String::new();
    for line in table.lines() {
        shown.push_str(line.trim_end());
        shown.push('\n');
    }
    shown
}

fn cell(content: &str, align: Align) -> Cell {
    Cell::new(content).set_alignment(match align {
        Align::Left => CellAlignment::Left,
        Align::Right => CellAlignment::Right,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_width_on_the_terminal() {
        let rows = [
            vec!["faces".to_owned(), "7".to_owned()],
            vec!["画像".to_owned(), "1,000".to_owned()],
        ];
        let shown = table(&[("DATASET", Align::Left), ("ROWS", Align::Right)], &rows);
        assert_eq!(shown, "DATASET   ROWS\nfaces        7\n画像     1,000\n");
    }

    #[test]
    fn a_cell_never_breaks_its_line() {
        let shown = table(&[("A", Align::Left)], &[vec!["x\ny\u{1b}".to_owned()]]);
        assert_eq!(shown, "A\nx\u{FFFD}y\u{FFFD}\n");
    }
}
