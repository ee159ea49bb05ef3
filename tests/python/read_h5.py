#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints what h5py finds in a file, as JSON.   read_h5.py FILE"""
import json
import sys

import h5py
import numpy as np


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, list):
        return [plain(element) for element in value]
    return value


def main(path):
    datasets = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            datasets[name] = {
                "shape": list(item.shape),
                "dtype": "string" if h5py.check_string_dtype(item.dtype) else item.dtype.str,
                "chunks": None if item.chunks is None else list(item.chunks),
                "compression": item.compression,
                "shuffle": bool(item.shuffle),
                "values": plain(item[()]),
            }

    with h5py.File(path, "r") as file:
        file.visititems(visit)
        attributes = {name: plain(value) for name, value in file.attrs.items()}
        types = {name: type(value).__name__ for name, value in file.attrs.items()}
    json.dump({"attributes": attributes, "attribute_types": types, "datasets": datasets}, sys.stdout)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
