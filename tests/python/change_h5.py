#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Changes one thing in a file that milvusdm wrote, with real h5py.

    change_h5.py FILE drop|double|flip|rename ROW
    change_h5.py FILE swap ROW OTHER
    change_h5.py FILE narrow ROW            takes away the last element of each vector
    change_h5.py FILE metric ROW            says that they are for the metric L2
"""
import sys

import h5py
import numpy as np


def main(path, what, row, other=0):
    row, other = int(row), int(other)
    with h5py.File(path, "r+") as file:
        all_rows = {name: file[name][()] for name in file}
        attributes = {name: dict(file[name].attrs) for name in file}
        vectors = all_rows["embeddings"]
        if what == "flip":
            bits = vectors.view(np.uint8)
            bits[row, bits.shape[1] // 2] ^= 1
        elif what == "swap":
            vectors[[row, other]] = vectors[[other, row]]
        elif what == "narrow":
            all_rows["embeddings"] = vectors[:, :-1]
            file.attrs["dim"] = vectors.shape[1] - 1
        elif what == "metric":
            file.attrs["metric"] = "l2"
        elif what == "rename":
            all_rows["ids"][row] = 999_999
        for name, values in all_rows.items():
            if what == "drop":
                values = np.delete(values, row, axis=0)
            elif what == "double":
                values = np.concatenate([values, values[row : row + 1]])
            del file[name]
            file.create_dataset(name, data=values)
            for key, value in attributes[name].items():
                file[name].attrs[key] = value


main(*sys.argv[1:])
