// SPDX-License-Identifier: Apache-2.0
//! Writes index files byte by byte, of any shape, without Faiss.
#![allow(dead_code)]

/// The bytes of an index.
#[derive(Debug, Clone, Default)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// A type code and the common header.
    pub fn index(fourcc: &[u8; 4], dim: u32, ntotal: u64, metric: i32) -> Self {
        let mut bytes = Self(fourcc.to_vec());
        bytes.header(dim, ntotal, metric);
        bytes
    }

    /// The common header (index_write.cpp `write_index_header`).
    pub fn header(&mut self, dim: u32, ntotal: u64, metric: i32) -> &mut Self {
        self.put(&dim.to_le_bytes()).put(&ntotal.to_le_bytes());
        self.u64(1 << 20)
            .u64(1 << 20)
            .put(&[1])
            .put(&metric.to_le_bytes());
        if metric > 1 {
            self.put(&2.5f32.to_le_bytes());
        }
        self
    }

    /// Any bytes.
    pub fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A `size_t`.
    pub fn u64(&mut self, number: u64) -> &mut Self {
        self.put(&number.to_le_bytes())
    }

    /// A counted vector of ids.
    pub fn ids(&mut self, ids: &[i64]) -> &mut Self {
        self.u64(ids.len() as u64);
        for id in ids {
            self.put(&id.to_le_bytes());
        }
        self
    }

    /// A flat index of these vectors.
    pub fn flat(dim: u32, vectors: &[Vec<u8>], metric: i32) -> Self {
        let fourcc = match metric {
            0 => b"IxFI",
            1 => b"IxF2",
            _ => b"IxFl",
        };
        let mut bytes = Self::index(fourcc, dim, vectors.len() as u64, metric);
        bytes.u64(vectors.len() as u64 * u64::from(dim));
        for vector in vectors {
            bytes.put(vector);
        }
        bytes
    }

    /// An inverted file of these lists, sizes `full` or `sprs`.
    pub fn ivf(dim: u32, lists: &[Vec<(i64, Vec<u8>)>], is_sparse: bool) -> Self {
        let rows: usize = lists.iter().map(Vec::len).sum();
        let nlist = lists.len() as u64;
        let mut bytes = Self::index(b"IwFl", dim, rows as u64, 1);
        let centroids = vec![vec![0; dim as usize * 4]; lists.len()];
        bytes
            .u64(nlist)
            .u64(1)
            .put(&Self::flat(dim, &centroids, 1).0);
        bytes
            .put(&[0])
            .u64(0)
            .put(b"ilar")
            .u64(nlist)
            .u64(u64::from(dim) * 4);
        if is_sparse {
            let used: Vec<_> = lists
                .iter()
                .enumerate()
                .filter(|(_, l)| !l.is_empty())
                .collect();
            bytes.put(b"sprs").u64(2 * used.len() as u64);
            for (number, list) in used {
                bytes.u64(number as u64).u64(list.len() as u64);
            }
        } else {
            bytes.put(b"full").u64(nlist);
            for list in lists {
                bytes.u64(list.len() as u64);
            }
        }
        for list in lists {
            for (_, vector) in list {
                bytes.put(vector);
            }
            for (id, _) in list {
                bytes.put(&id.to_le_bytes());
            }
        }
        bytes
    }

    /// An id map around this index.
    pub fn id_map(&self, dim: u32, ids: &[i64], metric: i32) -> Self {
        let mut bytes = Self::index(b"IxM2", dim, ids.len() as u64, metric);
        bytes.put(&self.0).ids(ids);
        bytes
    }
}
