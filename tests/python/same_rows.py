#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says whether two HDF5 files hold the same rows, in any order.

    same_rows.py A.h5 B.h5
"""
import sys

import h5py


def rows(path):
    with h5py.File(path) as file:
        vectors = file["embeddings"][:]
        ids = file["ids"][:] if "ids" in file else range(len(vectors))
        return sorted((int(i), v.tobytes()) for i, v in zip(ids, vectors))


first, second = (rows(path) for path in sys.argv[1:3])
if first == second:
    print(f"{len(first)} rows are the same")
else:
    print(f"{len(first)} and {len(second)} rows; {len(set(first) ^ set(second))} stand on one side only")
