#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes large Faiss index files with random vectors, without Faiss and in little memory.

    make_input.py flat|ivf|sparse_flat OUT ROWS DIM [SEED]

flat         IndexFlatL2: vectors of PCG64 uniform in [0, 1), in order; ids are implicit
ivf          IndexIVFFlat with 1024 lists: row i is in list i mod 1024, its id is i * 7 - 1000003
sparse_flat  IndexFlatL2 whose vectors are one hole: takes no disk, reads as zeros
"""
import struct
import sys

import numpy as np

PART = 65_536
LISTS = 1024


def header(fourcc, rows, dim):
    return fourcc + struct.pack("<iqqq?i", dim, rows, 1 << 20, 1 << 20, True, 1)


def flat(file, rows, dim, rng):
    file.write(header(b"IxF2", rows, dim) + struct.pack("<Q", rows * dim))
    for start in range(0, rows, PART):
        file.write(rng.random((min(PART, rows - start), dim), dtype=np.float32).tobytes())


def ivf(file, rows, dim, rng):
    file.write(header(b"IwFl", rows, dim) + struct.pack("<QQ", LISTS, 1))
    flat(file, LISTS, dim, rng)  # the quantizer
    file.write(struct.pack("<BQ", 0, 0))  # no direct map
    file.write(b"ilar" + struct.pack("<QQ", LISTS, dim * 4) + b"full" + struct.pack("<Q", LISTS))
    file.write(np.array([len(range(n, rows, LISTS)) for n in range(LISTS)], "<u8").tobytes())
    for n in range(LISTS):
        ids = np.arange(n, rows, LISTS, dtype="<i8") * 7 - 1_000_003
        file.write(rng.random((len(ids), dim), dtype=np.float32).tobytes())
        file.write(ids.tobytes())


def sparse_flat(file, rows, dim, _):
    file.write(header(b"IxF2", rows, dim) + struct.pack("<Q", rows * dim))
    file.truncate(file.tell() + rows * dim * 4)


if __name__ == "__main__":
    kinds = {"flat": flat, "ivf": ivf, "sparse_flat": sparse_flat}
    if len(sys.argv) not in (5, 6) or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    kind, out, rows, dim = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    seed = int(sys.argv[5]) if len(sys.argv) == 6 else 1
    with open(out, "wb") as target:
        kinds[kind](target, rows, dim, np.random.default_rng(seed))
