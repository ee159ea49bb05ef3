// SPDX-License-Identifier: Apache-2.0
//! Rows as two flat arrays: millions of them must fit, and be copied at the speed of memory.

/// Vectors of many rows, one behind the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Vectors {
    /// `dimension` elements a row.
    Float(Vec<f32>),
    /// `dimension` / 8 bytes a row.
    Binary(Vec<u8>),
}

impl Vectors {
    pub(crate) fn empty(is_binary: bool) -> Vectors {
        if is_binary {
            Vectors::Binary(Vec::new())
        } else {
            Vectors::Float(Vec::new())
        }
    }

    /// Elements of all rows: floats or bytes.
    pub(crate) fn elements(&self) -> usize {
        match self {
            Vectors::Float(values) => values.len(),
            Vectors::Binary(bytes) => bytes.len(),
        }
    }

    /// Size of all rows.
    pub fn size_bytes(&self) -> usize {
        match self {
            Vectors::Float(values) => size_of_val(&values[..]),
            Vectors::Binary(bytes) => bytes.len(),
        }
    }

    fn append(&mut self, other: Vectors) {
        match (self, other) {
            (Vectors::Float(own), Vectors::Float(more)) => append(own, more),
            (Vectors::Binary(own), Vectors::Binary(more)) => append(own, more),
            // Kinds are checked before rows get here.
            (own, more) => debug_assert!(more.elements() == 0, "{:?}", own.elements()),
        }
    }

    fn select(&self, rows: &[u32], width: usize) -> Vectors {
        match self {
            Vectors::Float(values) => Vectors::Float(select(values, rows, width)),
            Vectors::Binary(bytes) => Vectors::Binary(select(bytes, rows, width)),
        }
    }
}

/// Takes the other array as it is where there is none yet, which spares most copies.
fn append<T: Copy>(own: &mut Vec<T>, more: Vec<T>) {
    if own.is_empty() {
        *own = more;
    } else {
        own.extend_from_slice(&more);
    }
}

fn select<T: Copy>(values: &[T], rows: &[u32], width: usize) -> Vec<T> {
    rows.iter()
        .flat_map(|row| {
            let start = *row as usize * width;
            values.get(start..start + width).unwrap_or_default()
        })
        .copied()
        .collect()
}

/// Ids with their vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Id of each row.
    pub ids: Vec<i64>,
    /// Vector of each row.
    pub vectors: Vectors,
    /// Rows that were counted, and not kept: the server discards.
    pub discarded: u64,
}

impl Rows {
    pub(crate) fn empty(is_binary: bool) -> Rows {
        Rows {
            ids: Vec::new(),
            vectors: Vectors::empty(is_binary),
            discarded: 0,
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.ids.len() as u64 + self.discarded
    }

    pub(crate) fn append(&mut self, other: Rows) {
        append(&mut self.ids, other.ids);
        self.vectors.append(other.vectors);
        self.discarded += other.discarded;
    }

    /// The rows at these places. `width` is the number of elements of a row.
    pub(crate) fn select(&self, places: &[u32], width: usize) -> Rows {
        Rows {
            ids: select(&self.ids, places, 1),
            vectors: self.vectors.select(places, width),
            discarded: self.discarded,
        }
    }
}
