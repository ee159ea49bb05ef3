#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares an output of the benchmark with its input, bit by bit; exits 1 if they differ.

    check.py flat|ivf INPUT.index OUTPUT.h5
    check.py hdf5 INPUT.h5 OUTPUT.h5
    check.py milvus1 FOLDER OUTPUT.h5         a folder as make_milvus1_data.py writes it
    check.py zeros ROWS DIM OUTPUT.h5
    check.py make-hdf5 OUTPUT.h5 ROWS DIM     writes the input of the HDF5 runs, with h5py
"""
import os
import struct
import sys

import h5py
import numpy as np

PART = 65_536
FLAT_HEADER, IVF_LISTS = 45, 1024


def fail(message):
    sys.exit(f"check: {message}")


def compare(name, start, found, wanted):
    if found.shape != wanted.shape or found.dtype != wanted.dtype or found.tobytes() != wanted.tobytes():
        fail(f"{name} differ between rows {start} and {start + len(wanted)}")


def flat(source, output):
    with open(source, "rb") as file:
        dim, rows = struct.unpack("<4xiq", file.read(16))
        with h5py.File(output) as h5:
            vectors, ids = h5["embeddings"], h5["ids"]
            if vectors.shape != (rows, dim) or ids.shape != (rows,):
                fail(f"shapes are {vectors.shape} and {ids.shape}, wanted {rows} rows of {dim}")
            file.seek(FLAT_HEADER)
            for start in range(0, rows, PART):
                count = min(PART, rows - start)
                wanted = np.fromfile(file, "<f4", count * dim).reshape(count, dim)
                compare("vectors", start, vectors[start:start + count], wanted)
                compare("ids", start, ids[start:start + count], np.arange(start, start + count))


def ivf(source, output):
    with open(source, "rb") as file, h5py.File(output) as h5:
        dim, rows = struct.unpack("<4xiq", file.read(16))
        # Header and sizes of the lists, as make_input.py writes them.
        file.seek(37 + 16 + FLAT_HEADER + IVF_LISTS * dim * 4 + 9 + 4 + 16 + 4)
        (lists,) = struct.unpack("<Q", file.read(8))
        sizes = np.fromfile(file, "<u8", lists)
        vectors, ids = h5["embeddings"], h5["ids"]
        if vectors.shape != (rows, dim) or int(sizes.sum()) != rows:
            fail(f"shape is {vectors.shape}, wanted {rows} rows of {dim}")
        start = 0
        for size in map(int, sizes):
            wanted = np.fromfile(file, "<f4", size * dim).reshape(size, dim)
            compare("vectors", start, vectors[start:start + size], wanted)
            compare("ids", start, ids[start:start + size], np.fromfile(file, "<i8", size))
            start += size


def hdf5(source, output):
    with h5py.File(source) as one, h5py.File(output) as two:
        for name in ("embeddings", "ids"):
            if one[name].shape != two[name].shape:
                fail(f"{name} have shape {two[name].shape}, wanted {one[name].shape}")
            for start in range(0, len(one[name]), PART):
                compare(name, start, two[name][start:start + PART], one[name][start:start + PART])


def milvus1(source, output):
    """Segments follow each other in the order of their numbers, without deleted rows."""
    start, tables = 0, f"{source}/db/tables/big"
    with h5py.File(output) as h5:
        vectors, ids = h5["embeddings"], h5["ids"]
        for name in sorted(os.listdir(tables)):
            every = np.fromfile(f"{tables}/{name}/{name}.uid", "<i8", offset=8)
            live = np.ones(len(every), bool)
            live[np.fromfile(f"{tables}/{name}/deleted_docs", "<i4", offset=8)] = False
            rows = np.memmap(f"{tables}/{name}/{name}.rv", "<f4", "r", 8).reshape(len(every), -1)
            for at in range(0, len(every), PART):
                part = slice(at, at + PART)
                wanted, wanted_ids = rows[part][live[part]], every[part][live[part]]
                end = start + len(wanted)
                compare("vectors", start, vectors[start:end], wanted)
                compare("ids", start, ids[start:end], wanted_ids)
                start = end
        if vectors.shape[0] != start or ids.shape[0] != start:
            fail(f"shapes are {vectors.shape} and {ids.shape}, wanted {start} rows")


def zeros(rows, dim, output):
    with h5py.File(output) as h5:
        if h5["embeddings"].shape != (rows, dim):
            fail(f"shape is {h5['embeddings'].shape}, wanted {rows} rows of {dim}")
        for start in range(0, rows, PART):
            if h5["embeddings"][start:start + PART].any():
                fail(f"rows from {start} are not zero")
            count = min(PART, rows - start)
            compare("ids", start, h5["ids"][start:start + count], np.arange(start, start + count))


def make_hdf5(output, rows, dim):
    rng = np.random.default_rng(2)
    with h5py.File(output, "w") as h5:
        vectors = h5.create_dataset("embeddings", (rows, dim), "<f4")
        for start in range(0, rows, PART):
            vectors[start:start + PART] = rng.random((min(PART, rows - start), dim), dtype=np.float32)
        h5["ids"] = np.arange(rows, dtype="<i8") * 7 - 1_000_003


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["flat", source, output]:
            flat(source, output)
        case ["ivf", source, output]:
            ivf(source, output)
        case ["hdf5", source, output]:
            hdf5(source, output)
        case ["milvus1", source, output]:
            milvus1(source, output)
        case ["zeros", rows, dim, output]:
            zeros(int(rows), int(dim), output)
        case ["make-hdf5", output, rows, dim]:
            make_hdf5(output, int(rows), int(dim))
        case _:
            sys.exit(__doc__)
