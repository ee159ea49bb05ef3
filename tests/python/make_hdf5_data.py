#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the HDF5 files under tests/data/hdf5 with h5py; the same bytes every time.

    make_hdf5_data.py FOLDER

They are committed, so that the example tasks and the demo need no Python.
"""
import os
import sys

import h5py
import numpy as np


def create(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return h5py.File(path, "w", libver=("earliest", "v110"), track_order=False)


def ann_benchmarks(folder):
    """The layout of the ann-benchmarks data sets: vectors in /train, no ids."""
    rng = np.random.default_rng(7)
    train = rng.standard_normal((300, 24), dtype=np.float32)
    train /= np.linalg.norm(train, axis=1, keepdims=True)
    queries = train[:10] + 0.01
    distances = 1 - queries @ train.T
    neighbors = np.argsort(distances, axis=1, kind="stable")[:, :10].astype(np.int32)
    with create(f"{folder}/glove-24-angular.hdf5") as file:
        file.attrs["distance"] = "angular"
        file.attrs["type"] = "dense"
        file["train"] = train
        file["test"] = queries
        file["neighbors"] = neighbors
        file["distances"] = np.take_along_axis(distances, neighbors, axis=1).astype(np.float32)


def shop(folder):
    """Two collections of a shop: ids of its own, a number and a text for each row."""
    for seed, (name, rows) in enumerate([("hats", 120), ("shoes", 180)]):
        rng = np.random.default_rng(seed)
        with create(f"{folder}/shop/{name}.h5") as file:
            vectors = rng.standard_normal((rows, 16), dtype=np.float32)
            file.create_dataset("embeddings", data=vectors, chunks=(50, 16), compression="gzip")
            file["ids"] = np.arange(rows, dtype=np.int64) * 3 + 10_000 * (seed + 1)
            file["price"] = rng.integers(5, 200, rows).astype(np.float64) + 0.99
            titles = [f"{name} no. {n}" for n in range(rows)]
            file.create_dataset("title", data=titles, dtype=h5py.string_dtype())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    ann_benchmarks(sys.argv[1])
    shop(sys.argv[1])
